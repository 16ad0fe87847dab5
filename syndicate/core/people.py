"""What may happen to one person: joining, changing and leaving, as pure rules.

The rules, in the order in which they hold:

1. Stopping mail is always allowed: `left` and `suppressed` are taken from wherever they come, also where the address is
   closed already: that may be lifted.
2. A suppression outranks everything else: a suppressed person is left exactly as they are.
3. Who left comes back only by a consent that is said to be later than their leaving. An import that does not say
   when the consent was given brings nobody back.
4. Nobody is taken back a step: `pending` does not undo `active`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syndicate.core.address import shown
from syndicate.core.line import line_fault
from syndicate.core.reader_steps import is_closed_for_good
from syndicate.core.subscriber import (
    Action,
    Subscriber,
    Subscription,
    SubscriptionStatus,
    WantedStatus,
    cadence_for,
)

Outcome = Literal["new", "changed", "unchanged", "suppressed", "left"]
"""What one row does: `suppressed` and `left` mean that the person is kept as they are for that reason."""

LONGEST_NAME = 200

_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z")  # RFC 5646 §2.1, without grandfathered tags


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a command or a row of a file asks for. `cadences` maps newsletters to cadences; the cadence None keeps what
    the person has, or is the newsletter's first. `consent_at` is None when the row does not say it."""

    email: str
    address: str
    cadences: Mapping[str, str | None]
    status: WantedStatus = "active"
    name: str = ""
    language: str = ""
    timezone: str = ""
    consent_at: datetime | None = None
    consent_source: str = ""


@dataclass(frozen=True, slots=True)
class SubscriptionChange:
    """One subscription to be written; `before` is None when it is new. `action` goes into the consent log."""

    newsletter: str
    cadence: str
    status: SubscriptionStatus
    action: Action
    before: Subscription | None = None

    @property
    def changes_cadence(self) -> bool:
        """Whether somebody who gets mail moves to another cadence."""
        return self.before is not None and self.status != "left" and self.before.cadence != self.cadence


@dataclass(frozen=True, slots=True)
class Change:
    """What has to be written for one person. `details` are the new email, name, language and timezone, by column."""

    outcome: Outcome
    details: Mapping[str, str] = field(default_factory=dict)
    subscriptions: tuple[SubscriptionChange, ...] = ()
    suppress: bool = False
    kept_left: tuple[str, ...] = ()
    """Newsletters that the person left and stays out of."""


def decide(
    person: Subscriber | None, wanted: Wanted, *, cadences: Mapping[str, Collection[str]], proven: bool = False
) -> Change:
    """What `wanted` changes for `person` (None: not known). `proven` is a consent given right now, which outranks an
    earlier leaving; `cadences` is what each newsletter has, the first first."""
    suppress = wanted.status == "suppressed"
    closed = person.suppressed if person is not None else ""
    # Whoever is closed for good stays in what they get once somebody opens the address.
    if closed and (wanted.status not in ("left", "suppressed") or (suppress and is_closed_for_good(closed))):
        return Change("suppressed")
    details = _details(person, wanted) if not closed else {}
    changes: list[SubscriptionChange] = []
    kept: list[str] = []
    # Of an address that is closed and that nobody has, nothing else is kept.
    for newsletter, cadence in wanted.cadences.items() if person is None or person.id else ():
        before = person.subscription(newsletter) if person else None
        status: SubscriptionStatus = "left" if wanted.status == "suppressed" else wanted.status
        if (
            before is not None
            and before.status == "left"
            and status != "left"
            and not _comes_back(before, wanted, proven)
        ):
            kept.append(newsletter)
            continue
        if before is not None and before.status == "active" and status == "pending":
            status = "active"
        chosen = cadence if cadence is not None else cadence_for(before, cadences[newsletter])
        if before is not None and status == "left":
            chosen = before.cadence
        if before is None or (before.status, before.cadence) != (status, chosen):
            changes.append(SubscriptionChange(newsletter, chosen, status, _action(before, status), before))
    if person is None:
        outcome: Outcome = "new"
    elif changes or details or suppress:
        outcome = "changed"
    else:
        outcome = "suppressed" if closed else "left" if kept else "unchanged"
    return Change(outcome, details, tuple(changes), suppress, tuple(kept))


def check_details(name: str, language: str, timezone: str) -> None:
    """Raises ValueError with the first that cannot be used; "" is always fine."""
    if fault := line_fault(name):
        raise ValueError(f"name holds {fault}")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"name is longer than {LONGEST_NAME} characters")
    if language and (not _LANGUAGE.match(language) or len(language) > 35):
        raise ValueError(f"language is not a tag such as en or fr-CA: {shown(language)}")
    if timezone and not is_timezone(timezone):
        raise ValueError(f"timezone is not an IANA name such as Europe/Lisbon: {shown(timezone)}")


@lru_cache(maxsize=1000)
def is_timezone(name: str) -> bool:
    """Whether it is an IANA time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def resume_after_change(
    *, accepted_through: int | None, resume_from: int | None, left_mark: int, joined_mark: int
) -> int | None:
    """Where the range of somebody who changes from one cadence to another starts (DESIGN: windows of a cadence).

    `accepted_through` is the highest window end of the newsletter's cadence issues that were accepted for them, None
    when none was yet. Then they are still a joiner of the cadence they leave: they were to get everything above
    `resume_from`, or above its mark `left_mark`; when the new cadence's mark is already beyond that, it is made up for.
    None is the new cadence's own next issue, whole."""
    if accepted_through is not None:
        return accepted_through
    start = left_mark if resume_from is None else resume_from
    return start if start < joined_mark else None


def _comes_back(before: Subscription, wanted: Wanted, proven: bool) -> bool:
    if proven:
        return True
    left_at = before.changed_at or before.since
    return wanted.status == "active" and wanted.consent_at is not None and wanted.consent_at > left_at


def _details(person: Subscriber | None, wanted: Wanted) -> dict[str, str]:
    if person is None:
        return {}
    given = {"name": wanted.name, "language": wanted.language, "timezone": wanted.timezone}
    return {key: value for key, value in given.items() if value and value != getattr(person, key)}


def _action(before: Subscription | None, status: SubscriptionStatus) -> Action:
    if status == "left":
        return "left"
    if status == "pending":
        return "asked"
    if before is None:
        return "imported"
    if before.status == "left":
        return "rejoined"
    return "confirmed" if before.status == "pending" else "changed"
