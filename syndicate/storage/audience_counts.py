"""How many readers a newsletter has, by what keeps mail from them and by time zone, from what is counted as it changes
(see storage/counting.py). What is read grows with the kinds of subscriptions, not with the people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import tables

_counts = tables.audience_counts
_people, _subscriptions = tables.subscribers, tables.subscriptions


@dataclass(frozen=True, slots=True)
class Counted:
    """So many subscriptions in one time zone ("" for none said). `why` they are not mailed: a status other than active,
    "suppressed" or "paused"; "" for those who are."""

    why: str
    timezone: str
    people: int


def count_subscriptions(
    connection: Connection, newsletter: str, cadence: str | None, *, now: datetime
) -> list[Counted]:
    """All of a newsletter, or of one of its cadences, as they stand at `now`."""
    table, today = _counts, now.astimezone(UTC).date()
    pauses = sa.func.sum(sa.case((table.c.pause_ends > today.isoformat(), table.c.people), else_=0))
    query = (
        sa.select(table.c.status, table.c.suppressed, table.c.timezone, sa.func.sum(table.c.people), pauses)
        .where(table.c.newsletter == newsletter)
        .group_by(table.c.status, table.c.suppressed, table.c.timezone)
    )
    if cadence is not None:
        query = query.where(table.c.cadence == cadence)
    people: dict[tuple[str, str], int] = {}
    for why, zone, count in _by_reason(connection.execute(query).all()):
        people[why, zone] = people.get((why, zone), 0) + count
    for zone, count in _pausing_today(connection, newsletter, cadence, now):
        people["paused", zone] = people.get(("paused", zone), 0) + count
        people["", zone] = people.get(("", zone), 0) - count
    return [Counted(why, zone, count) for (why, zone), count in sorted(people.items()) if count]


def _by_reason(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[str, str, int]]:
    for status, suppressed, zone, people, pausing in rows:
        if status != "active":
            yield status, zone, int(people)
        elif suppressed:
            yield "suppressed", zone, int(people)
        else:
            yield "paused", zone, int(pausing)
            yield "", zone, int(people) - int(pausing)


def _pausing_today(
    connection: Connection, newsletter: str, cadence: str | None, now: datetime
) -> list[tuple[str, int]]:
    """By time zone, those whose pause ends today and later than now: the only ones that are counted one by one."""
    tomorrow = datetime.combine(now.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    query = (
        sa.select(_people.c.timezone, sa.func.count())
        .join(_subscriptions, _subscriptions.c.subscriber_id == _people.c.id)
        .where(
            _subscriptions.c.newsletter == newsletter,
            _subscriptions.c.paused_until > now,
            _subscriptions.c.paused_until < tomorrow,
            _subscriptions.c.status == "active",
            _people.c.suppressed == "",
            _people.c.erased_at.is_(None),
        )
        .group_by(_people.c.timezone)
    )
    if cadence is not None:
        query = query.where(_subscriptions.c.cadence == cadence)
    return [(zone, int(count)) for zone, count in connection.execute(query)]


def active_readers(connection: Connection) -> dict[tuple[str, str], int]:
    """How many may be mailed, pausing or not, by newsletter and cadence; none where there are none."""
    query = (
        sa.select(_counts.c.newsletter, _counts.c.cadence, sa.func.sum(_counts.c.people))
        .where(_counts.c.status == "active", ~_counts.c.suppressed)
        .group_by(_counts.c.newsletter, _counts.c.cadence)
    )
    return {(newsletter, cadence): int(count) for newsletter, cadence, count in connection.execute(query) if count}
