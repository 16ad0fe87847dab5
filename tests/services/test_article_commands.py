"""What editors may do with articles: hold, release, include, restore."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.article import Content
from syndicate.errors import NotFound, Refused
from syndicate.services.hold_article import hold_articles
from syndicate.services.include_backlog import include_backlog
from syndicate.services.release_articles import release_articles
from syndicate.services.release_due import release_due
from syndicate.services.restore_article import restore_article
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.integrity import find_damage
from syndicate.storage.revisions import list_revisions
from tests.services.newsroom import FEEDS, Newsroom


@pytest.fixture
def room(database: Database, now: datetime) -> Newsroom:
    return Newsroom(database, now).begin_empty()


def hold(room: Newsroom, *ids: str, because: str = "") -> list[str]:
    return hold_articles(room.database, ids, because=because, actor="desk", feeds=FEEDS, now=room.now)


def actions(room: Newsroom) -> list[str]:
    return room.scalars(sa.select(tables.audit_log.c.action).order_by(tables.audit_log.c.id))


def test_hold_and_release_burn_a_number_and_give_a_new_one(room: Newsroom, now: datetime) -> None:
    room.desk.put("a.md", section="world")
    room.collect()
    article = room.only()
    assert hold(room, article.id, because="The mayor objects.") == [article.id]
    held = room.only()
    assert (held.status, held.hold_reason, held.number) == ("held", "The mayor objects.", None)
    assert room.entries() == room.entries("world") == set()
    assert room.collect(now=now + timedelta(days=1)).published == []

    later = now + timedelta(hours=1)
    release_articles(room.database, [article.id], actor="desk", feeds=FEEDS, now=later)
    again = room.only()
    assert (again.status, again.number, again.published_at, again.id) == ("released", 2, later, article.id)
    assert room.entries() == room.entries("world") == {article.id}
    table = tables.article_numbers
    assert room.scalars(sa.select(table.c.number).where(table.c.burnt_at.is_not(None))) == [1]
    assert actions(room) == ["article.hold", "article.release"]


def test_an_edit_does_not_release_what_an_editor_holds(room: Newsroom) -> None:
    room.desk.put("a.md", "One.")
    room.collect()
    hold(room, room.only().id)
    room.desk.put("a.md", "Two.")
    room.collect()
    assert room.only().status == "held" and room.only().content.html == "<p>Two.</p>"


def test_a_release_overrides_a_mark_until_the_file_changes(room: Newsroom) -> None:
    room.desk.put("a.md", "One.", hold="draft: true")
    room.collect()
    release_articles(room.database, [room.only().id], actor="desk", feeds=FEEDS, now=room.now)
    room.collect()
    assert room.only().number == 1
    room.desk.put("a.md", "Two.", hold="draft: true")
    assert room.collect().outcomes[0].taken_back
    assert room.only().status == "held"


def test_an_embargo_is_lifted_only_by_name(room: Newsroom, now: datetime) -> None:
    room.desk.put("a.md", not_before=now + timedelta(days=1))
    room.collect()
    article_id = room.only().id
    with pytest.raises(Refused, match="--now"):
        release_articles(room.database, [article_id], actor="desk", feeds=FEEDS, now=now)
    release_articles(room.database, [article_id], actor="desk", feeds=FEEDS, now=now, before_its_time=True)
    assert room.only().number == 1


def test_a_released_embargo_comes_out_in_time(room: Newsroom, now: datetime) -> None:
    room.desk.put("a.md", not_before=now + timedelta(days=1))
    room.collect()
    assert release_due(room.database, FEEDS, now) == []
    assert release_due(room.database, FEEDS, now + timedelta(days=1)) == [room.only().id]


def test_backlog_is_numbered_when_it_is_included(database: Database, now: datetime) -> None:
    room = Newsroom(database, now)
    for key in ("a.md", "b.md"):
        room.desk.put(key, date=now - timedelta(days=9))
    room.collect()
    a, b = room.articles()["Title of a.md"], room.articles()["Title of b.md"]
    assert include_backlog(database, [b.id, a.id, b.id], actor="desk", feeds=FEEDS, now=now) == {b.id: 1, a.id: 2}
    included = room.articles()["Title of b.md"]
    assert (included.number, included.backlog, included.published_at) == (1, False, now - timedelta(days=9))
    with pytest.raises(Refused, match="its number already"):
        include_backlog(database, [b.id], actor="desk", feeds=FEEDS, now=now)


def test_several_are_changed_together_or_not_at_all(room: Newsroom) -> None:
    room.desk.put("a.md")
    room.collect()
    article = room.only()
    with pytest.raises(NotFound):
        hold(room, article.id, "urn:uuid:00000000-0000-0000-0000-000000000000")
    assert room.only() == article and actions(room) == []


def test_restore_brings_back_what_was_left_out_for_good(room: Newsroom, now: datetime) -> None:
    def put(words: str) -> None:
        short = {"title": "Ferry", "left_out": ("PREV Tides", "Share")}
        whole = Content("Ferry", f"<p>PREV Tides</p><p>{words}</p><p>Share</p>")
        room.desk.put("ferry.txt", words, full=whole, **short)

    put("One.")
    room.collect()
    article = room.only()
    lines = restore_article(room.database, article.id, lambda name: room.desk, actor="desk", feeds=FEEDS, now=now)
    restored = room.only()
    assert lines == 2
    assert (restored.content.html, restored.content.left_out) == ("<p>PREV Tides</p><p>One.</p><p>Share</p>", ())
    assert (restored.revision, restored.number, restored.updated_at) == (2, 1, now)
    assert room.generations()[""] == 2
    with room.database.read() as connection:
        assert [each.kind for each in list_revisions(connection, article.id)] == ["first", "restore"]
    put("Two.")
    room.collect()
    assert room.only().content.html == "<p>PREV Tides</p><p>Two.</p><p>Share</p>"
    with pytest.raises(Refused, match="Nothing"):
        restore_article(room.database, article.id, lambda name: room.desk, actor="desk", feeds=FEEDS, now=now)


def test_a_restore_without_its_file_says_what_to_do(room: Newsroom, now: datetime) -> None:
    room.desk.put("ferry.txt", left_out=("Share",))
    room.collect()
    del room.desk.items["ferry.txt"]
    room.collect()
    with pytest.raises(NotFound, match="Put it back"):
        restore_article(room.database, room.only().id, lambda name: room.desk, actor="desk", feeds=FEEDS, now=now)


def test_collectors_holds_releases_and_includes_at_once_keep_the_book(database: Database, now: datetime) -> None:
    room = Newsroom(database, now)
    for place in range(20):
        room.desk.put(f"old{place:02}.md")
    room.collect()
    backlog = [each.id for each in room.articles().values()]
    for place in range(40):
        room.desk.put(f"new{place:02}.md")
        room.wire.put(f"wire{place:02}")

    def churn() -> None:
        for article_id in backlog[:10]:
            include_backlog(database, [article_id], actor="a", feeds=FEEDS, now=now)
            hold_articles(database, [article_id], because="", actor="a", feeds=FEEDS, now=now)
            release_articles(database, [article_id], actor="a", feeds=FEEDS, now=now)

    with ThreadPoolExecutor(4) as threads:
        jobs: list[Future[Any]] = [
            threads.submit(room.collect, room.desk),
            threads.submit(room.collect, room.wire),
            threads.submit(churn),
            threads.submit(lambda: [release_due(database, FEEDS, now) for _ in range(5)]),
        ]
        for job in jobs:
            job.result()
    table = tables.article_numbers
    book = room.scalars(sa.select(table.c.number).order_by(table.c.number))
    # 40 new of the desk, 40 of the wire (backlog at its first look, so none), 10 includes and 10 releases.
    assert book == list(range(1, 61))
    live = [each.number for each in room.articles().values() if each.number is not None]
    assert len(live) == len(set(live)) == 50
    with database.read() as connection:
        assert find_damage(connection) == []


def test_damage_is_found(room: Newsroom) -> None:
    room.desk.put("a.md")
    room.desk.put("b.md")
    room.collect()
    with room.database.write() as connection:
        connection.execute(sa.update(tables.articles).where(tables.articles.c.number == 1).values(number=None))
        connection.execute(sa.update(tables.articles).where(tables.articles.c.number == 2).values(status="held"))
        connection.execute(sa.update(tables.counters).values(value=1))
    with room.database.read() as connection:
        damage = "\n".join(find_damage(connection))
    for words in ("counter of article numbers", "released without a number", "not released", "in a feed"):
        assert words in damage
