"""Rows of the sources, feeds, newsletters and cadences that the settings declare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from syndicate.core.feed import Feed
from syndicate.core.newsletter import Newsletter
from syndicate.errors import SettingsError
from syndicate.storage import tables
from syndicate.storage.renames import record_rename

_SECTIONS: Mapping[str, sa.Table] = {
    "sources": tables.sources,
    "feeds": tables.feeds,
    "newsletters": tables.newsletters,
}

# Columns elsewhere that hold a name: they follow a rename.
_NAMED_BY: Mapping[str, tuple[sa.Column[Any], ...]] = {
    "sources": (
        tables.source_items.c.source,
        tables.articles.c.source,
        tables.pushed_articles.c.source,
        tables.api_tokens.c.source,
    ),
    "feeds": (tables.feed_entries.c.feed, tables.published_files.c.feed),
    "newsletters": (
        tables.cadences.c.newsletter,
        tables.slots.c.newsletter,
        tables.issues.c.newsletter,
        tables.subscriptions.c.newsletter,
        tables.consents.c.newsletter,
    ),
}


ADVISORY_LOCK = 0x53796E64_00000003
"""The PostgreSQL advisory lock of whoever brings definitions in step (its upper half spells "Synd")."""


class DeclaredSource(Protocol):
    """What is needed of a source's settings."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...


def lock_definitions(connection: Connection) -> None:
    """Taken first by whoever writes definitions, and kept to commit: two commands that find a new name at once must not
    both write it. SQLite has one writer at a time anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))


def sync(
    connection: Connection,
    *,
    sources: Sequence[DeclaredSource],
    feeds: Sequence[Feed],
    newsletters: Sequence[Newsletter],
    now: datetime,
    retired: Mapping[str, Iterable[str]] | None = None,
    renamed: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Brings the rows in step with the settings: new names get a row, renamed ones keep theirs, retired ones stop and
    may come back. A new cadence starts behind the highest number given: with what comes. Writes nothing when nothing
    changed.

    `feeds` has the site's own, named "". `retired` and `renamed` (new name → old name) are by section: `sources`,
    `feeds`, `newsletters`. Raises SettingsError, every mistake at once, for a name that rows refer to and that is
    neither declared nor retired nor renamed; one that was never used is forgotten."""
    kinds = {each.name: each.kind for each in sources}
    declared: dict[str, dict[str, dict[str, Any]]] = {
        "sources": {name: {"kind": kind} for name, kind in kinds.items()},
        "feeds": {each.name: {} for each in feeds},
        "newsletters": {each.name: {"first_seen_at": now} for each in newsletters},
    }
    mistakes: list[str] = []
    for section, table in _SECTIONS.items():
        for new, old in (renamed or {}).get(section, {}).items():
            mistakes += _rename(connection, section, old, new, now)
        rows = dict(connection.execute(sa.select(table.c.name, table.c.retired)).all())
        wanted = declared[section]
        stopped = set((retired or {}).get(section, ()))
        for name in [each for each in rows if each not in wanted and each not in stopped]:
            if _is_used(connection, section, name):
                cure = "Put its table back with retired = true, or name it in was = of its new one."
                mistakes.append(f"[[{section}]] {name}: the database has rows of it. {cure}")
            else:
                _forget(connection, section, name)
                del rows[name]
        for name, is_retired in rows.items():
            if is_retired != (name not in wanted):
                connection.execute(sa.update(table).where(table.c.name == name).values(retired=not is_retired))
                if is_retired and section == "newsletters":
                    begun = tables.cadences.c.newsletter == name
                    connection.execute(sa.update(tables.cadences).where(begun).values(horizon_at=now))
        for name, values in wanted.items():
            if name not in rows:
                # A publisher may be writing the row of a new feed at this very moment, without this lock.
                insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
                connection.execute(insert(table).values(name=name, **values).on_conflict_do_nothing())
    if mistakes:
        raise SettingsError("syndicate.toml no longer names what the database knows:", mistakes=mistakes)
    _sync_kinds(connection, kinds)
    for newsletter in newsletters:
        _sync_cadences(connection, newsletter, now)


def _is_used(connection: Connection, section: str, name: str) -> bool:
    columns = (each for each in _NAMED_BY[section] if each.table is not tables.cadences)
    return any(connection.execute(sa.select(column).where(column == name).limit(1)).first() for column in columns)


def _forget(connection: Connection, section: str, name: str) -> None:
    if section == "newsletters":
        connection.execute(sa.delete(tables.cadences).where(tables.cadences.c.newsletter == name))
    table = _SECTIONS[section]
    connection.execute(sa.delete(table).where(table.c.name == name))


def _sync_kinds(connection: Connection, kinds: Mapping[str, str]) -> None:
    table = tables.sources
    for name, kind in connection.execute(sa.select(table.c.name, table.c.kind)).all():
        if kinds.get(name, kind) != kind:
            connection.execute(sa.update(table).where(table.c.name == name).values(kind=kinds[name]))


def _cadences(connection: Connection, newsletter: str) -> dict[str, bool]:
    table = tables.cadences
    query = sa.select(table.c.name, table.c.retired).where(table.c.newsletter == newsletter)
    return dict(connection.execute(query).all())


def _sync_cadences(connection: Connection, newsletter: Newsletter, now: datetime) -> None:
    table, counters = tables.cadences, tables.counters
    rows = _cadences(connection, newsletter.name)
    for name, retired in rows.items():
        if retired != (name not in newsletter.cadences):
            here = (table.c.newsletter == newsletter.name, table.c.name == name)
            # One that comes back begins anew: what was due meanwhile was nobody's.
            back = {"horizon_at": now} if retired else {}
            connection.execute(sa.update(table).where(*here).values(retired=not retired, **back))
    new = [name for name in newsletter.cadences if name not in rows]
    if new:
        mark = connection.execute(sa.select(counters.c.value).where(counters.c.name == "article")).scalar() or 0
        begins = {"newsletter": newsletter.name, "mark": mark, "first_seen_at": now, "horizon_at": now}
        values = [{"name": name, **begins} for name in new]
        connection.execute(sa.insert(table), values)


def _rename(connection: Connection, section: str, old: str, new: str, now: datetime) -> list[str]:
    """A row under the new name takes the old row's place; nothing that refers to it is lost."""
    table = _SECTIONS[section]
    row = connection.execute(sa.select(table).where(table.c.name == old)).one_or_none()
    if row is None:
        return []
    if connection.execute(sa.select(table.c.name).where(table.c.name == new)).first() is not None:
        return [f"[[{section}]] {new}: it was {old!r}, but the database has both. Take was = out and retire {old!r}."]
    connection.execute(sa.insert(table).values({**row._mapping, "name": new}))
    for column in _NAMED_BY[section]:
        connection.execute(sa.update(column.table).where(column == old).values({column.name: new}))
    connection.execute(sa.delete(table).where(table.c.name == old))
    if section == "newsletters":
        record_rename(connection, old, new, now)
    return []
