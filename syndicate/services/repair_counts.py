"""Counts anew how many readers there are of each kind, should what is counted as it changes ever be off."""

from __future__ import annotations

from datetime import datetime

from syndicate.storage import counting
from syndicate.storage.audit import record
from syndicate.storage.database import Database


def repair_counts(database: Database, *, actor: str, now: datetime) -> int:
    """Returns how many counts were off. Who changes people waits meanwhile: some seconds for ten million."""
    with database.write() as connection:
        wrong = len(counting.wrong_counts(connection))
        if wrong:
            counting.recount(connection)
            record(connection, at=now, actor=actor, action="database.count", subject="readers", detail={"wrong": wrong})
        return wrong
