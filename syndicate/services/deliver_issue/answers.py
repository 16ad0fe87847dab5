"""What comes of the requests of an issue: recorded in the ledger, and what it says of those to come."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from syndicate.core.batch import MOST_ATTEMPTS, Step, after_answer, after_lookup
from syndicate.core.books import Books
from syndicate.core.pace import DOUBTS_TO_PAUSE, REFUSALS_TO_PAUSE, Pace
from syndicate.core.retry import wait_seconds
from syndicate.errors import StorageError
from syndicate.services.deliver_issue.delivery import Delivery
from syndicate.services.deliver_issue.posting import LookedUp, Posted, Posting
from syndicate.storage.database import database_now
from syndicate.storage.issues import get_issue, move_issue
from syndicate.storage.ledger import Batch, hand_back, last_accepted, move_unresolved, put_back, settle
from syndicate.storage.proofs import prove
from syndicate.storage.standby import Turn

HEED_SECONDS = 0.4
"""How often a delivery whose hands are full looks whether it may go on: a stop holds within a second."""

BACK_SECONDS = 20.0
"""How long answers that have come wait for a database that went away."""

Progress = Callable[[int, int], None]
"""Called with how many people are settled, and of how many."""


class Answers:
    """The answers to one delivery. `room` is how many of its requests may be under way at once."""

    def __init__(
        self,
        delivery: Delivery,
        issue_id: int,
        posting: Posting,
        turn: Turn,
        room: int,
        balance: Books,
        progress: Progress | None,
    ) -> None:
        self.pace = Pace()
        self._delivery, self._issue_id, self._posting, self._turn = delivery, issue_id, posting, turn
        self._database, self._sheet, self._room = delivery.database, delivery.mail_api.sheet, room
        self._planned = balance.planned
        self._settled = balance.planned - balance.waiting - balance.uncertain
        self._progress = progress
        self._come: list[Posted | LookedUp] = []
        """Answers that are not recorded yet."""
        self._took_at: datetime | None = None
        """When something was last seen to be accepted: before that, a refusal is not in the row of now."""

    def record(self, wait: float) -> None:
        """Records all answers that have come, in one transaction; waits up to so many seconds for the first."""
        self._come += self._posting.come(wait)
        posts = [each for each in self._come if isinstance(each, Posted)]
        # Several processes ask the record for the same batches: all lock them in the same order.
        looks = sorted((each for each in self._come if isinstance(each, LookedUp)), key=lambda each: each.batch.id)
        if posts:
            with self._database.write() as connection:
                now = database_now(connection)
                if self._took_at is None and any(each.claim.batch.attempts >= MOST_ATTEMPTS for each in posts):
                    self._took_at = last_accepted(connection, self._issue_id)
                posted = [(each, self._after(each, now)) for each in posts]
                refused = any(step.state == "refused" for _, step in posted)
                if refused and self._took_at is None:
                    self._took_at = last_accepted(connection, self._issue_id)
                settle(connection, self._issue_id, [(each.claim, step) for each, step in posted], now)
                if refused and get_issue(connection, self._issue_id).state == "paused":
                    # They were under way when the run of refusals paused it, here or in another process.
                    hand_back(connection, self._issue_id, self._took_at, now)
            self._posting.settled(posts)
            self._come = list(looks)
            for each, step in posted:
                self._learn(each, step, now)
        if looks:
            with self._database.write() as connection:
                now = database_now(connection)
                for look in looks:
                    move_unresolved(connection, look.batch, self._after_look(look, now), now)
                    if look.is_part:
                        self._prove(connection, look)
            self._posting.settled(looks)
            self._come = []
        if self._progress is not None and (posts or looks):
            self._progress(self._settled, self._planned)

    def record_when_it_is_back(self, claimed_by: str = "") -> None:
        """The database went away with requests under way: what is answered to them is recorded if it comes back while
        their claims hold, so that nobody stays uncertain only for that. A claim that is another's by then is not
        settled, but for a proof of acceptance. `claimed_by` is the worker that does not know whether its last claim was
        committed, or "": nothing of it was posted."""
        end = time.monotonic() + min(BACK_SECONDS, self._delivery.lease_seconds)
        while (self._posting.under_way or claimed_by) and time.monotonic() < end:
            try:
                if claimed_by:
                    with self._database.write() as connection:
                        now = database_now(connection)
                        put_back(connection, self._issue_id, claimed_by, self._posting.under_way, now)
                    claimed_by = ""
                if self._posting.under_way:
                    self.record(wait=HEED_SECONDS)
            except (StorageError, DBAPIError):
                time.sleep(HEED_SECONDS)

    def pause(self, why: str, *, run: bool = False) -> None:
        """The issue pauses: going on would not help. After a `run` of refusals those in it are refused no more."""
        self._posting.halted.set()
        with self._database.write() as connection:
            issue = get_issue(connection, self._issue_id, lock=True)
            again = hand_back(connection, self._issue_id, self._took_at, database_now(connection)) if run else 0
            if again:
                why += f" ({again} of them go again when the issue does: mend what is wrong before)"
            if issue.state == "sending":
                move_issue(connection, issue, "paused", why=why)

    def count_refusal(self, why: str) -> None:
        """One more request in a row that can never succeed."""
        self.pace = self.pace.refused()
        # Where one bad address refuses a large request, as many may be at once as are under way.
        most = max(REFUSALS_TO_PAUSE, 2 * self._room)
        if self.pace.refusals == most:
            self.pause(f"{most} requests in a row were refused for good, the last: {why}", run=True)

    def wait_seconds(self, batch: Batch) -> float:
        """The back-off of a batch after its attempts so far."""
        return wait_seconds(batch.attempts, self._delivery.rng.random())

    def _after(self, posted: Posted, now: datetime) -> Step:
        """What the answer makes of the batch."""
        batch = posted.claim.batch
        return after_answer(
            posted.answer,
            size=len(posted.claim.ordinals),
            replay=posted.claim.replay,
            attempts=batch.attempts,
            now=now,
            wait_seconds=self.wait_seconds(batch),
            took_at=self._took_at,
        )

    def _after_look(self, looked: LookedUp, now: datetime) -> Step:
        """What the record makes of the batch."""
        return after_lookup(
            looked.found,
            looked.size,
            looked.unresolved,
            lag_seconds=looked.sheet.lookup_lag_seconds,
            kept_seconds=looked.sheet.lookup_kept_seconds,
            now=now,
            wait_seconds=self.wait_seconds(looked.batch),
            when_uncertain=self._delivery.newsletter.when_uncertain,
        )

    def _prove(self, connection: Connection, looked: LookedUp) -> None:
        """Whom the record shows has theirs, whatever becomes of the others of the request."""
        prove(
            connection,
            self._issue_id,
            looked.shown,
            api=looked.sheet.api,
            all_or_nothing=looked.sheet.all_or_nothing,
            why="the mail API's record shows it",
        )

    def _learn(self, posted: Posted, step: Step, now: datetime) -> None:
        """What one answer says of the requests to come."""
        if step.state in ("accepted", "refused"):
            self._settled += posted.claim.batch.size
        elif step.state == "split" and step.not_taken:
            self._settled += posted.claim.batch.size - len(step.not_taken)
        if step.pause:
            self._posting.halted.set()
        answer = posted.answer
        if posted.skipped:
            return
        if answer.verdict == "accepted":
            self._took_at = now
            self.pace = self.pace.accepted()
            if step.state == "split" and step.retry_at is not None:
                self.pace = self.pace.held(step.retry_at)
            self._turn.took()
        elif step.state in ("refused", "split"):
            self.pace = self.pace.answered()
            self.count_refusal(step.why)
        elif answer.verdict == "uncertain" and answer.vendor_ids:
            self.pace = self.pace.answered()
        else:
            self.pace = self.pace.failed(now, answer.retry_after_seconds or 0.0, self._delivery.rng.random())
            self._turn.failed(now)
            if answer.verdict == "uncertain":
                self._count_doubt(answer.why)

    def _count_doubt(self, why: str) -> None:
        """One more request in a row that was perhaps taken. Where another mail API stands by, it is asked next."""
        self.pace = self.pace.doubted()
        proves = self._sheet.idempotency_seconds or self._sheet.lookup
        if self.pace.doubts == DOUBTS_TO_PAUSE and not proves and self._delivery.standby is None:
            self.pause(f"nothing tells what became of {DOUBTS_TO_PAUSE} requests in a row, the last: {why}")
