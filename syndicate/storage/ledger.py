"""The ledger of an issue: its batches, their books and their steps, under one name, and how an issue ends."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.allowance import ITS_TURN
from syndicate.core.batch import CLAIMABLE, WAITING
from syndicate.storage import tables
from syndicate.storage.batches import (
    Batch,
    Claim,
    accepted_next,
    claimable,
    due_uncertain,
    insert_batch,
    next_due,
    put_outcomes,
    select_batches,
)
from syndicate.storage.books import books
from syndicate.storage.settling import (
    begin_look_up,
    hand_back,
    last_accepted,
    move_unresolved,
    put_back,
    set_aside,
    settle,
)
from syndicate.storage.taking_over import owners, sleeping_owners, take_over

__all__ = [
    "Batch",
    "Claim",
    "accepted_next",
    "begin_look_up",
    "books",
    "claimable",
    "due_uncertain",
    "hand_back",
    "insert_batch",
    "is_open",
    "last_accepted",
    "may_have_gone_out",
    "move_unresolved",
    "next_due",
    "owners",
    "put_back",
    "put_outcomes",
    "retry_at_once",
    "select_batches",
    "set_aside",
    "settle",
    "sleeping_owners",
    "take_over",
    "withdraw",
]

_batches = tables.batches


def withdraw(connection: Connection, issue_id: int, limit: int, now: datetime) -> int:
    """Withdraws up to so many batches of a cancelled issue that no request carries; returns how many."""
    some = (
        sa.select(_batches.c.id)
        .where(_batches.c.issue_id == issue_id, _batches.c.state.in_(sorted(CLAIMABLE)))
        .order_by(_batches.c.id)
        .limit(limit)
        .with_for_update()
    )
    withdrawn = connection.execute(
        sa.update(_batches)
        .where(_batches.c.id.in_(some), _batches.c.state.in_(sorted(CLAIMABLE)))
        .values(state="withdrawn", settled_at=now, retry_at=None)
        .returning(_batches.c.id)
    )
    return len(withdrawn.all())


def cancelled_with_claimable(connection: Connection) -> list[int]:
    """Cancelled issues with batches that no request carries and that are not withdrawn."""
    issues, counts = tables.issues, tables.ledger_counts
    some = (
        sa.select(counts.c.issue_id)
        .where(counts.c.issue_id == issues.c.id, counts.c.state.in_(sorted(CLAIMABLE)))
        .group_by(counts.c.issue_id)
        .having(sa.func.sum(counts.c.batches) > 0)
    )
    query = sa.select(issues.c.id).where(issues.c.state == "cancelled", some.exists())
    return list(connection.execute(query).scalars())


def is_open(connection: Connection, issue_id: int, *, unresolved: bool) -> bool:
    """Whether something still waits; with `unresolved`, also whether something uncertain goes on by itself."""
    query = sa.select(_batches.c.id).where(_batches.c.issue_id == issue_id).limit(1)
    if connection.execute(query.where(_batches.c.state.in_(sorted(WAITING)))).first() is not None:
        return True
    goes_on = query.where(_batches.c.state == "uncertain", _batches.c.retry_at.is_not(None))
    return unresolved and connection.execute(goes_on).first() is not None


def may_have_gone_out(connection: Connection, issue_id: int) -> bool:
    """Whether any request of the issue was, or may have been, accepted by the mail API."""
    query = (
        sa.select(_batches.c.id)
        .where(
            _batches.c.issue_id == issue_id,
            sa.or_(
                _batches.c.state.in_(["sending", "uncertain"]),
                sa.and_(_batches.c.state == "accepted", _batches.c.recipients > 0),
            ),
        )
        .limit(1)
    )
    return connection.execute(query).first() is not None


def retry_at_once(connection: Connection, issue_id: int, now: datetime) -> None:
    """Gives what waits for another try a fresh start; what waits for its turn at a receiving domain keeps that."""
    connection.execute(
        sa.update(_batches)
        .where(_batches.c.issue_id == issue_id, _batches.c.state == "retry", ~_batches.c.why.contains(ITS_TURN))
        .values(retry_at=now, attempts=0)
    )
