"""The clock's work at one instant: draft what is due to be drafted, and settle the slots whose time has come.

Everything rests on rows. A slot is claimed by its wall time under its cadence's lock, and settled in the transaction
that sends its issue on its way: another clock, or this one killed and started again, finds what was done and goes on
behind it. Issues are composed between two transactions, by `draft`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy.engine import Connection

from syndicate.clock import instant_of, slots_between, wall_of
from syndicate.core.clock_guard import Reading, goes_on, why_held
from syndicate.core.issue import BEFORE_FREEZING, Issue
from syndicate.core.newsletter import Cadence, Newsletter
from syndicate.core.schedule import parse_cadence, rhythm_of
from syndicate.core.slot import OPEN, KnownSlot, Plan, Slot, SlotState, decide, is_open, latest_for, plan_slots
from syndicate.errors import NothingToSend, Refused, SyndicateError
from syndicate.rendering.issue import House
from syndicate.rendering.notice import preview_notice, render_notice
from syndicate.storage.audience import count_audience
from syndicate.storage.audit import record
from syndicate.storage.clock_memory import clock_memory, is_quarantined, record_tick
from syndicate.storage.compositions import composed_articles, take_back_if_held
from syndicate.storage.database import Database
from syndicate.storage.issues import change_issue, get_issue, get_subjects, move_issue
from syndicate.storage.slots import (
    Rhythm,
    change_rhythm,
    claim_slot,
    get_slot,
    list_rhythms,
    lock_rhythm,
    may_claim,
    merge_unsent,
    move_slot,
    settle_slot,
    slots_from,
    spoken,
)
from syndicate.storage.transactional import queue_mail
from syndicate.storage.windows import highest_number, numbered_articles, open_issue

ACTOR = "clock"
REMEMBER_EVERY = timedelta(seconds=15)
TRY_AGAIN = timedelta(minutes=1)
"""After a draft that failed."""
LONGEST_MEMORY = timedelta(days=4)
SETTLED_BEHIND = timedelta(days=3)
"""Once a horizon is older than the one, it moves up to the other: what is before is settled and need not be asked for.
"""


class Drafted(Protocol):
    """What drafting gives back."""

    @property
    def issue(self) -> Issue: ...


class Draft(Protocol):
    """Drafts and seals the cadence's next issue (`services.draft_issue.draft_cadence_issue`); `wanted` is asked under
    the cadence's lock. Raises NothingToSend, and any SyndicateError."""

    def __call__(
        self, newsletter: Newsletter, cadence: str, now: datetime, wanted: Callable[[Connection], bool], /
    ) -> Drafted: ...


@dataclass(slots=True)
class Ticked:
    """What one tick did. `believed` goes into the next tick of the same process. `settled` has a line for each slot,
    `problems` a sentence for what could not be done and is tried again."""

    believed: Reading | None = None
    held: str = ""
    to_draft: list[tuple[str, str]] = field(default_factory=list)
    """Newsletter and cadence of each slot that waits for its draft, when whoever ticks drafts none."""
    drafted: list[int] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def tick(
    database: Database,
    newsletters: Sequence[Newsletter],
    house: House,
    *,
    now: datetime,
    draft: Draft | None,
    editors: Sequence[str] = (),
    believed: Reading | None = None,
    steady: float = 0.0,
) -> Ticked:
    """Does all that is due at `now`, and nothing when the clock cannot be believed. Safe from several processes.
    Without `draft` it says what is `to_draft`, for `draft_slot` elsewhere.

    `editors` get a preview of what is drafted. `believed` is what the last tick of this process returned, None at its
    first; `steady` are the seconds of a clock that nobody sets."""
    with database.read() as connection:
        memory = clock_memory(connection)
        rhythms = list_rhythms(connection)
        quarantined = is_quarantined(connection)
    held = why_held(memory, believed, now, steady)
    if held:
        held = goes_on(memory.held, held)
    last = memory.seen_at if held else memory.believed_at
    if held != memory.held or last is None or not timedelta(0) <= now - last < REMEMBER_EVERY:
        _remember(database, now, held)
    if held:
        return Ticked(believed=believed, held=held)
    ticked = Ticked(believed=Reading(now, steady, memory.said))
    clock = _Clock(database, house, draft, tuple(editors), quarantined, now, ticked)
    for newsletter in newsletters:
        for cadence in newsletter.cadences.values():
            rhythm = rhythms.get((newsletter.name, cadence.name))
            if rhythm is not None and not rhythm.paused:
                try:
                    clock.turn(newsletter, cadence, rhythm)
                except SyndicateError as error:
                    ticked.problems.append(f"{newsletter.name}, {cadence.name}: {error}")
    if ticked.to_draft:
        # Whoever drafts goes by this clock and not by its own.
        _remember(database, now, "")
    return ticked


def draft_slot(
    database: Database,
    newsletter: Newsletter,
    cadence: str,
    house: House,
    *,
    draft: Draft,
    editors: Sequence[str] = (),
) -> Ticked:
    """Drafts what is due of one cadence by the time of the last tick that was believed, whatever the clock of this
    machine shows; then all that a tick does for it. Nothing when the clock is held."""
    with database.read() as connection:
        memory = clock_memory(connection)
        rhythm = list_rhythms(connection).get((newsletter.name, cadence))
        quarantined = is_quarantined(connection)
    ticked = Ticked(held=memory.held)
    if memory.held or memory.believed_at is None or cadence not in newsletter.cadences:
        return ticked
    if rhythm is not None and not rhythm.paused:
        clock = _Clock(database, house, draft, tuple(editors), quarantined, memory.believed_at, ticked)
        clock.turn(newsletter, newsletter.cadences[cadence], rhythm)
    return ticked


def _remember(database: Database, now: datetime, held: str) -> None:
    with database.write() as connection:
        before = clock_memory(connection).held
        record_tick(connection, now, held)
        if held and not before:
            record(connection, at=now, actor=ACTOR, action="clock.hold", detail={"why": held})
        if before and not held:
            record(connection, at=now, actor=ACTOR, action="clock.go", detail={"why": "It is consistent again."})


@dataclass(frozen=True, slots=True)
class _Clock:
    """One tick."""

    database: Database
    house: House
    draft: Draft | None
    editors: tuple[str, ...]
    quarantined: bool
    now: datetime
    ticked: Ticked

    def turn(self, newsletter: Newsletter, cadence: Cadence, rhythm: Rhythm) -> None:
        """What is due for one cadence. What was due by the days and times of before is settled by those first."""
        if rhythm.horizon_at is None or not rhythm.rhythm:
            with self.database.write() as connection:
                locked = lock_rhythm(connection, newsletter.name, cadence.name)
                if locked is None:
                    return
                begins = {"horizon_at": locked.horizon_at or self.now, "rhythm": rhythm_of(cadence)}
                change_rhythm(connection, newsletter.name, cadence.name, timezone=newsletter.timezone, **begins)
            with self.database.read() as connection:
                rhythm = list_rhythms(connection)[newsletter.name, cadence.name]
        horizon = rhythm.horizon_at or self.now
        if rhythm.timezone != newsletter.timezone:
            horizon = self._move_zone(newsletter, cadence, rhythm, horizon)
        if rhythm.rhythm != rhythm_of(cadence):
            before = parse_cadence(cadence.name, rhythm.rhythm)
            self._settle(newsletter, before, horizon, lead=timedelta(0))
            if not self._change_times(newsletter, cadence, before, horizon):
                return
            horizon = self.now
        lead = timedelta(minutes=newsletter.draft_at_minutes)
        self._settle(newsletter, cadence, horizon, lead=lead)

    def _move_zone(self, newsletter: Newsletter, cadence: Cadence, rhythm: Rhythm, horizon: datetime) -> datetime:
        """The horizon, like a slot, is a wall time: read in the new zone, the same slots are before it and after."""
        moved = instant_of(wall_of(horizon, rhythm.timezone), newsletter.timezone)
        with self.database.write() as connection:
            locked = lock_rhythm(connection, newsletter.name, cadence.name)
            if locked is None or locked.timezone != rhythm.timezone:
                raise Refused("its zone was changed elsewhere meanwhile.")
            change_rhythm(connection, newsletter.name, cadence.name, horizon_at=moved, timezone=newsletter.timezone)
        return moved

    def _change_times(self, newsletter: Newsletter, cadence: Cadence, before: Cadence, horizon: datetime) -> bool:
        """The new days and times hold from now on; False when another clock was first."""
        with self.database.write() as connection:
            locked = lock_rhythm(connection, newsletter.name, cadence.name)
            if locked is None or locked.rhythm != rhythm_of(before) or locked.paused:
                return False
            known = self._known(connection, newsletter, before, horizon)
            for slot in slots_between(before, newsletter.timezone, horizon, self.now):
                if is_open(known[slot.wall_time].state if slot.wall_time in known else None):
                    # What could not be done by the old times is an editor's from here on.
                    self._write(connection, newsletter, cadence, slot, "missed", "It could not be drafted at its time.")
            ahead = slots_between(cadence, newsletter.timezone, self.now, self.now + LONGEST_MEMORY)
            kept = {each.wall_time for each in ahead}
            for each in known.values():
                if each.state in OPEN and each.due_at > self.now and each.wall_time not in kept:
                    why = "Its time was changed in the settings before it came."
                    old = Slot(each.due_at, each.wall_time)
                    self._write(connection, newsletter, cadence, old, "superseded", why)
            changes = {"horizon_at": self.now, "rhythm": rhythm_of(cadence)}
            change_rhythm(connection, newsletter.name, cadence.name, **changes)
            return True

    def _settle(self, newsletter: Newsletter, cadence: Cadence, horizon: datetime, *, lead: timedelta) -> None:
        slots = slots_between(cadence, newsletter.timezone, horizon, self.now + lead)
        if not slots:
            return
        with self.database.read() as connection:
            known = self._known(connection, newsletter, cadence, horizon)
        plan = plan_slots(
            slots,
            {wall_time: each.state for wall_time, each in known.items()},
            self.now,
            lead=lead,
            late=latest_for(cadence),
        )
        if plan.merged:
            self._merge_earlier(newsletter, cadence, plan)
        if plan.due is not None:
            self._due(newsletter, cadence, plan.due, known.get(plan.due.wall_time), missed=plan.missed)
        elif plan.coming is not None and not self.quarantined:
            self._compose(newsletter, cadence, plan.coming, known.get(plan.coming.wall_time))
        elif self.now - horizon > LONGEST_MEMORY:
            self._move_horizon(newsletter, cadence, horizon)

    def _known(
        self, connection: Connection, newsletter: Newsletter, cadence: Cadence, horizon: datetime
    ) -> Mapping[str, KnownSlot]:
        first = wall_of(horizon, newsletter.timezone) - timedelta(days=1)
        return slots_from(connection, newsletter.name, cadence.name, f"{first:%Y-%m-%dT%H:%M}")

    def _move_horizon(self, newsletter: Newsletter, cadence: Cadence, horizon: datetime) -> None:
        with self.database.write() as connection:
            locked = lock_rhythm(connection, newsletter.name, cadence.name)
            if locked is not None and locked.horizon_at == horizon:
                behind = self.now - SETTLED_BEHIND
                change_rhythm(connection, newsletter.name, cadence.name, horizon_at=behind)

    # --- slots whose time has come ------------------------------------------------------------------------------

    def _merge_earlier(self, newsletter: Newsletter, cadence: Cadence, plan: Plan) -> None:
        """Before the latest one is settled: none of them may be taken for the latest afterwards."""
        assert plan.due is not None
        with self.database.write() as connection:
            if self._may(connection, newsletter, cadence, plan.merged[0]):
                for slot in plan.merged:
                    why = f"Nobody was there at its time; its articles go with {spoken(plan.due.wall_time)}."
                    self._write(connection, newsletter, cadence, slot, "merged", why)

    def _due(
        self, newsletter: Newsletter, cadence: Cadence, slot: Slot, known: KnownSlot | None, *, missed: bool
    ) -> None:
        if self.quarantined or missed:
            late = "Nobody was there at its time, and it is too late for it to go by itself."
            why = "This database is in quarantine: `syndicate confirm-live` ends it." if self.quarantined else late
            with self.database.write() as connection:
                if self._may(connection, newsletter, cadence, slot):
                    self._write(connection, newsletter, cadence, slot, "skipped" if self.quarantined else "missed", why)
            return
        if (known is None or known.state == "drafting") and not self._compose(newsletter, cadence, slot, known):
            return
        self._go(newsletter, cadence, slot)

    def _go(self, newsletter: Newsletter, cadence: Cadence, slot: Slot) -> None:
        """Settles a drafted slot, and sends its issue on its way in the same transaction."""
        expected = None
        if newsletter.approval == "automatic" or newsletter.if_not_approved == "send":
            # Nobody looked at the count: that of now is as good. Before the transaction, because it may take a second.
            with self.database.read() as connection:
                drafted = get_slot(connection, newsletter.name, cadence.name, slot.wall_time)
                if drafted is not None and drafted.issue_id is not None:
                    audience = get_issue(connection, drafted.issue_id).audience
                    expected = count_audience(connection, newsletter.name, audience, now=self.now)
        with self.database.write() as connection:
            if not self._may(connection, newsletter, cadence, slot):
                return
            here = get_slot(connection, newsletter.name, cadence.name, slot.wall_time)
            if here is None or here.state != "drafted" or here.issue_id is None:
                return
            issue = get_issue(connection, here.issue_id, lock=True)
            decision = decide(newsletter, issue)
            if decision.send and take_back_if_held(connection, issue):
                issue = get_issue(connection, issue.id)
                decision = decide(newsletter, issue)
            if decision.approve:
                move_issue(connection, issue, "approved", approved_seal=issue.seal, approved_by=ACTOR, why="")
                change_issue(connection, issue.id, approved_at=self.now)
                issue = get_issue(connection, issue.id)
            if decision.send:
                by_rule = expected is not None and issue.approved_by in ("automatic", ACTOR)
                counted = {"expected": expected, "approved_expected": expected} if by_rule else {}
                move_issue(connection, issue, "scheduled", send_at=self.now, **counted)
                self.ticked.sent.append(issue.id)
            self._write(connection, newsletter, cadence, slot, decision.state, decision.why)

    # --- drafts -------------------------------------------------------------------------------------------------

    def _compose(self, newsletter: Newsletter, cadence: Cadence, slot: Slot, known: KnownSlot | None) -> bool:
        """Whether the slot has its sealed issue now. One that failed is tried again after a while."""
        if known is not None and known.why and timedelta(0) <= self.now - known.claimed_at < TRY_AGAIN:
            return False
        if self.draft is None:
            drafted = known is not None and known.state != "drafting"
            if not drafted:
                self.ticked.to_draft.append((newsletter.name, cadence.name))
            return drafted
        name = newsletter.name, cadence.name, slot.wall_time
        with self.database.write() as connection:
            if not self._may(connection, newsletter, cadence, slot):
                return False
            here = get_slot(connection, *name)
            if here is None:
                claim_slot(connection, *name, slot.due_at, "drafting", claimed_at=self.now)
            elif here.state != "drafting":
                return here.state == "drafted"
            else:
                move_slot(connection, *name, "drafting", due_at=slot.due_at, claimed_at=self.now, why="")
            kept = self._still_good(connection, newsletter, cadence)
            if kept is not None:
                return self._drafted(connection, newsletter, cadence, slot, kept)

        def wanted(connection: Connection) -> bool:
            here = get_slot(connection, *name)
            return here is not None and here.state == "drafting"

        try:
            issue = self.draft(newsletter, cadence.name, self.now, wanted).issue
        except NothingToSend as nothing:
            with self.database.write() as connection:
                lock_rhythm(connection, newsletter.name, cadence.name)
                here = get_slot(connection, *name)
                if (
                    here is not None
                    and here.state == "drafting"
                    and not self._has_sealed(connection, newsletter, cadence)
                ):
                    self._write(connection, newsletter, cadence, slot, "empty", nothing.message)
            return False
        except SyndicateError as error:
            with self.database.write() as connection:
                move_slot(connection, *name, "drafting", of={"drafting"}, claimed_at=self.now, why=str(error))
            raise
        with self.database.write() as connection:
            if not self._may(connection, newsletter, cadence, slot):
                return False
            return self._drafted(connection, newsletter, cadence, slot, get_issue(connection, issue.id, lock=True))

    def _has_sealed(self, connection: Connection, newsletter: Newsletter, cadence: Cadence) -> bool:
        issue = open_issue(connection, newsletter.name, cadence.name)
        return issue is not None and issue.seal is not None

    def _still_good(self, connection: Connection, newsletter: Newsletter, cadence: Cadence) -> Issue | None:
        """The cadence's open issue when nothing has come since it was sealed: it keeps its seal and its approval."""
        issue = open_issue(connection, newsletter.name, cadence.name)
        if issue is None or issue.seal is None or issue.state == "draft":
            return None
        newer = numbered_articles(connection, newsletter, issue.hi, highest_number(connection))
        return None if newer else issue

    def _drafted(
        self, connection: Connection, newsletter: Newsletter, cadence: Cadence, slot: Slot, issue: Issue
    ) -> bool:
        if issue.state not in BEFORE_FREEZING or issue.state == "draft":
            # Somebody took it back or sent it in this very moment: the next tick sees to it.
            return False
        name = newsletter.name, cadence.name, slot.wall_time
        if issue.state == "scheduled" and issue.send_at is not None and issue.send_at <= self.now:
            # It has waited since an earlier slot and is not on its way yet: it goes with this one.
            move_issue(connection, issue, "approved", send_at=None)
            issue = get_issue(connection, issue.id)
        if not move_slot(connection, *name, "drafted", of={"drafting"}, issue_id=issue.id, due_at=slot.due_at, why=""):
            return False
        change_issue(connection, issue.id, wall_time=slot.wall_time)
        merged = merge_unsent(connection, *name, issue.id, self.now)
        self._preview(connection, newsletter, slot, issue)
        detail = {"slot": slot.wall_time, **({"merged": merged} if merged else {})}
        record(
            connection,
            at=self.now,
            actor=ACTOR,
            action="slot.draft",
            subject=f"{newsletter.name}/{cadence.name}",
            detail={**detail, "issue": issue.id},
        )
        self.ticked.drafted.append(issue.id)
        return True

    def _preview(self, connection: Connection, newsletter: Newsletter, slot: Slot, issue: Issue) -> None:
        """Once for the same content, however often it is looked at."""
        if not self.editors:
            return
        shown = composed_articles(connection, issue.id)
        notice = preview_notice(
            newsletter,
            issue,
            self.house.publication,
            subject=get_subjects(connection, [issue.id]).get(issue.id, ""),
            wall_time=spoken(slot.wall_time),
            titles=[article.content.title for article, part in shown if part.role != "skipped"],
        )
        html, text = render_notice(self.house.environment, self.house.publication, notice)
        for editor in self.editors:
            key = hashlib.sha256(f"{issue.id} {issue.seal} {editor}".encode()).hexdigest()
            queue_mail(
                connection,
                kind="preview",
                request_key=f"preview {key}",
                to_email=editor,
                subject=notice.subject,
                html=html,
                text=text,
                now=self.now,
            )

    def _may(self, connection: Connection, newsletter: Newsletter, cadence: Cadence, slot: Slot) -> bool:
        return may_claim(connection, newsletter.name, cadence.name, slot.due_at)

    def _write(
        self,
        connection: Connection,
        newsletter: Newsletter,
        cadence: Cadence,
        slot: Slot,
        state: SlotState,
        why: str = "",
    ) -> None:
        name = newsletter.name, cadence.name
        if settle_slot(connection, *name, slot, state, actor=ACTOR, now=self.now, why=why) and state not in OPEN:
            told = f"{newsletter.name}, {cadence.name}, {spoken(slot.wall_time)}: {state}. {why}"
            self.ticked.settled.append(told.strip())
