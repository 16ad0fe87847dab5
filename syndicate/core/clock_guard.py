"""Whether a clock can be believed: one that jumps fires nothing.

Two things bear witness: the last tick that was believed, kept in the database, and a steady clock that nobody sets,
for as long as the process runs. After a time without a process the wall clock is believed when it has moved on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

BACK = timedelta(seconds=60)
AHEAD = timedelta(minutes=5)
"""More than daemons that keep the time ever step, less than anybody would notice a slot to be early."""
_AHEAD = "ahead of"


@dataclass(frozen=True, slots=True)
class Reading:
    """Both clocks at one instant: `steady` are seconds that only ever grow, through suspension too. `said` is when a
    person last said that the clock is right, as known then."""

    wall: datetime
    steady: float
    said: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClockMemory:
    """What the database knows of the clock: the last tick `believed_at`, what the clock showed last (`seen_at`), why it
    is `held` or "", and when a person last said that it is right."""

    believed_at: datetime | None = None
    seen_at: datetime | None = None
    held: str = ""
    said: datetime | None = None


def why_held(memory: ClockMemory, believed: Reading | None, now: datetime, steady: float) -> str:
    """Why nothing may be fired at `now`, in one sentence, or "". `believed` is this process's last reading that was,
    None at its start."""
    if memory.believed_at is not None and now < memory.believed_at - BACK:
        return _sentence(now, "before", memory.believed_at, "at which it ticked last")
    if believed is not None and believed.said == memory.said:
        expected = believed.wall + timedelta(seconds=steady - believed.steady)
        if now < expected - BACK:
            return _sentence(now, "before", expected, "as the time that went by says")
        if now > expected + AHEAD:
            return _sentence(now, _AHEAD, expected, "as the time that went by says")
        return ""
    if memory.held and memory.believed_at and memory.seen_at and memory.seen_at > memory.believed_at + AHEAD:
        # It stood too far ahead when a process ended that knew: a new start alone does not make it right.
        return memory.held if now >= memory.seen_at - BACK else ""
    return ""


def goes_on(said: str, held: str) -> str:
    """What is said of a clock that is `held`: the sentence `said` of it before, without the seconds that change each
    time, or the new one when it now stands on the other side."""
    return said if said and (_AHEAD in said) == (_AHEAD in held) else held


def _sentence(now: datetime, side: str, than: datetime, because: str) -> str:
    return f"The clock shows {now:%Y-%m-%d %H:%M:%S} UTC, {side} {than:%Y-%m-%d %H:%M:%S}, {because}."
