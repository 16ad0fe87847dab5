"""The audit log: who did what to what, and when. Only ever appended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import tables

_APPEND = sa.insert(tables.audit_log)


def record(
    connection: Connection,
    *,
    at: datetime,
    action: str,
    subject: str = "",
    actor: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Appends one line. `action` is a verb such as `article.hold`, `subject` the thing; `detail` holds no secrets."""
    record_all(connection, [line(at=at, action=action, subject=subject, actor=actor, detail=detail)])


def line(
    *, at: datetime, action: str, subject: str = "", actor: str = "", detail: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What `record` appends, for `record_all`."""
    return {"at": at, "actor": actor, "action": action, "subject": subject, "detail": dict(detail or {})}


def record_all(connection: Connection, lines: Sequence[Mapping[str, Any]]) -> None:
    """Appends many at once, in their order."""
    if lines:
        connection.execute(_APPEND, list(lines))
