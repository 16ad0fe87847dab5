"""Where the next issue of a person starts, when that is not where their cadence does."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import Issue
from syndicate.storage import tables
from syndicate.storage.freezing import is_accepted

_subscriptions = tables.subscriptions
_recipients = tables.issue_recipients


def somebody_starts_elsewhere(connection: Connection, newsletter: str) -> bool:
    """Whether any subscription of the newsletter has a start of its own."""
    query = (
        sa.select(_subscriptions.c.subscriber_id)
        .where(_subscriptions.c.newsletter == newsletter, _subscriptions.c.resume_from.is_not(None))
        .limit(1)
    )
    return connection.execute(query).first() is not None


def clear_starts(connection: Connection, issue: Issue, first: int, last: int) -> None:
    """Recipients with these ordinals for whom the issue was accepted follow their cadence from now on, unless their
    subscription changed after it was frozen: then their start is about the next one."""
    if issue.frozen_at is None:
        return
    got = sa.select(_recipients.c.subscriber_id).where(
        _recipients.c.issue_id == issue.id, _recipients.c.ordinal.between(first, last), is_accepted(_recipients)
    )
    connection.execute(
        sa.update(_subscriptions)
        .where(
            _subscriptions.c.newsletter == issue.newsletter,
            _subscriptions.c.resume_from.is_not(None),
            _subscriptions.c.changed_at <= issue.frozen_at,
            _subscriptions.c.subscriber_id.in_(got),
        )
        .values(resume_from=None)
    )
