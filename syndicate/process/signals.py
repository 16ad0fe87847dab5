"""Signals to leave, counted by the main thread.

A handler that sets an Event may meet its own thread inside that very Event, and wait for ever. So handlers do nothing
here: the numbers of the signals come through a socket, and the main thread reads them when it is ready.
"""

from __future__ import annotations

import select
import signal
import socket
from types import TracebackType

LEAVE = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Signals:
    """`with Signals() as signals: …` in the main thread: until the block ends, these signals are only counted."""

    def __enter__(self) -> Signals:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self._before = {number: signal.signal(number, lambda number, frame: None) for number in LEAVE}
        self._descriptor = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        return self

    def wait(self, seconds: float) -> list[int]:
        """The numbers of the signals that have come since the last call; waits so long for the first."""
        ready, _, _ = select.select([self._reader], [], [], seconds)
        return [number for number in self._reader.recv(4096) if number in LEAVE] if ready else []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._descriptor)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()
