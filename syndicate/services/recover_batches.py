"""Recover what a killed or sleeping process left behind."""

from __future__ import annotations

from pathlib import Path

from syndicate.storage.database import Database, database_now
from syndicate.storage.ledger import owners, take_over
from syndicate.storage.workers import lives_of


def recover(database: Database, directory: Path, *, issue_id: int | None = None) -> int:
    """Batches that were being sent by a process which is gone, or past their lease, become uncertain; delivery then
    replays them, looks them up or shows them. Returns how many."""
    with database.read() as connection:
        holding = owners(connection, issue_id)
    lives = lives_of(database, directory, holding)
    with database.write() as connection:
        return take_over(connection, database_now(connection), lives, issue_id=issue_id)
