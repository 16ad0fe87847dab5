"""Who did what to an issue last: told to somebody who looked at it before that."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue_step import STEPS, step_in_words
from syndicate.errors import Refused
from syndicate.storage import tables

_log = tables.audit_log


def overtaken(connection: Connection, issue_id: int, *, cure: str) -> Refused:
    """The error for who acts on what the issue was before."""
    last = connection.execute(
        sa.select(_log.c.actor, _log.c.action, _log.c.detail)
        .where(_log.c.subject == str(issue_id), _log.c.action.in_(STEPS))
        .order_by(_log.c.id.desc())
        .limit(1)
    ).one_or_none()
    told = f": {last.actor or 'the program'} {step_in_words(last.action, last.detail)}" if last is not None else ""
    return Refused(f"Issue {issue_id} has changed since you looked at it{told}.", cure=cure)
