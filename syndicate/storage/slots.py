"""Rows of slots and of the rhythms that plan them. A slot's key is its wall time: whoever writes it first has it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from syndicate.core.issue import Issue
from syndicate.core.slot import OPEN, UNSENT, KnownSlot, Slot, SlotState
from syndicate.storage import tables
from syndicate.storage.audit import record

_slots, _cadences, _newsletters = tables.slots, tables.cadences, tables.newsletters


@dataclass(frozen=True, slots=True)
class Rhythm:
    """A cadence as the clock went by it last: slots due up to `horizon_at` are none of ours. `rhythm` is
    `core.schedule.rhythm_of` of then, or "". `paused` is the newsletter's."""

    newsletter: str
    cadence: str
    horizon_at: datetime | None
    rhythm: str
    timezone: str
    paused: bool


def list_rhythms(connection: Connection) -> dict[tuple[str, str], Rhythm]:
    """Every cadence that is declared, by newsletter and name."""
    return {(each.newsletter, each.cadence): each for each in _rhythms(connection)}


def lock_rhythm(connection: Connection, newsletter: str, cadence: str) -> Rhythm | None:
    """The cadence, its row locked to commit: slots are claimed and newsletters paused under this lock. None when it is
    retired or unknown."""
    here = (_cadences.c.newsletter == newsletter, _cadences.c.name == cadence)
    # A write rather than SELECT … FOR UPDATE, so that the lock is the same on both databases.
    connection.execute(sa.update(_cadences).where(*here).values(mark=_cadences.c.mark))
    return next(iter(_rhythms(connection, *here)), None)


def _rhythms(connection: Connection, *conditions: sa.ColumnElement[bool]) -> list[Rhythm]:
    query = (
        sa.select(
            _cadences.c.newsletter,
            _cadences.c.name,
            _cadences.c.horizon_at,
            _cadences.c.rhythm,
            _cadences.c.timezone,
            _newsletters.c.paused,
        )
        .join(_newsletters, _newsletters.c.name == _cadences.c.newsletter)
        .where(~_cadences.c.retired, ~_newsletters.c.retired, *conditions)
        .order_by(_cadences.c.newsletter, _cadences.c.name)
    )
    return [Rhythm(*row) for row in connection.execute(query)]


def change_rhythm(connection: Connection, newsletter: str, cadence: str, **changes: Any) -> None:
    """Sets `horizon_at`, `rhythm` or `timezone`."""
    connection.execute(
        sa.update(_cadences).where(_cadences.c.newsletter == newsletter, _cadences.c.name == cadence).values(**changes)
    )


def get_slot(connection: Connection, newsletter: str, cadence: str, wall_time: str) -> KnownSlot | None:
    """The slot's row, if it has one."""
    row = connection.execute(sa.select(_slots).where(*_key(newsletter, cadence, wall_time))).one_or_none()
    return KnownSlot(**row._mapping) if row is not None else None


def slots_from(connection: Connection, newsletter: str, cadence: str, wall_time: str) -> dict[str, KnownSlot]:
    """The cadence's rows from that wall time on, by wall time."""
    query = sa.select(_slots).where(
        _slots.c.newsletter == newsletter, _slots.c.cadence == cadence, _slots.c.wall_time >= wall_time
    )
    return {row.wall_time: KnownSlot(**row._mapping) for row in connection.execute(query)}


def list_slots(
    connection: Connection,
    *,
    newsletter: str | None = None,
    cadence: str | None = None,
    states: Collection[SlotState] | None = None,
    due_after: datetime | None = None,
    limit: int | None = None,
) -> list[KnownSlot]:
    """Rows, the last due first."""
    query = sa.select(_slots).order_by(_slots.c.due_at.desc(), _slots.c.newsletter, _slots.c.cadence)
    if newsletter is not None:
        query = query.where(_slots.c.newsletter == newsletter)
    if cadence is not None:
        query = query.where(_slots.c.cadence == cadence)
    if states is not None:
        query = query.where(_slots.c.state.in_(sorted(states)))
    if due_after is not None:
        query = query.where(_slots.c.due_at > due_after)
    return [KnownSlot(**row._mapping) for row in connection.execute(query.limit(limit) if limit else query)]


def claim_slot(
    connection: Connection,
    newsletter: str,
    cadence: str,
    wall_time: str,
    due_at: datetime,
    state: SlotState,
    **values: Any,
) -> bool:
    """Writes the slot's first row; False when it has one. `values` has `claimed_at`, and may have more columns."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    row = {"newsletter": newsletter, "cadence": cadence, "wall_time": wall_time, "due_at": due_at, "state": state}
    claimed = connection.execute(
        insert(_slots).values(**row, **values).on_conflict_do_nothing().returning(_slots.c.wall_time)
    )
    return claimed.first() is not None


def move_slot(
    connection: Connection,
    newsletter: str,
    cadence: str,
    wall_time: str,
    state: SlotState,
    *,
    of: Collection[SlotState] = OPEN,
    **changes: Any,
) -> bool:
    """Compare-and-set from one of the states `of`; False when it is in none of them."""
    moved = connection.execute(
        sa.update(_slots)
        .where(*_key(newsletter, cadence, wall_time), _slots.c.state.in_(sorted(of)))
        .values(state=state, **changes)
        .returning(_slots.c.wall_time)
    )
    return moved.first() is not None


def may_claim(connection: Connection, newsletter: str, cadence: str, due_at: datetime) -> bool:
    """Takes the cadence's lock to commit. False when its newsletter is paused, or when the cadence began anew behind
    that slot."""
    rhythm = lock_rhythm(connection, newsletter, cadence)
    if rhythm is None or rhythm.paused:
        return False
    return rhythm.horizon_at is not None and due_at > rhythm.horizon_at


def settle_slot(
    connection: Connection,
    newsletter: str,
    cadence: str,
    slot: Slot,
    state: SlotState,
    *,
    actor: str,
    now: datetime,
    why: str = "",
    of: Collection[SlotState] = OPEN,
    **changes: Any,
) -> bool:
    """Gives the slot its state, whether it has a row or not, and says so in the audit log; False when its row is in
    none of the states `of`."""
    values = {"why": why, "due_at": slot.due_at, "settled_at": None if state in OPEN else now, **changes}
    first = {key: value for key, value in values.items() if key != "due_at"}
    if not (
        claim_slot(connection, newsletter, cadence, slot.wall_time, slot.due_at, state, claimed_at=now, **first)
        or move_slot(connection, newsletter, cadence, slot.wall_time, state, of=of, **values)
    ):
        return False
    record(
        connection,
        at=now,
        actor=actor,
        action=f"slot.{state}",
        subject=f"{newsletter}/{cadence}",
        detail={"slot": slot.wall_time, **({"why": why} if why else {})},
    )
    return True


def merge_unsent(
    connection: Connection, newsletter: str, cadence: str, into: str, issue_id: int, now: datetime
) -> list[str]:
    """Earlier slots whose articles are in this issue of the slot `into`: they never went by themselves, and go with
    it. Their wall times."""
    merged = connection.execute(
        sa.update(_slots)
        .where(
            _slots.c.newsletter == newsletter,
            _slots.c.cadence == cadence,
            _slots.c.wall_time < into,
            _slots.c.state.in_(sorted(UNSENT)),
            sa.or_(_slots.c.issue_id == issue_id, sa.and_(_slots.c.issue_id.is_(None), _slots.c.state == "missed")),
        )
        .values(state="merged", why=f"Its articles go with {spoken(into)}.", settled_at=now)
        .returning(_slots.c.wall_time)
    )
    return list(merged.scalars())


def go_with(connection: Connection, issue: Issue, now: datetime) -> None:
    """The missed slots whose articles this issue carries, now that it goes: the latest goes with it, those before are
    merged into it."""
    missed = list_slots(connection, newsletter=issue.newsletter, cadence=issue.cadence, states=["missed"])
    for place, each in enumerate(each for each in missed if each.issue_id in (None, issue.id)):
        settle_slot(
            connection,
            each.newsletter,
            each.cadence,
            Slot(each.due_at, each.wall_time),
            "merged" if place else "going",
            actor=issue.approved_by,
            now=now,
            why=f"Its articles went with issue {issue.id}." if place else f"Sent late, as issue {issue.id}.",
            of=["missed"],
            issue_id=issue.id,
        )


def unclaim_slot(connection: Connection, newsletter: str, cadence: str, wall_time: str) -> None:
    """Forgets that slot: it is planned again."""
    connection.execute(sa.delete(_slots).where(*_key(newsletter, cadence, wall_time)))


def spoken(wall_time: str) -> str:
    """`2026-01-31 07:00`."""
    return wall_time.replace("T", " ")


def _key(newsletter: str, cadence: str, wall_time: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (_slots.c.newsletter == newsletter, _slots.c.cadence == cadence, _slots.c.wall_time == wall_time)
