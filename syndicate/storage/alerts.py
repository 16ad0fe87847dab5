"""Rows of alerts, one for each trouble, and the facts that tell of one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.alert import Trouble
from syndicate.core.issue import Issue, State
from syndicate.core.slot import OPEN, UNSENT, KnownSlot
from syndicate.storage import tables
from syndicate.storage.issues import to_issue

_alerts, _slots, _issues, _batches, _audit = (
    tables.alerts,
    tables.slots,
    tables.issues,
    tables.batches,
    tables.audit_log,
)
LOOK_BACK = timedelta(days=45)
"""What went wrong longer ago is history."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One trouble as kept; it is open while `ended_at` is None. `webhook_*_at` are when the webhook took each news."""

    key: str
    kind: str
    sentence: str
    began_at: datetime
    seen_at: datetime
    ended_at: datetime | None
    webhook_began_at: datetime | None
    webhook_ended_at: datetime | None
    webhook_tried_at: datetime | None


def lock_alerts(connection: Connection) -> None:
    """Held to commit: two processes that find the same trouble tell of it once."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(0x53796E64_00000009)))


def list_alerts(connection: Connection, *, ended: bool = False, limit: int = 200) -> list[Alert]:
    """What is wrong now, the latest first; with `ended` also what was."""
    query = sa.select(_alerts).order_by(_alerts.c.began_at.desc(), _alerts.c.key).limit(limit)
    if not ended:
        query = query.where(_alerts.c.ended_at.is_(None))
    return [Alert(**row._mapping) for row in connection.execute(query)]


def begin_alert(connection: Connection, trouble: Trouble, now: datetime, *, webhook: bool) -> None:
    """A trouble that is new, or has come again. Without a `webhook` none is owed anything."""
    told = None if webhook else now
    values = {
        "kind": trouble.kind,
        "sentence": trouble.sentence,
        "began_at": now,
        "seen_at": now,
        "ended_at": None,
        "webhook_began_at": told,
        "webhook_ended_at": told,
        "webhook_tried_at": None,
    }
    connection.execute(sa.delete(_alerts).where(_alerts.c.key == trouble.key))
    connection.execute(sa.insert(_alerts).values(key=trouble.key, **values))


def continue_alert(connection: Connection, trouble: Trouble, now: datetime) -> None:
    """It lasts; what is known of it may have changed."""
    connection.execute(
        sa.update(_alerts).where(_alerts.c.key == trouble.key).values(seen_at=now, sentence=trouble.sentence)
    )


def end_alert(connection: Connection, key: str, now: datetime) -> None:
    """It is over."""
    connection.execute(sa.update(_alerts).where(_alerts.c.key == key).values(ended_at=now))


def owed_to_webhook(connection: Connection, tried_before: datetime) -> list[Alert]:
    """Alerts of which the webhook does not know all yet, and that were not tried since then; the oldest first."""
    ended_unknown = sa.and_(_alerts.c.ended_at.is_not(None), _alerts.c.webhook_ended_at.is_(None))
    query = (
        sa.select(_alerts)
        .where(
            sa.or_(_alerts.c.webhook_began_at.is_(None), ended_unknown),
            sa.or_(_alerts.c.webhook_tried_at.is_(None), _alerts.c.webhook_tried_at <= tried_before),
        )
        .order_by(_alerts.c.began_at, _alerts.c.key)
        .limit(20)
    )
    return [Alert(**row._mapping) for row in connection.execute(query)]


def record_webhook(connection: Connection, alert: Alert, now: datetime, *, began: bool, ended: bool) -> None:
    """What the webhook took of this alert, as it was read."""
    taken = {"webhook_began_at": now} if began else {}
    taken |= {"webhook_ended_at": now} if ended else {}
    connection.execute(
        sa.update(_alerts)
        .where(_alerts.c.key == alert.key, _alerts.c.began_at == alert.began_at)
        .values(webhook_tried_at=now, **taken)
    )


# --- what tells of trouble ----------------------------------------------------------------------------------------


def unsent_slots(connection: Connection, now: datetime) -> list[tuple[KnownSlot, State | None]]:
    """Slots of the last weeks whose time has come and that may not have gone, with the state of their issue."""
    query = (
        sa.select(_slots, _issues.c.state.label("issue_state"))
        .outerjoin(_issues, _issues.c.id == _slots.c.issue_id)
        .where(_slots.c.state.in_(sorted(OPEN | UNSENT)), _slots.c.due_at <= now, _slots.c.due_at > now - LOOK_BACK)
        .order_by(_slots.c.due_at)
    )
    found = []
    for row in connection.execute(query):
        values = dict(row._mapping)
        state = values.pop("issue_state")
        found.append((KnownSlot(**values), state))
    return found


def unbegun_issues(connection: Connection, before: datetime) -> list[Issue]:
    """Issues that were set for that moment or an earlier one and have not begun, but for those that go with a slot: the
    slot is told of."""
    of_slot = sa.exists().where(_slots.c.issue_id == _issues.c.id, _slots.c.state == "going")
    query = (
        sa.select(_issues)
        .where(_issues.c.state.in_(["scheduled", "freezing"]), _issues.c.send_at <= before, ~of_slot)
        .order_by(_issues.c.send_at)
        .limit(100)
    )
    return [to_issue(row) for row in connection.execute(query)]


def uncertain_issues(connection: Connection) -> dict[int, int]:
    """Issues with recipients of whom nobody can tell, and that do not settle by themselves: how many."""
    query = (
        sa.select(_batches.c.issue_id, sa.func.sum(_batches.c.last - _batches.c.first + 1))
        .where(_batches.c.state == "uncertain", _batches.c.retry_at.is_(None))
        .group_by(_batches.c.issue_id)
    )
    return {issue_id: int(count) for issue_id, count in connection.execute(query)}


def stopped_issues(connection: Connection) -> dict[int, str]:
    """Issues that are paused and not by a person, and why: the mail API refused the key, or everything."""
    said = (
        sa.select(_audit.c.action)
        .where(
            _audit.c.subject == sa.cast(_issues.c.id, sa.String), _audit.c.action.in_(["issue.pause", "issue.resume"])
        )
        .order_by(_audit.c.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = sa.select(_issues.c.id, _issues.c.why, said).where(_issues.c.state == "paused")
    return {number: why for number, why, action in connection.execute(query) if action != "issue.pause"}
