"""A site with three articles and some readers, whose issues go out as a test says."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from syndicate.clock import next_slots
from syndicate.core.message import CapabilitySheet
from syndicate.services.add_subscriber import add_subscriber
from syndicate.services.collect_articles import collect
from syndicate.services.draft_issue import draft_cadence_issue
from syndicate.services.freeze_issue import freeze
from syndicate.services.send_soon import send_soon
from syndicate.storage import tables
from syndicate.storage.issues import change_issue
from syndicate.storage.slots import settle_slot
from tests.web.newsroom_site import WebSite

TWO_A_REQUEST = CapabilitySheet("resend", "tests", 2, 1_000_000, idempotency_seconds=86_400)


@dataclass
class SendingDesk:
    """`issue` is made by `begin` and friends; the mail API is the test itself."""

    site: WebSite
    issue: int = 0

    def draft(self) -> int:
        """An issue that awaits approval."""
        site = self.site.site
        sealed = draft_cadence_issue(
            site.database, site.newsletter("morning"), "daily", site.house, now=self.site.now, actor="Sandy"
        )
        self.issue = sealed.issue.id
        return self.issue

    def draft_for_its_slot(self) -> int:
        """One that awaits approval and goes with the next slot, Monday at seven, as the clock composes it."""
        number, site = self.draft(), self.site.site
        newsletter = site.newsletter("morning")
        [slot] = next_slots(newsletter.cadences["daily"], newsletter.timezone, self.site.now, 1)
        with site.database.write() as connection:
            assert settle_slot(
                connection, "morning", "daily", slot, "drafted", actor="clock", now=self.site.now, issue_id=number
            )
        return number

    def schedule(self) -> int:
        """One that starts in ten seconds."""
        number = self.draft()
        with self.site.site.database.read() as connection:
            seal = connection.execute(sa.select(tables.issues.c.seal)).scalar_one()
        send_soon(self.site.site.database, number, seal=seal, now=self.site.now, actor="Sandy")
        return number

    def freeze(self) -> None:
        """Its time has come: the batches are planned, two readers in each."""
        self.site.clock.pass_by(timedelta(seconds=11))
        site = self.site.site
        frozen = freeze(
            site.database,
            self.issue,
            newsletter=site.newsletter("morning"),
            publication=site.publication,
            sender=site.sender,
            environment=site.templates,
            sheet=TWO_A_REQUEST,
            now=self.site.now,
        )
        assert frozen == "sending"

    def begin(self) -> int:
        """One that is being sent."""
        self.schedule()
        self.freeze()
        return self.issue

    def accept(self) -> None:
        """The mail API takes the next batch."""
        batches = tables.batches
        first = sa.select(sa.func.min(batches.c.id)).where(batches.c.state == "planned").scalar_subquery()
        with self.site.site.database.write() as connection:
            taken = connection.execute(sa.update(batches).where(batches.c.id == first).values(state="accepted"))
        assert taken.rowcount == 1

    def end(self) -> None:
        """All is said."""
        with self.site.site.database.write() as connection:
            change_issue(connection, self.issue, state="sent", ended_at=self.site.now)


def open_sending_desk(web_site: WebSite, *, readers: int = 2) -> SendingDesk:
    """Three articles, collected; so many readers of the newsletter."""
    site = web_site.site
    folder = site.directory / "articles" / "world"
    folder.mkdir(parents=True)
    for number in (1, 2, 3):
        (folder / f"story-{number}.md").write_text(f"# Story {number}\n\nWhat happened, part {number}.\n")
    now = web_site.now
    collect(
        site.database, site.source("desk"), feeds=site.feeds, newsletters=site.newsletters, now=now, sleep=time.sleep
    )
    for name in ["ada", "grace", *(f"reader{number}" for number in range(3, readers + 1))][:readers]:
        add_subscriber(
            site.database,
            email=f"{name}@example.org",
            newsletter=site.newsletter("morning"),
            cadence=None,
            because="asked",
            now=now,
        )
    return SendingDesk(web_site)
