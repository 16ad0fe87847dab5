"""How many readers a newsletter has, by what keeps mail from them and by time zone, from what is counted as it changes
(see storage/counting.py). What is read grows with the kinds of subscriptions, not with the people."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
    """All of a newsletter, or of one of its cadences, as they stand at `now`; read in one statement."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    mailed = (_counts.c.status == "active", ~_counts.c.suppressed)
    why = sa.case((_counts.c.status != "active", _counts.c.status), (_counts.c.suppressed, "suppressed"), else_="")
    everybody = sa.select(why.label("why"), _counts.c.timezone, _counts.c.people).where(_counts.c.pause_ends == "")
    pausing = sa.select(sa.literal("paused"), _counts.c.timezone, _counts.c.people).where(*mailed)
    later_days = pausing.where(_counts.c.pause_ends > f"d{hour:%Y-%m-%d}", _counts.c.pause_ends < "e")
    today = pausing.where(_counts.c.pause_ends > f"h{hour:%Y-%m-%dT%H}", _counts.c.pause_ends <= f"h{hour:%Y-%m-%d}T23")
    # The only ones who are counted one by one: their pause ends within this hour, and has not yet.
    within = sa.and_(_subscriptions.c.paused_until > now, _subscriptions.c.paused_until < hour + timedelta(hours=1))
    still = (
        sa.select(sa.literal("paused"), _people.c.timezone, sa.literal(1))
        .join(_subscriptions, _subscriptions.c.subscriber_id == _people.c.id)
        .where(within, _subscriptions.c.status == "active", _people.c.suppressed == "", _people.c.erased_at.is_(None))
    )
    parts = []
    for part, table in ((everybody, _counts), (later_days, _counts), (today, _counts), (still, _subscriptions)):
        of_cadence = [table.c.cadence == cadence] if cadence is not None else []
        parts.append(part.where(table.c.newsletter == newsletter, *of_cadence))
    each = sa.union_all(*parts).subquery()
    query = sa.select(each.c.why, each.c.timezone, sa.func.sum(each.c.people)).group_by(each.c.why, each.c.timezone)
    people = {(row[0], row[1]): int(row[2]) for row in connection.execute(query)}
    for zone in [zone for why, zone in people if why == "paused"]:
        people["", zone] = people.get(("", zone), 0) - people["paused", zone]
    return [Counted(why, zone, count) for (why, zone), count in sorted(people.items()) if count]


def active_readers(connection: Connection) -> dict[tuple[str, str], int]:
    """How many may be mailed, pausing or not, by newsletter and cadence; none where there are none."""
    query = (
        sa.select(_counts.c.newsletter, _counts.c.cadence, sa.func.sum(_counts.c.people))
        .where(_counts.c.pause_ends == "", _counts.c.status == "active", ~_counts.c.suppressed)
        .group_by(_counts.c.newsletter, _counts.c.cadence)
    )
    return {(newsletter, cadence): int(count) for newsletter, cadence, count in connection.execute(query) if count}
