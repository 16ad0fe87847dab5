"""When the articles of a source came: its history, by which one tells what is usual for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.feed import Feed
from syndicate.core.health import usual_quiet
from syndicate.core.release import keep_back, let_through
from syndicate.storage import tables
from syndicate.storage.compositions import take_back_carriers
from syndicate.storage.standings import change_standings, get_standings, lock_articles

_articles = tables.articles

HISTORY = 300
"""Arrivals that are looked back on."""


@dataclass(frozen=True, slots=True)
class HeldLot:
    """What the tripwire holds of a source."""

    count: int = 0
    reason: str = ""


def arrivals(
    connection: Connection, source: str, *, before: datetime | None = None, limit: int = HISTORY
) -> list[datetime]:
    """When articles of the source arrived, the newest first: neither backlog nor what the tripwire holds."""
    query = (
        sa.select(_articles.c.arrived_at)
        .where(_articles.c.source == source, _articles.c.backlog.is_(sa.false()), _articles.c.held_by != "tripwire")
        .order_by(_articles.c.arrived_at.desc())
        .limit(limit)
    )
    if before is not None:
        query = query.where(_articles.c.arrived_at < before)
    return list(connection.execute(query).scalars())


def has_history(connection: Connection, source: str, before: datetime) -> bool:
    """Whether anything came from the source before that moment, backlog included: without, nothing is unusual."""
    query = sa.select(_articles.c.id).where(_articles.c.source == source, _articles.c.arrived_at < before).limit(1)
    return connection.execute(query).first() is not None


def quiet_after(connection: Connection, source: str, declared_seconds: int | None) -> timedelta | None:
    """How long the source may bring nothing: what the settings say, else by its history; None when that is too short to
    tell."""
    if declared_seconds is not None:
        return timedelta(seconds=declared_seconds)
    return usual_quiet(arrivals(connection, source))


def dates_since(connection: Connection, source: str, since: datetime) -> list[datetime | None]:
    """The own dates of the articles that arrived since then and are no backlog."""
    query = sa.select(_articles.c.date).where(
        _articles.c.source == source, _articles.c.arrived_at >= since, _articles.c.backlog.is_(sa.false())
    )
    return list(connection.execute(query).scalars())


def held_lots(connection: Connection) -> dict[str, HeldLot]:
    """What the tripwire holds, by source."""
    query = (
        sa.select(_articles.c.source, sa.func.count(), sa.func.max(_articles.c.hold_reason))
        .where(_articles.c.status == "held", _articles.c.held_by == "tripwire")
        .group_by(_articles.c.source)
    )
    return {source: HeldLot(count, reason) for source, count, reason in connection.execute(query)}


def held_ids(connection: Connection, source: str, limit: int) -> list[str]:
    """The first of the articles that the tripwire holds, as they came."""
    query = (
        sa.select(_articles.c.id)
        .where(_articles.c.status == "held", _articles.c.held_by == "tripwire", _articles.c.source == source)
        .order_by(_articles.c.arrived_at, _articles.c.date, _articles.c.key)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def hold_lot(
    connection: Connection, article_ids: Sequence[str], reason: str, feeds: Sequence[Feed], now: datetime
) -> None:
    """Holds them until an editor has looked, whatever was published of them meanwhile; with no reason it lets go what
    the tripwire holds of them."""
    lock_articles(connection)
    before = get_standings(connection, article_ids)
    steps = {
        each: (standing, keep_back(standing, reason) if reason else let_through(standing))
        for each, standing in before.items()
    }
    change_standings(connection, steps, feeds, now)
    back = [each for each, (was, after) in steps.items() if was.published and not after.published]
    if back:
        take_back_carriers(connection, back)
