"""Counts anew how many readers there are of each kind, and where those of each issue are, should what is counted as it
changes ever be off."""

from __future__ import annotations

from datetime import datetime

from syndicate.storage import counting, ledger_counting
from syndicate.storage.audit import record
from syndicate.storage.database import Database


def repair_counts(database: Database, *, actor: str, now: datetime) -> int:
    """Returns how many counts were off. Who changes people waits meanwhile: some seconds for ten million."""
    with database.write() as connection:
        readers = len(counting.wrong_counts(connection))
        if readers:
            counting.recount(connection)
        batches = len(ledger_counting.wrong_counts(connection))
        if batches:
            ledger_counting.correct(connection)
        for subject, wrong in (("readers", readers), ("batches", batches)):
            if wrong:
                detail = {"wrong": wrong}
                record(connection, at=now, actor=actor, action="database.count", subject=subject, detail=detail)
        return readers + batches
