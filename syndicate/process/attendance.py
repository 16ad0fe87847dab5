"""This process among the workers of a site: it holds a lock for as long as it lives, and gives signs of life."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.errors import StorageError
from syndicate.process.loops import Loops
from syndicate.storage.workers import Worker, mark_seen, worker_lock

if TYPE_CHECKING:
    from syndicate.site import Site

BEAT_SECONDS = 2.0
SQLITE_BEAT_SECONDS = 15.0
"""Each is a durable write there; the lock itself tells that its holder lives."""


class Attendance:
    """A lock that is lost with its connection is followed by another, under another name."""

    def __init__(self, site: Site, role: str, loops: Loops) -> None:
        self._site, self._role, self._loops = site, role, loops
        self._held = ExitStack()
        self.worker: Worker | None = None
        """None while the database cannot be reached."""

    def begin(self) -> None:
        """Takes the lock. Raises StorageError."""
        site = self._site
        lock = worker_lock(site.database, site.directory, self._role, datetime.now(UTC))
        worker = self._held.enter_context(lock)
        self._see(worker)
        self.worker = worker

    def step(self) -> None:
        """A pause, then a sign of life. Raises StorageError when the lock is lost; the next step takes another."""
        if self.worker is None:
            self.begin()
        self._loops.stop.wait(SQLITE_BEAT_SECONDS if self._site.database.is_sqlite else BEAT_SECONDS)
        self._loops.leave_if_told()
        assert self.worker is not None
        try:
            self._see(self.worker)
        except StorageError:
            self.close()
            raise

    def close(self) -> None:
        """Lets go of the lock."""
        self.worker = None
        try:
            self._held.close()
        except StorageError:
            pass  # whoever comes to the database next says for it that it has ended

    def _see(self, worker: Worker) -> None:
        worker.require_lock()
        with self._site.database.write() as connection:
            mark_seen(connection, worker.id)
