"""Bring one issue to its end: freeze it, deliver it beside whoever else is at it, and close its books."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.core.books import Books
from syndicate.core.issue import Issue, State
from syndicate.core.lease import Lease
from syndicate.process.guard import require_ready
from syndicate.process.two_apis import TwoAPIs
from syndicate.services.deliver_issue import Delivery, deliver
from syndicate.services.freeze_issue import freeze
from syndicate.services.sweep_issues import sweep
from syndicate.storage.database import shared_now
from syndicate.storage.halt import stopped_by
from syndicate.storage.issues import get_issue
from syndicate.storage.ledger import books, owners
from syndicate.storage.workers import worker_lock

if TYPE_CHECKING:
    from syndicate.mail.base import MailAPI
    from syndicate.site import Site

UNDER_WAY: tuple[State, ...] = ("freezing", "sending", "cancelling")
LOOK_AGAIN_SECONDS = 0.3
LEASE_SECONDS = 120.0
"""How long a claim holds without news, at least: always longer than the mail API's deadline for one request."""


def look_for_garbage_seldom() -> None:
    """For a process that delivers: each request brings thousands of rows, none of which is ever part of a circle, and
    a look after every 700 new objects costs an eighth of its time. Memory does not grow by it."""
    gc.set_threshold(50_000, 20, 20)


def lease_of(deadline_seconds: float) -> Lease:
    """The lease of a claim where one request may take `deadline_seconds`."""
    return Lease(max(LEASE_SECONDS, 2 * deadline_seconds), deadline_seconds)


def paused_sentence(issue: Issue) -> str:
    """Why it is paused, and the next step."""
    return f"Issue {issue.id} is paused: {issue.why.rstrip('.')}. `syndicate issues resume {issue.id}` goes on."


@dataclass(frozen=True, slots=True)
class Ended:
    """How far one issue came. `unfinished` says what is left and the next step, or is ""; `stopped_by` who stopped all
    sending, or is None."""

    issue: Issue
    books: Books
    stopped_by: str | None = None

    @property
    def unfinished(self) -> str:
        """What a person or a later run has to do, in one sentence; "" when nothing."""
        number = self.issue.id
        if self.issue.state == "paused":
            return paused_sentence(self.issue)
        if self.issue.state in ("draft", "awaiting"):
            return f"Issue {number} was not sent: {self.issue.why}"
        if self.stopped_by is not None and self.issue.state in ("approved", "scheduled", *UNDER_WAY):
            return f"Issue {number} waits: all sending is stopped, by {self.stopped_by}. `syndicate resume` goes on."
        if self.books.uncertain and self.issue.state not in UNDER_WAY:
            return (
                f"Of issue {number} nobody can tell whether {self.books.uncertain:,} got it. `syndicate issues resolve "
                f"{number}` with --resend or --count-as-sent settles it."
            )
        if self.issue.state in UNDER_WAY:
            left = self.books.waiting + self.books.uncertain
            waits = f" {self.issue.why}" if self.issue.state == "sending" and self.issue.why else ""
            cure = "`syndicate run` goes on when their time comes."
            return f"Issue {number} is {self.issue.state}, {left:,} left.{waits} {cure}"
        return ""


def freeze_issue(
    site: Site,
    mail_api: MailAPI,
    issue_id: int,
    *,
    stop: threading.Event,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> None:
    """Freezes a scheduled issue whose time has come, or goes on with one that is half frozen; `stop` breaks it off
    between two steps, and the next one goes on. Raises Refused when it must not be sent."""
    with site.database.read() as connection:
        newsletter = site.newsletter(get_issue(connection, issue_id).newsletter)
        now = shared_now(connection, clock())
    require_ready(site, mail_api, now, issue_id)
    freeze(
        site.database,
        issue_id,
        newsletter=newsletter,
        publication=site.publication,
        sender=site.sender,
        environment=site.templates,
        sheet=mail_api.sheet,
        now=now,
        progress=progress,
        stop=stop,
    )


def deliver_issue(
    site: Site,
    mail_api: MailAPI,
    issue_id: int,
    *,
    stop: threading.Event | None = None,
    role: str = "command",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Ended:
    """Delivers a scheduled issue whose time has come, or goes on with one under way, until nothing is left that can be
    done soon. Other processes may be at the same issue: the work is shared, and this returns when it is all done.

    `role` names the worker that it is meanwhile. Once `stop` is set nothing new is claimed, and it returns as soon as
    the requests under way have ended. While all sending is stopped nothing is frozen and nothing posted."""
    look_for_garbage_seldom()
    stop = stop or threading.Event()
    database = site.database
    with database.read() as connection:
        issue = get_issue(connection, issue_id)
    two = TwoAPIs(site, mail_api)
    delivery = Delivery(
        database=database,
        mail_api=mail_api,
        publication=site.publication,
        sender=site.sender,
        newsletter=site.newsletter(issue.newsletter),
        signer=site.signer(),
        instance=site.instance,
        directory=site.directory,
        limits=site.mail.limits,
        lease=lease_of(site.mail.deadline_seconds),
    )
    posting = two.in_turn(clock(), issue_id)
    with worker_lock(database, site.directory, role, clock()) as worker:
        while True:
            if two.have_changed():
                posting = two.in_turn(clock(), issue_id)
            delivery = replace(delivery, mail_api=posting.mail_api, others=posting.others, standby=posting.standby)
            with database.read() as connection:
                stopped = stopped_by(connection)
            if issue.state in ("approved", "scheduled", "freezing") and stopped is None:
                freeze_issue(site, delivery.mail_api, issue_id, stop=stop, clock=clock, progress=progress)
            with database.read() as connection:
                begun = get_issue(connection, issue_id).state
            deliver(
                delivery,
                issue_id,
                worker,
                stop=stop,
                threads=site.mail.concurrency,
                clock=clock,
                progress=progress,
            )
            sweep(database, clock())
            with database.read() as connection:
                issue = get_issue(connection, issue_id)
                balance = books(connection, issue_id)
                others = owners(connection, issue_id) - {worker.id}
                stopped = stopped_by(connection)
            over = issue.state not in UNDER_WAY or stop.is_set() or stopped is not None
            # Another process may have finished the freezing just after deliver found nothing to claim: then look again.
            goes_on = issue.state == "freezing" or issue.state != begun or two.have_changed()
            if over or not (others or goes_on):
                return Ended(issue, balance, stopped)
            stop.wait(LOOK_AGAIN_SECONDS)


class Leaving(Exception):
    """This process was told to leave in the middle of a step that another process can go on with."""
