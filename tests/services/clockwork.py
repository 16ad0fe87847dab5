"""A newsroom whose clock a test turns: its ticks, its slots, and a desk that drafts for real or by a light hand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.clock_guard import Reading
from syndicate.core.issue import Audience, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.slot import KnownSlot
from syndicate.core.window import allocate
from syndicate.errors import NothingToSend
from syndicate.services.draft_issue import Sealed, draft_cadence_issue
from syndicate.services.tick_slots import Ticked, tick
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.definitions import sync
from syndicate.storage.issues import change_issue, get_issue, insert_issue, take_back
from syndicate.storage.slots import list_slots
from syndicate.storage.windows import highest_number, lock_cadence, open_issue, set_mark
from tests.services.composing_room import MORNING, house


def utc(text: str) -> datetime:
    """`2026-11-20T09:30` as an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Clockwork:
    """`steady` goes with the time that `at` is given, unless a test makes the clock jump."""

    database: Database
    newsletters: Sequence[Newsletter] = (MORNING,)
    editors: tuple[str, ...] = ()
    light: bool = False
    believed: Reading | None = None
    ticks: list[Ticked] = field(default_factory=list)

    def open(self, now: datetime) -> Clockwork:
        """What a new site has at `now`."""
        with self.database.write() as connection:
            known = sa.select(tables.instance.c.id)
            if connection.execute(known).first() is None:
                connection.execute(sa.insert(tables.instance).values(id=1, created_at=now))
                connection.execute(sa.insert(tables.counters).values(name="article", value=0))
                connection.execute(sa.insert(tables.sources).values(name="desk", kind="folder", first_look_at=now))
        self.settle_settings(now)
        return self

    def settle_settings(self, now: datetime) -> None:
        """What every command does at its start."""
        with self.database.write() as connection:
            sync(connection, sources=[Desk()], feeds=[], newsletters=self.newsletters, now=now)

    def tick(
        self, now: datetime, *, steady: float | None = None, fresh: bool = False, drafts: bool = True
    ) -> Ticked:
        """One tick; `fresh` is the first of a new process. Without `drafts` it only says what is to be drafted."""
        draft = self.draft_lightly if self.light else self.draft
        done = tick(
            self.database,
            self.newsletters,
            house(),
            now=now,
            draft=draft if drafts else None,
            editors=self.editors,
            believed=None if fresh else self.believed,
            steady=now.timestamp() if steady is None else steady,
        )
        self.believed = done.believed
        self.ticks.append(done)
        return done

    def at(self, text: str, *, fresh: bool = False) -> Ticked:
        """One tick at that time in UTC."""
        return self.tick(utc(text), fresh=fresh)

    def draft(
        self, newsletter: Newsletter, cadence: str, now: datetime, wanted: Callable[[Connection], bool], /
    ) -> Sealed:
        return draft_cadence_issue(self.database, newsletter, cadence, house(), now=now, actor="clock", wanted=wanted)

    def draft_lightly(
        self, newsletter: Newsletter, cadence: str, now: datetime, wanted: Callable[[Connection], bool], /
    ) -> Sealed:
        """The same rows as a draft of one article, without an article and without rendering."""
        with self.database.write() as connection:
            mark = lock_cadence(connection, newsletter.name, cadence)
            if not wanted(connection):
                raise NothingToSend("Drafted elsewhere.")
            issue = open_issue(connection, newsletter.name, cadence)
            lo, hi = allocate(mark, highest_number(connection), issue.lo if issue else None)
            if issue is None:
                issue_id = insert_issue(
                    connection,
                    newsletter=newsletter.name,
                    cadence=cadence,
                    kind="cadence",
                    state="draft",
                    lo=lo,
                    hi=hi,
                    audience=Audience(cadence=cadence),
                    drafted_at=now,
                )
            else:
                issue_id = issue.id
                take_back(connection, issue, why="", hi=hi)
            set_mark(connection, newsletter.name, cadence, hi)
            seal = hashlib.sha256(f"{issue_id} {lo} {hi}".encode()).hexdigest()
            approved = {"approved_seal": seal, "approved_by": "automatic", "approved_expected": 0}
            state = "approved" if newsletter.approval == "automatic" else "awaiting"
            more = approved if newsletter.approval == "automatic" else {}
            change_issue(connection, issue_id, state=state, seal=seal, expected=0, sealed_at=now, **more)
            return Sealed(get_issue(connection, issue_id), ())

    def sent(self) -> None:
        """Whatever is scheduled goes out, as workers would have it."""
        table = tables.issues
        with self.database.write() as connection:
            connection.execute(sa.update(table).where(table.c.state == "scheduled").values(state="sent"))

    def slots(self, newsletter: str = "morning", cadence: str | None = None) -> dict[str, KnownSlot]:
        """By wall time, in order."""
        with self.database.read() as connection:
            found = list_slots(connection, newsletter=newsletter, cadence=cadence)
        return {each.wall_time: each for each in sorted(found, key=lambda each: each.wall_time)}

    def states(self, newsletter: str = "morning", cadence: str = "daily") -> dict[str, str]:
        return {each.wall_time: each.state for each in self.slots(newsletter, cadence).values()}

    def issue(self, number: int) -> Issue:
        with self.database.read() as connection:
            return get_issue(connection, number)

    def mails(self, kind: str = "preview") -> list[sa.Row[tuple[str, str, str]]]:
        table = tables.transactional_mails
        query = sa.select(table.c.to_email, table.c.subject, table.c.text).where(table.c.kind == kind)
        with self.database.read() as connection:
            return list(connection.execute(query.order_by(table.c.id)))


@dataclass(frozen=True)
class Desk:
    name: str = "desk"
    kind: str = "folder"
