"""The rows of what the settings declare."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.feed import Feed
from syndicate.core.newsletter import Cadence, Newsletter
from syndicate.errors import SettingsError
from syndicate.sources.base import SourceSettings
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.definitions import sync
from syndicate.storage.standings import take_numbers


def newsletter(name: str, *cadences: str) -> Newsletter:
    return Newsletter(
        name, name, "en", "UTC", cadences={each: Cadence(each, (0,), (time(7),), "mon 07:00") for each in cadences}
    )


def write(database: Database, now: datetime, **options: Any) -> None:
    given = {"sources": [], "feeds": [Feed("", "All")], "newsletters": [], **options}
    with database.write() as connection:
        sync(connection, now=now, **given)


def rows(database: Database, table: sa.Table) -> dict[str, Any]:
    with database.read() as connection:
        return {row.name: row for row in connection.execute(sa.select(table))}


def test_what_is_declared_gets_its_rows_once(database: Database, now: datetime) -> None:
    for _ in range(2):
        write(
            database,
            now,
            sources=[SourceSettings("desk")],
            feeds=[Feed("", "All"), Feed("world", "World")],
            newsletters=[newsletter("morning", "daily", "weekly")],
        )
    assert rows(database, tables.sources)["desk"].first_look_at is None
    assert set(rows(database, tables.feeds)) == {"", "world"}
    assert {name: row.mark for name, row in rows(database, tables.cadences).items()} == {"daily": 0, "weekly": 0}


def test_nothing_is_written_when_nothing_changed(database: Database, now: datetime) -> None:
    options = {"sources": [SourceSettings("desk")], "newsletters": [newsletter("morning", "daily")]}
    write(database, now, **options)
    statements: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda c, cursor, text, *rest: statements.append(text))
    write(database, now, **options)
    assert [text for text in statements if not text.startswith(("SELECT", "BEGIN"))] == []


def test_a_new_cadence_starts_with_what_comes(database: Database, now: datetime) -> None:
    write(database, now, newsletters=[newsletter("morning", "daily")])
    with database.write() as connection:
        take_numbers(connection, 7)
    write(database, now, newsletters=[newsletter("morning", "daily", "weekly")])
    assert {name: row.mark for name, row in rows(database, tables.cadences).items()} == {"daily": 0, "weekly": 7}


def test_a_cadence_that_is_dropped_keeps_its_mark(database: Database, now: datetime) -> None:
    write(database, now, newsletters=[newsletter("morning", "daily", "weekly")])
    write(database, now, newsletters=[newsletter("morning", "daily")])
    assert rows(database, tables.cadences)["weekly"].retired
    write(database, now, newsletters=[newsletter("morning", "daily", "weekly")])
    assert not rows(database, tables.cadences)["weekly"].retired


def test_a_removal_of_what_is_in_use_asks_for_retired(database: Database, now: datetime) -> None:
    write(database, now, sources=[SourceSettings("desk")], newsletters=[newsletter("morning", "daily")])
    with database.write() as connection:
        connection.execute(
            sa.insert(tables.source_items).values(source="desk", key="a.md", fingerprint="1", seen_at=now)
        )
        connection.execute(
            sa.insert(tables.issues).values(
                newsletter="morning", kind="manual", state="draft", audience={}, drafted_at=now
            )
        )
    with pytest.raises(SettingsError) as caught:
        write(database, now)
    assert [each.partition(":")[0] for each in caught.value.mistakes] == ["[[sources]] desk", "[[newsletters]] morning"]
    assert "retired = true" in str(caught.value)
    assert not rows(database, tables.sources)["desk"].retired
    write(database, now, retired={"sources": {"desk"}, "newsletters": {"morning"}})
    assert rows(database, tables.sources)["desk"].retired and rows(database, tables.newsletters)["morning"].retired


def test_what_was_never_used_is_forgotten(database: Database, now: datetime) -> None:
    write(
        database,
        now,
        sources=[SourceSettings("desk")],
        feeds=[Feed("", "All"), Feed("world", "World")],
        newsletters=[newsletter("morning", "daily")],
    )
    write(database, now)
    assert not rows(database, tables.sources) and not rows(database, tables.newsletters)
    assert set(rows(database, tables.feeds)) == {""}


def test_a_rename_takes_everything_along(database: Database, now: datetime) -> None:
    write(database, now, sources=[SourceSettings("desk")], newsletters=[newsletter("morning", "daily")])
    with database.write() as connection:
        connection.execute(
            sa.insert(tables.source_items).values(source="desk", key="a.md", fingerprint="1", seen_at=now)
        )
        connection.execute(sa.update(tables.cadences).values(mark=5))
    renamed = {"sources": {"newsroom": "desk"}, "newsletters": {"briefing": "morning"}}
    for _ in range(2):
        write(
            database,
            now,
            sources=[SourceSettings("newsroom")],
            newsletters=[newsletter("briefing", "daily")],
            renamed=renamed,
        )
    assert set(rows(database, tables.sources)) == {"newsroom"}
    assert rows(database, tables.cadences)["daily"].newsletter == "briefing"
    assert rows(database, tables.cadences)["daily"].mark == 5
    with database.read() as connection:
        assert connection.execute(sa.select(tables.source_items.c.source)).scalar_one() == "newsroom"
