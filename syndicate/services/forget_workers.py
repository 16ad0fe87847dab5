"""Mark workers that were killed as gone, so that nobody has to look for them again."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from syndicate.storage.database import Database
from syndicate.storage.workers import lives_of, mark_gone, standing_workers


def forget_dead_workers(database: Database, directory: Path, now: datetime) -> int:
    """Returns how many. One whose end is not certain stays as it is."""
    with database.read() as connection:
        standing = standing_workers(connection)
    gone = [worker_id for worker_id, life in lives_of(database, directory, standing).items() if life == "gone"]
    if gone:
        with database.write() as connection:
            mark_gone(connection, gone, now)
    return len(gone)
