"""The books of an issue, as the ledger's rows add up at one moment."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.books import Books, books_of
from syndicate.storage import tables
from syndicate.storage.database import database_now

_batches = tables.batches
_outcomes = tables.recipient_outcomes
_counts = tables.ledger_counts


MOST_ROWS = 5_000
"""Uncertain requests that are looked at one by one."""


def parked(connection: Connection, issue_id: int) -> int | None:
    """How many people of an issue are uncertain until somebody decides: what could prove it has been tried. None where
    more requests are uncertain than a page can look at."""
    size = (_batches.c.last - _batches.c.first + 1).label("size")
    some = (
        sa.select(_batches.c.id, _batches.c.retry_at, size)
        .where(_batches.c.issue_id == issue_id, _batches.c.state == "uncertain")
        .order_by(_batches.c.first)
        .limit(MOST_ROWS + 1)
        .cte("some")
    )
    own = sa.select(sa.func.count()).where(_outcomes.c.batch_id == some.c.id).correlate(some).scalar_subquery()
    here = sa.case((some.c.retry_at.is_(None), some.c.size - own), else_=0)
    lines = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(here), 0)).select_from(some)
    count, people = connection.execute(lines).one()
    return int(people) if count <= MOST_ROWS else None


def without_owner(connection: Connection, gone: Collection[str] = ()) -> sa.ColumnElement[bool]:
    """Whether a batch that is being sent has no owner that lives: it is past its lease, or held by one of the workers
    known to be `gone`."""
    left: sa.ColumnElement[bool] = sa.or_(
        _batches.c.lease_until.is_(None), _batches.c.lease_until <= database_now(connection)
    )
    if gone:
        left = sa.or_(left, _batches.c.worker_id.in_(sorted(gone)))
    return left


def books(connection: Connection, issue_id: int, gone: Collection[str] = ()) -> Books:
    """The books of an issue, read in one statement, from what is added up as it changes.

    A batch that is being sent waits while its owner lives: inside its lease, and not one of the workers known to be
    `gone`. Before the audience is frozen whole, planned counts those frozen so far."""
    # One by one: only what is on its way at this moment.
    left = (
        sa.select(_batches.c.id, (_batches.c.last - _batches.c.first + 1).label("size"))
        .where(_batches.c.issue_id == issue_id, _batches.c.state == "sending", without_owner(connection, gone))
        .cte("left_alone")
    )
    own = sa.select(-sa.func.count()).select_from(_outcomes.join(left, left.c.id == _outcomes.c.batch_id))
    # Ordinals have no holes.
    frozen = sa.select(sa.func.max(tables.issue_recipients.c.ordinal)).where(
        tables.issue_recipients.c.issue_id == issue_id
    )
    planned = sa.func.coalesce(tables.issues.c.planned, frozen.scalar_subquery(), 0)
    lines = sa.union_all(
        sa.select(_counts.c.state.label("place"), sa.func.sum(_counts.c.people).label("people"))
        .where(_counts.c.issue_id == issue_id)
        .group_by(_counts.c.state),
        sa.select(sa.literal("left alone"), sa.func.coalesce(sa.func.sum(left.c.size), 0)),
        sa.select(sa.literal("left alone"), own.scalar_subquery()),
        sa.select(sa.literal("everybody"), planned).where(tables.issues.c.id == issue_id),
    )
    people: dict[str, int] = {}
    for place, count in connection.execute(lines):
        people[place] = people.get(place, 0) + int(count)
    total, alone = people.pop("everybody", 0), people.pop("left alone", 0)
    counts = {place: people.get(place, 0) for place in ("accepted", "refused", "suppressed", "withdrawn")}
    counts["waiting"] = sum(people.get(state, 0) for state in ("planned", "retry", "sending")) - alone
    counts["uncertain"] = people.get("uncertain", 0) + alone
    return books_of(total, counts)
