"""Whether a process is up, and whether it is ready: for whoever restarts it, and for whoever sends it requests."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

from syndicate.errors import StorageError
from syndicate.storage.pulse import pulse

if TYPE_CHECKING:
    from syndicate.storage.database import Database

UP, READY = "/healthz", "/readyz"
KEPT_SECONDS = 1.0
"""However often it is asked, it looks once in so long."""


class Readiness:
    """Safe in threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._until = 0.0
        self._answer = (503, b"")

    def answer(self) -> tuple[int, bytes]:
        """An HTTP status and a JSON document. Ready is who reaches the database and finds its tables as this program
        needs them. That the clock or the workers are silent is told and makes nobody unready: readers can still leave.
        """
        with self._lock:
            if time.monotonic() >= self._until:
                self._answer = self._look()
                self._until = time.monotonic() + KEPT_SECONDS
            return self._answer

    def _look(self) -> tuple[int, bytes]:
        try:
            self._database.require_current()
            with self._database.read() as connection:
                signs = pulse(connection)
        except StorageError as error:
            # What else it says (an address, a name) is for the log.
            found = "unreachable" if error.try_again else "not as this program needs it"
            return 503, _document({"ready": False, "database": found})
        seconds = None if signs.clock_seconds is None else round(signs.clock_seconds, 1)
        return 200, _document(
            {"ready": True, "database": "ok", "clock_seconds_ago": seconds, "processes": dict(signs.roles)}
        )


def _document(value: dict[str, object]) -> bytes:
    return json.dumps(value).encode() + b"\n"
