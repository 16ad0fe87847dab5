"""How long a claim holds, and until when a request under it may still begin."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SLACK_SECONDS = 5.0
"""Between the last instant at which a request may begin and the one at which it must have ended."""


@dataclass(frozen=True, slots=True)
class Lease:
    """A claim holds for `seconds`; one whole request takes `deadline_seconds` at the most. After that its owner is
    asleep or gone, and another may take the claim over: whoever wakes up late must not post any more."""

    seconds: float = 120.0
    deadline_seconds: float = 30.0

    def __post_init__(self) -> None:
        if self.seconds <= self.deadline_seconds + SLACK_SECONDS:
            raise ValueError("A lease must be longer than the deadline of a request.")

    def may_begin(self, since_claim: timedelta) -> bool:
        """Whether a request that begins so long after its claim began has ended before the lease is over. Not when the
        clock went back: nobody knows then how long it was."""
        latest = timedelta(seconds=self.seconds - self.deadline_seconds - SLACK_SECONDS)
        return timedelta(0) <= since_claim <= latest

    def is_over(self, since_claim: timedelta) -> bool:
        """Whether another may take the claim over."""
        return since_claim > timedelta(seconds=self.seconds)
