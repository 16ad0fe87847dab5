"""One delivery of one issue by one process: the thread that owns the ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from syndicate.core.batch import MOST_ATTEMPTS, Step, Unresolved, after_answer, after_lookup, may_replay, way_on
from syndicate.core.pace import DOUBTS_TO_PAUSE, REFUSALS_TO_PAUSE, Pace
from syndicate.core.retry import wait_seconds
from syndicate.errors import StorageError
from syndicate.services.deliver_issue.delivery import Delivery
from syndicate.services.deliver_issue.posting import LookedUp, Posted, Posting
from syndicate.services.deliver_issue.requests import Requests
from syndicate.services.deliver_issue.restraint import Held, Restraint
from syndicate.services.deliver_issue.standing_in import Turn
from syndicate.storage.claims import Planned, Prepared, claim, may_post, planned_recipients, withdrawn_revisions
from syndicate.storage.database import database_now
from syndicate.storage.issue_standing import say_why_it_waits
from syndicate.storage.issues import get_issue, move_issue
from syndicate.storage.ledger import (
    Batch,
    books,
    claimable,
    due_uncertain,
    hand_back,
    last_accepted,
    move_unresolved,
    next_due,
    owners,
    settle,
    sleeping_owners,
    take_over,
)
from syndicate.storage.proofs import prove
from syndicate.storage.standing_changes import StandingChanges
from syndicate.storage.workers import Worker, lives_of

PEOPLE_AT_ONCE = 8_000
"""Of so many at most requests are built and claimed in one go, however many may be under way: memory stays small."""

HEED_SECONDS = 0.4
"""How often a delivery whose hands are full looks whether it may go on: a stop holds within a second."""

BACK_SECONDS = 20.0
"""How long answers that have come wait for a database that went away."""

LOOK_AGAIN_SECONDS = 1.0

Progress = Callable[[int, int], None]
"""Called with how many people are settled, and of how many."""


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
            run.settle_when_it_is_back()
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
        self.clock, self.progress = clock, progress
        self.posting = Posting(delivery, pool, stop, clock)
        # Small requests are claimed further ahead: one durable write for many of them. Where nothing proves a request
        # whose answer was lost, a kill leaves all that were claimed uncertain: none is claimed before it can be posted.
        ahead = 4 * max(1, min(2, 40 // self.sheet.recipients_per_request))
        self.at_once = max(1, PEOPLE_AT_ONCE // self.sheet.recipients_per_request)
        self.room = threads
        if self.sheet.idempotency_seconds or self.sheet.lookup:
            # Large ones wait in memory: no more than two goes of them.
            self.room = min(threads * ahead, threads + 2 * self.at_once)
        self.start = 0
        """The ordinal from which to look for batches."""
        self.pace = Pace()
        self.turn = Turn(delivery.database, delivery.standby)
        self.turn_is_over = False
        self.restraint = Restraint(delivery)
        self.held = Held()
        self.come: list[Posted | LookedUp] = []
        """Answers that are not recorded yet."""
        self.heed_at = 0.0
        """On the process's own clock: when to look again whether the issue may still be posted."""
        self.took_at: datetime | None = None
        """When something was last seen to be accepted: before that, a refusal is not in the row of now."""
        self.sender_is_checked = False
        self.withdrawn: frozenset[int] = frozenset()
        """Revisions that carry what was retracted since: they are never posted again."""
        with self.database.read() as connection:
            self.issue = get_issue(connection, issue_id)
            balance = books(connection, issue_id)
        self.requests = Requests(delivery, self.issue)
        self.changes = StandingChanges(self.issue.standing_mark)
        self.planned = balance.planned
        self.settled = balance.planned - balance.waiting - balance.uncertain

    # --- the loop ---

    def until_done(self) -> None:
        """Works until nothing is left to do now or soon, looking for what others left behind before it ends."""
        self.recover()
        while True:
            self.settle_answers(wait=0.0)
            if not self.stop.is_set() and self.go_on():
                continue
            if self.posting.under_way:
                self.heed_halt()
                self.settle_answers(wait=HEED_SECONDS)
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
        if posting and self.pace.hold_until is not None:
            due = max(due, self.pace.hold_until)
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
        room = min(self.at_once, self.pace.room(self.room, len(under_way)))
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
            holding = self.pace.holds(now) or self.held.until is not None
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
            self.pause(self.held.pause)
            return 1
        if fresh and not self.sender_can_write(people[fresh[0].id]):
            return 1
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
        why = self.held.why if self.held.until is not None else ""
        if why != self.issue.why and self.issue.state == "sending" and not self.held.pause:
            with self.database.write() as connection:
                say_why_it_waits(connection, self.issue_id, why)

    def claim(self, requests: Sequence[tuple[Prepared, bytes]], people: Mapping[int, Planned]) -> int:
        """Claims those of the requests that still hold, in one transaction, and hands them to the pool."""
        if not requests:
            return 0
        bodies = {prepared.batch.id: body for prepared, body in requests}
        started = self.clock()
        with self.database.write() as connection:
            if not may_post(connection, self.issue_id, hold=True):
                self.posting.halted.set()
                return 0
            if get_issue(connection, self.issue_id).revision != self.issue.revision:
                # It was revised since these were built: they are built anew.
                return 0
            now = database_now(connection)
            room, wait = self.restraint.begin(connection, [people[each.batch.id] for each, _ in requests], now)
            requests = requests[:room]
            later = self.restraint.domain_steps(
                connection, [(each.batch, people[each.batch.id]) for each, _ in requests], now
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
        for each in claims:
            self.posting.start_post(each, bodies[each.batch.id], started)
        if wait is not None:
            self.pace = self.pace.held(wait.until)
        aside = [prepared.step for prepared, _ in requests if prepared.step is not None]
        for step in aside:
            if step.state != "withdrawn" and step.counts:
                self.count_refusal(step.why)
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
            self.pause(fault)
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
            self.posting.start_look_up(api, batch, unresolved, self.requests.mails(people))
            return
        step = {
            "free": Step("retry", f"sent again after: {batch.why}", retry_at=now),
            "park": Step("uncertain", batch.why),
            "wait": Step("uncertain", batch.why, retry_at=now + timedelta(seconds=self.wait_seconds(batch))),
        }[way]
        with self.database.write() as connection:
            move_unresolved(connection, batch, step, database_now(connection))

    # --- settling ---

    def settle_answers(self, wait: float) -> None:
        """Records all answers that have come, in one transaction; waits up to so many seconds for the first."""
        self.come += self.posting.come(wait)
        posts = [each for each in self.come if isinstance(each, Posted)]
        # Several processes ask the record for the same batches: all lock them in the same order.
        looks = sorted((each for each in self.come if isinstance(each, LookedUp)), key=lambda each: each.batch.id)
        if posts:
            with self.database.write() as connection:
                now = database_now(connection)
                if self.took_at is None and any(each.claim.batch.attempts >= MOST_ATTEMPTS for each in posts):
                    self.took_at = last_accepted(connection, self.issue_id)
                posted = [(each, self.after(each, now)) for each in posts]
                refused = any(step.state == "refused" for _, step in posted)
                if refused and self.took_at is None:
                    self.took_at = last_accepted(connection, self.issue_id)
                settle(connection, self.issue_id, [(each.claim, step) for each, step in posted], now)
                if refused and get_issue(connection, self.issue_id).state == "paused":
                    # They were under way when the run of refusals paused it, here or in another process.
                    hand_back(connection, self.issue_id, self.took_at, now)
            self.posting.settled(posts)
            self.come = list(looks)
            for each, step in posted:
                self.learn(each, step, now)
        if looks:
            with self.database.write() as connection:
                now = database_now(connection)
                for look in looks:
                    move_unresolved(connection, look.batch, self.after_look(look, now), now)
                    if look.is_part:
                        self.prove(connection, look)
            self.posting.settled(looks)
            self.come = []
        if self.progress is not None and (posts or looks):
            self.progress(self.settled, self.planned)

    def settle_when_it_is_back(self) -> None:
        """The database went away with requests under way: what is answered to them is recorded if it comes back while
        their claims hold, so that nobody stays uncertain only for that. A claim that is another's by then is not
        settled, but for a proof of acceptance."""
        end = time.monotonic() + min(BACK_SECONDS, self.delivery.lease_seconds)
        while self.posting.under_way and time.monotonic() < end:
            try:
                self.settle_answers(wait=HEED_SECONDS)
            except (StorageError, DBAPIError):
                time.sleep(HEED_SECONDS)

    def after(self, posted: Posted, now: datetime) -> Step:
        """What the answer makes of the batch."""
        batch = posted.claim.batch
        return after_answer(
            posted.answer,
            size=len(posted.claim.ordinals),
            replay=posted.claim.replay,
            attempts=batch.attempts,
            now=now,
            wait_seconds=self.wait_seconds(batch),
            took_at=self.took_at,
        )

    def after_look(self, looked: LookedUp, now: datetime) -> Step:
        """What the record makes of the batch."""
        return after_lookup(
            looked.found,
            looked.size,
            looked.unresolved,
            lag_seconds=looked.sheet.lookup_lag_seconds,
            kept_seconds=looked.sheet.lookup_kept_seconds,
            now=now,
            wait_seconds=self.wait_seconds(looked.batch),
            when_uncertain=self.delivery.newsletter.when_uncertain,
        )

    def prove(self, connection: Connection, looked: LookedUp) -> None:
        """Whom the record shows has theirs, whatever becomes of the others of the request."""
        prove(
            connection,
            self.issue_id,
            looked.shown,
            api=looked.sheet.api,
            all_or_nothing=looked.sheet.all_or_nothing,
            why="the mail API's record shows it",
        )

    def wait_seconds(self, batch: Batch) -> float:
        """The back-off of a batch after its attempts so far."""
        return wait_seconds(batch.attempts, self.delivery.rng.random())

    def learn(self, posted: Posted, step: Step, now: datetime) -> None:
        """What one answer says of the requests to come."""
        if step.state in ("accepted", "refused"):
            self.settled += posted.claim.batch.size
        elif step.state == "split" and step.not_taken:
            self.settled += posted.claim.batch.size - len(step.not_taken)
        if step.pause:
            self.posting.halted.set()
        answer = posted.answer
        if posted.skipped:
            return
        if answer.verdict == "accepted":
            self.took_at = now
            self.pace = self.pace.accepted()
            if step.state == "split" and step.retry_at is not None:
                self.pace = self.pace.held(step.retry_at)
            self.turn.took()
        elif step.state in ("refused", "split"):
            self.pace = self.pace.answered()
            self.count_refusal(step.why)
        elif answer.verdict == "uncertain" and answer.vendor_ids:
            self.pace = self.pace.answered()
        else:
            self.pace = self.pace.failed(now, answer.retry_after_seconds or 0.0, self.delivery.rng.random())
            self.turn.failed(now)
            if answer.verdict == "uncertain":
                self.count_doubt(answer.why)

    def count_doubt(self, why: str) -> None:
        """One more request in a row that was perhaps taken. Where another mail API stands by, it is asked next."""
        self.pace = self.pace.doubted()
        proves = self.sheet.idempotency_seconds or self.sheet.lookup
        if self.pace.doubts == DOUBTS_TO_PAUSE and not proves and self.delivery.standby is None:
            self.pause(f"nothing tells what became of {DOUBTS_TO_PAUSE} requests in a row, the last: {why}")

    def count_refusal(self, why: str) -> None:
        """One more request in a row that can never succeed."""
        self.pace = self.pace.refused()
        # Where one bad address refuses a large request, as many may be at once as are under way.
        most = max(REFUSALS_TO_PAUSE, 2 * self.room)
        if self.pace.refusals == most:
            self.pause(f"{most} requests in a row were refused for good, the last: {why}", run=True)

    def pause(self, why: str, *, run: bool = False) -> None:
        """The issue pauses: going on would not help. After a `run` of refusals those in it are refused no more."""
        self.posting.halted.set()
        with self.database.write() as connection:
            issue = get_issue(connection, self.issue_id, lock=True)
            again = hand_back(connection, self.issue_id, self.took_at, database_now(connection)) if run else 0
            if again:
                why += f" ({again} of them go again when the issue does: mend what is wrong before)"
            if issue.state == "sending":
                move_issue(connection, issue, "paused", why=why)
