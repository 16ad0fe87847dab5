"""Issues: one mailing each, its states and what may follow what.

draft ─▶ awaiting ─▶ approved ─▶ scheduled ─▶ freezing ─▶ sending ⇄ paused ─▶ sent
  ▲__________|___________|___________|            |          |         |
             before freezing: cancelled            └──────────┴─────────┴─▶ cancelling ─▶ cancelled
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from syndicate.core.edits import Edits
from syndicate.core.first_wave import Standing
from syndicate.errors import Refused

State = Literal[
    "draft", "awaiting", "approved", "scheduled", "freezing", "sending", "paused", "sent", "cancelling", "cancelled"
]

NEXT: Mapping[State, frozenset[State]] = {
    "draft": frozenset({"awaiting", "cancelled"}),
    "awaiting": frozenset({"draft", "approved", "cancelled"}),
    "approved": frozenset({"draft", "awaiting", "scheduled", "freezing", "cancelled"}),
    "scheduled": frozenset({"draft", "awaiting", "approved", "freezing", "cancelled"}),
    # An audience that is more than a tenth off what was approved goes back to awaiting, unfrozen.
    "freezing": frozenset({"awaiting", "sending", "paused", "cancelling"}),
    "sending": frozenset({"paused", "sent", "cancelling"}),
    "paused": frozenset({"freezing", "sending", "cancelling"}),
    "cancelling": frozenset({"cancelled"}),
    # An editor has what is uncertain sent again.
    "sent": frozenset({"sending"}),
    "cancelled": frozenset(),
}

BEFORE_FREEZING: frozenset[State] = frozenset({"draft", "awaiting", "approved", "scheduled"})
GOING_ON: frozenset[State] = frozenset({"freezing", "sending"})
"""Workers do what there is to do, what is uncertain too, as far as anything can prove it."""
FINISHED: frozenset[State] = frozenset({"sent", "cancelled"})


@dataclass(frozen=True, slots=True)
class Audience:
    """Who an issue goes to: active subscribers of its newsletter, on one cadence when `cadence` is set, only these
    normalised addresses when `to` is set."""

    cadence: str | None = None
    to: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Issue:
    """One mailing as kept. The window is (lo, hi]; a manual send has none of its own and moves no mark.

    `seal` is the SHA-256 of subject, variants and window; an approval holds only while `approved_seal` equals it.
    `expected` is the audience counted when it was sealed. `planned` is the frozen audience, None before; who they were
    is kept until `forgotten_at`."""

    id: int
    newsletter: str
    cadence: str
    kind: Literal["cadence", "manual"]
    state: State
    lo: int
    hi: int
    revision: int
    audience: Audience
    drafted_at: datetime
    request_id: str | None = None
    subject: str = ""
    preheader: str = ""
    intro: str = ""
    edits: Edits = field(default_factory=Edits)
    again: bool = False
    seal: str | None = None
    expected: int | None = None
    approved_seal: str | None = None
    approved_by: str = ""
    approved_at: datetime | None = None
    approved_expected: int | None = None
    send_at: datetime | None = None
    wall_time: str | None = None
    sealed_at: datetime | None = None
    frozen_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    planned: int | None = None
    forgotten_at: datetime | None = None
    frozen_through: int = 0
    standing_mark: int | None = None
    """Changes of people up to this one are in the frozen audience."""
    why: str = ""
    standing_seen: Standing | None = None
    """How its refusals and complaints stood when somebody last let it go on."""
    used_articles: Literal["carry", "drop"] = "carry"
    created_by: str = ""

    @property
    def is_approved(self) -> bool:
        """Whether the approval still binds this very content."""
        return self.seal is not None and self.approved_seal == self.seal


@dataclass(frozen=True, slots=True)
class Composed:
    """One article of an issue, as composed. `role`: full, title (a link under "more"), skipped (used, not shown)."""

    article_id: str
    number: int
    position: int
    role: Literal["full", "title", "skipped"]
    revision: int


def check_transition(issue_id: int, now_in: State, to: State) -> None:
    """Raises Refused with the ways that are open when an issue may not go from one state to the other."""
    if to not in NEXT[now_in]:
        ways = " or ".join(sorted(NEXT[now_in]))
        raise Refused(
            f"Issue {issue_id} is {now_in}; it cannot become {to}.",
            cure="It is finished." if now_in in FINISHED else f"From here it can become {ways}.",
        )


def audience_is_off(expected: int, frozen: int) -> bool:
    """Whether the frozen audience differs by more than a tenth from the count that was approved (DESIGN §3.5)."""
    return abs(frozen - expected) * 10 > expected
