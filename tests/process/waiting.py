"""Wait on a state of the world, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0


def until(state: Callable[[], object], seconds: float = PATIENCE_SECONDS, *, every: float = 0.02) -> float:
    """Waits until it is true; returns how many seconds that took. Fails when it does not come to that."""
    begun = time.monotonic()
    while not state():
        assert time.monotonic() - begun < seconds, "it did not come to that"
        time.sleep(every)
    return time.monotonic() - begun
