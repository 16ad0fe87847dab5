"""Counts of what sources, feeds and newsletters hold, for people who look at them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.errors import NotFound
from syndicate.storage import tables

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
    table, people = tables.subscriptions, tables.subscribers
    readers: dict[str, int] = dict(
        connection.execute(
            sa.select(table.c.newsletter, sa.func.count())
            .join(people, people.c.id == table.c.subscriber_id)
            .where(table.c.status == "active", people.c.suppressed == "")
            .group_by(table.c.newsletter)
        ).all()
    )
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
    table, people = tables.subscriptions, tables.subscribers
    names = {newsletter for newsletter, _ in declared}
    query = (
        sa.select(table.c.newsletter, table.c.cadence, sa.func.count())
        .join(people, people.c.id == table.c.subscriber_id)
        .where(table.c.status == "active", people.c.suppressed == "", table.c.newsletter.in_(names))
        .group_by(table.c.newsletter, table.c.cadence)
    )
    return {
        (newsletter, cadence): count
        for newsletter, cadence, count in connection.execute(query)
        if (newsletter, cadence) not in declared
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
