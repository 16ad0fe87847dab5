"""What is published, when it is touched, and that nothing is lost on the way."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import feedparser
import pytest
import sqlalchemy as sa

from syndicate.core.article import Image
from syndicate.core.feed import Feed
from syndicate.core.identity import page_path
from syndicate.core.selection import Selection
from syndicate.errors import NotFound
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.feeds import MOST_RECENT, feed_states
from tests.services.press import BRIEF, SITE, WORLD, Press, an_article, article_id

FORMATS = ("rss.xml", "atom.xml", "feed.json")


@pytest.fixture
def press(database: Database, tmp_path: Path) -> Press:
    return Press(database, tmp_path / "feeds").open()


def ids(path: Path) -> list[str]:
    """The ids of a feed file's entries, in order."""
    if path.suffix == ".json":
        return [item["id"] for item in json.loads(path.read_bytes())["items"]]
    return [entry.id for entry in feedparser.parse(path.read_bytes()).entries]


def test_a_site_gets_its_files_and_their_twins(press: Press) -> None:
    press.add(an_article("one"), an_article("two", hours=1, section="sport", url="https://post.example/two"))
    done = press.publish()
    names = {*FORMATS, "index.html", "feeds.opml", *(f"world/{name}" for name in FORMATS), page_path(article_id("one"))}
    assert set(press.files()) == names | {f"{name}.gz" for name in names}
    assert not done.problems and done.pages_written == 1 and done.changed_anything
    assert [(each.name, each.entries, each.changed) for each in done.feeds] == [("", 2, FORMATS), ("world", 1, FORMATS)]
    for name in FORMATS:
        assert ids(press.folder / name) == [article_id("two"), article_id("one")]
        assert ids(press.folder / "world" / name) == [article_id("one")]


def test_every_twin_holds_the_same_bytes(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    for twin in press.folder.rglob("*.gz"):
        assert gzip.decompress(twin.read_bytes()) == twin.with_suffix("").read_bytes()
        assert twin.read_bytes()[4:8] == bytes(4), "a time in its header would change it at every run"


def test_nothing_new_touches_nothing(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    before = press.times()
    again = press.publish()
    assert not again.changed_anything and not again.feeds
    forced = press.publish(force=True)
    assert not forced.lists and not any(each.changed for each in forced.feeds)
    assert press.times() == before


def test_the_bytes_depend_on_entries_and_definitions_alone(press: Press, tmp_path: Path) -> None:
    press.add(*(an_article(f"a{n}", hours=n) for n in range(5)))
    press.publish()
    press.add(an_article("passing", hours=9))
    press.publish()
    press.change("passing", status="held")
    press.publish()
    elsewhere = replace(press, folder=tmp_path / "again", now=press.now.replace(year=2031))
    elsewhere.publish(force=True)
    assert elsewhere.files() == press.files()


def test_only_the_feeds_of_a_new_article_are_written(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    press.add(an_article("two", section="sport", hours=1))
    done = press.publish()
    assert [each.name for each in done.feeds] == [""]
    assert done.pages_written == 1


def test_an_edit_keeps_the_order_and_the_id_and_moves_updated_only_when_told(press: Press) -> None:
    press.add(an_article("one"), an_article("two", hours=1))
    press.publish()
    press.change("one", title="A better title")
    press.publish()
    feed = feedparser.parse((press.folder / "atom.xml").read_bytes())
    assert [entry.title for entry in feed.entries] == ["Title of two", "A better title"]
    assert feed.entries[1].updated == feed.entries[1].published
    press.change("one", title="A corrected title", updated=True)
    press.publish()
    feed = feedparser.parse((press.folder / "atom.xml").read_bytes())
    assert feed.entries[1].updated == "2026-12-01T08:00:00Z" == feed.feed.updated
    assert "A corrected title" in (press.folder / page_path(article_id("one"))).read_text()


def test_a_held_article_leaves_feeds_and_pages(press: Press) -> None:
    press.add(an_article("one"), an_article("two", hours=1))
    press.publish()
    press.change("one", status="held")
    done = press.publish()
    assert done.pages_removed == 1
    for name in FORMATS:
        assert ids(press.folder / name) == [article_id("two")]
    assert not list(press.folder.glob(f"{page_path(article_id('one'))}*"))
    press.change("one", status="released")
    assert press.publish().pages_written == 1
    assert ids(press.folder / "atom.xml") == [article_id("two"), article_id("one")]


def test_a_page_stays_when_its_article_moves_elsewhere(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    press.change("one", url="https://post.example/one")
    press.publish()
    page = (press.folder / page_path(article_id("one"))).read_text()
    assert '<link rel="canonical" href="https://post.example/one">' in page


def test_a_missing_or_empty_file_comes_back(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    whole = press.files()
    (press.folder / "rss.xml").unlink()
    (press.folder / "world" / "feed.json.gz").write_bytes(b"")
    (press.folder / "index.html").unlink()
    (press.folder / "feeds.opml.gz").unlink()
    press.publish()
    assert press.files() == whole


def test_force_repairs_what_was_damaged(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    whole = press.files()
    for path in press.folder.rglob("*.*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    press.publish(force=True)
    assert press.files() == whole


@pytest.mark.parametrize("damage", [b"<item>cut sho", b"</item><item>", b"", b"<entry>&nbsp;</entry>"])
def test_a_kept_entry_that_was_damaged_never_reaches_a_file(press: Press, damage: bytes) -> None:
    press.add(an_article("one"), an_article("two", hours=1))
    press.publish()
    whole = press.files()
    kept = tables.fragments
    of_one = kept.c.article_id == article_id("one")
    with press.database.write() as connection:
        connection.execute(sa.update(kept).where(of_one, kept.c.format != "json").values(bytes=damage))
    done = press.publish(force=True)
    assert press.files() == whole and not done.problems
    with press.database.read() as connection:
        assert damage not in connection.execute(sa.select(kept.c.bytes)).scalars().all()


def test_a_publisher_killed_before_it_recorded_is_followed_by_one_that_repairs(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    press.add(an_article("two", hours=1))
    # The killed one had put the new file, and not its twin.
    old_twin = (press.folder / "rss.xml.gz").read_bytes()
    press.publish()
    (press.folder / "rss.xml.gz").write_bytes(old_twin)
    with press.database.write() as connection:
        connection.execute(sa.update(tables.feeds).values(published_generation=0))
        connection.execute(sa.update(tables.published_files).values(sha256="0" * 64))
    press.publish()
    assert gzip.decompress((press.folder / "rss.xml.gz").read_bytes()) == (press.folder / "rss.xml").read_bytes()


def test_a_summary_feed_holds_no_body(press: Press) -> None:
    press.feeds = (SITE, BRIEF)
    press.add(an_article("one", html="<p>The whole body.</p>"))
    press.publish()
    for name in FORMATS:
        assert b"The whole body" in (press.folder / name).read_bytes()
        assert b"The whole body" not in (press.folder / "brief" / name).read_bytes()
        assert b"Summary of one." in (press.folder / "brief" / name).read_bytes()


def test_the_limit_holds_but_never_cuts_two_days(press: Press) -> None:
    press.feeds = (SITE, BRIEF)
    press.add(*(an_article(f"a{n:02}", hours=12 * n) for n in range(10)))
    press.publish()
    # Twelve hours apart: five lie within 48 hours of the newest, though the limit is three.
    assert ids(press.folder / "brief" / "rss.xml") == [article_id(f"a{n:02}") for n in (9, 8, 7, 6, 5)]
    press.add(an_article("later", hours=1000))
    press.publish()
    assert ids(press.folder / "brief" / "rss.xml") == [article_id(name) for name in ("later", "a09", "a08")]


def test_equal_moments_are_ordered_by_id(press: Press) -> None:
    press.add(*(an_article(f"a{n}") for n in range(6)))
    press.publish()
    expected = sorted((article_id(f"a{n}") for n in range(6)), reverse=True)
    for name in FORMATS:
        assert ids(press.folder / name) == expected


def test_a_flood_is_cut_where_readers_would_refuse_it_and_said(press: Press) -> None:
    press.feeds = (SITE,)
    press.add(*(an_article(f"a{n:05}", url=f"https://post.example/{n}") for n in range(MOST_RECENT + 7)))
    done = press.publish()
    assert done.feeds[0].entries == MOST_RECENT
    assert "leaves out 7 recent articles" in done.problems[0]


@pytest.mark.parametrize("broken", [{"title": "\x01 \x0c"}, {"url": "javascript:alert(1)"}])
def test_an_article_no_feed_can_carry_is_named_and_left_out(press: Press, broken: dict[str, Any]) -> None:
    press.add(an_article("good"), an_article("bad", hours=1, **broken))
    done = press.publish()
    assert all("bad.md" in problem for problem in done.problems) and done.problems
    for name in FORMATS:
        assert ids(press.folder / name) == [article_id("good")]
    with press.database.read() as connection:
        assert "bad.md" in feed_states(connection)[""].problem
    press.change("bad", title="Good again", url="https://post.example/bad")
    assert not press.publish().problems
    with press.database.read() as connection:
        assert feed_states(connection)[""].problem == ""


def test_a_broken_template_of_the_site_stops_pages_and_not_feeds(press: Press, tmp_path: Path) -> None:
    template = tmp_path / "templates" / "web" / "public" / "article.html"
    template.parent.mkdir(parents=True)
    template.write_text("{{ article.nothing }}")
    press.templates = (tmp_path / "templates",)
    press.add(an_article("one"))
    done = press.publish()
    assert "article.html, line 1" in done.problems[0]
    assert ids(press.folder / "rss.xml") == [article_id("one")]
    template.unlink()
    assert press.publish().pages_written == 1


def test_a_new_selection_chooses_the_entries_anew(press: Press) -> None:
    press.add(an_article("one"), an_article("two", hours=1, section="sport"))
    press.publish()
    press.feeds = (SITE, replace(WORLD, selection=Selection({"section": "sport"})), Feed("all", "All"))
    done = press.publish()
    assert {each.name: each.entries for each in done.feeds} == {"world": 1, "all": 2}
    assert ids(press.folder / "world" / "rss.xml") == [article_id("two")]
    assert ids(press.folder / "all" / "feed.json") == [article_id("two"), article_id("one")]
    assert not press.publish().changed_anything


def test_a_new_title_is_published_and_in_every_list(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    press.feeds = (SITE, replace(WORLD, title="The world over"))
    done = press.publish()
    assert [each.name for each in done.feeds] == ["world"]
    assert set(done.lists) == {"feeds.opml", "index.html"}
    for path in ("world/rss.xml", "world/atom.xml", "world/feed.json", "index.html", "feeds.opml"):
        assert b"The world over" in (press.folder / path).read_bytes()


def test_a_feed_no_longer_declared_keeps_its_files_and_is_named(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    press.feeds = (SITE,)
    done = press.publish()
    assert done.undeclared == ("world",)
    assert (press.folder / "world" / "rss.xml").exists()
    assert b"world/" not in (press.folder / "index.html").read_bytes()


def test_only_the_named_feeds_are_published(press: Press) -> None:
    press.add(an_article("one"))
    assert [each.name for each in press.publish(["world"]).feeds] == ["world"]
    assert not (press.folder / "rss.xml").exists()
    with pytest.raises(NotFound, match=r"No feed is called 'wrld'.*world"):
        press.publish(["wrld"])


def test_an_empty_site_is_valid_and_the_same_every_time(press: Press) -> None:
    press.publish()
    first = press.files()
    assert ids(press.folder / "rss.xml") == ids(press.folder / "atom.xml") == ids(press.folder / "feed.json") == []
    press.now = press.now.replace(year=2030)
    press.publish(force=True)
    assert press.files() == first


def test_an_entry_names_its_language_only_where_it_is_not_the_feeds(press: Press) -> None:
    press.feeds = (SITE, Feed("francais", "En français", Selection({"language": "fr"}), language="fr"))
    press.add(an_article("one", language="fr"))
    press.publish()
    assert b'<entry xml:lang="fr">' in (press.folder / "atom.xml").read_bytes()
    assert b"<entry>" in (press.folder / "francais" / "atom.xml").read_bytes()
    # Both forms stay cached, whichever feed is published next.
    with press.database.read() as connection:
        assert len(connection.execute(sa.select(tables.fragments)).all()) == 6
    press.publish(force=True)
    assert b'<entry xml:lang="fr">' in (press.folder / "atom.xml").read_bytes()


def test_older_fragments_are_forgotten(press: Press) -> None:
    press.add(an_article("one"))
    for number in range(3):
        press.change("one", title=f"Title {number}")
        press.publish()
    with press.database.read() as connection:
        assert len(connection.execute(sa.select(tables.fragments)).all()) == 3


def test_where_a_picture_may_be_shown(press: Press) -> None:
    press.add(
        *(
            an_article(use, image=Image(f"https://post.example/{use}.jpg", "A pier", f"Photo desk {use}", use))
            for use in ("all", "web", "none")
        )
    )
    press.publish()
    for name in FORMATS:
        text = (press.folder / name).read_text()
        assert "all.jpg" in text and "Photo desk all" in text
        assert "web.jpg" not in text and "none.jpg" not in text
    pages = {use: (press.folder / page_path(article_id(use))).read_text() for use in ("all", "web", "none")}
    assert "all.jpg" in pages["all"] and "Photo desk all" in pages["all"]
    assert "web.jpg" in pages["web"] and "Photo desk web" in pages["web"]
    assert "none.jpg" not in pages["none"]


def test_articles_of_others_are_summaries_without_pictures(press: Press) -> None:
    press.add(
        an_article(
            "theirs",
            rights="theirs",
            url="https://other.example/1",
            html="<p>Their whole text.</p>",
            image=Image("https://other.example/1.jpg"),
        )
    )
    press.publish()
    for name in FORMATS:
        content = (press.folder / name).read_bytes()
        assert b"Their whole text" not in content and b"1.jpg" not in content
        assert b"https://other.example/1" in content and b"Summary of theirs." in content
