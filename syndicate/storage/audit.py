"""The audit log: who did what to what, and when. Only ever appended."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import tables


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
    connection.execute(
        sa.insert(tables.audit_log).values(
            at=at, actor=actor, action=action, subject=subject, detail=dict(detail or {})
        )
    )
