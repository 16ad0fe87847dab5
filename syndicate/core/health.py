"""How a source or a feed is, in one word. "Nothing new", "not heard from" and "broken" are three different things."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Literal

SourceHealth = Literal["ok", "nothing new", "not heard from", "broken", "paused"]
FeedHealth = Literal["ok", "behind", "broken", "paused", "not published yet"]


SHORTEST_QUIET = timedelta(days=1)
LONGEST_QUIET = timedelta(days=45)
FEWEST_ARRIVALS = 5
"""So many times something must have come before its rhythm is known."""


def usual_quiet(arrivals: Sequence[datetime]) -> timedelta | None:
    """How long a source may bring nothing, by its own rhythm: twice the longest it ever took between two arrivals (so
    weekends and holidays count), from a day to 45. None while too little came to know. `arrivals` is in order, up or
    down; what came within a minute came together."""
    gaps = [abs(later - earlier) for later, earlier in pairwise(arrivals)]
    gaps = [each for each in gaps if each > timedelta(minutes=1)]
    if len(gaps) < FEWEST_ARRIVALS - 1:
        return None
    return min(max(2 * max(gaps), SHORTEST_QUIET), LONGEST_QUIET)


def source_health(
    *,
    paused: bool,
    problem: str,
    last_ok_at: datetime | None,
    last_new_at: datetime | None,
    now: datetime | None = None,
    began_at: datetime | None = None,
    quiet_after: timedelta | None = None,
) -> SourceHealth:
    """`ok` when its last good look found something new; `nothing new` when it did not; `not heard from` when it was
    never looked at with success, or brought nothing for longer than `quiet_after`, counted from `began_at` when it
    never brought anything."""
    if paused:
        return "paused"
    if problem:
        return "broken"
    if last_ok_at is None:
        return "not heard from"
    heard_at = last_new_at or began_at
    if now is not None and quiet_after is not None and heard_at is not None and now - heard_at > quiet_after:
        return "not heard from"
    return "ok" if last_new_at is not None and last_new_at >= last_ok_at else "nothing new"


def feed_health(*, paused: bool, problem: str, published_at: datetime | None, behind: bool) -> FeedHealth:
    """`behind` when there is something that is not published yet."""
    if paused:
        return "paused"
    if problem:
        return "broken"
    if published_at is None:
        return "not published yet"
    return "behind" if behind else "ok"
