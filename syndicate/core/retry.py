"""How long to wait before trying again."""

from __future__ import annotations

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 300.0


def wait_seconds(attempts: int, jitter: float) -> float:
    """The back-off after so many attempts: doubling from half a second to five minutes, and `jitter` in [0, 1) takes
    off up to half of it, so that many batches that failed together do not come back together."""
    longest = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(max(attempts, 1) - 1, 30))
    return longest * (1 - jitter / 2)
