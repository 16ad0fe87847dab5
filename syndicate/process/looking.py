"""Look at the rows for what is due, and put the jobs that nobody has: what another process, or one that was killed,
left to be done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.process.log import Log
from syndicate.process.loops import Loops
from syndicate.queues.base import Queue
from syndicate.storage.database import shared_now
from syndicate.storage.due import due_jobs
from syndicate.storage.halt import stopped_by

if TYPE_CHECKING:
    from syndicate.site import Site

ALONE_SECONDS = 0.5
"""Where no other process can call this one."""
SHARED_SECONDS = 5.0
"""Where every change calls a worker, and a look only finds what was lost."""


class Looker:
    """`step` looks once. One that `tells` says when all sending is stopped, and when it goes on calls `goes_on`."""

    def __init__(
        self,
        site: Site,
        queue: Queue,
        loops: Loops,
        log: Log,
        *,
        seconds: float,
        tells: bool = True,
        goes_on: Callable[[], None] = lambda: None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._site, self._queue, self._loops, self._log = site, queue, loops, log
        self._seconds, self._tells, self._goes_on, self._clock = seconds, tells, goes_on, clock
        self._names = [each.name for each in site.feeds]
        self._stopped: str | None = None

    def step(self) -> None:
        """Waits a moment, then looks."""
        self._loops.stop.wait(self._seconds)
        self._loops.leave_if_told()
        with self._site.database.read() as connection:
            stopped = stopped_by(connection)
            now = shared_now(connection, self._clock())
            due = list(due_jobs(connection, self._names, now, sending=stopped is None))
        if self._tells:
            self._tell_stop(stopped)
        if due:
            standing = self._queue.standing()
            self._queue.put(job for job in due if job.key not in standing)

    def _tell_stop(self, stopped: str | None) -> None:
        if stopped is not None and self._stopped is None:
            self._log.warn("stopped", f"All sending is stopped, by {stopped}. `syndicate resume` goes on.")
        elif stopped is None and self._stopped is not None:
            self._log.say("resumed", "Sending goes on.")
            self._goes_on()
        self._stopped = stopped
