"""`syndicate run`: a small process that keeps the site's other processes going, and ends with them.

It works on nothing itself and opens no database while they run. Each child holds the reading end of a pipe, whose end
tells it that its parent is gone, however that ended; each writes one line to another when it works.
"""

from __future__ import annotations

import fcntl
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from syndicate.core.retry import wait_seconds
from syndicate.errors import Refused
from syndicate.process.log import Log
from syndicate.process.roles import READY
from syndicate.process.signals import Signals

LONGEST_PAUSE_SECONDS = 30.0
HEALTHY_SECONDS = 60.0
"""A child that ran for so long and then ended starts again at once."""
LOOK_SECONDS = 0.1
AT_ONCE_SECONDS = 2.0
"""How long a child that is told twice may take before it is killed."""


class Child:
    """One role in a process of its own, started again when it ends."""

    def __init__(self, role: str, command: Sequence[str], log: Log, *, hand_down: Sequence[int] = ()) -> None:
        self.role = role
        self._command, self._log, self._hand_down = list(command), log, tuple(hand_down)
        self._process: subprocess.Popen[str] | None = None
        self._ready = threading.Event()
        self._started_at = self._start_at = 0.0
        self._failures = 0
        self.status: int | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it has said that it works."""
        return self._ready.is_set()

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Starts the process. In a group of its own: Ctrl-C in a terminal is for the supervisor, which passes it on."""
        self._ready.clear()
        self._started_at = time.monotonic()
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            pass_fds=self._hand_down,
            start_new_session=True,
        )
        threading.Thread(target=self._listen, args=(self._process,), name=f"ears for {self.role}", daemon=True).start()

    def look(self, *, leaving: bool) -> bool:
        """Whether it runs, or will again. Notes that it ended, and starts it again when its time has come."""
        if self._process is not None and self._process.poll() is not None:
            self._ended(self._process.returncode, leaving=leaving)
        if self._process is None and not leaving and time.monotonic() >= self._start_at:
            self.start()
        return self._process is not None

    def tell(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(number)

    def _ended(self, status: int, *, leaving: bool) -> None:
        process, self._process, self.status = self._process, None, status
        assert process is not None
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        if leaving:
            return
        ran = time.monotonic() - self._started_at
        self._failures = 1 if ran >= HEALTHY_SECONDS else self._failures + 1
        pause = min(LONGEST_PAUSE_SECONDS, wait_seconds(self._failures, random.random()))
        self._start_at = time.monotonic() + pause
        how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"
        sentence = f"{self.role} {how}: starts again in {pause:.1f} s."
        self._log.warn("restart", sentence, child=self.role, status=status, seconds=round(pause, 1))

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if line == READY and process is self._process:
                    self._ready.set()
        except (OSError, ValueError):
            pass  # closed at its end


def supervise(children: Sequence[Child], log: Log, *, up: Callable[[], None], patience_seconds: float) -> int:
    """Starts the children and keeps them going until told to leave; `up` is called once all of them work.

    The first signal tells them to finish and leave; the second, or `patience_seconds` without their end, ends them at
    once. Returns the exit status."""
    with Signals() as signals:
        for child in children:
            child.start()
        told, is_up, kill_at = 0, False, float("inf")
        while True:
            for number in signals.wait(LOOK_SECONDS):
                told += 1
                if told == 1:
                    log.say("leaving", "Told to leave: waits for what is under way. Once more: leaves at once.")
                    kill_at = time.monotonic() + patience_seconds
                elif told == 2:
                    kill_at = time.monotonic() + AT_ONCE_SECONDS
                last = number
                for child in children:
                    child.tell(signal.SIGTERM)
            running = [child.look(leaving=told > 0) for child in children]
            if not is_up and not told and all(child.is_ready for child in children):
                is_up = True
                up()
            if time.monotonic() >= kill_at:
                for child in children:
                    child.tell(signal.SIGKILL)
            if told and not any(running):
                if told > 1:
                    return 128 + last
                return 0 if all(child.status == 0 for child in children) else 1


def child_command(directory: Path, role: str, *options: str) -> list[str]:
    """The words of a child process: this program, with the same Python."""
    return [sys.executable, "-m", "syndicate", "--site", str(directory), "run", "--role", role, "--child", *options]


@contextmanager
def only_one(directory: Path, address: str) -> Iterator[None]:
    """Holds the site's lock of `syndicate run`. Raises Refused when another holds it, with where that one listens."""
    path = directory / ".syndicate" / "run"
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = os.pread(descriptor, 500, 0).decode("utf-8", "replace").strip()
            raise Refused(
                f"This site runs already{f' ({told})' if told else ''}.",
                cure="One is enough. For more hands, `syndicate run --role work` shares its work.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()}, {address}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def inherited(descriptor: int) -> socket.socket:
    """The listening socket that the parent handed down."""
    return socket.socket(fileno=descriptor)
