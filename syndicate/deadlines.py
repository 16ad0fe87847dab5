"""Deadlines of whole requests: one thread ends those that outstay theirs.

Socket time-outs alone do not do it: they begin anew with every byte that drips in.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field


def shut_down(connection: socket.socket) -> None:
    """Shuts a connection down, which wakes a read in another thread that would wait for ever."""
    try:
        # Not the method of an SSLSocket: that one drops its state under the feet of the reader.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        pass  # the other side was faster


@dataclass(slots=True)
class Deadline:
    """Of one request under way; `ends` is on the monotonic clock."""

    ends: float
    expired: bool = False
    over: bool = False
    _connection: socket.socket | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def remaining(self) -> float:
        """Seconds until it. Raises TimeoutError when there are none."""
        seconds = self.ends - time.monotonic()
        if seconds <= 0:
            self.expired = True
            raise TimeoutError("the deadline has passed")
        return seconds

    def watch(self, connection: socket.socket) -> None:
        """From now on it ends this connection, whatever that waits for. Raises TimeoutError when it has passed."""
        with self._lock:
            self._connection = connection
        self.remaining()

    def expire(self) -> None:
        """Runs in the watching thread."""
        with self._lock:
            if self.over:
                return
            self.expired = True
            if self._connection is not None:
                shut_down(self._connection)

    def finish(self) -> None:
        """After this `expire` touches nothing: the connection may already serve another request."""
        with self._lock:
            self.over = True
            self._connection = None


class Deadlines:
    """Ends requests that outstay `seconds`, in one thread that is there while requests are. All have the same time, so
    they end in the order in which they began."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._waiting: deque[Deadline] = deque()
        self._watching = False

    def begin(self) -> Deadline:
        """The deadline of a request that begins now: whoever makes it says when it is over (`finish`)."""
        deadline = Deadline(time.monotonic() + self._seconds)
        with self._lock:
            self._forget_those_over()
            self._waiting.append(deadline)
            if not self._watching:
                self._watching = True
                threading.Thread(target=self._run, name="http-deadlines", daemon=True).start()
        return deadline

    def _forget_those_over(self) -> None:
        while self._waiting and self._waiting[0].over:
            self._waiting.popleft()

    def _run(self) -> None:
        while True:
            with self._lock:
                self._forget_those_over()
                if not self._waiting:
                    self._watching = False
                    return
                first = self._waiting[0]
            time.sleep(max(first.ends - time.monotonic(), 0.0))
            first.expire()
            with self._lock:
                if self._waiting and self._waiting[0] is first:
                    self._waiting.popleft()
