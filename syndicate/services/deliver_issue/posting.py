"""The threads of a delivery: each waits for one answer of the mail API, and touches nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from threading import Event

from syndicate.core.batch import Unresolved
from syndicate.core.message import Answer, CapabilitySheet
from syndicate.mail.base import MailAPI
from syndicate.services.deliver_issue.delivery import Delivery
from syndicate.storage.ledger import Batch, Claim


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a claimed request."""

    claim: Claim
    answer: Answer
    skipped: bool = False
    """It was never posted: too late, or the issue was paused meanwhile."""


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What the mail API's record knows of an uncertain batch of `size` messages: how many are in it, or None; `shown`
    are the ordinals of their readers."""

    batch: Batch
    unresolved: Unresolved
    size: int
    found: int | None
    sheet: CapabilitySheet
    """Of the mail API that was asked."""
    shown: frozenset[int] = frozenset()

    @property
    def is_part(self) -> bool:
        """Whether the record shows some of them only."""
        return 0 < len(self.shown) < self.size


@dataclass(frozen=True, slots=True)
class Asked:
    """What a record is asked about: the request of that key, and the ordinals of its readers by Message-ID. Unless the
    request `is_as_posted` it may have gone out under other names."""

    key: str
    mails: Mapping[str, int]
    is_as_posted: bool = True


class Posting:
    """Requests under way, and the answers that have come. Only the thread that owns it calls `start_post`,
    `start_look_up` and `come`."""

    def __init__(self, delivery: Delivery, pool: Executor, stop: Event, clock: Callable[[], datetime]) -> None:
        self.pool, self.stop, self.clock = pool, stop, clock
        self.api = delivery.mail_api
        self.lease = delivery.lease
        self.halted = Event()
        """Nothing is posted any more: the issue is not being sent now, or the ledger cannot be written."""
        self.under_way: set[int] = set()
        """Ids of the batches whose answers are not recorded yet."""
        self._answers: SimpleQueue[Posted | LookedUp] = SimpleQueue()

    def start_post(self, claim: Claim, body: bytes, started: datetime) -> None:
        """Posts a claimed request, once. `started` is when its claim began, by this machine's clock."""
        self.under_way.add(claim.batch.id)
        self.pool.submit(self._post, claim, body, started)

    def start_look_up(
        self, api: MailAPI, batch: Batch, unresolved: Unresolved, asked: Asked, accepted_next: Asked | None
    ) -> None:
        """Asks the own record of the mail API that an uncertain batch went through for its mails. That it shows none of
        them says something only if they are as they were posted, and if it shows one of those `accepted_next`, where
        there are any: a record may lag longer than its vendor says."""
        self.under_way.add(batch.id)
        self.pool.submit(self._look_up, api, batch, unresolved, asked, accepted_next)

    def come(self, wait: float) -> list[Posted | LookedUp]:
        """All answers that have come; waits up to so many seconds for the first."""
        found: list[Posted | LookedUp] = []
        try:
            found.append(self._answers.get(timeout=wait) if wait else self._answers.get_nowait())
            while True:
                found.append(self._answers.get_nowait())
        except Empty:
            pass
        return found

    def settled(self, come: Sequence[Posted | LookedUp]) -> None:
        """These answers are recorded."""
        self.under_way.difference_update(
            each.claim.batch.id if isinstance(each, Posted) else each.batch.id for each in come
        )

    def _post(self, claim: Claim, body: bytes, started: datetime) -> None:
        skipped = ""
        if self.halted.is_set() or self.stop.is_set():
            skipped = "claimed, but not posted: sending stopped"
        elif not self.lease.may_begin(self.clock() - started):
            skipped = "claimed, but not posted in time"
        if skipped:
            answer = Answer("not_accepted", skipped, retry_after_seconds=0.0)
            self._answers.put(Posted(claim, answer, skipped=True))
            return
        try:
            answer = self.api.post(body, key=claim.batch.request_key, count=len(claim.ordinals))
        except Exception as error:
            # An adapter does not raise; if one does, nobody knows what became of the request.
            answer = Answer("uncertain", f"{type(error).__name__} in the adapter")
        self._answers.put(Posted(claim, answer))

    def _look_up(
        self, api: MailAPI, batch: Batch, unresolved: Unresolved, asked: Asked, accepted_next: Asked | None
    ) -> None:
        try:
            found = api.lookup(_UntilLeaving(asked.mails, self.stop), key=asked.key)
            if found is not None and not found and not asked.is_as_posted:
                found = None
            elif found is not None and not found and accepted_next is not None:
                seen = api.lookup(_UntilLeaving(accepted_next.mails, self.stop), key=accepted_next.key)
                found = found if seen else None
        except Exception:
            found = None
        shown = frozenset(asked.mails[each] for each in found or () if each in asked.mails)
        count = None if found is None else len(shown)
        self._answers.put(LookedUp(batch, unresolved, len(asked.mails), count, api.sheet, shown))


class _UntilLeaving(list[str]):
    """Message-IDs, of which the next is not given any more once this process leaves: a record that is asked about each
    mail may take long, and who asks later begins anew."""

    def __init__(self, message_ids: Iterable[str], stop: Event) -> None:
        super().__init__(message_ids)
        self._stop = stop

    def __iter__(self) -> Iterator[str]:
        for message_id in super().__iter__():
            if self._stop.is_set():
                raise InterruptedError("this process leaves")
            yield message_id
