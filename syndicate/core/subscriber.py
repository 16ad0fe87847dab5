"""People and their subscriptions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

SubscriptionStatus = Literal["active", "pending", "left"]
Action = Literal["asked", "confirmed", "imported", "left", "rejoined", "changed"]
WantedStatus = Literal["active", "pending", "left", "suppressed"]
WANTED: tuple[WantedStatus, ...] = ("active", "pending", "left", "suppressed")
"""What a command or a file may ask for."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """One person in one newsletter. `resume_from` is the article number from which their next issue starts when that
    is not the issue's own window (after a cadence change or a pause), else None."""

    newsletter: str
    cadence: str
    status: SubscriptionStatus
    since: datetime
    topics: tuple[str, ...] = ()
    resume_from: int | None = None
    changed_at: datetime | None = None
    """When status, cadence or pause last changed."""
    paused_until: datetime | None = None
    """Nothing is sent to them before; None or past when they are not paused."""

    def is_paused(self, now: datetime) -> bool:
        """Whether nothing is sent to them at `now` because they asked for a pause."""
        return self.paused_until is not None and self.paused_until > now


@dataclass(frozen=True, slots=True)
class Subscriber:
    """`email` is as given; `address` is its normalised form, unique. Both are "" once erased. `language` is "" when the
    person follows the newsletter's."""

    id: int
    email: str
    address: str
    name: str = ""
    language: str = ""
    timezone: str = ""
    suppressed: str = ""
    """The reason of a suppression in force, or ""."""
    erased: bool = False
    subscriptions: tuple[Subscription, ...] = field(default=())

    def subscription(self, newsletter: str) -> Subscription | None:
        """Theirs in that newsletter, or None."""
        return next((each for each in self.subscriptions if each.newsletter == newsletter), None)


def cadence_for(before: Subscription | None, cadences: Collection[str]) -> str:
    """The cadence of somebody who names none: theirs while the newsletter has it, else its first; "" where there is
    none."""
    return before.cadence if before is not None and before.cadence in cadences else next(iter(cadences), "")
