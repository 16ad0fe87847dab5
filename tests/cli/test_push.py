"""`syndicate push`, as somebody at a terminal meets it."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path

import pytest

from tests.end_to_end.site import SiteFolder

SOURCE = """
[[sources]]
name = "cms"
kind = "push"
defaults = { section = "harbour" }
"""
STORY = "---\nauthors: [Harbour desk]\n---\n# The ferry is back\n\nIt sails at noon.\n"


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    made = SiteFolder(tmp_path / "site")
    made.folder.mkdir()
    assert made.call("init", ".").returncode == 0
    with (made.folder / "syndicate.toml").open("a", encoding="utf-8") as settings:
        settings.write(SOURCE)
    (made.folder / "story.md").write_text(STORY)
    return made


def test_a_file_is_pushed_once_changed_and_taken_away(site: SiteFolder) -> None:
    first = site.call("push", "cms", "story.md", "--id", "7")
    assert (first.returncode, first.stderr) == (0, "")
    assert "new: cms/7  The ferry is back" in first.stdout
    assert "the same as before" in site.call("push", "cms", "story.md", "--id", "7").stdout
    assert "Nothing new." in site.call("collect", "cms").stdout
    (site.folder / "story.md").write_text(STORY.replace("noon", "one"))
    assert "changed: cms/7" in site.call("push", "cms", "story.md", "--id", "7").stdout
    site.call("publish")
    rss = (site.folder / "feeds/rss.xml").read_text()
    assert "It sails at one." in rss and "harbour" in rss
    assert "taken away" in site.call("push", "cms", "--remove", "--id", "7").stdout
    [article] = json.loads(site.call("articles", "list", "--json").stdout)
    assert article["title"] == "The ferry is back"


def test_standard_input_and_json(site: SiteFolder) -> None:
    given = json.dumps({"id": "8", "title": "Tides", "html": "<p>High.</p>", "titel": "x", "draft": True})
    done = site.run("push", "cms", "-", "--json", stdin=given)
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["result"], answer["status"]) == (0, "new", "held")
    assert answer["id"].startswith("urn:uuid:")
    assert "did you mean 'title'?" in answer["warnings"][0]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["cms", "none.md"], 1, "none.md cannot be read"),
        (["cms", "feeds"], 1, "cannot be read"),
        (["cms", "syndicate.toml"], 1, "is no article"),
        (["cms"], 2, "Say either FILE"),
        (["cms", "story.md", "--remove"], 2, "Say either FILE"),
        (["cms", "--remove", "--id", "9"], 1, "holds nothing under '9'"),
        (["cmd", "story.md"], 1, "Did you mean 'cms'?"),
        (["desk", "story.md"], 1, "is of kind 'folder'"),
        (["cms", "bad.md"], 1, "`date` in the article"),
    ],
)
def test_mistakes_get_one_sentence(site: SiteFolder, arguments: list[str], status: int, said: str) -> None:
    (site.folder / "bad.md").write_text("---\ndate: soon\n---\n# Title\n\nText.")
    done = site.call("push", *arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_what_looks_like_too_much_is_held_shown_and_released(site: SiteFolder) -> None:
    first = site.folder / "articles/first.md"
    first.write_text("# The first\n\nWords.\n")
    os.utime(first, (1_700_000_000, 1_700_000_000))
    site.call("collect", "desk")
    with sqlite3.connect(site.folder / "syndicate.db", timeout=30) as database:
        database.execute("UPDATE articles SET arrived_at = strftime('%Y-%m-%dT%H:%M:%f000Z', arrived_at, '-1 hour')")
    database.close()
    for place in range(25):
        path = site.folder / f"articles/{place}.md"
        path.write_text(f"# Story {place}\n\nWords of {place}.\n")
        os.utime(path, (1_700_000_000, 1_700_000_000))
    said = site.call("collect", "desk")
    assert "25 articles look new at once, usually 1: held" in said.stderr
    assert "`syndicate sources release desk`" in said.stderr
    shown = json.loads(site.call("sources", "show", "desk", "--json").stdout)
    assert (shown["held"], shown["held_because"][:11], shown["quiet_after"]) == (25, "25 articles", "")
    assert "sources release desk" in site.call("sources", "show", "desk").stderr
    refused = site.call("sources", "release", "desk")
    assert (refused.returncode, "add --yes" in refused.stderr) == (1, True)
    assert "25 articles released." in site.call("sources", "release", "desk", "--as-backlog", "--yes").stdout
    listed = json.loads(site.call("articles", "list", "--json", "--limit", "100").stdout)
    assert {(each["status"], each["number"]) for each in listed} == {("released", None), ("released", 1)}
    assert "Nothing of desk is held so." in site.call("sources", "release", "desk", "--yes").stdout
    assert site.call("sources", "release", "desc", "--yes").returncode == 1
