"""Quiet hours: wall times between which nothing that goes by the clock is mailed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

_QUIET = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)\Z")


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From `begins` to `ends`, which may be on the next day, in the newsletter's time zone."""

    begins: time
    ends: time

    def __str__(self) -> str:
        return f"{self.begins:%H:%M}-{self.ends:%H:%M}"


def parse_quiet(text: str) -> QuietHours:
    """`22:00-07:00` as quiet hours. Raises ValueError."""
    found = _QUIET.match(text.strip())
    if not found:
        raise ValueError(f"found {text!r}")
    begins, ends = time(int(found[1]), int(found[2])), time(int(found[3]), int(found[4]))
    if begins == ends:
        raise ValueError("it begins when it ends")
    return QuietHours(begins, ends)


def quiet_until(quiet: QuietHours, now: datetime, timezone: str) -> datetime | None:
    """When it ends, if it is quiet now; else None. Of an hour that the clocks show twice, the later end counts; where
    they leave the end out, it is as long after the change as it would have been without one."""
    local = now.astimezone(ZoneInfo(timezone))
    shown = local.time()
    over_midnight = quiet.ends < quiet.begins
    inside = (
        (shown >= quiet.begins or shown < quiet.ends) if over_midnight else quiet.begins <= shown < quiet.ends
    )
    if not inside:
        return None
    day = local.date() + timedelta(days=1 if over_midnight and shown >= quiet.begins else 0)
    ends = datetime.combine(day, quiet.ends, ZoneInfo(timezone))
    # Either reading of a wall time that there is not once (PEP 495): the earlier one may lie before the change.
    return max(ends.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
