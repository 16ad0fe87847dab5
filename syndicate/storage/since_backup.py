"""What a database that was copied or restored cannot know: what became since of what it was about to send.

The one that it was made of has perhaps sent all of it. So nothing of it goes out by itself: what was planned is
uncertain, as after a kill, until a mail API's report proves it or a person decides; what was to be frozen waits for a
person. And the numbers that were given since, in links, keys and Message-IDs, are given to nobody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import BEFORE_FREEZING
from syndicate.core.slot import OPEN
from syndicate.core.window import mark_after_cancel
from syndicate.storage import tables
from syndicate.storage.books import books
from syndicate.storage.database import database_now
from syndicate.storage.issues import list_issues, move_issue
from syndicate.storage.windows import lock_cadence, set_mark

WHY = "the database was copied or restored, and this may have gone out since"

_batches, _log, _mails = tables.batches, tables.batch_log, tables.transactional_mails

NUMBERS = {tables.issues: 1_000, tables.subscribers: 10_000_000, _mails: 10_000_000}
"""How many numbers of each table are left out: more than are given between two backups."""


@dataclass(frozen=True, slots=True)
class Doubted:
    """What may have gone out since: so many readers of issues that were being sent, the issues that were about to be
    (by number), slots whose time had come, and mails to one person."""

    readers: int = 0
    issues: tuple[int, ...] = ()
    slots: int = 0
    letters: int = 0

    def __str__(self) -> str:
        """What is to be done about it, in sentences; "" for nothing."""
        told = []
        if self.readers:
            told.append(f"{self.readers:,} readers may have got theirs since: `syndicate issues resolve` settles it.")
        if self.issues:
            numbers = ", ".join(map(str, self.issues))
            told.append(f"Issue {numbers} may have gone out since: it does not go by itself.")
        if self.slots:
            told.append(f"{self.slots:,} slots whose time had come are skipped.")
        if self.letters:
            told.append(f"{self.letters:,} letters may have gone out since: `syndicate letters list` shows them.")
        return " ".join(told)


def doubt(connection: Connection, now: datetime) -> Doubted:
    """Has nothing go out by itself that may have gone out since the backup was made, and leaves out the numbers that
    may have been given."""
    found = Doubted(
        _doubt_requests(connection, database_now(connection)),
        _stop_issues(connection, now),
        _skip_slots(connection, now),
        _doubt_letters(connection),
    )
    for table, count in NUMBERS.items():
        _leave_out(connection, table, count)
    return found


def _doubt_requests(connection: Connection, now: datetime) -> int:
    begun = [issue for issue in list_issues(connection, states=["sending", "paused"]) if issue.planned is not None]
    for issue in begun:
        here = _batches.c.issue_id == issue.id
        proven = sa.and_(here, _batches.c.state == "sending", _batches.c.proof != "")
        connection.execute(
            sa.update(_batches).where(proven).values(state="accepted", why=_batches.c.proof, proof="", retry_at=None)
        )
        open_ones = sa.and_(
            here,
            sa.or_(
                _batches.c.state.in_(["planned", "retry", "sending"]),
                sa.and_(_batches.c.state == "uncertain", _batches.c.retry_at.is_not(None)),
            ),
        )
        lines = sa.select(
            _batches.c.id,
            sa.literal(now, _log.c.at.type),
            sa.literal("uncertain"),
            *(_batches.c[name] for name in ("generation", "revision", "worker_id")),
            sa.literal(WHY),
        ).where(open_ones)
        columns = ["batch_id", "at", "state", "generation", "revision", "worker_id", "why"]
        connection.execute(sa.insert(_log).from_select(columns, lines))
        # Through which mail API, and in how many requests, is not known.
        size = _batches.c.last - _batches.c.first + 1
        carried = sa.case((_batches.c.recipients == 0, size), else_=_batches.c.recipients)
        connection.execute(
            sa.update(_batches)
            .where(open_ones)
            .values(state="uncertain", why=WHY, retry_at=None, settled_at=now, recipients=carried, api="", account="")
        )
    return sum(books(connection, issue.id).uncertain for issue in begun)


def _stop_issues(connection: Connection, now: datetime) -> tuple[int, ...]:
    """Those that are being frozen pause; those whose time has come are to be sent by somebody. Of a cadence they end,
    and their articles go with the next: under the number of one that went, its mails would be taken for those."""
    stopped = []
    why = f"It may have gone out already: {WHY}."
    slots = tables.slots
    due = set(connection.execute(sa.select(slots.c.issue_id).where(slots.c.due_at <= now)).scalars())
    for issue in reversed(list_issues(connection, states=[*sorted(BEFORE_FREEZING), "freezing"])):
        has_come = issue.state == "scheduled" and (issue.send_at is None or issue.send_at <= now)
        if issue.state == "freezing":
            move_issue(connection, issue, "paused", why=why)
        elif issue.kind == "cadence" and (has_come or issue.id in due):
            move_issue(connection, issue, "cancelled", ended_at=now, why=f"{why} Its articles go with the next.")
            back = mark_after_cancel(
                lock_cadence(connection, issue.newsletter, issue.cadence), issue.lo, issue.hi, drop=False
            )
            if back is not None:
                set_mark(connection, issue.newsletter, issue.cadence, back)
        elif has_come:
            move_issue(connection, issue, "approved", send_at=None, why=why)
        else:
            continue
        stopped.append(issue.id)
    return tuple(stopped)


def _skip_slots(connection: Connection, now: datetime) -> int:
    """Those without a row are behind the horizon then, as for a cadence that begins now."""
    slots, cadences = tables.slots, tables.cadences
    skipped = connection.execute(
        sa.update(slots)
        .where(slots.c.state.in_(sorted(OPEN)), slots.c.due_at <= now)
        .values(state="skipped", settled_at=now, why=f"Perhaps it went already: {WHY}.")
    )
    connection.execute(sa.update(cadences).where(cadences.c.horizon_at < now).values(horizon_at=now))
    return skipped.rowcount


def _doubt_letters(connection: Connection) -> int:
    waiting = sa.or_(
        _mails.c.state.in_(["planned", "retry", "sending"]),
        sa.and_(_mails.c.state == "uncertain", _mails.c.retry_at.is_not(None)),
    )
    return connection.execute(
        sa.update(_mails).where(waiting).values(state="uncertain", why=WHY, retry_at=None, worker_id="")
    ).rowcount


def _leave_out(connection: Connection, table: sa.Table, count: int) -> None:
    if connection.dialect.name == "sqlite":
        highest = sa.select(sa.func.coalesce(sa.func.max(table.c.id), 0)).scalar_subquery()
        known = sa.table("sqlite_sequence", sa.column("name"), sa.column("seq"))
        moved = connection.execute(
            sa.update(known).where(known.c.name == table.name).values(seq=known.c.seq + count)
        )
        if not moved.rowcount:
            connection.execute(sa.insert(known).values(name=table.name, seq=highest + count))
    else:
        sequence = sa.func.pg_get_serial_sequence(table.name, "id")
        connection.execute(sa.select(sa.func.setval(sequence, sa.func.nextval(sequence) + count)))
