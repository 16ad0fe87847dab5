"""Signs of life: when the clock last ticked, and which processes work for the site, here or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage.database import database_now
from syndicate.storage.tables import instance, workers

RECENT = timedelta(minutes=1)
"""Whoever has given no sign of life for so long is not counted."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """`clock_seconds` since the clock last ticked, None when it never did; how many processes of each role live."""

    clock_seconds: float | None
    roles: Mapping[str, int]


def pulse(connection: Connection) -> Pulse:
    """By the database's own time. Counts by rows; whether a lock is held is asked elsewhere."""
    now = database_now(connection)
    ticked_at = connection.execute(sa.select(instance.c.clock_seen_at)).scalar_one_or_none()
    living = sa.and_(workers.c.gone_at.is_(None), workers.c.seen_at > now - RECENT)
    counts = sa.select(workers.c.role, sa.func.count()).where(living).group_by(workers.c.role)
    return Pulse(
        None if ticked_at is None else max(0.0, (now - ticked_at).total_seconds()),
        {role: int(count) for role, count in connection.execute(counts)},
    )
