"""What a reader does by themselves: leaving, undoing that, choosing, signing up and confirming, as pure rules.

A suppression that the reader asked for by leaving everything is theirs to lift; no other one is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from syndicate.core.mail_event import UNREACHABLE
from syndicate.core.subscriber import Action, Subscriber, Subscription, SubscriptionStatus, cadence_for

OWN_SUPPRESSION = "unsubscribe"
"""The reason of a suppression that the reader made, by leaving everything."""

UNDO = timedelta(hours=24)
"""How long leaving can be undone from the page it was done on."""

LONGEST_PAUSE = timedelta(days=366)

Range = Literal["keep", "joiner", "resumed", "moved"]
"""Where the range of the next issue starts: as before; at the cadence's mark, as for everybody who joins; where what
they were sent ends; or by the rule of a change of cadence (DESIGN: windows of a cadence)."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is kept as proof of an act: `origin` is the page, `wording` the version of the words that were shown, `ip`
    and `agent` what the browser said."""

    origin: str
    ip: str = ""
    agent: str = ""
    wording: str = ""


@dataclass(frozen=True, slots=True)
class ReaderStep:
    """One subscription as it is to be written. `action` goes into the consent log."""

    newsletter: str
    cadence: str
    status: SubscriptionStatus
    action: Action
    before: Subscription | None
    range: Range
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody chose on the preferences page. `cadences` maps the newsletters they want to a cadence; None keeps
    theirs while the newsletter has it, or is its first. `paused_until` is None for no pause."""

    cadences: Mapping[str, str | None]
    paused_until: datetime | None = None
    details: Mapping[str, str] = field(default_factory=dict)


def is_closed(suppressed: str) -> bool:
    """Whether an address with that reason of suppression ("" for none) is closed also to its own reader's wishes."""
    return suppressed not in ("", OWN_SUPPRESSION)


def is_closed_for_good(suppressed: str) -> bool:
    """Whether nobody opens an address with that reason of suppression ("" for none) but somebody here: no report that
    comes late, and not its reader."""
    return suppressed not in ("", OWN_SUPPRESSION, UNREACHABLE)


def leave(person: Subscriber, newsletter: str | None) -> tuple[ReaderStep, ...]:
    """Out of one newsletter, or of all. Who is out already stays so."""
    return tuple(
        ReaderStep(each.newsletter, each.cadence, "left", "left", each, "keep")
        for each in person.subscriptions
        if each.status != "left" and newsletter in (None, each.newsletter)
    )


def undo_leave(person: Subscriber, newsletter: str | None, now: datetime) -> tuple[ReaderStep, ...]:
    """Back into what was left within the last day, as it was: nothing that came out meanwhile is missed."""
    if is_closed(person.suppressed):
        return ()
    return tuple(
        ReaderStep(each.newsletter, each.cadence, "active", "rejoined", each, "resumed")
        for each in person.subscriptions
        if newsletter in (None, each.newsletter) and just_left(each, now)
    )


def just_left(subscription: Subscription, now: datetime) -> bool:
    """Whether leaving it may still be undone."""
    left_at = subscription.changed_at or subscription.since
    return subscription.status == "left" and now - left_at < UNDO


def choose(
    person: Subscriber, choice: Choice, *, cadences: Mapping[str, Collection[str]], now: datetime
) -> tuple[ReaderStep, ...]:
    """What a choice changes. `cadences` holds every newsletter that can be chosen, with what it has, the first first;
    subscriptions in others are not touched. Raises ValueError for a pause that is too long or over."""
    if choice.paused_until is not None and not now < choice.paused_until <= now + LONGEST_PAUSE:
        raise ValueError("a pause ends after now and within a year")
    steps: list[ReaderStep] = []
    for newsletter, possible in cadences.items():
        before = person.subscription(newsletter)
        if newsletter not in choice.cadences:
            if before is not None and before.status != "left":
                steps.append(ReaderStep(newsletter, before.cadence, "left", "left", before, "keep"))
            continue
        wanted = choice.cadences[newsletter]
        cadence = wanted if wanted is not None else cadence_for(before, possible)
        steps += _into(newsletter, cadence, before, choice.paused_until, now)
    return tuple(steps)


def _into(
    newsletter: str, cadence: str, before: Subscription | None, until: datetime | None, now: datetime
) -> Iterable[ReaderStep]:
    if before is None or before.status != "active":
        action: Action = "rejoined" if before is not None and before.status == "left" else "confirmed"
        yield ReaderStep(newsletter, cadence, "active", action, before, "joiner", until)
        return
    pause_before = before.paused_until if before.is_paused(now) else None
    if (before.cadence, pause_before) == (cadence, until):
        return
    if before.cadence != cadence:
        where: Range = "moved"
    elif until is not None and pause_before is None:
        where = "resumed"
    else:
        where = "keep"
    yield ReaderStep(newsletter, cadence, "active", "changed", before, where, until)


def ask(person: Subscriber | None, wanted: Mapping[str, str]) -> tuple[tuple[str, ...], tuple[ReaderStep, ...]]:
    """What a sign-up asks for: the newsletters that a confirmation would add (none for a closed address, or when all
    are theirs already), and the subscriptions to be written until then, anew for those that wait already: they wait as
    long as the new link is good. Nothing else changes: whoever typed the address may be somebody else. `wanted` maps
    newsletters to their first cadences."""
    if person is not None and is_closed(person.suppressed):
        return (), ()
    known = {each.newsletter: each for each in person.subscriptions} if person is not None else {}
    missing = tuple(name for name in wanted if name not in known or known[name].status != "active")
    steps = []
    for name in missing:
        before = known.get(name)
        if before is None or before.status == "pending":
            cadence = before.cadence if before is not None else wanted[name]
            steps.append(ReaderStep(name, cadence, "pending", "asked", before, "joiner"))
    return missing, tuple(steps)


def confirm(
    person: Subscriber, asked: Collection[str], *, asked_at: datetime, cadences: Mapping[str, Collection[str]]
) -> tuple[ReaderStep, ...]:
    """What the button of a confirmation does: into the newsletters that were asked for, but not into one that was left
    after that. Twice is once."""
    if is_closed(person.suppressed):
        return ()
    steps = []
    for newsletter in asked:
        before = person.subscription(newsletter)
        if newsletter not in cadences or (before is not None and before.status == "active"):
            continue
        if before is not None and before.status == "left" and (before.changed_at or before.since) >= asked_at:
            continue
        cadence = cadence_for(before, cadences[newsletter])
        action: Action = "rejoined" if before is not None and before.status == "left" else "confirmed"
        steps.append(ReaderStep(newsletter, cadence, "active", action, before, "joiner"))
    return tuple(steps)
