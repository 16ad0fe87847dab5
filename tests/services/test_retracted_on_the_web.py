"""What feeds and pages show of articles that were corrected or retracted, and that those stay away by themselves."""

from __future__ import annotations

import gzip
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from syndicate.core.article import Article
from syndicate.core.identity import page_path
from syndicate.errors import NotFound
from syndicate.services.correct_article import correct_article
from syndicate.services.hold_article import hold_articles
from syndicate.services.release_articles import release_articles
from syndicate.services.retract_article import retract_article
from syndicate.sources.base import Source
from syndicate.storage.articles import get_article
from syndicate.storage.database import Database
from syndicate.storage.feeds import cached_fragments
from syndicate.storage.revisions import list_revisions
from tests.rendering.feed_documents import require_atom, require_json, require_rss
from tests.services.newsroom import FEEDS, Newsroom
from tests.services.press import BRIEF, SITE, WORLD, Press, an_article, article_id

AT = "{http://purl.org/atompub/tombstones/1.0}"


@pytest.fixture
def press(database: Database, tmp_path: Path) -> Press:
    press = Press(database, tmp_path / "feeds", feeds=(SITE, WORLD, BRIEF)).open()
    press.add(an_article("one"), an_article("two", hours=1), an_article("three", hours=2, section="sport"))
    press.publish()
    return press


def no_source(name: str) -> Source:
    raise NotFound(name)


def retract(press: Press, name: str, note: str = "It was not true.") -> None:
    retract_article(press.database, article_id(name), note=note, actor="desk", feeds=press.feeds, now=press.now)


def correct(press: Press, name: str, *, in_feeds: bool = False, **changes: str) -> None:
    correct_article(
        press.database,
        article_id(name),
        no_source,
        note="The ferry leaves at <six>.",
        changes=changes,
        in_feeds=in_feeds,
        actor="desk",
        feeds=press.feeds,
        now=press.now,
    )


def look(press: Press, name: str) -> Article:
    with press.database.read() as connection:
        return get_article(connection, article_id(name))


def documents(press: Press, folder: str = "") -> tuple[Any, Any, Any]:
    """The three files of a feed, each as its format demands."""
    place = press.folder / folder
    return (
        require_atom((place / "atom.xml").read_bytes()),
        require_rss((place / "rss.xml").read_bytes()),
        require_json((place / "feed.json").read_bytes()),
    )


def texts(press: Press) -> str:
    """Every byte that is published, twins too."""
    raw = [path.read_bytes() for path in press.folder.rglob("*") if path.is_file()]
    return " ".join((gzip.decompress(each) if each[:2] == b"\x1f\x8b" else each).decode() for each in raw)


def test_a_retracted_article_leaves_every_file_and_a_tombstone_says_so(press: Press) -> None:
    assert "Body of one" in texts(press)
    retract(press, "one")
    done = press.publish()
    assert not done.problems and {each.name for each in done.feeds} == {"", "world", "brief"}
    assert "Body of one" not in texts(press) and "Title of one" not in texts(press)
    for folder in ("", "world/", "brief/"):
        atom, rss, feed = documents(press, folder)
        [gone] = atom.findall(f"{AT}deleted-entry")
        assert (gone.get("ref"), gone.get("when")) == (article_id("one"), "2026-12-01T08:00:00Z")
        tags = [child.tag for child in atom]
        assert tags.index(f"{AT}deleted-entry") < tags.index("{http://www.w3.org/2005/Atom}entry")
        assert atom.findtext("{*}updated") == "2026-12-01T08:00:00Z"
        assert article_id("one") not in [each.findtext("guid") for each in rss.findall("item")]
        assert article_id("one") not in [each["id"] for each in feed["items"]]
    with press.database.read() as connection:
        assert not cached_fragments(connection, [article_id("one")], "full")
    again = press.publish()
    assert not again.changed_anything
    press.publish(force=True)
    assert "Title of one" not in texts(press)


def test_its_page_becomes_a_notice_at_the_same_address(press: Press) -> None:
    path = press.folder / page_path(article_id("one"))
    retract(press, "one", "We were <b>wrong</b>.")
    done = press.publish()
    assert (done.pages_written, done.pages_removed) == (1, 0)
    page = path.read_text()
    assert "The article that stood here was retracted on December 1, 2026." in page
    assert "We were &lt;b&gt;wrong&lt;/b&gt;." in page and '<meta name="robots" content="noindex">' in page
    assert "Body of one" not in page and "Title of one" not in page
    assert gzip.decompress(path.with_name(path.name + ".gz").read_bytes()).decode() == page
    retract(press, "one", "Another word.")
    press.publish()
    assert "Another word." in path.read_text() and "wrong" not in path.read_text()
    assert len(documents(press)[0].findall(f"{AT}deleted-entry")) == 1


def test_in_french_the_notice_is_french(press: Press) -> None:
    press.add(an_article("quatre", language="fr"))
    press.publish()
    retract(press, "quatre", "")
    press.publish()
    page = (press.folder / page_path(article_id("quatre"))).read_text()
    assert 'lang="fr"' in page and "a été retiré le 1er décembre 2026" in page


def test_one_that_was_held_when_it_was_retracted_is_told_as_gone_too(press: Press) -> None:
    hold_articles(press.database, [article_id("one")], because="", actor="desk", feeds=press.feeds, now=press.now)
    press.publish()
    assert not documents(press)[0].findall(f"{AT}deleted-entry")
    retract(press, "one")
    press.publish()
    assert documents(press, "world/")[0].findall(f"{AT}deleted-entry")
    assert (press.folder / page_path(article_id("one"))).exists()


def test_one_that_nobody_ever_saw_leaves_no_trace(press: Press) -> None:
    from dataclasses import replace

    secret = replace(an_article("secret", status="held"), published_at=None, updated_at=None)
    press.add(secret)
    retract(press, "secret")
    press.publish()
    assert article_id("secret") not in texts(press)
    assert not (press.folder / page_path(article_id("secret"))).exists()


def test_a_feed_tells_no_more_than_the_newest_removals(press: Press, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syndicate.storage.removals.MOST_SHOWN", 2)
    for name in ("one", "two", "three"):
        press.now += timedelta(hours=1)
        retract(press, name)
    press.publish()
    gone = [each.get("ref") for each in documents(press)[0].findall(f"{AT}deleted-entry")]
    assert gone == [article_id("three"), article_id("two")]
    assert json.loads((press.folder / "feed.json").read_bytes())["items"] == []


def test_published_again_it_is_whole_again_and_newer_than_its_tombstone(press: Press) -> None:
    before = press.files()
    retract(press, "one")
    press.publish()
    press.now += timedelta(hours=1)
    release_articles(
        press.database, [article_id("one")], actor="desk", feeds=press.feeds, now=press.now, retracted=True
    )
    press.publish()
    atom, _, feed = documents(press)
    assert not atom.findall(f"{AT}deleted-entry")
    [item] = [each for each in feed["items"] if each["id"] == article_id("one")]
    assert item["date_modified"] == "2026-12-01T09:00:00Z"
    page = page_path(article_id("one"))
    assert "Body of one" in (press.folder / page).read_text()
    assert press.files().keys() == before.keys()


def test_a_correction_moves_updated_and_keeps_everything_else(press: Press) -> None:
    old = look(press, "one")
    correct(press, "one", title="A better title")
    press.publish()
    new = look(press, "one")
    assert (new.id, new.published_at, new.number, new.revision) == (old.id, old.published_at, old.number, 2)
    atom, _, feed = documents(press)
    items = {each["id"]: each for each in feed["items"]}
    assert [each["id"] for each in feed["items"]][-1] == article_id("one"), "the order is that of publication"
    assert items[article_id("one")]["title"] == "A better title"
    assert items[article_id("one")]["date_modified"] == "2026-12-01T08:00:00Z"
    assert items[article_id("two")]["date_modified"] == items[article_id("two")]["date_published"]
    page = (press.folder / page_path(article_id("one"))).read_text()
    assert "A better title" in page and "Correction, December 1, 2026" in page
    assert "The ferry leaves at &lt;six&gt;." in page
    assert "The ferry leaves" not in etree.tostring(atom).decode()
    with press.database.read() as connection:
        last = list_revisions(connection, article_id("one"))[-1]
    assert (last.kind, last.actor, last.note) == ("correction", "desk", "The ferry leaves at <six>.")


def test_when_wanted_feeds_say_what_was_corrected(press: Press) -> None:
    correct(press, "one", in_feeds=True)
    press.publish()
    said = "Correction: The ferry leaves at &lt;six&gt;."
    [item] = [each for each in documents(press)[2]["items"] if each["id"] == article_id("one")]
    assert item["content_html"].endswith(f"<p><em>{said}</em></p>") and "Correction" not in item["summary"]
    [short] = [each for each in documents(press, "brief/")[2]["items"] if each["id"] == article_id("one")]
    assert short["content_text"].endswith("Correction: The ferry leaves at <six>.")


# --- the file in its folder -----------------------------------------------------------------------------------------


@pytest.fixture
def room(database: Database, now: datetime) -> Newsroom:
    room = Newsroom(database, now).begin_empty()
    room.desk.put("a.md", "The mayor resigned.", section="world")
    room.collect()
    return room


def test_a_file_that_is_still_there_stays_out_whatever_happens_to_it(room: Newsroom) -> None:
    one = room.only().id
    retract_article(room.database, one, note="", actor="desk", feeds=FEEDS, now=room.now)
    assert room.entries() == set()
    room.desk.put("a.md", "The mayor did not resign.", section="world")
    assert room.collect().outcomes == []
    room.desk.rename("a.md", "b.md")
    room.collect()
    # Another source brings it too.
    room.wire.put("x", "The mayor did not resign.", section="world", title="Title of a.md")
    room.collect(room.wire)
    assert {each.status for each in room.articles().values()} == {"gone"}
    assert room.entries() == set()


def test_published_again_it_says_what_its_file_says_by_then(room: Newsroom) -> None:
    one = room.only().id
    retract_article(room.database, one, note="", actor="desk", feeds=FEEDS, now=room.now)
    room.desk.put("a.md", "The mayor did not resign.", section="world")
    room.collect()
    release_articles(room.database, [one], actor="desk", feeds=FEEDS, now=room.now, retracted=True)
    assert "did not" not in room.only().content.html
    room.collect()
    assert "did not" in room.only().content.html and room.entries() == {one}


def test_a_corrected_title_stands_until_the_file_gives_another(room: Newsroom) -> None:
    def fix(**changes: str) -> None:
        correct_article(
            room.database,
            room.only().id,
            lambda name: room.desk,
            note="Wrong.",
            changes=changes,
            actor="desk",
            feeds=FEEDS,
            now=room.now,
        )

    fix(title="Corrected")
    assert room.only().content.title == "Corrected"
    room.desk.put("a.md", "The mayor resigned today.", section="world")
    room.collect()
    assert (room.only().content.title, "today" in room.only().content.html) == ("Corrected", True)
    room.desk.put("a.md", "The mayor resigned today.", section="world", title="From the file")
    room.collect()
    assert room.only().content.title == "From the file"
    room.desk.put("a.md", "The mayor resigned.", section="world")
    room.collect()
    assert room.only().content.title == "Title of a.md", "the correction is over"


def test_a_correction_takes_what_the_file_says_now_without_waiting_for_a_look(room: Newsroom) -> None:
    room.desk.put("a.md", "The mayor did not resign.", section="world")
    correct_article(
        room.database,
        room.only().id,
        lambda name: room.desk,
        note="He did not.",
        changes={},
        actor="desk",
        feeds=FEEDS,
        now=room.now,
    )
    assert "did not" in room.only().content.html
    revision = room.only().revision
    room.collect()
    assert room.only().revision == revision, "the look that follows finds nothing else"
