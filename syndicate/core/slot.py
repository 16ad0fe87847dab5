"""Slots: what the clock does at each planned wall time of a cadence, decided from what is known, once each.

        (no row) ─▶ drafting ─▶ drafted ─▶ going            its issue was sent on its way
                        │          ├─────▶ awaiting         its time came and nobody had approved it
                        │          └─────▶ skipped          an editor, a cancel or the settings said so
                        ├─▶ empty                           nothing new, or too few
                        └─▶ missed                          too late to go by itself: an editor decides
        merged      its articles go with a later slot       superseded    its time was taken out of the settings

A slot that is neither drafting nor drafted is settled, and the clock never touches it again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from syndicate.core.issue import Issue
from syndicate.core.newsletter import Cadence, Newsletter

SlotState = Literal[
    "drafting", "drafted", "going", "awaiting", "skipped", "empty", "missed", "merged", "superseded"
]  # fmt: skip

OPEN: frozenset[SlotState] = frozenset({"drafting", "drafted"})
"""Not settled yet."""

UNSENT: frozenset[SlotState] = frozenset({"going", "awaiting", "missed"})
"""Settled, but an editor or a later slot may still change it while its issue is not on its way."""

LATE, LATE_WEEKLY = timedelta(hours=3), timedelta(hours=24)


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One planned moment of a cadence: `due_at` in UTC, `wall_time` as `2026-01-31T07:00` in the newsletter's zone."""

    due_at: datetime
    wall_time: str


@dataclass(frozen=True, slots=True)
class KnownSlot:
    """A slot as its row says. `claimed_at` is when it was last worked at, `settled_at` when its state became final."""

    newsletter: str
    cadence: str
    wall_time: str
    due_at: datetime
    state: SlotState
    issue_id: int | None
    why: str
    claimed_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done for one cadence now: `due` is the slot whose time has come, too late when it is `missed`;
    `merged` are earlier ones that nobody settled, which go with it; `coming` is the next one, to be drafted."""

    due: Slot | None = None
    missed: bool = False
    merged: tuple[Slot, ...] = ()
    coming: Slot | None = None


def latest_for(cadence: Cadence) -> timedelta:
    """How late a slot may still go by itself: three hours, a day where there is one slot a week (DESIGN §4)."""
    return LATE_WEEKLY if len(cadence.days) * len(cadence.times) == 1 else LATE


def plan_slots(
    slots: Sequence[Slot], known: Mapping[str, SlotState], now: datetime, *, lead: timedelta, late: timedelta
) -> Plan:
    """`slots` are all those due in (horizon, now + lead], in order; `known` the states of those that have a row.

    Only the latest of those due is done, however many an absence has left. The next is drafted when its lead has begun
    and nothing before it is open: a draft would take an issue back that is to go first."""
    due = [each for each in slots if each.due_at <= now and is_open(known.get(each.wall_time))]
    if due:
        latest = due[-1]
        return Plan(due=latest, missed=now - latest.due_at > late, merged=tuple(due[:-1]))
    for each in slots:
        if each.due_at > now and each.due_at - lead <= now:
            state = known.get(each.wall_time)
            if state in (None, "drafting"):
                return Plan(coming=each)
            if state == "drafted":
                break
    return Plan()


def is_open(state: SlotState | None) -> bool:
    """Whether the slot is still to be done; None is one without a row."""
    return state is None or state in OPEN


def outlook(known: KnownSlot | None, *, paused: bool) -> str:
    """In a word or two what becomes of a slot that is still to come, as far as it is known; `paused` says whether its
    newsletter is."""
    if known is not None and known.state not in OPEN:
        return known.state
    if paused:
        return "paused"
    return f"drafted (issue {known.issue_id})" if known is not None and known.issue_id else "planned"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a drafted slot whose time has come. `approve` when the rules stand in for a person; `draft` when
    its issue has to be composed anew first."""

    state: SlotState
    why: str = ""
    send: bool = False
    approve: bool = False
    draft: bool = False


def decide(newsletter: Newsletter, issue: Issue) -> Decision:
    """What the slot does with its issue, as that stands now (DESIGN §4, §5 `if_not_approved`)."""
    by_itself = newsletter.approval == "automatic" or newsletter.if_not_approved == "send"
    match issue.state:
        case "cancelled" | "cancelling":
            return Decision("skipped", f"Issue {issue.id} was cancelled.")
        case "freezing" | "sending" | "paused" | "sent":
            return Decision("going", f"Issue {issue.id} was sent before its time.")
        case "scheduled":
            return Decision("going", f"Issue {issue.id} was scheduled by hand.")
        case "approved" if issue.is_approved:
            return Decision("going", send=True)
        case "draft" if by_itself:
            return Decision("drafting", draft=True)
        case "draft":
            back = (
                f"Issue {issue.id} was taken back: {issue.why}" if issue.why else f"Issue {issue.id} is being edited."
            )
        case "awaiting" if by_itself:
            return Decision("going", send=True, approve=True)
        case _:
            back = f"Nobody has approved issue {issue.id}."
    if newsletter.if_not_approved == "skip":
        return Decision("skipped", f"{back} Its articles go with the next one.")
    return Decision("awaiting", f"{back} It is kept until somebody does.")
