"""Web feeds collected into a real database, from a real web server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.article import Article
from syndicate.core.feed import Feed
from syndicate.services.collect_articles import CollectReport, collect
from syndicate.sources import open_source
from syndicate.sources.base import SourceSettings
from syndicate.sources.feed_entries import MOST_RECEIVED
from syndicate.storage import tables
from syndicate.storage.articles import select_articles
from syndicate.storage.database import Database
from syndicate.storage.definitions import sync
from syndicate.storage.sources import SourceState, get_source
from tests.services.newsroom import never_sleep
from tests.sources.upstream import Upstream, item, rss, upstream

MINUTE = timedelta(minutes=1)
FEEDS = (Feed("", "All"),)


class Room:
    """Two feeds, `wire` named first."""

    def __init__(self, database: Database, server: Upstream, now: datetime) -> None:
        self.database, self.server, self.now = database, server, now
        self.settings = {
            name: SourceSettings(
                name, "feed", rights="theirs", url=f"{server.url}/{name}.xml", every_seconds=60, allow_private=True
            )
            for name in ("wire", "radio")
        }
        with database.write() as connection:
            sync(connection, sources=list(self.settings.values()), feeds=FEEDS, newsletters=[], now=now)

    def put(self, *items: str, name: str = "wire", **options: object) -> None:
        self.server.put(rss(*items), f"/{name}.xml", **options)

    def collect(self, name: str = "wire", *, at_once: bool = False) -> CollectReport:
        """A minute later than the last time."""
        self.now += MINUTE
        return collect(
            self.database,
            open_source(self.settings[name], Path()),
            feeds=FEEDS,
            newsletters=[],
            now=self.now,
            sleep=never_sleep,
            precedence=list(self.settings),
            at_once=at_once,
        )

    def begin(self) -> None:
        """Both feeds were looked at while they were empty: what comes is new."""
        for name in self.settings:
            self.put(name=name)
            self.collect(name)

    def state(self, name: str = "wire") -> SourceState:
        with self.database.read() as connection:
            return get_source(connection, name)

    def articles(self) -> dict[str, Article]:
        with self.database.read() as connection:
            return {each.key: each for each in select_articles(connection)}


@pytest.fixture
def room(database: Database, now: datetime) -> Iterator[Room]:
    with upstream() as server:
        yield Room(database, server, now)


def test_what_a_feed_holds_at_first_is_backlog_and_what_comes_is_new(room: Room) -> None:
    room.put(item(1), item(2))
    report = room.collect()
    assert (report.backlog, report.of("new")) == (2, [])
    room.put(item(3), item(1), item(2))
    assert [each.path for each in room.collect().of("new")] == ["wire/id-3"]
    numbers = {key: each.number for key, each in room.articles().items()}
    assert numbers == {"id-1": None, "id-2": None, "id-3": 1}
    published = room.articles()["id-2"].published_at
    assert published == datetime.fromisoformat("2026-11-20T02:00:00+00:00")


def test_numbers_follow_the_dates_of_the_items(room: Room) -> None:
    room.begin()
    room.put(item(3), item(1), item(2))
    room.collect()
    assert {key: each.number for key, each in room.articles().items()} == {"id-1": 1, "id-2": 2, "id-3": 3}


def test_nothing_new_is_a_good_look(room: Room) -> None:
    room.put(item(1), etag='"1"')
    room.collect()
    report = room.collect()
    assert (report.outcomes, report.problem) == ([], "")
    assert room.server.requests[1][1]["If-None-Match"] == '"1"'
    state = room.state()
    assert state.last_ok_at == state.last_look_at == room.now
    assert state.last_new_at == room.now - MINUTE


def test_an_item_that_made_room_for_newer_ones_is_not_missing(room: Room) -> None:
    room.put(item(1))
    room.collect()
    room.put(item(2))
    assert room.collect().of("missing") == []
    assert room.articles()["id-1"].missing_since is None


def test_an_edit_upstream_is_an_edit_here(room: Room) -> None:
    room.put(item(1))
    room.collect()
    room.put(item(1, title="Another title"))
    assert [each.kind for each in room.collect().outcomes] == ["changed"]
    article = room.articles()["id-1"]
    assert (article.content.title, article.revision) == ("Another title", 2)


@pytest.mark.parametrize("change", [{"guid": "new"}, {"guid": "new", "link": "https://wire.example/other"}])
def test_an_item_under_another_id_is_not_published_twice(room: Room, change: dict[str, str]) -> None:
    room.begin()
    room.put(item(1))
    room.collect()
    [before] = room.articles().values()
    room.put(item(1, **change))
    report = room.collect()
    assert [each.kind for each in report.outcomes] == ["renamed"]
    [after] = room.articles().values()
    assert (after.id, after.number) == (before.id, before.number)


def test_equal_ids_in_two_feeds_are_two_articles(room: Room) -> None:
    room.begin()
    room.put(item(1, guid="post-1"))
    room.collect()
    words = "<p>Something else altogether happened far away from any harbour, and nobody there had a boat.</p>"
    room.put(item(2, guid="post-1", description=words), name="radio")
    assert [each.kind for each in room.collect("radio").outcomes] == ["new"]


def test_one_address_in_two_feeds_is_one_article(room: Room) -> None:
    room.begin()
    room.put(item(1))
    room.collect()
    room.put(item(2, link="http://wire.example/1?utm_source=radio", description="Read more"), name="radio")
    assert [each.kind for each in room.collect("radio").outcomes] == ["carried"]
    assert len(room.articles()) == 1


def test_short_words_in_two_feeds_are_not_one_article(room: Room) -> None:
    room.begin()
    room.put(item(1, title="Briefing", description="Read more"))
    room.collect()
    room.put(item(2, title="Briefing", description="Read more"), name="radio")
    assert [each.kind for each in room.collect("radio").outcomes] == ["new"]


def test_entries_that_all_link_to_one_page_are_articles_each(room: Room) -> None:
    room.begin()
    for number in (1, 2, 3):
        room.put(item(number, link="https://wire.example/"))
        assert [each.kind for each in room.collect().outcomes] == ["new"]


def test_a_feed_that_fails_keeps_its_articles_and_says_when_it_is_asked_again(room: Room) -> None:
    room.put(item(1), etag='"1"')
    room.collect()
    room.server.answers["/wire.xml"].status = 503
    room.server.answers["/wire.xml"].etag = ""
    report = room.collect()
    assert "trouble of its own (503)" in report.problem
    assert room.state().problem == report.problem
    assert room.state().state["failures"] == 1
    assert room.articles()["id-1"].missing_since is None
    room.now -= MINUTE / 2
    asked = len(room.server.requests)
    room.now -= MINUTE
    assert room.collect().problem == report.problem
    assert len(room.server.requests) == asked
    room.put(item(2), item(1))
    assert room.collect(at_once=True).problem == ""
    assert room.state().problem == ""
    assert "id-2" in room.articles()


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01 no answer\r\n\r\n",
        b"HTTP/1.1 302 X\r\nLocation: http://\x00\xff/\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: \x00\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n<rss><\x00></\xed\xa0\x80></rss>&#0;",
    ],
)
def test_whatever_a_server_says_can_be_kept(room: Room, garbage: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(garbage)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/feed.xml"
        room.settings["wire"] = replace(room.settings["wire"], url=url)
        report = room.collect()
        thread.join()
    assert report.problem or report.warnings
    assert room.state().problem == report.problem


def test_a_mark_that_no_database_keeps_is_no_mark(room: Room) -> None:
    room.put(item(1), headers={"ETag": "\x00", "Last-Modified": "\x7f" * 5000})
    assert room.collect().backlog == 1
    assert room.collect().outcomes == []


def test_a_first_look_that_fails_leaves_the_backlog_for_the_next(room: Room) -> None:
    assert "(404)" in room.collect().problem
    room.put(item(1))
    assert room.collect(at_once=True).backlog == 1


def test_an_article_of_theirs_carries_its_origin(room: Room) -> None:
    room.put(item(1))
    room.collect()
    content = room.articles()["id-1"].content
    assert (content.rights, content.origin, content.origin_url) == ("theirs", "The Wire", "https://wire.example/")


def received(room: Room, key: str) -> str:
    with room.database.read() as connection:
        query = sa.select(tables.source_items.c.received).where(tables.source_items.c.key == key)
        return str(connection.execute(query).scalar_one())


def test_what_an_item_said_is_kept_as_it_came_and_never_without_end(room: Room) -> None:
    script = "<p onclick='x()'>Boats &amp; <script>alert(1)</script> fish.</p>"
    room.put(item(1, description=script), item(2, description="<p>" + "ö" * 30_000), "<item><guid>id-3</guid></item>")
    room.collect()
    assert received(room, "id-1") == f"Title: Story 1\nLink: https://wire.example/1\nId: id-1\n\n{script}"
    cut = received(room, "id-2")
    assert MOST_RECEIVED - 2 <= len(cut.removesuffix("…").encode()) <= MOST_RECEIVED and cut.endswith("ö…")
    assert received(room, "id-3").endswith("Id: id-3")  # what cannot be used is looked at most
    room.put(item(1, description="<p>Another text by now, of which somebody may want to know how it came.</p>"))
    room.collect()
    assert "Another text by now" in received(room, "id-1")


def test_what_could_not_be_used_is_forgotten_when_it_leaves_the_feed(room: Room) -> None:
    room.put(item(1), "<item><guid>id-2</guid></item>")
    report = room.collect()
    assert [each.path for each in report.of("broken")] == ["wire/id-2"]
    assert [each.path for each in room.collect().still_broken] == ["wire/id-2"]
    room.put(item(1))
    report = room.collect()
    assert (report.outcomes, report.still_broken) == ([], [])
