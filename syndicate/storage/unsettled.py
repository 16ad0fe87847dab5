"""What of an issue is not plainly accepted: by state and reason, and who was refused. It looks at so many rows at most,
however many there are, and finds them by an index."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.reason import kind_of
from syndicate.storage import tables
from syndicate.storage.books import without_owner

_batches, _outcomes, _recipients = tables.batches, tables.recipient_outcomes, tables.issue_recipients

MOST_ROWS = 5_000
"""Of each state so many requests, or persons, are looked at."""
MOST_REASONS = 30
LEFT_ALONE = "its owner ended or fell asleep: whoever delivers next finds out"
STATES = ("uncertain", "retry", "refused")
"""Of whole requests."""
OUTCOMES = ("refused", "suppressed")
"""Of single persons within their request."""
AT_ONCE = 500
"""Rows read in one go."""


@dataclass(frozen=True, slots=True)
class Reason:
    """How many people are where for one reason. `next_at` is when the first of them is tried or asked for again by
    itself; `more`: there are so many that only the first were counted."""

    state: str
    why: str
    people: int
    next_at: datetime | None = None
    more: bool = False


@dataclass(frozen=True, slots=True)
class RefusedReader:
    """Somebody whom the mail API turned down, or whose mail it did."""

    ordinal: int
    email: str
    why: str


def reasons(
    connection: Connection, issue_id: int, most: int = MOST_REASONS, gone: Collection[str] = ()
) -> list[Reason]:
    """The reasons of what is not plainly accepted, those of most people first within each state. As in the books, what
    a worker was sending that is past its lease, or known to be `gone`, is uncertain."""
    rows: list[Any] = []
    for state in STATES:
        rows += connection.execute(_requests(issue_id, state, _batches.c.state == state, _batches.c.why))
    left_alone = sa.and_(_batches.c.state == "sending", without_owner(connection, gone))
    rows += connection.execute(_requests(issue_id, "uncertain", left_alone, sa.literal(LEFT_ALONE)))
    for outcome in OUTCOMES:
        rows += connection.execute(_persons(issue_id, outcome))
    looked: dict[tuple[str, str], int] = {}
    found: dict[tuple[str, str], Reason] = {}
    for row in rows:
        looked[row.state, row.of] = looked.get((row.state, row.of), 0) + row.looked
        why = kind_of(row.why)
        alike = found.get((row.state, why), Reason(row.state, why, 0))
        times = [each for each in (alike.next_at, row.next_at) if each is not None]
        people = alike.people + int(row.people)
        found[row.state, why] = Reason(row.state, why, people, min(times, default=None))
    more = {state for (state, _), count in looked.items() if count >= MOST_ROWS}
    order = [*STATES, "suppressed"]
    all_of_them = [replace(each, more=each.state in more) for each in found.values() if each.people > 0]
    all_of_them.sort(key=lambda each: (order.index(each.state), -each.people, each.why))
    return all_of_them[:most]


def _requests(
    issue_id: int, state: str, which: sa.ColumnElement[bool], why: sa.ColumnElement[str]
) -> sa.Select[Any]:
    size = (_batches.c.last - _batches.c.first + 1).label("n")
    some = (
        sa.select(_batches.c.id, why.label("why"), _batches.c.retry_at, size)
        .where(_batches.c.issue_id == issue_id, which)
        .order_by(_batches.c.first)
        .limit(MOST_ROWS)
        .cte("some")
    )
    # Who has an outcome of their own is where that says.
    own = sa.select(sa.func.count()).where(_outcomes.c.batch_id == some.c.id).correlate(some).scalar_subquery()
    each = sa.select(some.c.why, some.c.retry_at, some.c.n, own.label("own")).cte("each")
    return sa.select(
        sa.literal(state).label("state"),
        sa.literal("requests").label("of"),
        each.c.why,
        (sa.func.sum(each.c.n) - sa.func.sum(each.c.own)).label("people"),
        sa.func.count().label("looked"),
        sa.func.min(each.c.retry_at).label("next_at"),
    ).group_by(each.c.why)


def _persons(issue_id: int, outcome: str) -> sa.Select[Any]:
    some = (
        sa.select(_outcomes.c.why)
        .where(_outcomes.c.issue_id == issue_id, _outcomes.c.outcome == outcome)
        .order_by(_outcomes.c.ordinal)
        .limit(MOST_ROWS)
        .cte("some")
    )
    return sa.select(
        sa.literal(outcome).label("state"),
        sa.literal("persons").label("of"),
        some.c.why,
        sa.func.count().label("people"),
        sa.func.count().label("looked"),
        sa.null().label("next_at"),
    ).group_by(some.c.why)


def refused_readers(connection: Connection, issue_id: int) -> Iterator[RefusedReader]:
    """Who was refused, in the order of the issue; nobody once its readers are forgotten. Read a part at a time, as they
    are taken."""
    yield from heapq.merge(
        _refused_singly(connection, issue_id), _refused_whole(connection, issue_id), key=lambda each: each.ordinal
    )


def _refused_singly(connection: Connection, issue_id: int) -> Iterator[RefusedReader]:
    """Those of requests that were taken for others."""
    after = 0
    here = sa.and_(
        _recipients.c.issue_id == _outcomes.c.issue_id, _recipients.c.ordinal == _outcomes.c.ordinal
    )
    query = (
        sa.select(_outcomes.c.ordinal, _recipients.c.email, _outcomes.c.why)
        .join(_recipients, here)
        .where(_outcomes.c.issue_id == issue_id, _outcomes.c.outcome == "refused")
        .order_by(_outcomes.c.ordinal)
        .limit(AT_ONCE)
    )
    while rows := connection.execute(query.where(_outcomes.c.ordinal > after)).all():
        yield from (RefusedReader(row.ordinal, row.email, row.why) for row in rows)
        after = rows[-1].ordinal


def _refused_whole(connection: Connection, issue_id: int) -> Iterator[RefusedReader]:
    """Those of requests that were refused whole, most often of one person each."""
    after = 0
    own = sa.exists().where(_outcomes.c.issue_id == issue_id, _outcomes.c.ordinal == _recipients.c.ordinal)
    query = (
        sa.select(_batches.c.first, _batches.c.last, _batches.c.why)
        .where(_batches.c.issue_id == issue_id, _batches.c.state == "refused")
        .order_by(_batches.c.first)
        .limit(AT_ONCE)
    )
    while batches := connection.execute(query.where(_batches.c.first > after)).all():
        part = query.where(_batches.c.first > after).cte("part")
        people = (
            sa.select(_recipients.c.ordinal, _recipients.c.email, part.c.why)
            .join(part, _recipients.c.ordinal.between(part.c.first, part.c.last))
            .where(_recipients.c.issue_id == issue_id, ~own)
            .order_by(_recipients.c.ordinal)
        )
        yield from (RefusedReader(row.ordinal, row.email, row.why) for row in connection.execute(people).all())
        after = batches[-1].first
