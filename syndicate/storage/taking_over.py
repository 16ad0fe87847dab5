"""Taking over: what workers left that are gone or asleep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import tables
from syndicate.storage.batches import BATCH_COLUMNS, Batch, note, read_batches, set_state
from syndicate.storage.workers import Life

_batches = tables.batches
_log = tables.batch_log
AT_ONCE = 500
"""Batches named in one statement."""


def owners(connection: Connection, issue_id: int | None = None) -> set[str]:
    """The workers that hold a batch which is being sent, and those that one was taken from and that may still post
    it."""
    query = sa.select(*BATCH_COLUMNS).where(_batches.c.state == "uncertain")
    held = sa.select(_batches.c.worker_id).where(_batches.c.state == "sending").distinct()
    if issue_id is not None:
        query, held = query.where(_batches.c.issue_id == issue_id), held.where(_batches.c.issue_id == issue_id)
    sleeping = sleeping_owners(connection, read_batches(connection, query)).values()
    return set(connection.execute(held).scalars()).union(*sleeping)


def take_over(
    connection: Connection, now: datetime, lives: Mapping[str, Life], *, issue_id: int | None = None
) -> int:
    """Makes uncertain what is being sent by workers that do not hold their lock, and what is past its lease. Only of a
    worker that is gone is it certain that its request is not under way: for the others the log keeps the owner, until
    it is gone or answers. Returns how many."""
    lost = [worker_id for worker_id, life in lives.items() if life != "alive"]
    here = _batches.c.issue_id == issue_id if issue_id is not None else sa.true()
    query = (
        sa.select(*BATCH_COLUMNS)
        .where(
            here,
            _batches.c.state == "sending",
            sa.or_(_batches.c.worker_id.in_(sorted(lost)), _batches.c.lease_until < now),
        )
        .order_by(_batches.c.id)
        .with_for_update(skip_locked=True)
    )
    found = read_batches(connection, query)
    for batch in found:
        if lives.get(batch.worker_id) == "gone":
            state, why = "uncertain", "its owner ended before it recorded an answer"
        else:
            state, why = "taken", "its owner did not answer in time"
        if batch.proof:
            set_state(connection, batch, "accepted", now, why=batch.proof, retry_at=None, proof="")
            note(connection, batch, "accepted", batch.proof, now, batch.worker_id)
            continue
        set_state(connection, batch, "uncertain", now, why=why, retry_at=now)
        note(connection, batch, state, why, now, batch.worker_id)
    unresolved = read_batches(connection, sa.select(*BATCH_COLUMNS).where(here, _batches.c.state == "uncertain"))
    sleeping = sleeping_owners(connection, unresolved)
    for batch in unresolved:
        for worker_id in sorted(sleeping[batch.id]):
            over = batch.lease_until is None or batch.lease_until < now
            life = lives.get(worker_id, "alive")
            if life == "gone" or (life == "unclear" and over):
                note(connection, batch, "late", "its owner has ended", now, worker_id)
    return len(found)


def sleeping_owners(connection: Connection, batches: Sequence[Batch]) -> dict[int, set[str]]:
    """For each batch the workers it was taken from, in its present generation, that have neither answered nor ended."""
    generations = {batch.id: batch.generation for batch in batches}
    result: dict[int, set[str]] = {batch.id: set() for batch in batches}
    for start in range(0, len(batches), AT_ONCE):
        query = (
            sa.select(_log.c.batch_id, _log.c.generation, _log.c.state, _log.c.worker_id)
            .where(
                _log.c.batch_id.in_([batch.id for batch in batches[start : start + AT_ONCE]]),
                _log.c.state.in_(["taken", "late"]),
            )
            .order_by(_log.c.id)
        )
        for row in connection.execute(query):
            if row.generation == generations[row.batch_id] and row.state == "taken":
                result[row.batch_id].add(row.worker_id)
            elif row.generation == generations[row.batch_id]:
                result[row.batch_id].discard(row.worker_id)
    return result
