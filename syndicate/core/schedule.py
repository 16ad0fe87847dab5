"""Cadences as people write them: `mon-fri 07:00`, `sat 09:00`, `daily 07:00,18:00`, `mon,thu 08:30`."""

from __future__ import annotations

import re
from datetime import time

from syndicate.core.newsletter import Cadence

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EXPECTED = "days and times such as 'mon-fri 07:00', 'sat 09:00', 'mon,thu 08:30' or 'daily 07:00,18:00'"

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\Z")
_LEAD = re.compile(r"-\s*(\d{1,5})\s*([mh])\Z")
LONGEST_LEAD_MINUTES = 24 * 60
_EVERY = re.compile(r"(\d{1,6})\s*([smhd])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
SHORTEST_SPAN_SECONDS, LONGEST_SPAN_SECONDS = 3600, 366 * 86400
SHORTEST_EVERY_SECONDS, LONGEST_EVERY_SECONDS = 10, 7 * 86400


def parse_cadence(name: str, text: str) -> Cadence:
    """The cadence `text` describes. Weekdays are names, never numbers (cron dialects disagree whether 0 is Sunday).

    Raises ValueError with what is wrong with the text."""
    parts = text.lower().split()
    if len(parts) < 2:
        raise ValueError(f"expected {EXPECTED}, found {text!r}")
    days = _days(parts[0])
    times = _times("".join(parts[1:]))
    return Cadence(name=name, days=days, times=times, text=text.strip())


def parse_lead(text: str) -> int:
    """How many minutes before the slot, from `-60m` or `-2h`. Raises ValueError."""
    found = _LEAD.match(text.strip().lower())
    minutes = int(found[1]) * (60 if found[2] == "h" else 1) if found else -1
    if not 0 <= minutes <= LONGEST_LEAD_MINUTES:
        raise ValueError(f"{text!r} is not a time before the slot such as '-60m' or '-2h', at most a day")
    return minutes


def parse_every(text: str) -> int:
    """How many seconds, from `30s`, `15m`, `2h` or `1d`. Raises ValueError."""
    found = _EVERY.match(text.strip().lower())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not SHORTEST_EVERY_SECONDS <= seconds <= LONGEST_EVERY_SECONDS:
        raise ValueError(f"{text!r} is not a time such as '30s', '15m' or '2h', from 10 seconds to 7 days")
    return seconds


def parse_span(text: str) -> int:
    """How many seconds, from `1h` or `3d`. Raises ValueError."""
    found = _EVERY.match(text.strip().lower())
    seconds = int(found[1]) * _SECONDS[found[2]] if found else 0
    if not SHORTEST_SPAN_SECONDS <= seconds <= LONGEST_SPAN_SECONDS:
        raise ValueError(f"{text!r} is not a time such as '12h' or '3d', from an hour to a year")
    return seconds


def _days(text: str) -> tuple[int, ...]:
    if text == "daily":
        return tuple(range(7))
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            wrong = first if first not in DAYS else last
            raise ValueError(f"{wrong!r} is not a day; expected {', '.join(DAYS)}, a range such as mon-fri, or daily")
        start, end = DAYS.index(first), DAYS.index(last or first)
        # sat-mon runs over the end of the week.
        found.update((start + step) % 7 for step in range((end - start) % 7 + 1))
    return tuple(sorted(found))


def _times(text: str) -> tuple[time, ...]:
    found: set[time] = set()
    for part in text.split(","):
        match = _TIME.match(part)
        if match is None:
            raise ValueError(f"{part!r} is not a time of day such as 07:00")
        found.add(time(int(match[1]), int(match[2])))
    return tuple(sorted(found))


def rhythm_of(cadence: Cadence) -> str:
    """The cadence's days and times in one way of writing, which `parse_cadence` reads: equal for equal rhythms."""
    days = ",".join(DAYS[day] for day in cadence.days)
    return f"{days} {','.join(f'{each:%H:%M}' for each in cadence.times)}"
