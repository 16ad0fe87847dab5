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
    query = sa.select(_log).order_by(_log.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(_log.c.id < before)
    if actor:
        query = query.where(_log.c.actor == actor)
    if action:
        query = query.where(_log.c.action.startswith(action, autoescape=True))
    if subject:
        query = query.where(_log.c.subject == subject)
    return [Entry(**row._mapping) for row in connection.execute(query)]
