"""Today, Sources, Feeds and Log: what they show, and that what they do is done once, by whoever may."""

from __future__ import annotations

import time

from syndicate.services.collect_articles import collect
from syndicate.site import Site
from tests.web.newsroom_site import WebSite


def take_in(web_site: WebSite, site: Site) -> None:
    """Two articles from the folder, one of them not to go out yet."""
    folder = site.directory / "articles" / "world"
    folder.mkdir(parents=True)
    (folder / "ferry.md").write_text("# The ferry is back\n\nIt came at night.\n", encoding="utf-8")
    draft = "---\ndraft: true\n---\n# Not yet <b>done</b>\n\nTo be written.\n"
    (folder / "held.md").write_text(draft, encoding="utf-8")
    report = collect(
        site.database,
        site.source("desk"),
        feeds=site.feeds,
        newsletters=site.newsletters,
        now=web_site.now,
        sleep=time.sleep,
    )
    assert len(report.of("new")) == 2


def test_today_tells_what_came_in_and_what_needs_somebody(web_site: WebSite) -> None:
    editor = web_site.client("editor")
    empty = editor.get("/console/").text
    assert "Nothing has come in yet" in empty and "All is well" in empty
    assert "Morning Briefing" in empty
    take_in(web_site, web_site.site)
    shown = editor.get("/console/").text
    needs = shown.split('id="needs"')[1].split('id="came-in"')[0]
    assert "Not yet" in needs and "The ferry is back" not in needs
    assert "The ferry is back" in shown
    assert "<b>done</b>" not in shown


def test_a_source_is_paused_and_goes_on_and_the_log_says_who_did_it(web_site: WebSite) -> None:
    editor = web_site.client("editor")
    paused = editor.submit("/console/sources", "/console/sources/desk/pause")
    assert "desk is paused" in paused.text and "paused" in paused.text.split("<tbody>")[1]
    assert "desk goes on" in editor.submit("/console/sources", "/console/sources/desk/resume").text
    log = editor.get("/console/log", params={"action": "source."}).text
    assert log.count("source.pause") == 1 and log.count("source.resume") == 1
    assert "Nothing fits" in editor.get("/console/log", params={"actor": "nobody"}).text
    assert editor.submit("/console/sources", "/console/sources/nowhere/pause").status_code == 404


def test_a_feed_is_paused_and_goes_on(web_site: WebSite) -> None:
    editor = web_site.client("editor")
    assert "is paused" in editor.submit("/console/feeds", "/console/feeds/site/pause").text
    assert "goes on" in editor.submit("/console/feeds", "/console/feeds/site/resume").text


def test_a_get_changes_nothing_and_a_form_of_others_neither(web_site: WebSite) -> None:
    editor = web_site.client("editor")
    assert editor.get("/console/sources/desk/pause").status_code == 405
    assert editor.post("/console/sources/desk/pause").status_code == 403
    assert web_site.stranger().get("/console/log", allow_redirects=False).status_code in (303, 401)
    assert "source.pause" not in editor.get("/console/log").text
