"""Which of two mail APIs posts: the first, or the one that stands in for it while it takes nothing.

Only who posts what is new is decided here. A request whose fate is unknown stays with the API that it went to: the
other one is never asked to repeat it (DESIGN §3.9).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Post = Literal["first", "standby"]

STALE = timedelta(minutes=10)
"""A failure so long ago says nothing of how the API is now."""


@dataclass(frozen=True, slots=True)
class StandbyRule:
    """The standby posts once the first has taken nothing for `after`, and for as long as `lasts`; then the first is
    tried again."""

    after: timedelta = timedelta(minutes=2)
    lasts: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class StandbyState:
    """What all processes know: since when, and when last, the first failed with nothing taken in between; since when
    the standby posts."""

    failing_since: datetime | None = None
    failed_at: datetime | None = None
    stands_in_since: datetime | None = None


def who_posts(state: StandbyState, rule: StandbyRule, now: datetime) -> Post:
    """Who posts what is claimed at this moment."""
    if state.stands_in_since is not None:
        return "standby" if now < state.stands_in_since + rule.lasts else "first"
    if state.failing_since is None or state.failed_at is None or now - state.failed_at > STALE:
        return "first"
    return "standby" if now >= state.failing_since + rule.after else "first"
