"""One delivery of one issue by one process: the thread that owns the ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError

from syndicate.core.batch import Step, Unresolved, may_replay, way_on
from syndicate.errors import StorageError
from syndicate.services.deliver_issue.answers import HEED_SECONDS, Answers, Progress
from syndicate.services.deliver_issue.delivery import Delivery
from syndicate.services.deliver_issue.posting import Asked, Posting
from syndicate.services.deliver_issue.requests import Requests
from syndicate.services.deliver_issue.restraint import Held, Restraint
from syndicate.storage.claims import (
    Planned,
    Prepared,
    claim,
    hold_to_post,
    may_post,
    planned_recipients,
    withdrawn_revisions,
)
from syndicate.storage.database import database_now
from syndicate.storage.issue_standing import say_why_it_waits
from syndicate.storage.issues import get_issue
from syndicate.storage.ledger import (
    Batch,
    accepted_next,
    begin_look_up,
    books,
    claimable,
    due_uncertain,
    move_unresolved,
    next_due,
    owners,
    sleeping_owners,
    take_over,
)
from syndicate.storage.standby import Turn
from syndicate.storage.standing_changes import StandingChanges
from syndicate.storage.workers import Worker, lives_of

PEOPLE_AT_ONCE = 8_000
"""Of so many at most requests are built and claimed in one go, however many may be under way: memory stays small."""

LOOK_AGAIN_SECONDS = 1.0


def deliver(
    delivery: Delivery,
    issue_id: int,
    worker: Worker,
    *,
    stop: threading.Event,
    threads: int = 4,
    clock: Callable[[], datetime],
    progress: Progress | None = None,
) -> None:
    """Claims and posts until nothing of the issue is left that this process can do now or soon.

    One delivery of an issue at a time for each worker. Ends early when `stop` is set (requests under way are finished
    first), and when the issue is not being sent: then what is uncertain is looked up, and nothing is posted. Raises
    what the database raises: what is answered to the requests under way is recorded first, should it soon be back, and
    the rest is recovered by the next delivery.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix=f"issue-{issue_id}") as pool:
        run = _Run(delivery, issue_id, worker, stop, pool, threads, clock, progress)
        try:
            run.until_done()
            run.turn.leave()
        except (StorageError, DBAPIError):
            run.posting.halted.set()
            run.answers.record_when_it_is_back(run.claims_unheard_of)
            raise
        except BaseException:
            run.posting.halted.set()
            raise


class _Run:
    def __init__(
        self,
        delivery: Delivery,
        issue_id: int,
        worker: Worker,
        stop: threading.Event,
        pool: Executor,
        threads: int,
        clock: Callable[[], datetime],
        progress: Progress | None,
    ) -> None:
        self.delivery, self.issue_id, self.worker, self.stop = delivery, issue_id, worker, stop
        self.database, self.sheet = delivery.database, delivery.mail_api.sheet
        self.clock = clock
        self.posting = Posting(delivery, pool, stop, clock)
        # Small requests are claimed further ahead: one durable write for many of them. Where nothing proves a request
        # whose answer was lost, a kill leaves all that were claimed uncertain: none is claimed before it can be posted.
        ahead = 4 * max(1, min(2, 40 // self.sheet.recipients_per_request))
        self.at_once = max(1, PEOPLE_AT_ONCE // self.sheet.recipients_per_request)
        self.room = threads
        if self.sheet.idempotency_seconds or self.sheet.lookup:
            # Large ones wait in memory: no more than two goes of them.
            self.room = min(threads * ahead, threads + 2 * self.at_once)
        self.look_up_lease = timedelta(seconds=delivery.lease_seconds)
        self.start = 0
        """The ordinal from which to look for batches."""
        self.turn = Turn(delivery.database, delivery.standby)
        self.turn_is_over = False
        self.restraint = Restraint(delivery)
        self.held = Held()
        self.heed_at = 0.0
        """On the process's own clock: when to look again whether the issue may still be posted."""
        self.sender_is_checked = False
        self.claims_unheard_of = ""
        """This worker, while it does not know whether its claims are committed: a server may not live to say so."""
        self.withdrawn: frozenset[int] = frozenset()
        """Revisions that carry what was retracted since: they are never posted again."""
        with self.database.read() as connection:
            self.issue = get_issue(connection, issue_id)
            balance = books(connection, issue_id)
        self.requests = Requests(delivery, self.issue)
        self.requests.at_domains = self.restraint.at_domains
        self.changes = StandingChanges(self.issue.standing_mark)
        self.planned = balance.planned
        self.answers = Answers(delivery, issue_id, self.posting, self.turn, self.room, balance, progress)

    # --- the loop ---

    def until_done(self) -> None:
        """Works until nothing is left to do now or soon, looking for what others left behind before it ends."""
        self.recover()
        while True:
            self.answers.record(wait=0.0)
            if not self.stop.is_set() and self.go_on():
                continue
            if self.posting.under_way:
                self.heed_halt()
                self.answers.record(wait=HEED_SECONDS)
            elif self.stop.is_set() or self.turn_is_over or not (self.recover() or self.wait_for_next()):
                return

    def heed_halt(self) -> None:
        """What is claimed and not yet posted is handed back soon after a pause or a stop, however long the requests
        before it take."""
        if self.posting.halted.is_set() or time.monotonic() < self.heed_at:
            return
        self.heed_at = time.monotonic() + HEED_SECONDS
        with self.database.read() as connection:
            if not may_post(connection, self.issue_id):
                self.posting.halted.set()

    def recover(self) -> int:
        """Takes over what processes left that are gone or asleep. Nothing of this one's own is under way now."""
        with self.database.read() as connection:
            holding = owners(connection, self.issue_id)
        if not holding:
            return 0
        lives = lives_of(self.database, self.delivery.directory, holding)
        if self.worker.id in lives:
            lives[self.worker.id] = "gone"
        with self.database.write() as connection:
            return take_over(connection, database_now(connection), lives, issue_id=self.issue_id)

    def wait_for_next(self) -> bool:
        """Waits until a batch can go on by itself; False when none will soon."""
        with self.database.read() as connection:
            now = database_now(connection)
            posting = may_post(connection, self.issue_id) and not self.posting.halted.is_set()
            looks = any(each.sheet.lookup for each in (self.delivery.mail_api, *self.delivery.others))
            if not posting and not looks:
                return False
            due = next_due(connection, self.issue_id, posting=posting)
            if posting and claimable(connection, self.issue_id, now, start=0, limit=1, spans=self.held.spans):
                due = now
            if posting and self.held.until is not None:
                due = max(due or self.held.until, self.held.until)
        if due is None:
            return False
        if posting and self.answers.pace.hold_until is not None:
            due = max(due, self.answers.pace.hold_until)
        seconds = (due - now).total_seconds()
        if seconds > self.delivery.patience_seconds:
            return False
        # In short parts: somebody may let it go on earlier.
        self.stop.wait(min(max(seconds, 0.01), LOOK_AGAIN_SECONDS))
        return True

    # --- claiming ---

    def go_on(self) -> int:
        """Hands out what can be done now; returns how much that was."""
        under_way = self.posting.under_way
        room = min(self.at_once, self.answers.pace.room(self.room, len(under_way)))
        if room <= 0:
            return 0
        self.worker.require_lock()
        with self.database.read() as connection:
            now = database_now(connection)
            self.issue = get_issue(connection, self.issue_id)
            if not may_post(connection, self.issue_id):
                self.posting.halted.set()
            posting = not self.posting.halted.is_set()
            if posting and self.turn.is_over(connection, now):
                # Whoever delivers next posts through the other mail API.
                self.posting.halted.set()
                posting, self.turn_is_over = False, True
            self.held = self.restraint.look(connection, self.issue, now) if posting else Held()
            holding = self.answers.pace.holds(now) or self.held.until is not None
            uncertain = [
                batch
                for batch in due_uncertain(connection, self.issue_id, now, room + len(under_way))
                if batch.id not in under_way
            ][:room]
            fresh: list[Batch] = []
            if posting and not holding and len(uncertain) < room:
                fresh = claimable(
                    connection,
                    self.issue_id,
                    now,
                    start=self.start,
                    limit=room - len(uncertain),
                    spans=self.held.spans,
                )
            # By the issue's own newsletter: it may have been renamed since this delivery began.
            self.changes.read_on(connection)
            people = planned_recipients(
                connection, self.issue.newsletter, [*uncertain, *fresh], self.changes.known
            )
            self.withdrawn = withdrawn_revisions(connection, self.issue, {batch.revision for batch in uncertain})
            sleeping = sleeping_owners(connection, uncertain)
        self.tell_why_it_waits()
        if self.held.pause:
            self.answers.pause(self.held.pause)
            return 1
        if fresh and not self.sender_can_write(people[fresh[0].id]):
            return 1
        self.requests.most = self.restraint.largest_request(now)
        requests = [self.requests.prepare(batch, people[batch.id], self.issue.revision) for batch in fresh]
        done = 0
        for batch in uncertain:
            unresolved = self.unresolved(batch, in_flight=bool(sleeping[batch.id]))
            may_repeat = posting and batch.revision not in self.withdrawn
            request = self.requests.repeat(batch, people[batch.id], unresolved, now) if may_repeat else None
            if request is not None and holding:
                continue
            if request is not None:
                requests.append(request)
            else:
                self.settle_without(batch, people[batch.id], unresolved, now, posting=posting)
                done += 1
        return done + self.claim(requests, people)

    def tell_why_it_waits(self) -> None:
        """Writes it into the issue once, for whoever looks."""
        if self.held.why != self.issue.why and self.issue.state == "sending" and not self.held.pause:
            with self.database.write() as connection:
                say_why_it_waits(connection, self.issue_id, self.held.why)

    def claim(self, requests: Sequence[tuple[Prepared, bytes]], people: Mapping[int, Planned]) -> int:
        """Claims those of the requests that still hold, in one transaction, and hands them to the pool."""
        if not requests:
            return 0
        bodies = {prepared.batch.id: body for prepared, body in requests}
        started = self.clock()
        self.claims_unheard_of = "" if self.database.is_sqlite else self.worker.id
        with self.database.write() as connection:
            revision = hold_to_post(connection, self.issue_id)
            if revision is None:
                self.posting.halted.set()
                return 0
            if revision != self.issue.revision:
                # It was revised since these were built: they are built anew.
                return 0
            now = database_now(connection)
            # What goes aside, such as one that is too large, is sent to nobody.
            posts = [each for each in requests if each[0].step is None]
            room, wait = self.restraint.begin(connection, [people[each.batch.id] for each, _ in posts], now)
            posts = posts[:room]
            requests = [*(each for each in requests if each[0].step is not None), *posts]
            later = self.restraint.domain_steps(
                connection, [(each.batch, people[each.batch.id]) for each, _ in posts], now
            )
            changed = self.changes.read_on(connection)
            claims = claim(
                connection,
                self.issue.newsletter,
                [replace(each, step=each.step or later.get(each.batch.id)) for each, _ in requests],
                worker_id=self.worker.id,
                now=now,
                lease_seconds=self.delivery.lease_seconds,
                unchanged={
                    each.batch.id
                    for each, _ in requests
                    if changed is not None and people[each.batch.id].has_none_of(changed)
                },
            )
            self.restraint.settle(connection, [len(each.ordinals) for each in claims], now)
        self.claims_unheard_of = ""
        for each in claims:
            self.posting.start_post(each, bodies[each.batch.id], started)
        if wait is not None:
            self.answers.pace = self.answers.pace.held(wait.until)
        aside = [prepared.step for prepared, _ in requests if prepared.step is not None]
        for step in aside:
            if step.state != "withdrawn" and step.counts:
                self.answers.count_refusal(step.why)
        if not claims and not aside and not later and room and self.planned:
            # Another process was faster: look for batches somewhere else.
            self.start = self.delivery.rng.randrange(self.planned) + 1
        return len(claims) + len(aside) + len(later)

    def sender_can_write(self, people: Planned) -> bool:
        """Whether the mail API can express a mail of this sender at all, asked once. If not, the issue pauses."""
        if self.sender_is_checked or not people:
            return True
        self.sender_is_checked = True
        fault = self.requests.sender_fault(self.issue.revision, people.everybody.variant_keys[0])
        if fault:
            self.answers.pause(fault)
        return not fault

    # --- what is uncertain ---

    def unresolved(self, batch: Batch, *, in_flight: bool) -> Unresolved:
        """The batch as the rules see it."""
        since = batch.settled_at or self.issue.drafted_at
        # Of two mail APIs each is asked about its own; only the one in use is posted to.
        same_api = self.delivery.api_of(batch.api, batch.account) is not None
        return Unresolved(since, batch.first_posted_at or since, same_api, in_flight, batch.attempts)

    def settle_without(
        self, batch: Batch, people: Planned, unresolved: Unresolved, now: datetime, *, posting: bool
    ) -> None:
        """Settles an uncertain batch without posting: asks the record, frees it, parks it, or waits."""
        api = self.delivery.api_of(batch.api, batch.account) or self.delivery.mail_api
        known = may_replay(
            unresolved,
            idempotency_seconds=api.sheet.idempotency_seconds,
            now=now,
            lease_seconds=self.delivery.lease_seconds,
        )
        later = not posting or api is not self.delivery.mail_api
        way = way_on(
            unresolved,
            replayable=later and known and batch.revision not in self.withdrawn,
            lookup=api.sheet.lookup,
            when_uncertain=self.delivery.newsletter.when_uncertain,
            posting=posting,
        )
        if way == "look":
            # Asked by all at the same moment, a record that may be asked seldom would answer nobody.
            with self.database.write() as connection:
                every = timedelta(seconds=api.sheet.lookup_every_seconds)
                mine = begin_look_up(connection, batch, database_now(connection), self.look_up_lease, every)
                # One that may be asked seldom has no question left for it, and a lag of an hour.
                follower = accepted_next(connection, batch) if mine and not every else None
                theirs = planned_recipients(connection, self.issue.newsletter, [follower] if follower else [])
            if mine:
                is_as_posted = self.requests.is_as_posted(api, batch, people)
                asked = Asked(batch.request_key, self.requests.mails(people), is_as_posted)
                seen = Asked(follower.request_key, self.requests.mails(theirs[follower.id])) if follower else None
                self.posting.start_look_up(api, batch, unresolved, asked, seen)
            return
        step = {
            "free": Step("retry", f"sent again after: {batch.why}", retry_at=now),
            "park": Step("uncertain", batch.why),
            "wait": Step("uncertain", batch.why, retry_at=now + timedelta(seconds=self.answers.wait_seconds(batch))),
        }[way]
        with self.database.write() as connection:
            move_unresolved(connection, batch, step, database_now(connection))
