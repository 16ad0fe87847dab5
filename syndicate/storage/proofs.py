"""Proof that a mail API took a mail, whoever brings it: acceptance is monotone, whatever the batch has become since."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import tables
from syndicate.storage.batches import (
    HAD_IT,
    Batch,
    lock_batch,
    note,
    set_columns,
    set_state,
    was_left_out,
)
from syndicate.storage.database import database_now

_batches, _outcomes = tables.batches, tables.recipient_outcomes

# No more of each than its place: while an issue of millions is sent, some thousand of them wait.
_WAITING = (
    sa.select(_batches.c.id, _batches.c.first, _batches.c.last)
    .where(
        _batches.c.issue_id == sa.bindparam("issue"),
        # Spelled out: it is the same with each report, and need not be spelled anew.
        _batches.c.state.in_(
            sa.literal_column(f"'{state}'")
            for state in ("planned", "sending", "retry", "uncertain", "refused", "withdrawn")
        ),
        _batches.c.first <= sa.bindparam("highest"),
        _batches.c.last >= sa.bindparam("lowest"),
    )
    .order_by(_batches.c.id)
)


def prove(
    connection: Connection, issue_id: int, ordinals: Collection[int], *, api: str, all_or_nothing: bool, why: str
) -> int:
    """These recipients of the issue have their mail, as `why` says. With `all_or_nothing` so has everybody in their
    requests. Returns how many batches that settles; one whose answer is awaited is settled with it."""
    settled, places = 0, sorted(ordinals)
    asked = {"issue": issue_id, "lowest": places[0], "highest": places[-1]}
    for batch_id, first, last in connection.execute(_WAITING, asked).all():
        mine = places[bisect_left(places, first) : bisect_right(places, last)]
        if not mine:
            continue
        held = lock_batch(connection, batch_id)
        if held.state == "split":
            # A moment ago, by another process.
            settled += prove(connection, issue_id, mine, api=api, all_or_nothing=all_or_nothing, why=why)
        elif held.state != "accepted":
            # A batch of no API was posted by another state of the database, perhaps in parts.
            whole = held.size == 1 or (all_or_nothing and bool(held.api))
            settled += _prove_in(connection, held, mine, api, whole, why)
    return settled


def _prove_in(
    connection: Connection, held: Batch, ordinals: Sequence[int], api: str, whole: bool, why: str
) -> bool:
    now = database_now(connection)
    known = _own(connection, held, ordinals)
    for ordinal in ordinals:
        if known.get(ordinal) == "accepted" or (whole and ordinal not in known):
            continue
        # An earlier request had them in it, if the last one was made without them.
        values = {"outcome": "accepted", "why": HAD_IT if known.get(ordinal) == "suppressed" else why, "at": now}
        place = {"issue_id": held.issue_id, "ordinal": ordinal}
        if ordinal in known:
            mine = (_outcomes.c.issue_id == held.issue_id, _outcomes.c.ordinal == ordinal)
            connection.execute(sa.update(_outcomes).where(*mine).values(**values))
        else:
            connection.execute(sa.insert(_outcomes).values(**place, batch_id=held.id, **values))
    if held.state == "sending":
        if whole:
            set_columns(connection, held.id, proof=why)
        return False
    if not whole and _count(connection, held, "accepted") + _count(connection, held, "suppressed") < held.size:
        return False
    # Of a batch that an older state of the database never saw posted, the API is not known either.
    changes = {} if held.api else {"api": api, "recipients": held.size - _count(connection, held, "suppressed")}
    connection.execute(
        sa.delete(_outcomes).where(_outcomes.c.batch_id == held.id, _outcomes.c.outcome == "accepted")
    )
    set_state(connection, held, "accepted", now, why=why, retry_at=None, **changes)
    note(connection, held, "accepted", why, now, "")
    return True


def _own(connection: Connection, held: Batch, ordinals: Sequence[int]) -> dict[int, str]:
    query = sa.select(_outcomes.c.ordinal, _outcomes.c.outcome).where(
        _outcomes.c.issue_id == held.issue_id, _outcomes.c.ordinal.in_(ordinals)
    )
    return {row.ordinal: row.outcome for row in connection.execute(query)}


def _count(connection: Connection, held: Batch, outcome: str) -> int:
    query = sa.select(sa.func.count()).where(_outcomes.c.batch_id == held.id, _outcomes.c.outcome == outcome)
    return int(connection.execute(query).scalar_one())


def count_proven(connection: Connection, batches: Sequence[Batch]) -> int:
    """How many of those in the last requests of these batches are proven to have their mail."""
    query = sa.select(sa.func.count()).where(
        _outcomes.c.batch_id.in_([batch.id for batch in batches]), _outcomes.c.outcome == "accepted", ~was_left_out()
    )
    return int(connection.execute(query).scalar_one())
