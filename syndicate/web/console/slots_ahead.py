"""When newsletters go next, what becomes of it, and what was missed: as their pages show it and as it moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from syndicate.clock import next_slots
from syndicate.core.issue import BEFORE_FREEZING, Audience, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.slot import KnownSlot, Slot, outlook
from syndicate.services.settle_missed import missed_slots
from syndicate.storage.audience import count_audience
from syndicate.storage.definition_states import paused_newsletters
from syndicate.storage.slots import list_slots

AHEAD = 4
"""Slots of each newsletter that its page shows."""


@dataclass(frozen=True, slots=True)
class Coming:
    """A slot that is still to come. `outlook` says in a word what becomes of it; the `nearest` of its cadence can be
    skipped, or planned again."""

    newsletter: Newsletter
    cadence: str
    slot: Slot
    known: KnownSlot | None
    outlook: str
    nearest: bool

    @property
    def marks(self) -> tuple[object, ...]:
        """What a page that shows it depends on."""
        issue = self.known.issue_id if self.known is not None else None
        return (self.newsletter.name, self.cadence, self.slot.wall_time, self.outlook, issue)


@dataclass(frozen=True, slots=True)
class Missed:
    """What a cadence has missed, the last due first. `then` is when it goes next: what is merged goes with that."""

    newsletter: Newsletter
    cadence: str
    slots: Sequence[KnownSlot]
    then: Slot | None

    @property
    def marks(self) -> tuple[object, ...]:
        """What a page that shows it depends on."""
        then = self.then.wall_time if self.then is not None else ""
        return (self.newsletter.name, self.cadence, then, *((each.wall_time, each.issue_id) for each in self.slots))


@dataclass(frozen=True, slots=True)
class Row:
    """One newsletter as it stands."""

    declared: Newsletter
    paused: bool
    coming: Sequence[Coming]
    missed: Sequence[Missed]

    @property
    def marks(self) -> tuple[object, ...]:
        """What a page that shows it depends on."""
        return (self.paused, *(each.marks for each in self.coming), *(each.marks for each in self.missed))


@dataclass(frozen=True, slots=True)
class ByItself:
    """The coming slot with which an issue goes, and what becomes of that: `drafted`, `skipped` or `paused`; `why` in
    words."""

    wall_time: str
    outlook: str
    why: str


def newsletter_rows(connection: Connection, newsletters: Sequence[Newsletter], now: datetime) -> list[Row]:
    """All of them, as their page has them."""
    paused = paused_newsletters(connection)
    return [
        Row(
            each,
            each.name in paused,
            coming_slots(connection, [each], now, AHEAD)[:AHEAD],
            all_missed(connection, [each], now),
        )
        for each in newsletters
    ]


def coming_slots(
    connection: Connection, newsletters: Sequence[Newsletter], now: datetime, count: int
) -> list[Coming]:
    """The next slots of these newsletters, so many of each cadence, the nearest first."""
    known = {(each.newsletter, each.cadence, each.wall_time): each for each in list_slots(connection, due_after=now)}
    paused = paused_newsletters(connection)
    found = []
    for newsletter in newsletters:
        for cadence in newsletter.cadences.values():
            for place, slot in enumerate(next_slots(cadence, newsletter.timezone, now, count)):
                row = known.get((newsletter.name, cadence.name, slot.wall_time))
                told = outlook(row, paused=newsletter.name in paused)
                found.append(Coming(newsletter, cadence.name, slot, row, told, nearest=place == 0))
    return sorted(found, key=lambda each: (each.slot, each.newsletter.name, each.cadence))


def readers_of(connection: Connection, coming: Sequence[Coming], now: datetime) -> dict[tuple[str, str], int]:
    """To how many each of these would go at this moment, by newsletter and cadence, from what is counted as it
    changes."""
    cadences = {(each.newsletter.name, each.cadence) for each in coming}
    return {
        (newsletter, cadence): count_audience(connection, newsletter, Audience(cadence=cadence), now=now)
        for newsletter, cadence in cadences
    }


def all_missed(connection: Connection, newsletters: Sequence[Newsletter], now: datetime) -> list[Missed]:
    """What waits for somebody, cadence by cadence."""
    found = []
    for newsletter in newsletters:
        for cadence in newsletter.cadences.values():
            if slots := missed_slots(connection, newsletter.name, cadence.name):
                then = next(iter(next_slots(cadence, newsletter.timezone, now, 1)), None)
                found.append(Missed(newsletter, cadence.name, slots, then))
    return found


def by_itself(connection: Connection, issue: Issue, now: datetime) -> ByItself | None:
    """When that issue goes without anybody's doing, or would if its slot or its newsletter were not kept back; None for
    one by hand, one whose time has come and one that is on its way."""
    if issue.kind != "cadence" or issue.state not in BEFORE_FREEZING:
        return None
    coming = list_slots(connection, newsletter=issue.newsletter, cadence=issue.cadence, due_after=now)
    known = next((each for each in reversed(coming) if each.issue_id == issue.id), None)
    if known is None:
        return None
    told = outlook(known, paused=issue.newsletter in paused_newsletters(connection))
    return ByItself(known.wall_time, told.partition(" ")[0], known.why)
