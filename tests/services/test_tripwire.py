"""A look that finds far too much: the whole lot is held, told, and let go by an editor."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.release import Standing, as_backlog, keep_back, let_through
from syndicate.core.tripwire import Tripwire
from syndicate.services.collect_articles import CollectReport
from syndicate.services.release_articles import release_articles
from syndicate.services.release_due import release_due
from syndicate.services.release_lot import release_lot
from syndicate.storage import tables
from syndicate.storage.arrivals import held_lots, quiet_after
from syndicate.storage.database import Database
from syndicate.storage.integrity import find_damage
from tests.services.memory_source import MemorySource
from tests.services.newsroom import FEEDS, Newsroom

HOUR = timedelta(hours=1)


@dataclass
class WatchedSource(MemorySource):
    tripwire: Tripwire = field(default_factory=Tripwire)


class Room(Newsroom):
    def __init__(self, database: Database, now: datetime) -> None:
        super().__init__(database, now, [WatchedSource("desk"), WatchedSource("wire")])

    def put(self, *names: str, **options: Any) -> None:
        for name in names:
            self.desk.put(name, **options)

    def put_many(self, count: int, stem: str = "many", **options: Any) -> None:
        self.put(*(f"{stem}-{place:03}.md" for place in range(count)), **options)

    def look(self) -> CollectReport:
        """An hour later than the last one."""
        self.now += HOUR
        return self.collect()

    def history(self, days: int = 6) -> None:
        """Two articles in each of so many looks."""
        for day in range(days):
            self.put(f"day-{day}-a.md", f"day-{day}-b.md")
            assert self.look().tripped == ""

    def release(self, *, backlog: bool = False) -> list[str]:
        return release_lot(self.database, "desk", backlog=backlog, actor="desk", feeds=FEEDS, now=self.now)

    def standings(self) -> set[tuple[str, str]]:
        with self.database.read() as connection:
            query = sa.select(tables.articles.c.status, tables.articles.c.held_by)
            return {(row.status, row.held_by) for row in connection.execute(query)}

    def sound(self) -> None:
        with self.database.read() as connection:
            assert not find_damage(connection)


@pytest.fixture
def room(database: Database, now: datetime) -> Room:
    made = Room(database, now)
    made.begin_empty()
    return made


def test_the_whole_lot_is_held_told_and_released(room: Room) -> None:
    room.history()
    room.put_many(37)
    report = room.look()
    why = "37 articles look new at once, usually 2"
    assert report.tripped == why
    assert (report.published, len(report.of("new"))) == ([], 37)
    assert {(each.status, each.hold_reason) for each in report.of("new")} == {("held", why)}
    with room.database.read() as connection:
        lots = held_lots(connection)
    assert {name: (each.count, each.reason) for name, each in lots.items()} == {"desk": (37, why)}
    assert room.scalars(sa.select(sa.func.count()).select_from(tables.article_numbers)) == [12]
    assert release_due(room.database, FEEDS, room.now + HOUR) == []
    assert room.look().outcomes == []

    released = room.release()
    assert len(released) == 37
    numbers = room.scalars(sa.select(tables.articles.c.number).order_by(tables.articles.c.number))
    assert numbers == list(range(1, 50))
    assert room.standings() == {("released", "")}
    assert room.release() == []
    actions = room.scalars(sa.select(tables.audit_log.c.action).order_by(tables.audit_log.c.id))
    assert actions == ["source.tripwire", "source.release"]
    room.sound()
    room.put_many(50, "again")
    assert room.look().tripped == "", "what was let through is usual from then on"


def test_declared_backlog_it_is_in_the_feeds_and_in_no_window(room: Room, now: datetime) -> None:
    room.history()
    own = now - timedelta(days=400)
    room.put_many(30, date=own)
    room.put("later.md", not_before=now + timedelta(days=2))
    assert room.look().tripped.endswith("30 are old by their date")
    assert len(room.release(backlog=True)) == 31
    articles = room.articles()
    old = articles["Title of many-000.md"]
    assert (old.status, old.backlog, old.number, old.published_at) == ("released", True, None, own)
    assert old.id in room.entries()
    assert articles["Title of later.md"].status == "waiting"
    assert release_due(room.database, FEEDS, now + timedelta(days=3)) == [articles["Title of later.md"].id]
    room.sound()
    room.put_many(30, "again")
    assert "usually 2" in room.look().tripped, "backlog is no news, so it says nothing of what is usual"


def test_a_re_identified_archive_is_caught_by_its_dates(room: Room, now: datetime) -> None:
    """Every item of a small feed under a new id: fewer than many, but old."""
    for place in range(8):
        room.desk.put(f"old-{place}", date=now - timedelta(days=20 + place))
    assert room.collect().backlog == 0
    assert room.look().outcomes == []
    for place in range(8):
        item = room.desk.items.pop(f"old-{place}")
        assert not isinstance(item, str)
        room.desk.items[f"new-{place}"] = replace(item, key=f"new-{place}", text_hash=f"other {place}")
    report = room.look()
    assert "8 are old by their date" in report.tripped
    assert report.published == []


def test_a_first_look_is_backlog_however_much_it_is(database: Database, now: datetime) -> None:
    room = Room(database, now)
    room.put_many(150)
    report = room.collect()
    assert (report.backlog, report.tripped) == (150, "")
    room.put_many(21, "new")
    assert "and none came before" in room.look().tripped


def test_the_first_articles_of_a_new_site_are_not_held_however_many_and_old(room: Room, now: datetime) -> None:
    room.put_many(60, date=now - timedelta(days=30))
    assert room.look().tripped == ""
    room.now += timedelta(seconds=20) - HOUR
    room.put("one-more.md")
    assert room.look().tripped == ""
    assert room.standings() == {("released", "")}


def test_a_slow_copy_is_held_from_where_it_is_too_much(room: Room) -> None:
    room.history()
    room.now += HOUR
    held = []
    for step in range(4):
        room.put_many(8, f"part-{step}")
        report = room.collect(now=room.now + timedelta(seconds=10 * step))
        held.append(sum(each.status == "held" for each in report.of("new")))
    assert held == [0, 0, 8, 8]


def test_what_is_no_news_does_not_count(room: Room) -> None:
    room.history()
    room.put_many(30, hold="draft: true")
    report = room.look()
    assert report.tripped == ""
    assert room.standings() == {("released", ""), ("held", "mark")}
    for place in range(30):
        room.desk.rename(f"many-{place:03}.md", f"moved-{place:03}.md")
    assert room.look().tripped == ""
    for each in list(room.desk.items):
        room.desk.put(each, "Other words.", section="world")
    assert room.look().tripped == ""


def test_a_mark_and_an_editor_are_stronger(room: Room, now: datetime) -> None:
    room.history()
    room.put_many(30)
    room.put("draft.md", hold="draft: true")
    room.look()
    assert room.standings() == {("released", ""), ("held", "tripwire"), ("held", "mark")}
    one = room.articles()["Title of many-003.md"]
    release_articles(room.database, [one.id], actor="desk", feeds=FEEDS, now=room.now)
    room.put("many-005.md", words="Edited.")
    room.look()
    assert room.articles()["Title of many-005.md"].status == "held", "an edit does not let it go"
    assert len(room.release()) == 29
    assert room.articles()["Title of draft.md"].status == "held"
    room.sound()


def test_what_another_process_published_meanwhile_is_taken_back(room: Room) -> None:
    """The lot trips at the second look of one collection: what the first look took in was due already."""
    room.history()
    room.put_many(15, "a")
    room.desk.unsettled = ["b-000.md"]
    room.now += HOUR
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        assert len(release_due(room.database, FEEDS, room.now)) == 15
        room.put_many(15, "b")
        room.desk.unsettled = []

    report = room.collect(sleep=sleep)
    assert slept
    assert report.tripped.startswith("30 articles")
    assert len([each for each in room.articles().values() if each.status == "held"]) == 30
    burnt = sa.select(sa.func.count()).where(tables.article_numbers.c.burnt_at.is_not(None))
    assert room.scalars(burnt) == [15]
    room.sound()


def test_a_look_cut_off_half_way_lets_nothing_out(room: Room) -> None:
    room.history()
    room.put_many(200)
    room.desk.interrupt_after = 150
    room.now += HOUR
    with pytest.raises(KeyboardInterrupt):
        room.collect()
    room.desk.interrupt_after = None
    assert release_due(room.database, FEEDS, room.now) == []
    room.look()
    assert {each.status for title, each in room.articles().items() if "many" in title} == {"held"}


def test_a_wire_of_its_own_and_none(room: Room) -> None:
    desk = room.desk
    assert isinstance(desk, WatchedSource)
    room.history(1)
    desk.tripwire = Tripwire(at_least=2)
    room.put_many(12)
    assert room.look().tripped
    desk.tripwire = Tripwire(at_least=0)
    room.put_many(300, "free")
    assert room.look().tripped == ""


def test_a_source_is_quiet_by_its_own_rhythm(room: Room) -> None:
    def quiet(declared: int | None = None) -> timedelta | None:
        with room.database.read() as connection:
            return quiet_after(connection, "desk", declared)

    room.put("first.md")
    room.look()
    assert quiet() is None
    for day in range(5):
        room.now += timedelta(days=2)
        room.put(f"n-{day}.md")
        room.look()
    assert quiet() == 2 * (timedelta(days=2) + HOUR)
    assert quiet(3600) == HOUR


def test_a_standing_is_kept_back_only_where_nobody_else_holds_it() -> None:
    moment = datetime(2026, 11, 20)
    for standing in (Standing("held", "mark", "x"), Standing("held", "editor", "x"), Standing("gone")):
        assert keep_back(standing, "why") == let_through(standing) == as_backlog(standing, moment, moment) == standing
