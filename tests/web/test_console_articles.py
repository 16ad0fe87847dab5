"""Articles in the console: found, read beside their original, held, released, corrected and retracted."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from syndicate.core.identity import page_path
from syndicate.rendering.lines import lines_of
from syndicate.services.approve_issue import approve
from syndicate.services.draft_issue import draft_cadence_issue
from syndicate.services.freeze_issue import freeze
from syndicate.storage import tables
from syndicate.storage.article_search import Wanted, find_articles
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue
from tests.mailing import SHEET, make_newsroom
from tests.services.composing_room import enrol
from tests.web.desk_site import Desk, open_desk
from tests.web.newsroom_site import WebSite

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def desk(web_site: WebSite) -> Desk:
    return open_desk(web_site)


def titles(desk: Desk) -> list[str]:
    """In the site's own feed, as published."""
    items = json.loads((desk.site.site.feeds_folder / "feed.json").read_bytes())["items"]
    return sorted(each["title"] for each in items)


def test_articles_are_found_by_what_is_known_of_them(desk: Desk) -> None:
    client = desk.site.client("editor")
    both = ("The ferry runs again", "Night ferry returns")
    for query, expected in {
        "": (*both, "The bridge is closed"),
        "?q=FERRY": both,
        "?q=ferry+winters": both,
        "?q=train": (),
        "?q=train&text=yes": both,
        "?state=held": ("The bridge is closed",),
        "?section=world": ("The ferry runs again",),
        "?tag=harbour": ("The ferry runs again",),
        "?source=nobody": (),
        "?q=100%25_": (),
    }.items():
        text = client.get(f"/console/articles{query}").text
        assert {each for each in (*both, "The bridge is closed") if f">{each}</a>" in text} == set(expected), query


def test_pages_go_on_by_key_and_miss_nothing(desk: Desk) -> None:
    with desk.site.site.database.read() as connection:
        whole = [each.id for each in find_articles(connection, Wanted(), limit=10)]
        seen: list[str] = []
        while found := find_articles(connection, Wanted(), after=seen[-1] if seen else "", limit=1):
            seen += [each.id for each in found]
    assert seen == whole and len(seen) == 3


def test_pages_go_on_by_key_on_both_databases(database: Database) -> None:
    """Numbered and not, at one moment and at others: where an unnumbered one stands differs, that all come does not."""
    ids = make_newsroom(database, articles=7)
    with database.write() as connection:
        table = tables.articles
        connection.execute(sa.update(table).where(table.c.id.in_(ids[2:5])).values(number=None, backlog=True))
        earlier = sa.update(table).where(table.c.id.in_(ids[5:])).values(arrived_at=table.c.arrived_at)
        connection.execute(earlier)
    with database.read() as connection:
        seen: list[str] = []
        while found := find_articles(connection, Wanted(), after=seen[-1] if seen else "", limit=2):
            seen += [each.id for each in found]
    assert sorted(seen) == ids


def test_the_original_is_shown_with_what_was_left_out(desk: Desk) -> None:
    text = desk.site.client("editor").get(desk.path("saved.txt")).text
    assert text.count("In the file, not published: </span>") == 2
    assert "NEXT Bus fares" in text and "2 lines were left out" in text
    held = desk.site.client("editor").get(desk.path("bridge.md")).text
    assert "draft: true" in held and "None while it is held." in held


def test_hostile_text_is_shown_as_text(desk: Desk) -> None:
    desk.write("x.md", "---\ntitle: <script>alert(1)</script>\n---\n\nA &lt;b&gt; and <img src=x onerror=alert(1)>.\n")
    desk.collect()
    client = desk.site.client("editor")
    for path in ("/console/articles", desk.path("x.md"), desk.path("x.md") + "/retract"):
        assert "<script>alert" not in client.get(path).text
    frame = client.get(desk.path("x.md") + "/published")
    assert "onerror" not in frame.text and "<script>alert" not in frame.text
    assert frame.headers["content-security-policy"].startswith("sandbox;")


def test_hold_release_restore_and_their_effect_on_what_is_published(desk: Desk) -> None:
    client = desk.site.client("editor")
    ferry, saved = desk.path("world/ferry.md"), desk.path("saved.txt")
    assert titles(desk) == ["Night ferry returns", "The ferry runs again"]
    asked = client.get(ferry).text
    assert "Feeds: it leaves the site" in asked and "Page: at its address" in asked
    answer = client.submit(ferry, f"{ferry}/hold", because="The captain objects")
    assert "It is held. Feeds: it has left the site" in answer.text and "The captain objects" in answer.text
    assert "Feeds: it goes into the site" in answer.text and "Page: it stands at its address." in answer.text
    assert titles(desk) == ["Night ferry returns"], "the files follow at once"
    answer = client.submit(ferry, f"{ferry}/release")
    assert "It is published, as number 3. Feeds: it went into the site" in answer.text and len(titles(desk)) == 2
    again = client.submit(ferry, f"{ferry}/release")
    assert again.status_code == 409 and "released already" in again.text
    client.submit(saved, f"{saved}/restore")
    assert "NEXT Bus fares" in lines_of(desk.article("saved.txt").content.html)


def test_what_is_released_before_its_time_waits_for_it_by_the_clocks_of_the_publication(desk: Desk) -> None:
    client, path = desk.site.client("editor"), desk.path("bridge.md")
    summer = datetime(2027, 7, 1, 17, 0, tzinfo=UTC)
    with desk.site.site.database.write() as connection:
        where = tables.articles.c.id == desk.article("bridge.md").id
        connection.execute(sa.update(tables.articles).where(where).values(not_before=summer))
    assert desk.site.site.publication.timezone == "Europe/Lisbon"
    answer = client.submit(path, f"{path}/release")
    assert "Nobody holds it any more; it waits until 1 Jul 2027 18:00." in answer.text


def test_backlog_is_included(desk: Desk) -> None:
    with desk.site.site.database.write() as connection:
        where = tables.articles.c.id == desk.article("saved.txt").id
        connection.execute(sa.update(tables.articles).where(where).values(number=None, backlog=True))
    path = desk.path("saved.txt")
    answer = desk.site.client("editor").submit(path, f"{path}/include")
    assert "It is number 3" in answer.text and desk.article("saved.txt").number == 3


def test_a_correction_is_asked_for_its_words_and_refused_of_what_has_changed_since(desk: Desk) -> None:
    client, path = desk.site.client("editor"), desk.path("world/ferry.md")
    form = client.get(f"{path}/correct").text
    assert "changes in the site" in form and "Issues: none carries it." in form
    same = {"title": "The ferry runs again", "summary": "After four winters the midnight boat is back."}
    bare = client.submit(f"{path}/correct", f"{path}/correct", note=" ", seen="1", **same)
    assert bare.status_code == 422 and "Say what was corrected." in bare.text
    done = client.submit(f"{path}/correct", f"{path}/correct", note="At seven.", seen="1", **{**same, "title": "At 7"})
    assert "Corrected." in done.text and "At 7" in titles(desk)
    late = client.submit(f"{path}/correct", f"{path}/correct", note="Again.", seen="1", **same)
    assert late.status_code == 409 and "has changed since" in late.text
    assert desk.article("world/ferry.md").content.title == "At 7"
    page = desk.site.site.feeds_folder / page_path(desk.article("world/ferry.md").id)
    assert "At seven." in page.read_text()


def test_what_the_file_says_by_now_is_shown_before_it_is_taken_over(desk: Desk) -> None:
    client, path = desk.site.client("editor"), desk.path("world/ferry.md")
    desk.write("world/ferry.md", "---\ntitle: The ferry runs again\nsection: world\n---\n\nIt sails at eight.\n")
    form = client.get(f"{path}/correct").text
    assert "Taken over from the file" in form and "It sails at eight." in form
    client.submit(f"{path}/correct", f"{path}/correct", note="At eight.", title="The ferry runs again", summary="")
    assert lines_of(desk.article("world/ferry.md").content.html) == ["It sails at eight."]


def test_retracted_and_published_again(desk: Desk) -> None:
    client, path = desk.site.client("editor"), desk.path("world/ferry.md")
    asked = client.get(f"{path}/retract").text
    assert "Page: it becomes a notice" in asked
    done = client.submit(f"{path}/retract", f"{path}/retract", note="Not true.")
    assert "Retracted. Feeds: it has left the site" in done.text and "Its page says: “Not true.”" in done.text
    assert titles(desk) == ["Night ferry returns"]
    client.submit(f"{path}/retract", f"{path}/retract", note="Not quite true.")
    page = desk.site.site.feeds_folder / page_path(desk.article("world/ferry.md").id)
    assert "Not quite true." in page.read_text()
    assert client.submit(path, f"{path}/release").status_code == 409
    again = client.submit(path, f"{path}/release", retracted="yes")
    assert "It is published, as number 3." in again.text and len(titles(desk)) == 2


def test_nobody_without_a_sign_in_and_no_foreign_form_changes_anything(desk: Desk) -> None:
    path = desk.path("world/ferry.md")
    stranger = desk.site.stranger().get(path)
    assert "/console/sign-in" in stranger.url
    for act in ("hold", "release", "include", "restore", "correct", "retract"):
        answer = desk.site.client("editor").post(f"{path}/{act}", data={"note": "x", "title": "x"})
        assert answer.status_code == 403, act
        assert desk.site.client("editor").get(f"{path}/{act}").status_code in (200, 404, 405)
    assert desk.article("world/ferry.md").status == "released"


def test_an_address_of_no_article_is_no_page(desk: Desk) -> None:
    client = desk.site.client("editor")
    for name in ("x", "..", "00000000-0000-4000-8000-000000000001", "' OR 1=1 --"):
        assert client.get(f"/console/articles/{name}").status_code in (200, 404)
    assert client.get("/console/articles/%00").status_code == 400
    assert client.get("/console/articles/00000000-0000-4000-8000-000000000001").status_code == 404


def sending_issue(desk: Desk) -> int:
    """An issue with both articles, frozen and being sent."""
    site, now = desk.site.site, desk.site.now
    newsletter = site.newsletters[0]
    enrol(site.database, 20, now, newsletter=newsletter.name, cadence=next(iter(newsletter.cadences)))
    issue = draft_cadence_issue(
        site.database, newsletter, next(iter(newsletter.cadences)), site.house, now=now, actor="desk"
    ).issue
    approve(site.database, issue.id, now=now, actor="desk")
    freeze(
        site.database,
        issue.id,
        newsletter=newsletter,
        publication=site.publication,
        sender=site.sender,
        environment=site.templates,
        sheet=SHEET,
        now=now,
    )
    return issue.id


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False])
def test_an_editor_retracts_an_article_that_is_being_sent(
    desk: Desk, open_page: Callable[..., Page], scripts: bool
) -> None:
    issue_id = sending_issue(desk)
    page = open_page("/console/articles?q=again", role="editor", scripts=scripts)
    page.get_by_role("link", name="The ferry runs again").click()
    page.get_by_role("link", name="Retract…").click()
    assert page.get_by_text(f"Issue {issue_id} (").inner_text().endswith("a revision without it awaits approval.")
    page.get_by_label("Why, for readers").fill("It was not true.")
    page.get_by_role("button", name="Retract it").click()
    page.get_by_role("status").get_by_text("is paused with 0 of 20 sent").wait_for()
    with desk.site.site.database.read() as connection:
        issue = get_issue(connection, issue_id)
    assert (issue.state, issue.revision, issue.is_approved) == ("paused", 2, False)
    page.get_by_text("Publish again…").click()
    page.get_by_role("button", name="Publish it again").click()
    page.get_by_text("It is published, as number 3.").wait_for()


@pytest.mark.browser
def test_an_editor_holds_releases_and_corrects(desk: Desk, open_page: Callable[..., Page]) -> None:
    page = open_page(desk.path("world/ferry.md"), role="editor")
    page.get_by_text("Hold…").click()
    page.get_by_label("Why").fill("One more look")
    page.get_by_role("button", name="Hold it").click()
    page.get_by_text("It is held. Feeds: it has left").wait_for()
    page.get_by_text("Release…").click()
    page.get_by_role("button", name="Release it").click()
    page.get_by_text("It is published, as number 3.").wait_for()
    page.get_by_role("link", name="Correct…").click()
    page.get_by_label("What was corrected").fill("It leaves at six.")
    page.get_by_label("Title").fill("The ferry leaves at six")
    page.get_by_role("button", name="Correct it").click()
    page.get_by_role("heading", name="The ferry leaves at six", level=1).wait_for()
    page.get_by_text("Corrected by Ed").wait_for()
    page.get_by_text("What changed").first.click()
    assert page.get_by_text("The ferry runs again").first.is_visible()


def test_an_article_is_shown_beside_what_was_brought_as_it_is(desk: Desk) -> None:
    """Of a file its own words and markup; of a feed what it said, which is never asked for again here."""
    site = desk.site.site
    article = desk.article("world/ferry.md")
    client = desk.site.client("editor")
    path = f"/console/articles/{article.id.removeprefix('urn:uuid:')}"
    file = site.directory / "articles" / "world" / "ferry.md"
    file.write_text("# The <i>ferry</i> runs again\n\n<script>alert(1)</script> It is *late*.\n", encoding="utf-8")
    shown = client.get(path).text
    assert "As it was brought" in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt; It is *late*." in shown
    said = sa.update(tables.source_items).where(tables.source_items.c.article_id == article.id)
    with site.database.write() as connection:
        connection.execute(said.values(received="Title: The ferry\n\n<p>It <b>said</b> so.</p>"))
    assert "&lt;p&gt;It &lt;b&gt;said&lt;/b&gt; so.&lt;/p&gt;" in client.get(path).text
    file.unlink()
    assert client.get(path).status_code == 200
