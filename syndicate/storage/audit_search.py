"""Reading the audit log: a page at a time, newest first, by key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import tables

_log = tables.audit_log


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: who did what to what. `actor` is "" for what the program did by itself."""

    id: int
    at: datetime
    actor: str
    action: str
    subject: str
    detail: Mapping[str, Any]


def log_entries(
    connection: Connection,
    *,
    before: int | None = None,
    actor: str = "",
    action: str = "",
    subject: str = "",
    limit: int = 50,
) -> list[Entry]:
    """At most `limit` lines below the id `before`: of that actor and subject, and whose action begins so."""
    query = sa.select(_log)
    if before is not None:
        query = query.where(_log.c.id < before)
    if actor:
        query = query.where(_log.c.actor == actor)
    if subject:
        query = query.where(_log.c.subject == subject)
    newest = query.order_by(_log.c.id.desc()).limit(limit)
    if action:
        # The newest of each, by the index: however long ago the last one was.
        kinds = [each for each in _actions(connection) if each.startswith(action)]
        if not kinds:
            return []
        ids = [newest.with_only_columns(_log.c.id).where(_log.c.action == each).subquery() for each in kinds]
        found = sa.union_all(*(sa.select(each.c.id) for each in ids)).subquery()
        newest = sa.select(_log).where(_log.c.id.in_(sa.select(found.c.id))).order_by(_log.c.id.desc()).limit(limit)
    return [Entry(**row._mapping) for row in connection.execute(newest)]


def _actions(connection: Connection) -> list[str]:
    """Every action that was ever done, some dozens, by one look into the index for each."""
    least = sa.func.min(_log.c.action)
    kinds = sa.select(least.label("action")).cte("kinds", recursive=True)
    following = sa.select(least).where(_log.c.action > kinds.c.action).scalar_subquery()
    kinds = kinds.union_all(sa.select(following).where(kinds.c.action.is_not(None)))
    return [each for each in connection.execute(sa.select(kinds.c.action)).scalars() if each]
