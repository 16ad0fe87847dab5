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


def parked(connection: Connection, issue_id: int) -> int:
    """How many people of an issue are uncertain until somebody decides: what could prove it has been tried."""
    here = sa.and_(
        _batches.c.issue_id == issue_id, _batches.c.state == "uncertain", _batches.c.retry_at.is_(None)
    )
    people = sa.select(sa.func.coalesce(sa.func.sum(_batches.c.last - _batches.c.first + 1), 0)).where(here)
    own = sa.select(sa.func.count()).select_from(_outcomes.join(_batches, _batches.c.id == _outcomes.c.batch_id))
    lines = sa.select(people.scalar_subquery() - own.where(here).scalar_subquery())
    return int(connection.execute(lines).scalar_one())


def books(connection: Connection, issue_id: int, gone: Collection[str] = ()) -> Books:
    """The books of an issue, read in one statement.

    A batch that is being sent waits while its owner lives: inside its lease, and not one of the workers known to be
    `gone`. Before the audience is frozen whole, planned counts those frozen so far."""
    alive = _batches.c.lease_until > database_now(connection)
    if gone:
        alive = sa.and_(alive, _batches.c.worker_id.not_in(sorted(gone)))
    place = sa.case(
        (_batches.c.state.in_(["planned", "retry"]), "waiting"),
        (_batches.c.state == "sending", sa.case((alive, "waiting"), else_="uncertain")),
        else_=_batches.c.state,
    )
    placed = (
        sa.select(_batches.c.id, (_batches.c.last - _batches.c.first + 1).label("size"), place.label("place"))
        .where(_batches.c.issue_id == issue_id, _batches.c.state != "split")
        .cte("placed")
    )
    # Who has an outcome of their own is taken out of their batch's place and put into theirs.
    own = sa.select(placed.c.place, _outcomes.c.outcome).join(placed, placed.c.id == _outcomes.c.batch_id).cte("own")
    recipients = tables.issue_recipients
    frozen = sa.select(sa.func.count()).where(recipients.c.issue_id == issue_id).scalar_subquery()
    planned = sa.func.coalesce(tables.issues.c.planned, frozen)
    lines = sa.union_all(
        sa.select(placed.c.place.label("place"), sa.func.sum(placed.c.size).label("people")).group_by(placed.c.place),
        sa.select(own.c.place, -sa.func.count()).group_by(own.c.place),
        sa.select(own.c.outcome, sa.func.count()).group_by(own.c.outcome),
        sa.select(sa.literal("planned"), planned).where(tables.issues.c.id == issue_id),
    )
    total = 0
    counts: dict[str, int] = {}
    for name, people in connection.execute(lines):
        if name == "planned":
            total = int(people)
        else:
            counts[name] = counts.get(name, 0) + int(people)
    return books_of(total, counts)
