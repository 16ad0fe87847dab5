"""How fast requests follow one another, by what became of those before them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from syndicate.core.retry import wait_seconds

FAILURES_TO_BRAKE = 8
"""After so many requests in a row that came to nothing, one at a time is tried, with pauses that grow."""

REFUSALS_TO_PAUSE = 20
"""After so many requests in a row that the API turned down for good, the fault is rather the sender's: the issue
pauses."""

DOUBTS_TO_PAUSE = 12
"""After so many requests in a row whose fate nothing proves, the issue pauses: each more is a request of people in
doubt."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What the last requests in a row say of the next ones. `failures` came to nothing, of them `doubts` were perhaps
    taken, `refusals` were refused for good; `hold_until` is when the next may start, or None."""

    failures: int = 0
    doubts: int = 0
    refusals: int = 0
    hold_until: datetime | None = None

    def room(self, most: int, under_way: int) -> int:
        """How many requests may be started, when `most` may be under way at once."""
        if self.failures >= FAILURES_TO_BRAKE:
            return 0 if under_way else 1
        return most - under_way

    def held(self, until: datetime) -> Pace:
        """Nothing is posted until then."""
        return replace(self, hold_until=max(until, self.hold_until or until))

    def holds(self, now: datetime) -> bool:
        """Whether nothing is to be posted yet."""
        return self.hold_until is not None and now < self.hold_until

    def accepted(self) -> Pace:
        """The mail API takes requests."""
        return replace(self, failures=0, doubts=0, refusals=0)

    def refused(self) -> Pace:
        """It refused a request for good; at `REFUSALS_TO_PAUSE` in a row the issue pauses."""
        return replace(self, refusals=self.refusals + 1)

    def answered(self) -> Pace:
        """It reads requests, whatever it says of them."""
        return replace(self, failures=0, doubts=0)

    def doubted(self) -> Pace:
        """Nothing tells whether it took a request; at `DOUBTS_TO_PAUSE` in a row the issue pauses, where nothing will
        ever tell."""
        return replace(self, doubts=self.doubts + 1)

    def failed(self, now: datetime, retry_after_seconds: float, jitter: float) -> Pace:
        """A request came to nothing. `jitter` in [0, 1) spreads processes that failed together."""
        failures, seconds = self.failures + 1, retry_after_seconds
        if self.failures >= FAILURES_TO_BRAKE and self.holds(now):
            # It was under way when the brake was put on: forty at once that an API's restart cut off are one failure,
            # not forty with pauses that double each time.
            failures = self.failures
        elif failures >= FAILURES_TO_BRAKE:
            seconds = max(seconds, wait_seconds(failures - FAILURES_TO_BRAKE + 1, jitter))
        until = now + timedelta(seconds=seconds)
        return replace(self, failures=failures, hold_until=max(until, self.hold_until or until))
