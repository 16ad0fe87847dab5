"""Jobs that are to be put in a moment, because what they are about is not ready yet."""

from __future__ import annotations

import threading
import time

from syndicate.core.job import Job
from syndicate.process.loops import Loops
from syndicate.queues.base import Queue

LOOK_SECONDS = 1.0


class Later:
    """Kept in memory: whoever loses them finds them due again by a look at the rows, or at the next round."""

    def __init__(self, queue: Queue, loops: Loops) -> None:
        self._queue, self._loops = queue, loops
        self._changed = threading.Condition()
        self._due: dict[Job, float] = {}

    def put(self, job: Job, *, in_seconds: float) -> None:
        """Puts it by then at the latest: the earlier of two wishes holds."""
        due = time.monotonic() + in_seconds
        with self._changed:
            self._due[job] = min(due, self._due.get(job, due))
            self._changed.notify()

    def step(self) -> None:
        """Waits for the next one, a second at most, and puts what is due then."""
        with self._changed:
            wait = min([LOOK_SECONDS, *(due - time.monotonic() for due in self._due.values())])
            if wait > 0:
                self._changed.wait(wait)
            now = time.monotonic()
            ready = [job for job, due in self._due.items() if due <= now]
            for job in ready:
                del self._due[job]
        self._loops.leave_if_told()
        try:
            self._queue.put(ready)
        except Exception:
            for job in ready:
                self.put(job, in_seconds=LOOK_SECONDS)
            raise
