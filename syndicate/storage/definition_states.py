"""Counts of what sources, feeds and newsletters hold, for people who look at them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.errors import NotFound
from syndicate.storage import tables
from syndicate.storage.audience_counts import active_readers

_SECTIONS = {"sources": tables.sources, "feeds": tables.feeds, "newsletters": tables.newsletters}


@dataclass(frozen=True, slots=True)
class NewsletterState:
    """How many active readers a newsletter has, and each cadence's mark."""

    paused: bool
    readers: int
    marks: dict[str, int] = field(default_factory=dict)


def articles_by_source(connection: Connection) -> dict[str, int]:
    """How many articles each source first brought."""
    return _counts(connection, tables.articles.c.source)


def entries_by_feed(connection: Connection) -> dict[str, int]:
    """How many articles each feed has taken."""
    return _counts(connection, tables.feed_entries.c.feed)


def newsletter_states(connection: Connection) -> dict[str, NewsletterState]:
    """Every newsletter by its name."""
    readers: dict[str, int] = {}
    for (newsletter, _cadence), count in active_readers(connection).items():
        readers[newsletter] = readers.get(newsletter, 0) + count
    marks: dict[str, dict[str, int]] = {}
    for row in connection.execute(sa.select(tables.cadences).where(~tables.cadences.c.retired)):
        marks.setdefault(row.newsletter, {})[row.name] = row.mark
    return {
        row.name: NewsletterState(row.paused, readers.get(row.name, 0), marks.get(row.name, {}))
        for row in connection.execute(sa.select(tables.newsletters))
    }


def paused_newsletters(connection: Connection) -> set[str]:
    """The names of those that are paused."""
    return set(connection.execute(sa.select(tables.newsletters.c.name).where(tables.newsletters.c.paused)).scalars())


def lost_readers(connection: Connection, declared: Collection[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """How many active readers are on a (newsletter, cadence) that is not declared, for newsletters that are."""
    names = {newsletter for newsletter, _ in declared}
    return {
        place: count
        for place, count in active_readers(connection).items()
        if place[0] in names and place not in declared
    }


def set_paused(connection: Connection, section: str, name: str, paused: bool) -> bool:
    """Pauses one of the `sources`, `feeds` or `newsletters`, or lets it go on; False when it is so already. Raises
    NotFound."""
    table = _SECTIONS[section]
    was = connection.execute(sa.select(table.c.paused).where(table.c.name == name)).scalar_one_or_none()
    if was is None:
        raise NotFound(f"The database knows no {section.removesuffix('s')} {name!r} yet.", cure="Collect once.")
    if was != paused:
        connection.execute(sa.update(table).where(table.c.name == name).values(paused=paused))
    return bool(was) != paused


def _counts(connection: Connection, column: sa.Column[str]) -> dict[str, int]:
    return dict(connection.execute(sa.select(column, sa.func.count()).group_by(column)).all())
