"""How long a process that was told to leave may take.

One request < leaving < being ended: whoever leaves waits for the requests under way and records their answers, and
whoever started the process waits for that. A process that is ended earlier loses nothing either, but leaves uncertain
what it could have known. Whatever ends the process besides (systemd, Docker, Kubernetes) should wait as long.
"""

from __future__ import annotations

RECORD_SECONDS = 10.0
"""After the longest request: to record its answer and let go of everything."""
PATIENCE_SECONDS = 20.0
"""Beyond that, until the supervisor ends a process that does not leave."""


def drain_seconds(deadline_seconds: float) -> float:
    """How long leaving may take where one request may take `deadline_seconds`."""
    return deadline_seconds + RECORD_SECONDS


def kill_seconds(deadline_seconds: float) -> float:
    """When a process that was told to leave is ended."""
    return drain_seconds(deadline_seconds) + PATIENCE_SECONDS
