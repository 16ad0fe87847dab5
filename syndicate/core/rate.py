"""How often something may happen: the generic cell rate algorithm (ITU-T I.371), with one instant of memory per key.

The instant is the theoretical arrival time (TAT): when the next would come if all came evenly.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Rate:
    """`burst` at once, then one each `every`."""

    burst: int
    every: timedelta


def arrive(rate: Rate, tat: datetime | None, now: datetime) -> tuple[datetime, timedelta]:
    """The new TAT and how long to wait: nothing when it may happen now, else the TAT is the old one and the wait is
    positive. A `tat` of None is that of a key never seen."""
    start = max(tat, now) if tat is not None else now
    wait = start - now - rate.every * (rate.burst - 1)
    if wait > timedelta(0):
        return start, wait
    return start + rate.every, timedelta(0)


def room(rate: Rate, tat: datetime | None, now: datetime) -> tuple[int, timedelta]:
    """How many may happen at once now, and how long it is until the whole burst may again."""
    ahead = max(tat - now, timedelta(0)) if tat is not None else timedelta(0)
    return max(rate.burst - -(-ahead // rate.every), 0), ahead
