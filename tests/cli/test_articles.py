"""`collect`, `articles` and `db` as an editor meets them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from syndicate.cli import root
from syndicate.errors import NotFound, Refused, SyndicateError

Run = Callable[..., Result]


def ok(result: Result) -> Any:
    """What a command printed for programs."""
    assert result.exception is None and result.return_value in (None, 0), result.output
    return json.loads(result.stdout)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    result = CliRunner().invoke(root, ["init", str(folder)], standalone_mode=False)
    assert result.exception is None, result.output
    return folder


@pytest.fixture
def run(site: Path) -> Run:
    """Runs a command in the site; with `fails`, gives back the error that it ends with."""

    def run(*arguments: str, **given: Any) -> Result:
        return CliRunner().invoke(root, ["--site", str(site), *arguments], standalone_mode=False, **given)

    return run


def write(site: Path, key: str, text: str) -> Path:
    path = site / "articles" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    earlier = time.time() - 60
    os.utime(path, (earlier, earlier))
    return path


FERRY = (
    "---\ntitle: The ferry runs again\nid: ferry\n---\n\nThe ferry left at six, on time, with forty people on board.\n"
)
BRIDGE = "---\ntitle: Bridge closed\ndraft: true\n---\n\nThe bridge is closed until noon while the bolts are changed.\n"


def test_collect_reports_each_item_and_ends_well_with_nothing_new(run: Run, site: Path) -> None:
    write(site, "world/ferry.md", FERRY)
    write(site, "bridge.md", BRIDGE)
    write(site, "broken.md", "---\ntitle: [unclosed\n---\n\nText.\n")
    [report] = ok(run("collect", "--json"))
    assert [each["path"] for each in report["new"]] == ["desk/bridge.md", "desk/world/ferry.md"]
    assert [each["title"] for each in report["held"]] == ["Bridge closed"]
    assert [each["path"] for each in report["broken"]] == ["desk/broken.md"]
    assert len(report["released"]) == 1 and report["backlog"] == 0
    again = run("collect")
    assert again.return_value == 0 and "broken.md" in again.stderr


def test_an_article_is_named_by_urn_prefix_or_path(run: Run, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(site, "world/ferry.md", FERRY)
    run("collect")
    [row] = ok(run("articles", "list", "--json"))
    urn = row["id"]
    assert row["title"] == "The ferry runs again" and row["section"] == "world" and row["number"] == 1
    monkeypatch.chdir(site)
    names = [urn, urn[:20], urn[9:17], urn[9:17].upper(), "world/ferry.md", "articles/world/ferry.md", str(path)]
    for name in names:
        assert ok(run("articles", "show", name, "--json"))["id"] == urn, name
    for name in ("zzz", "", "urn:uuid:", "world/none.md", "%", "_"):
        assert isinstance(run("articles", "show", name).exception, NotFound), name


def test_an_ambiguous_prefix_is_refused(run: Run, site: Path) -> None:
    for place in range(40):
        write(
            site, f"{place}.md", f"---\ntitle: Story {place}\n---\n\nThe words of story number {place} and no other.\n"
        )
    run("collect")
    ids = [each["id"] for each in ok(run("articles", "list", "--json"))]
    starts = [each[9] for each in ids]
    common = next(each for each in starts if starts.count(each) > 1)
    error = run("articles", "hold", common).exception
    assert isinstance(error, NotFound) and "several" in str(error)


def test_hold_release_and_their_reasons(run: Run, site: Path) -> None:
    write(site, "ferry.md", FERRY)
    run("collect")
    [held] = ok(run("articles", "hold", "ferry.md", "--because", "The captain objects", "--json"))
    assert held["taken_back"]
    shown = run("articles", "show", "ferry.md").output
    assert "held (The captain objects)" in shown
    assert "Released as number 2" in run("articles", "release", "ferry.md").output
    error = run("articles", "release", "ferry.md").exception
    assert isinstance(error, Refused) and isinstance(error, SyndicateError) and error.exit_status == 1


def test_lists_are_narrowed(run: Run, site: Path) -> None:
    write(site, "world/ferry.md", FERRY)
    write(site, "local/bridge.md", BRIDGE)
    run("collect")

    def titles(*arguments: str) -> list[str]:
        return [each["title"] for each in ok(run("articles", "list", "--json", *arguments))]

    assert titles("--section", "world") == ["The ferry runs again"]
    assert titles("--status", "held") == ["Bridge closed"]
    assert titles("--source", "nobody") == []
    assert len(titles("--limit", "1")) == 1
    assert "world/ferry.md" in run("articles", "list").output


def test_show_tells_where_an_article_is_and_is_not(run: Run, site: Path) -> None:
    write(site, "ferry.md", FERRY)
    run("collect")
    value = ok(run("articles", "show", "ferry.md", "--json"))
    assert value["feeds"] == [""] and value["issues"] == [] and value["missed"] == []
    assert value["newsletters"] and value["revisions"][0]["kind"] == "first"
    text = run("articles", "show", "ferry.md").output
    assert "The ferry runs again" in text and value["link"] in text and "number 1" in text


def test_the_database_is_made_and_checked(run: Run, site: Path) -> None:
    assert ok(run("db", "upgrade", "--json"))["revision"]
    assert ok(run("db", "check", "--json"))["problems"] == []
    assert "whole" in run("db", "check").output


def test_an_unknown_source_is_named_with_the_nearest(run: Run) -> None:
    error = run("collect", "dsek").exception
    assert isinstance(error, NotFound) and "desk" in str(error)


def test_correct_and_retract_tell_their_effect_and_do_it_everywhere(run: Run, site: Path) -> None:
    write(site, "ferry.md", FERRY)
    run("collect")
    run("publish")
    assert run("articles", "correct", "ferry.md", "--yes").exception is not None, "never without a word"
    asked = run("articles", "retract", "ferry.md", input="n\n")
    assert "Page: it becomes a notice" in asked.output and isinstance(asked.exception, Refused)
    value = ok(run("articles", "correct", "ferry.md", "--note", "At six.", "--title", "At six", "--json", "--yes"))
    assert (value["action"], value["feeds"], value["problems"]) == ("correct", [""], [])
    feed = site / "feeds" / "feed.json"
    assert [each["title"] for each in json.loads(feed.read_bytes())["items"]] == ["At six"]
    assert "corrected" in run("articles", "show", "ferry.md").output
    done = run("articles", "retract", "ferry.md", "--note", "Not true.", "--yes")
    assert "Feeds: it has left the site's own" in done.output and "files changed" in done.output
    assert json.loads(feed.read_bytes())["items"] == []
    assert "gone (retracted: Not true.)" in run("articles", "show", "ferry.md").output
    assert isinstance(run("articles", "release", "ferry.md").exception, Refused)
    assert "Released as number 2" in run("articles", "release", "ferry.md", "--retracted").output
