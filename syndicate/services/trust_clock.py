"""A person says that this machine's clock is right."""

from __future__ import annotations

from datetime import datetime

from syndicate.storage.audit import record
from syndicate.storage.clock_memory import believe, clock_memory
from syndicate.storage.database import Database


def trust_clock(database: Database, *, actor: str, now: datetime) -> str:
    """The clock goes on from `now`, whatever it showed before. Returns why it was held, or ""."""
    with database.write() as connection:
        held = clock_memory(connection).held
        believe(connection, now)
        record(connection, at=now, actor=actor, action="clock.trust", detail={"was": held} if held else {})
        return held
