"""Batches as rows: how they are read, and the few ways in which one row changes.

Lock order on PostgreSQL: the issue's row, then batches by id. On SQLite a writer holds the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Connection

from syndicate.core.batch import BatchState
from syndicate.storage import tables
from syndicate.storage.arrays import any_of

_batches = tables.batches
_outcomes = tables.recipient_outcomes
_log = tables.batch_log


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as kept. `recipients` counts the messages of its last request, exclusions taken off."""

    id: int
    issue_id: int
    first: int
    last: int
    state: BatchState
    generation: int
    revision: int
    api: str
    account: str
    request_key: str
    sha256: str
    recipients: int
    worker_id: str
    fence: int
    lease_until: datetime | None
    first_posted_at: datetime | None
    settled_at: datetime | None
    attempts: int
    retry_at: datetime | None
    why: str
    proof: str = ""
    """What shows that the API has the request that is under way, or ""."""

    @property
    def size(self) -> int:
        """How many people it was planned for."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Claim:
    """A batch that this process may post once: as claimed, with what its request carries. `ordinals` are those of the
    messages in the request, in order; `excluded` maps the other ordinals of the range to why they are left out."""

    batch: Batch
    ordinals: tuple[int, ...]
    excluded: Mapping[int, str] = field(default_factory=dict)
    replay: bool = False


Spans = Sequence[tuple[int, int]]
"""Ordinals in rows, both ends included."""

HAD_IT = "they have it already"
"""Why somebody of whom it is proven that they got the issue was left out of the batch's last request."""


def was_left_out() -> sa.ColumnElement[bool]:
    """Of a row of `recipient_outcomes`: whether the batch's last request was made without that person."""
    had_it = sa.and_(_outcomes.c.outcome == "accepted", _outcomes.c.why == HAD_IT)
    return sa.or_(_outcomes.c.outcome == "suppressed", had_it)


def batch_of(recipient: sa.FromClause) -> sa.ScalarSelect[int]:
    """The id of the batch that a row of `issue_recipients` is in, as part of a query; null before it is planned. Ranges
    do not overlap, but for those of a split batch and its children: the last to start is the one. So each is found by
    one look into the index, and not by a walk through all that start before."""
    batch = _batches.alias()
    return (
        sa.select(batch.c.id)
        .where(batch.c.issue_id == recipient.c.issue_id, batch.c.first <= recipient.c.ordinal, batch.c.state != "split")
        .order_by(batch.c.first.desc())
        .limit(1)
        .correlate(recipient)
        .scalar_subquery()
    )


BATCH_COLUMNS = [_batches.c[name] for name in Batch.__dataclass_fields__]


def read_batches(connection: Connection, query: sa.Select[Any]) -> list[Batch]:
    """The batches that a query over `BATCH_COLUMNS` finds."""
    return [Batch(*row) for row in connection.execute(query)]


# What is asked for every few thousand people of a mailing is spelled once: to make a statement takes as long as to
# execute it.
_LAST = 2**31 - 1
"""No ordinal is higher."""
_OF_ISSUE = sa.select(*BATCH_COLUMNS).where(_batches.c.issue_id == sa.bindparam("issue_id"))
_ARE_DUE = _batches.c.retry_at <= sa.bindparam("now")
_HERE = (
    _OF_ISSUE.where(_batches.c.first.between(sa.bindparam("low"), sa.bindparam("high")))
    .order_by(_batches.c.first)
    .limit(sa.bindparam("most"))
)
# Each state for itself: so the index finds the next ones, however many are settled before them.
_CLAIMABLE = sa.union_all(
    sa.select(_HERE.where(_batches.c.state == "planned").subquery()),
    sa.select(_HERE.where(_batches.c.state == "retry", _ARE_DUE).subquery()),
)
_DUE_UNCERTAIN = (
    _OF_ISSUE.where(_batches.c.state == "uncertain", _ARE_DUE)
    .order_by(_batches.c.retry_at)
    .limit(sa.bindparam("most"))
)


def select_batches(
    connection: Connection,
    issue_id: int,
    *,
    states: Iterable[BatchState] | None = None,
    parked: bool = False,
    until: datetime | None = None,
    limit: int | None = None,
) -> list[Batch]:
    """The batches of an issue, by range; `parked`: only those whose time to go on never comes by itself; `until`: those
    that came to their state by then."""
    query = sa.select(*BATCH_COLUMNS).where(_batches.c.issue_id == issue_id).order_by(_batches.c.first, _batches.c.id)
    if states is not None:
        query = query.where(_batches.c.state.in_(sorted(states)))
    if parked:
        query = query.where(_batches.c.retry_at.is_(None))
    if until is not None:
        query = query.where(sa.or_(_batches.c.settled_at.is_(None), _batches.c.settled_at <= until))
    return read_batches(connection, query.limit(limit) if limit else query)


def claimable(
    connection: Connection, issue_id: int, now: datetime, *, start: int, limit: int, spans: Spans | None = None
) -> list[Batch]:
    """Batches that may be claimed now, by range from ordinal `start` on, then from the beginning; with `spans`, only
    those that begin in one of them."""
    places: Spans = [(start, _LAST), (0, start - 1)] if start > 0 else [(0, _LAST)]
    if spans is not None:
        # Each span for itself, from the one of that ordinal on.
        places = sorted(spans, key=lambda span: (span[1] < start, span))
    found: list[Batch] = []
    for low, high in places:
        told = {"issue_id": issue_id, "now": now, "low": low, "high": high, "most": limit}
        rows = [Batch(*row) for row in connection.execute(_CLAIMABLE, told)]
        found += sorted(rows, key=lambda batch: batch.first)[: limit - len(found)]
        if len(found) == limit:
            break
    return found


def due_uncertain(connection: Connection, issue_id: int, now: datetime, limit: int) -> list[Batch]:
    """Uncertain batches that are to be replayed or looked up now."""
    told = {"issue_id": issue_id, "now": now, "most": limit}
    return [Batch(*row) for row in connection.execute(_DUE_UNCERTAIN, told)]


def accepted_next(connection: Connection, batch: Batch) -> Batch | None:
    """The first batch of the issue that was accepted after that one had become uncertain, posted to the same account no
    earlier."""
    its = _batches.alias()
    posted_at = sa.select(its.c.posted_at).where(its.c.id == batch.id).scalar_subquery()
    query = (
        sa.select(*BATCH_COLUMNS)
        .where(
            _batches.c.issue_id == batch.issue_id,
            _batches.c.state == "accepted",
            _batches.c.api == batch.api,
            _batches.c.account == batch.account,
            _batches.c.posted_at >= posted_at,
            _batches.c.settled_at >= batch.settled_at,
            _batches.c.recipients > 0,
        )
        .order_by(_batches.c.settled_at)
        .limit(1)
    )
    return next(iter(read_batches(connection, query)), None)


def next_due(connection: Connection, issue_id: int, *, posting: bool) -> datetime | None:
    """When the next batch of the issue can go on by itself: a retry or an uncertain one. None: never."""
    states = ["retry", "uncertain"] if posting else ["uncertain"]
    query = sa.select(sa.func.min(_batches.c.retry_at)).where(
        _batches.c.issue_id == issue_id, _batches.c.state.in_(states), _batches.c.retry_at.is_not(None)
    )
    due: datetime | None = connection.execute(query).scalar_one()
    return due


def set_state(connection: Connection, held: Batch, to: BatchState, now: datetime, **changes: Any) -> None:
    """Moves a batch that is still as it was read. Raises NoResultFound when it is not."""
    moved = connection.execute(
        sa.update(_batches)
        .where(_batches.c.id == held.id, _batches.c.state == held.state, _batches.c.fence == held.fence)
        .values(state=to, settled_at=now, **changes)
        .returning(_batches.c.id)
    )
    moved.one()


def set_columns(connection: Connection, batch_id: int, **changes: Any) -> None:
    """Changes columns of a batch whose row the caller holds."""
    connection.execute(sa.update(_batches).where(_batches.c.id == batch_id).values(**changes))


def change_batches(connection: Connection, columns: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> None:
    """Changes these columns of many batches, each row as `batch_id` that is still at `held_fence`."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(_change_each(columns), rows)
    else:
        # One statement: triggers count what it changes once, and not batch by batch.
        told = [{name: _in_json(value) for name, value in row.items()} for row in rows]
        connection.execute(_change_told(columns), {"told": told})


@cache
def _change_each(columns: tuple[str, ...]) -> sa.Update:
    where = (_batches.c.id == sa.bindparam("batch_id"), _batches.c.fence == sa.bindparam("held_fence"))
    return sa.update(_batches).where(*where).values({name: sa.bindparam(name) for name in columns})


@cache
def _change_told(columns: tuple[str, ...]) -> sa.Update:
    keys = (sa.column("batch_id", sa.BigInteger), sa.column("held_fence", sa.Integer))
    told = sa.func.jsonb_to_recordset(sa.bindparam("told", type_=postgresql.JSONB)).table_valued(
        *keys, *(sa.column(name, _batches.c[name].type) for name in columns), name="told"
    )
    told = told.render_derived(with_types=True)
    where = (_batches.c.id == told.c.batch_id, _batches.c.fence == told.c.held_fence)
    return sa.update(_batches).where(*where).values({name: told.c[name] for name in columns})


def _in_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def lock_batch(connection: Connection, batch_id: int) -> Batch:
    """The batch as it is now, its row held to commit."""
    row = connection.execute(sa.select(*BATCH_COLUMNS).where(_batches.c.id == batch_id).with_for_update()).one()
    return Batch(**row._mapping)


def lock_batches(connection: Connection, batch_ids: Sequence[int]) -> dict[int, Batch]:
    """Those batches as they are now, by id, their rows held to commit."""
    rows = connection.execute(_lock_them(connection.dialect.name), {"batch_ids": list(batch_ids)})
    return {row.id: Batch(*row) for row in rows}


@cache
def _lock_them(dialect: str) -> sa.Select[Any]:
    theirs = any_of(_batches.c.id, "batch_ids", dialect)
    return sa.select(*BATCH_COLUMNS).where(theirs).order_by(_batches.c.id).with_for_update()


def put_outcomes(
    connection: Connection, batch: Batch, outcome: str, people: Mapping[int, str], now: datetime
) -> None:
    """Replaces the recipients of the batch that have this outcome of their own."""
    connection.execute(
        sa.delete(_outcomes).where(
            _outcomes.c.batch_id == batch.id,
            sa.or_(_outcomes.c.outcome == outcome, _outcomes.c.ordinal.in_(list(people))),
        )
    )
    rows = [
        {
            "issue_id": batch.issue_id,
            "ordinal": ordinal,
            "batch_id": batch.id,
            "outcome": outcome,
            "why": why,
            "at": now,
        }
        for ordinal, why in people.items()
    ]
    if rows:
        connection.execute(sa.insert(_outcomes), rows)


def insert_batch(
    connection: Connection,
    issue_id: int,
    first: int,
    last: int,
    *,
    revision: int,
    parent_id: int | None = None,
    **more: Any,
) -> int:
    """A batch for a range of ordinals, planned unless `more` columns say another state."""
    values = {"issue_id": issue_id, "first": first, "last": last, "revision": revision, "parent_id": parent_id}
    added = connection.execute(
        sa.insert(_batches).values(**{"state": "planned", **values, **more}).returning(_batches.c.id)
    )
    return int(added.scalar_one())


def note(connection: Connection, batch: Batch, state: str, why: str, now: datetime, worker_id: str) -> None:
    """Writes a line of the log of a batch: `state` is the state it came to, or `taken` or `late`."""
    connection.execute(
        sa.insert(_log).values(
            batch_id=batch.id,
            at=now,
            state=state,
            generation=batch.generation,
            revision=batch.revision,
            worker_id=worker_id,
            why=why,
        )
    )
