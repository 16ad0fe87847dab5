"""What the database remembers of the clock, between ticks and between processes."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.clock_guard import ClockMemory
from syndicate.storage.fair_locks import SITE, wait_in_line
from syndicate.storage.tables import cadences, instance, slots


def clock_memory(connection: Connection) -> ClockMemory:
    """Empty in a database that was never started."""
    row = connection.execute(
        sa.select(instance.c.clock_at, instance.c.clock_seen_at, instance.c.clock_held, instance.c.clock_go_on_at)
    ).one_or_none()
    return ClockMemory(*row) if row is not None else ClockMemory()


def is_quarantined(connection: Connection) -> bool:
    """Whether this database is a copy, or was restored, and nobody has confirmed it yet."""
    return bool(connection.execute(sa.select(instance.c.quarantined)).scalar_one_or_none())


def record_tick(connection: Connection, now: datetime, held: str) -> None:
    """A tick that was believed, or one that was `held` and why."""
    believed = {} if held else {"clock_at": now}
    wait_in_line(connection, SITE)
    connection.execute(sa.update(instance).values(clock_seen_at=now, clock_held=held, **believed))


def believe(connection: Connection, now: datetime) -> None:
    """A person says that the clock is right. What was settled for times that are still to come is planned again, unless
    an editor or an issue is behind it."""
    wait_in_line(connection, SITE)
    connection.execute(sa.update(instance).values(clock_at=now, clock_seen_at=now, clock_held="", clock_go_on_at=now))
    connection.execute(sa.delete(slots).where(slots.c.due_at > now, slots.c.state.in_(["merged", "missed", "empty"])))
    connection.execute(sa.update(cadences).where(cadences.c.horizon_at > now).values(horizon_at=now))
