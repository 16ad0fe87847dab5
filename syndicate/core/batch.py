"""Batches: the recipients of exactly one mail-API request, and what an answer, a death or a look-up makes of them.

    planned ─▶ sending ─▶ accepted | refused | retry ─▶ sending … | uncertain ─▶ sending (replay) … | split
    planned | retry ─▶ withdrawn when the issue is cancelled

A *generation* is one set of bytes under one request key. An answer settles a generation only if no earlier request of
it is unresolved: "not accepted" said of a replay proves nothing about the request that it repeats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from syndicate.core.message import Answer
from syndicate.errors import Refused

BatchState = Literal["planned", "sending", "accepted", "refused", "retry", "uncertain", "split", "withdrawn"]

NEXT: Mapping[BatchState, frozenset[BatchState]] = {
    # refused and split: its bytes could not even be built. accepted: all in it have left, or a late answer proves it.
    # retry: a receiving domain is sent so many at a time, and this one has its turn then.
    "planned": frozenset({"sending", "accepted", "refused", "retry", "split", "withdrawn"}),
    # planned: the mail API turns everything away, which says nothing about this batch.
    "sending": frozenset({"accepted", "refused", "retry", "uncertain", "split", "planned"}),
    # retry: its turn at a receiving domain went by while nothing was sent.
    "retry": frozenset({"sending", "accepted", "refused", "retry", "split", "withdrawn"}),
    "uncertain": frozenset({"sending", "accepted", "retry"}),
    # Acceptance is monotone: proof that comes late is still proof. planned: so many were refused in a row that the
    # fault is rather the sender's.
    "refused": frozenset({"accepted", "planned"}),
    "withdrawn": frozenset({"accepted"}),
    "split": frozenset(),
    "accepted": frozenset(),
}

CLAIMABLE: frozenset[BatchState] = frozenset({"planned", "retry"})
WAITING: frozenset[BatchState] = frozenset({"planned", "retry", "sending"})

MOST_ATTEMPTS = 10
"""So many requests in a row that were surely not accepted, without the API saying when to come back: the issue
pauses, unless something else of it was taken within `TAKES_STILL`."""

TAKES_STILL = timedelta(hours=1)
"""Until then a batch that does not go is its own matter (a server that is shy of strangers, a mailbox): it is tried on
with the longest pauses, and keeps no other waiting. Shy servers relent within the hour (RFC 6647, section 4)."""

MOST_RUNS = 3
"""So often a reader is refused in a row with so many others that the issue pauses, before that is believed of them."""

ASKED_FOR = timedelta(days=1)
"""So long beyond its lag a record that does not answer is asked again; then what is uncertain waits for a person."""

REPLAY_PART = 0.9
"""The part of a request key's lifetime in which it is trusted: a replay must have arrived before the API forgets it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What becomes of a batch. `retry_at` is when to go on by itself: with `retry` the next generation, with
    `uncertain` the next replay or look-up; an uncertain batch without it is parked until somebody decides. `refused`
    maps an index in the request to the vendor's reason. `not_taken` holds the indexes of those that an API which took
    others did not take: with `split` the batch falls into `pieces`, and those not taken go again, at `retry_at` if that
    is given; with `uncertain` only the others are proven. `pause` is why the whole issue pauses, or "". `counts` is
    false for a request that says nothing about the batch, so that it does not come nearer to the ceiling."""

    state: BatchState
    why: str = ""
    retry_at: datetime | None = None
    refused: Mapping[int, str] = field(default_factory=dict)
    vendor_ids: tuple[str, ...] = ()
    pause: str = ""
    counts: bool = True
    not_taken: frozenset[int] = frozenset()


def check_step(batch_id: int, now_in: BatchState, to: BatchState) -> None:
    """Raises Refused when a batch may not go from one state to the other."""
    if to not in NEXT[now_in]:
        raise Refused(f"Batch {batch_id} is {now_in}; it cannot become {to}.")


def request_key(
    *, issue_id: int, first: int, last: int, generation: int, api: str, account: str, instance: str, sha256: str
) -> str:
    """The idempotency key of one generation: the same request for ever, another for any other, and for other bytes
    (`sha256`), as a restored database may give the number of an issue again; ASCII, under 100 characters, its first
    words readable in a vendor's log."""
    whole = "\x1f".join((str(issue_id), str(first), str(last), str(generation), api, account, instance, sha256))
    return f"issue-{issue_id}-{first}-{last}-{generation}-{hashlib.sha256(whole.encode()).hexdigest()[:32]}"


def after_answer(
    answer: Answer,
    *,
    size: int,
    replay: bool,
    attempts: int,
    now: datetime,
    wait_seconds: float,
    took_at: datetime | None = None,
) -> Step:
    """What an answer makes of the batch that was posted.

    `size` counts the messages in the request, `attempts` the requests so far with this one, `wait_seconds` is the
    back-off for it. `replay` tells that an earlier request of the same generation is unresolved, `took_at` when the API
    was last seen to take anything of the issue."""
    wait = timedelta(seconds=max(wait_seconds, answer.retry_after_seconds or 0.0))
    pause = answer.why if answer.stops else ""
    if answer.verdict == "accepted" and answer.not_taken:
        return _after_a_part(answer, replay=replay, pause=pause, now=now)
    if answer.verdict == "accepted":
        return Step("accepted", answer.why, refused=answer.refused, vendor_ids=answer.vendor_ids, pause=pause)
    if answer.verdict == "uncertain" or replay:
        # A replay that can never succeed is not tried again: whether the first one did is for a person to find out.
        futile = replay and answer.permanent
        return Step("uncertain", answer.why, retry_at=None if futile else now + wait, pause=pause)
    if answer.stops:
        return Step("planned", answer.why, pause=pause, counts=False)
    if answer.permanent:
        return too_bad(answer.why, size)
    if answer.retry_after_seconds is not None:
        return Step("retry", answer.why, retry_at=now + timedelta(seconds=answer.retry_after_seconds), counts=False)
    if attempts >= MOST_ATTEMPTS and (took_at is None or now - took_at > TAKES_STILL):
        pause = f"{attempts} attempts failed, the last: {answer.why}"
        return Step("retry", answer.why, retry_at=now + wait, pause=pause)
    return Step("retry", answer.why, retry_at=now + wait)


def _after_a_part(answer: Answer, *, replay: bool, pause: str, now: datetime) -> Step:
    """What an API that took only some of the messages makes of the batch."""
    if replay:
        # Of those whom it did not take now, the first request may have been taken. It would say the same again.
        unproven = answer.not_taken | answer.refused.keys()
        return Step("uncertain", answer.why, pause=pause, not_taken=unproven)
    after = answer.retry_after_seconds
    return Step(
        "split",
        answer.why,
        retry_at=None if after is None or answer.stops else now + timedelta(seconds=after),
        refused=answer.refused,
        vendor_ids=answer.vendor_ids,
        pause=pause,
        counts=False,
        not_taken=answer.not_taken,
    )


def too_bad(why: str, size: int) -> Step:
    """A request that can never succeed and was surely not accepted: one recipient is refused, more are halved, so that
    the one at fault is found and the others get theirs."""
    return Step("refused" if size <= 1 else "split", why)


def halves(first: int, last: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The ranges of the two children of a split batch."""
    middle = (first + last) // 2
    return (first, middle), (middle + 1, last)


def after_a_run(why: str, times: int) -> Step | None:
    """What becomes of a batch that was refused, for so many times by now, in the run of refusals with which the issue
    paused. None: it stays refused, so that an issue with that many bad addresses in a row comes to its end."""
    return Step("planned", f"goes again: {why}") if times < MOST_RUNS else None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a batch that was taken in part: all in it were taken, or none."""

    first: int
    last: int
    taken: bool


def pieces(first: int, last: int, ordinals: Sequence[int], not_taken: Collection[int]) -> list[Piece]:
    """The ranges of the children of a batch of which the API took a part: as few as there can be. `ordinals` are those
    of the messages in the request, in order, `not_taken` indexes among them. Who was left out of the request falls to
    those before them."""
    found: list[Piece] = []
    for place, ordinal in enumerate(ordinals):
        taken = place not in not_taken
        if not found:
            found = [Piece(first, last, taken)]
        elif found[-1].taken != taken:
            found[-1:] = [replace(found[-1], last=ordinal - 1), Piece(ordinal, last, taken)]
    return found


@dataclass(frozen=True, slots=True)
class Unresolved:
    """An uncertain batch as the rule sees it. `since` is when it became uncertain. `same_api`: it was posted to the API
    and account in use. `in_flight`: some process that may still be posting it is not proven gone."""

    since: datetime
    first_posted_at: datetime
    same_api: bool
    in_flight: bool
    attempts: int


Way = Literal["look", "free", "park", "wait"]


def may_replay(
    batch: Unresolved, *, idempotency_seconds: float | None, now: datetime, lease_seconds: float = 0.0
) -> bool:
    """Whether the API still knows the request key, so that the same bytes again are harmless: also when the request
    that is claimed now begins late and takes long, up to the end of its lease."""
    if idempotency_seconds is None or not batch.same_api:
        return False
    trusted = timedelta(seconds=idempotency_seconds * REPLAY_PART)
    return now + timedelta(seconds=lease_seconds) < batch.first_posted_at + trusted


def way_on(
    batch: Unresolved, *, replayable: bool, lookup: bool, when_uncertain: Literal["ask", "resend"], posting: bool
) -> Way:
    """How an uncertain batch goes on that is not replayed now (DESIGN §3.8). `replayable`: it may be replayed when the
    issue is sent again. `posting`: the issue is being sent now."""
    if lookup and batch.same_api:
        return "look"
    if replayable:
        return "wait"
    if when_uncertain == "resend":
        return "free" if posting and not batch.in_flight else "wait"
    return "park"


def after_lookup(
    found: int | None,
    size: int,
    batch: Unresolved,
    *,
    lag_seconds: float,
    now: datetime,
    wait_seconds: float,
    kept_seconds: float | None = None,
    when_uncertain: Literal["ask", "resend"] = "ask",
) -> Step:
    """What the API's own record makes of an uncertain batch of `size` messages, of which `found` are in the record
    (None: it could not be asked). Nothing found frees it only when its owner is gone, the record's lag has passed, and
    the record still goes back to its first post. Of one that shows some it is the caller's to prove those: what becomes
    of the batch is for the others."""
    later = now + timedelta(seconds=wait_seconds)
    visible = batch.since + timedelta(seconds=lag_seconds)
    if found is None:
        why = "the mail API's record does not answer, or shows nothing of ours"
        if now < visible + ASKED_FOR:
            return Step("uncertain", f"{why} yet", retry_at=later)
        free = when_uncertain == "resend" and not batch.in_flight
        return Step("retry", f"sent again after: {why}", retry_at=now) if free else Step("uncertain", why)
    if found >= size:
        return Step("accepted", "the mail API's record shows it")
    if found and now < visible:
        return Step("uncertain", f"the mail API's record shows {found} of {size} so far", retry_at=visible)
    if found:
        # Those it does not show may have been turned down, or be shown later still.
        why = f"the mail API's record shows {found} of {size}"
        free = when_uncertain == "resend" and not batch.in_flight
        return Step("retry", f"sent again after: {why}", retry_at=now) if free else Step("uncertain", why)
    if now < visible:
        return Step("uncertain", "not in the mail API's record yet", retry_at=visible)
    if kept_seconds is not None and now > batch.first_posted_at + timedelta(seconds=kept_seconds):
        return Step("uncertain", "the mail API's record does not go back that far")
    if batch.in_flight:
        return Step("uncertain", "not in the mail API's record, but its owner may still be posting", retry_at=later)
    return Step("retry", "the mail API's record does not show it", retry_at=now)
