"""The queue within one process: for SQLite, and one machine.

Nothing of it is kept. What other processes make due is found by looking at the rows, which the process does anyway.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence

from sqlalchemy.engine import Connection

from syndicate.core.job import Job
from syndicate.queues.base import Depth, Handle

_logger = logging.getLogger("syndicate.queue")


class LocalQueue:
    """Jobs in memory, taken by the threads of this process."""

    is_shared = False

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: dict[str, Job] = {}
        """By key, in the order in which they came."""
        self._at_work: dict[str, Job] = {}

    def defer(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """Nothing: they are put once the transaction is committed, for its rows are not seen before."""

    def wake(self, jobs: Collection[Job]) -> None:
        """Puts them."""
        self.put(jobs)

    def put(self, jobs: Iterable[Job]) -> None:
        """Puts jobs now."""
        with self._changed:
            for job in jobs:
                self._waiting.setdefault(job.key, job)
            self._changed.notify_all()

    def standing(self) -> frozenset[str]:
        """The keys of all jobs that wait or are under way here."""
        with self._changed:
            return frozenset((*self._waiting, *self._at_work))

    def depth(self) -> Mapping[str, Depth]:
        """How many there are here, by lane."""
        with self._changed:
            waiting = [job.lane for job in self._waiting.values()]
            at_work = [job.lane for job in self._at_work.values()]
        return {lane: Depth(waiting.count(lane), at_work.count(lane)) for lane in sorted({*waiting, *at_work})}

    def upgrade(self, connection: Connection) -> None:
        """Nothing: it keeps nothing."""

    def require_current(self, connection: Connection) -> None:
        """It keeps nothing."""

    def work(self, handle: Handle, lanes: Mapping[str, int]) -> _Threads:
        """Has threads do the jobs of these lanes, so many of each."""
        return _Threads(self, handle, lanes)

    def take(self, lane: str, leaving: threading.Event) -> Job | None:
        """Waits for the next job of a lane; None once `leaving` is set."""
        with self._changed:
            while not leaving.is_set():
                for key, job in self._waiting.items():
                    if job.lane == lane and key not in self._at_work:
                        self._at_work[key] = self._waiting.pop(key)
                        return job
                self._changed.wait()
            return None

    def done(self, job: Job) -> None:
        """It is no longer under way."""
        with self._changed:
            del self._at_work[job.key]
            self._changed.notify_all()

    def wake_all(self) -> None:
        """Has those that wait for a job look whether they should leave."""
        with self._changed:
            self._changed.notify_all()


class _Threads:
    def __init__(self, queue: LocalQueue, handle: Handle, lanes: Mapping[str, int]) -> None:
        self._queue, self._handle = queue, handle
        self._leaving = threading.Event()
        self._mine: dict[str, Job] = {}
        self._threads = [
            threading.Thread(target=self._work, args=(lane,), name=f"{lane} {number}", daemon=True)
            for lane, most in lanes.items()
            for number in range(1, most + 1)
        ]
        for thread in self._threads:
            thread.start()

    def leave(self, seconds: float) -> Sequence[str]:
        patience = time.monotonic() + seconds
        self._leaving.set()
        self._queue.wake_all()
        for thread in self._threads:
            thread.join(max(0.0, patience - time.monotonic()))
        return sorted(self._mine)

    def _work(self, lane: str) -> None:
        while (job := self._queue.take(lane, self._leaving)) is not None:
            self._mine[job.key] = job
            try:
                self._handle(job)
            except Exception:
                _logger.exception("%s failed.", job.key)
            finally:
                del self._mine[job.key]
                self._queue.done(job)
