"""Forgets who was sent an issue that ended long ago. Its batches and outcomes stay, so its books still balance."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import FINISHED
from syndicate.storage import tables
from syndicate.storage.issues import change_issue, get_issue

_issues, _recipients, _batches = tables.issues, tables.issue_recipients, tables.batches
_outcomes, _log = tables.recipient_outcomes, tables.batch_log


def issues_to_forget(connection: Connection, before: datetime) -> list[int]:
    """Finished issues that ended before that moment and whose readers are still known."""
    query = sa.select(_issues.c.id).where(
        _issues.c.forgotten_at.is_(None), _issues.c.ended_at < before, _issues.c.state.in_(sorted(FINISHED))
    )
    return list(connection.execute(query.order_by(_issues.c.id)).scalars())


def forget_recipients(connection: Connection, issue_id: int, limit: int, now: datetime) -> int:
    """Forgets the next `limit` recipients of a finished issue, with what the mail API said that may name them; returns
    how many. After the last ones the issue itself remembers that they are forgotten. The caller holds
    `people.lock_people`."""
    issue = get_issue(connection, issue_id, lock=True)
    if issue.state not in FINISHED or issue.forgotten_at is not None:
        return 0
    first = connection.execute(
        sa.select(sa.func.min(_recipients.c.ordinal)).where(_recipients.c.issue_id == issue_id)
    ).scalar_one()
    if first is None:
        # Named one by one: how many they were stays.
        to = [f"forgotten:{number}" for number, _ in enumerate(issue.audience.to or (), 1)]
        named = {"audience": {"cadence": issue.audience.cadence, "to": to}} if issue.audience.to is not None else {}
        change_issue(connection, issue_id, forgotten_at=now, **named)
        return 0
    last = first + limit - 1
    gone = connection.execute(
        sa.delete(_recipients).where(_recipients.c.issue_id == issue_id, _recipients.c.ordinal.between(first, last))
    ).rowcount
    some = (_batches.c.issue_id == issue_id, _batches.c.first.between(first, last))
    connection.execute(sa.update(_batches).where(*some).values(vendor_ids=[]))
    _hush(connection, _batches, *some)
    _hush(connection, _log, _log.c.batch_id.in_(sa.select(_batches.c.id).where(*some)))
    _hush(connection, _outcomes, _outcomes.c.issue_id == issue_id, _outcomes.c.ordinal.between(first, last))
    return gone


def _hush(connection: Connection, table: sa.Table, *conditions: sa.ColumnElement[Any]) -> None:
    """Empties the reasons that may repeat an address."""
    connection.execute(sa.update(table).where(*conditions, table.c.why.contains("@")).values(why=""))
