"""The sandbox of a site, served by the test itself, which says how many mails it takes: half-way is where the test
wants it, however fast or slow the machine is."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from syndicate.sandbox import server
from syndicate.sandbox.start import running_sandbox

LOOK_SECONDS = 0.01


class Valve:
    """Open at first. A mail that it keeps waiting is not in the sandbox's record, and its request is under way."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: int | None = None

    def let(self, count: int) -> None:
        """So many mails more, and then none until it is told otherwise."""
        with self._lock:
            self._left = count

    def open(self) -> None:
        """All that wait, and all that come."""
        with self._lock:
            self._left = None

    def around(self, app: Any) -> Any:
        """The ASGI application with the valve before what it is sent."""

        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and scope["path"] == "/api/v1/send":
                while not self._passes():
                    await asyncio.sleep(LOOK_SECONDS)
            await app(scope, receive, send)

        return guarded

    def _passes(self) -> bool:
        with self._lock:
            if self._left is None:
                return True
            if self._left == 0:
                return False
            self._left -= 1
            return True


@contextmanager
def sandbox_with_valve(outbox: Path) -> Iterator[Valve]:
    """The sandbox of that folder: whatever runs on the site finds it there and uses it."""
    valve, make_app = Valve(), server.make_app
    with ExitStack() as stack:
        with patch.object(server, "make_app", lambda *given, **options: valve.around(make_app(*given, **options))):
            stack.enter_context(running_sandbox(outbox))
        stack.callback(valve.open)
        yield valve
