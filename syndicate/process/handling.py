"""Do jobs: each kind by whoever knows how. What fails is told, and rests for a while before it is tried again."""

from __future__ import annotations

import random
import threading
import time

from syndicate.core.job import Job, issue_of
from syndicate.core.retry import wait_seconds
from syndicate.errors import SyndicateError
from syndicate.process.collecting import Collector
from syndicate.process.deliveries import Deliveries
from syndicate.process.delivering import Leaving
from syndicate.process.drafting import Drafter
from syndicate.process.log import Log
from syndicate.process.publishing import Publisher
from syndicate.queues.base import Queue

LONGEST_PAUSE_SECONDS = 30.0


class Handler:
    """Does any job, in any thread."""

    def __init__(
        self,
        queue: Queue,
        log: Log,
        collector: Collector,
        publisher: Publisher,
        drafter: Drafter,
        deliveries: Deliveries,
    ) -> None:
        self._queue, self._log = queue, log
        self._collector, self._publisher, self._drafter, self._deliveries = collector, publisher, drafter, deliveries
        self._lock = threading.Lock()
        self._rests: dict[str, tuple[int, float]] = {}
        """By key: how often it has failed in a row, and until when it rests, by the process's own clock."""

    def __call__(self, job: Job) -> None:
        """Does it. Raises nothing."""
        failures, until = self._rests.get(job.key, (0, 0.0))
        if time.monotonic() < until:
            return
        try:
            self._do(job)
        except Leaving:
            # Half done: whoever stays goes on with it.
            if self._queue.is_shared:
                self._queue.put([job])
        except SyndicateError as error:
            self._log.warn("failed", f"{job.key}: {error}", job=job.key, failures=failures + 1)
            self._rest(job, failures + 1)
        except Exception as error:
            self._log.fail("failed", f"{job.key}: {type(error).__name__}: {error}", job=job.key, failures=failures + 1)
            self._rest(job, failures + 1)
        else:
            if failures:
                self._log.say("recovered", f"{job.key}: goes on.", job=job.key)
                self._rest(job, 0)

    def _do(self, job: Job) -> None:
        issue_id = issue_of(job)
        if issue_id is not None:
            self._deliveries.go_on(issue_id)
        elif job.kind == "collect":
            self._collector.collect(job.subject)
        elif job.kind == "publish":
            self._publisher.publish(everything=job.subject == "everything")
        else:
            newsletter, _, cadence = job.subject.partition("/")
            self._drafter.draft(newsletter, cadence)

    def _rest(self, job: Job, failures: int) -> None:
        with self._lock:
            if failures:
                pause = min(LONGEST_PAUSE_SECONDS, wait_seconds(failures, random.random()))
                self._rests[job.key] = failures, time.monotonic() + pause
            else:
                self._rests.pop(job.key, None)
