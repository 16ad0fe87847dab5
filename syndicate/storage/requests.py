"""Manual sends by what was asked for: the same request is taken up again instead of made twice."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import Issue
from syndicate.storage import tables
from syndicate.storage.issues import to_issue

_issues = tables.issues


def unfinished_request(connection: Connection, request: str) -> Issue | None:
    """The first issue of that request hash that is neither sent nor cancelled."""
    query = sa.select(_issues).where(_same(request), _issues.c.state.not_in(["sent", "cancelled", "cancelling"]))
    row = connection.execute(query.order_by(_issues.c.id).limit(1)).one_or_none()
    return to_issue(row) if row is not None else None


def next_request_id(connection: Connection, request: str) -> str:
    """A request id that no issue has yet. The caller holds the newsletter's row."""
    used = set(connection.execute(sa.select(_issues.c.request_id).where(_same(request))).scalars())
    number = len(used)
    while f"{request}.{number}" in used:
        number += 1
    return f"{request}.{number}"


def same_request_since(connection: Connection, issue: Issue, since: datetime) -> Issue | None:
    """The last other issue of the same request that was drafted after `since` and not cancelled, if any."""
    request = (issue.request_id or "").partition(".")[0]
    if not request:
        return None
    query = sa.select(_issues).where(
        _same(request), _issues.c.id != issue.id, _issues.c.state != "cancelled", _issues.c.drafted_at > since
    )
    row = connection.execute(query.order_by(_issues.c.id.desc()).limit(1)).one_or_none()
    return to_issue(row) if row is not None else None


def _same(request: str) -> sa.ColumnElement[bool]:
    return _issues.c.request_id.startswith(request + ".", autoescape=True)
