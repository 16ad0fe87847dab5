"""The processes of a site under fire: kept going as an init system would, killed, put to sleep and woken."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

from tests.chaos.program import LEASE_SECONDS, start

ROLES = {"sqlite": ("work",) * 3, "postgresql": ("clock",) * 2 + ("worker",) * 4}
"""What runs at the same time. On SQLite clock and worker are one process."""
SLEEP_SECONDS = LEASE_SECONDS + 2.0
DRAIN_SECONDS = 120.0


class Member:
    """One process, and the next one in its place."""

    def __init__(self, folder: Path, environment: Mapping[str, str], role: str, number: int) -> None:
        self._folder, self._environment = folder, environment
        self.log = folder / "logs" / f"{role}-{number}.log"
        self.role = role
        self.process: BaseProcess | None = None
        self.wakes_at: float | None = None
        """When it is woken, by the process's own clock; None while it is awake."""

    @property
    def is_awake(self) -> bool:
        """Whether it runs, and does not sleep."""
        return self.process is not None and self.process.exitcode is None and self.wakes_at is None

    def start(self) -> None:
        words = ["--site", str(self._folder), "run", "--role", self.role, "--json"]
        self.process = start(self._folder, self.log, self._environment, words)

    def send(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.pid is not None and self.process.exitcode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, number)

    def wake(self) -> None:
        self.wakes_at = None
        self.send(signal.SIGCONT)


class Crew:
    """All processes of one site, for a `with` block; at its end none is left."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], roles: Sequence[str], rng: random.Random
    ) -> None:
        (folder / "logs").mkdir(exist_ok=True)
        self._members = [Member(folder, environment, role, number) for number, role in enumerate(roles, 1)]
        self._rng = rng
        self.kills = self.sleeps = 0

    def __enter__(self) -> Crew:
        for each in self._members:
            each.start()
        return self

    def tend(self) -> None:
        """Starts again what has ended, and wakes who has slept long enough."""
        for each in self._members:
            if each.wakes_at is not None and time.monotonic() >= each.wakes_at:
                each.wake()
            if each.process is not None and each.process.exitcode is not None:
                each.start()

    def kill(self) -> bool:
        """Kills one with -9; False when none is awake."""
        victim = self._victim()
        if victim is None or victim.process is None:
            return False
        victim.send(signal.SIGKILL)
        victim.process.join()
        self.kills += 1
        return True

    def put_to_sleep(self) -> bool:
        """Stops one until after what it has claimed is others'."""
        victim = self._victim()
        if victim is None:
            return False
        victim.send(signal.SIGSTOP)
        victim.wakes_at = time.monotonic() + SLEEP_SECONDS
        self.sleeps += 1
        return True

    def leave(self) -> list[int]:
        """Wakes all and tells them to leave, as nothing is left to do; returns their exit statuses."""
        for each in self._members:
            each.wake()
            each.send(signal.SIGTERM)
        end = time.monotonic() + DRAIN_SECONDS
        statuses = []
        for each in self._members:
            if each.process is not None:
                each.process.join(max(0.0, end - time.monotonic()))
                statuses.append(each.process.exitcode if each.process.exitcode is not None else -1)
        return statuses

    def logs(self) -> list[Path]:
        """What they said, one file for each place."""
        return [each.log for each in self._members if each.log.exists()]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._members:
            each.send(signal.SIGKILL)
        for each in self._members:
            if each.process is not None:
                each.process.join()

    def _victim(self) -> Member | None:
        awake = [each for each in self._members if each.is_awake]
        return self._rng.choice(awake) if awake else None
