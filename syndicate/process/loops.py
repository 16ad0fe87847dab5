"""Threads that each keep one thing going. What fails in one is told, tried again later, and stops no other."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from syndicate.core.retry import wait_seconds
from syndicate.errors import SyndicateError
from syndicate.process.delivering import Leaving
from syndicate.process.log import Log

LONGEST_PAUSE_SECONDS = 30.0


class Bell:
    """An Event that ends by being heard. Rung twice before that, it is heard once."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def ring(self) -> None:
        """Wakes whoever listens, or who comes next."""
        self._event.set()

    def heard(self, seconds: float | None = None) -> bool:
        """Waits for it; False when so many seconds passed without."""
        rung = self._event.wait(seconds)
        self._event.clear()
        return rung


class Loops:
    """The threads of one process, and the one Event that ends them."""

    def __init__(self, log: Log) -> None:
        self.stop = threading.Event()
        self._log = log
        self._bells: list[Bell] = []
        self._threads: list[threading.Thread] = []

    def bell(self) -> Bell:
        """A bell that the end rings too, so that nobody sleeps through it."""
        bell = Bell()
        self._bells.append(bell)
        return bell

    def keep(self, name: str, step: Callable[[], object]) -> None:
        """Calls `step` again and again in a thread of its own, until the end. The step itself waits for its work. What
        it raises is told, and it is called again after a pause that grows."""
        thread = threading.Thread(target=self._keep, args=(name, step), name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def leave(self) -> None:
        """Tells every thread to end."""
        self.stop.set()
        for bell in self._bells:
            bell.ring()

    def join(self, seconds: float) -> list[str]:
        """Waits for all of them, so long together; returns the names of those that still run."""
        patience = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, patience - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def leave_if_told(self, *_progress: object) -> None:
        """To be called between two steps of long work that can be broken off. Raises Leaving at the end."""
        if self.stop.is_set():
            raise Leaving

    def _keep(self, name: str, step: Callable[[], object]) -> None:
        failures = 0
        while not self.stop.is_set():
            try:
                step()
            except Leaving:
                return
            except SyndicateError as error:
                failures += 1
                self._log.warn("failed", f"{name}: {error}", loop=name, failures=failures)
            except Exception as error:
                failures += 1
                self._log.fail("failed", f"{name}: {type(error).__name__}: {error}", loop=name, failures=failures)
            else:
                if failures:
                    self._log.say("recovered", f"{name}: goes on.", loop=name)
                failures = 0
                continue
            self.stop.wait(min(LONGEST_PAUSE_SECONDS, wait_seconds(failures, random.random())))
