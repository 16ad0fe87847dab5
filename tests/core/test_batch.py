"""What an answer, a look-up or a death makes of a batch: no second mail where the API can know, nobody forgotten."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.batch import (
    MOST_ATTEMPTS,
    NEXT,
    Unresolved,
    after_answer,
    after_lookup,
    check_step,
    halves,
    may_replay,
    pieces,
    request_key,
    way_on,
)
from syndicate.core.message import Answer
from syndicate.errors import Refused
from tests.mailing import NOW

ANSWERS = st.builds(
    Answer,
    verdict=st.sampled_from(["accepted", "not_accepted", "uncertain"]),
    why=st.just("because"),
    refused=st.dictionaries(st.integers(0, 99), st.just("no"), max_size=3),
    permanent=st.booleans(),
    stops=st.booleans(),
    retry_after_seconds=st.none() | st.floats(0, 86_400),
    not_taken=st.frozensets(st.integers(100, 199), max_size=3),
)
UNRESOLVED = st.builds(
    Unresolved,
    since=st.just(NOW),
    first_posted_at=st.just(NOW),
    same_api=st.booleans(),
    in_flight=st.booleans(),
    attempts=st.integers(1, 20),
)


@given(ANSWERS, st.integers(1, 100), st.booleans(), st.integers(1, 20))
def test_an_answer_leads_to_one_lawful_step(answer: Answer, size: int, replay: bool, attempts: int) -> None:
    step = after_answer(answer, size=size, replay=replay, attempts=attempts, now=NOW, wait_seconds=2)
    assert step.state in NEXT["sending"]
    in_part = answer.verdict == "accepted" and bool(answer.not_taken)
    assert (step.state == "accepted") == (answer.verdict == "accepted" and not in_part)
    if in_part:
        # Those not taken go again, but in the request that this one repeats they may have been taken.
        assert step.state == ("uncertain" if replay else "split")
        assert answer.not_taken <= step.not_taken
        assert not step.not_taken & step.refused.keys()
        assert bool(step.pause) == answer.stops
    else:
        assert step.not_taken == frozenset()
    if answer.verdict == "uncertain":
        assert step.state == "uncertain"
    if replay and answer.verdict != "accepted":
        # What a replay is told says nothing about the request that it repeats.
        assert step.state == "uncertain"
    if answer.stops and answer.verdict != "accepted":
        assert step.pause
        assert step.state in ("planned", "uncertain")
    if step.state == "retry":
        assert step.retry_at is not None
    if step.state in ("refused", "split") and not in_part:
        assert (answer.permanent, step.state == "refused") == (True, size == 1)
    if not in_part and step.retry_at is not None and answer.retry_after_seconds is not None:
        assert step.retry_at >= NOW + timedelta(seconds=answer.retry_after_seconds)


def test_the_ceiling_of_attempts_pauses_and_refuses_nobody() -> None:
    refused = Answer("not_accepted", "connection refused")
    step = after_answer(refused, size=5, replay=False, attempts=MOST_ATTEMPTS, now=NOW, wait_seconds=1)
    assert (step.state, step.counts) == ("retry", True)
    assert "connection refused" in step.pause
    earlier = after_answer(refused, size=5, replay=False, attempts=MOST_ATTEMPTS - 1, now=NOW, wait_seconds=1)
    assert earlier.pause == ""


def test_what_does_not_go_alone_keeps_no_other_waiting() -> None:
    shy = Answer("not_accepted", "450 4.2.0 greylisted")
    for minutes, pauses in ((1, False), (59, False), (61, True)):
        step = after_answer(
            shy,
            size=1,
            replay=False,
            attempts=2 * MOST_ATTEMPTS,
            now=NOW,
            wait_seconds=300,
            took_at=NOW - timedelta(minutes=minutes),
        )
        assert (step.state, step.retry_at, bool(step.pause)) == ("retry", NOW + timedelta(seconds=300), pauses)


def test_being_told_when_to_come_back_is_no_failed_attempt() -> None:
    limited = Answer("not_accepted", "429", retry_after_seconds=7)
    step = after_answer(limited, size=5, replay=False, attempts=99, now=NOW, wait_seconds=1)
    assert (step.state, step.retry_at, step.pause, step.counts) == ("retry", NOW + timedelta(seconds=7), "", False)


def test_a_replay_that_can_never_succeed_is_parked() -> None:
    step = after_answer(
        Answer("not_accepted", "422", permanent=True), size=1, replay=True, attempts=2, now=NOW, wait_seconds=1
    )
    assert (step.state, step.retry_at) == ("uncertain", None)


def test_whom_a_closed_account_did_not_take_goes_again_and_the_issue_pauses() -> None:
    answer = Answer("accepted", "no credits left", not_taken=frozenset([1]), stops=True, vendor_ids=("a",))
    step = after_answer(answer, size=2, replay=False, attempts=1, now=NOW, wait_seconds=1)
    assert (step.state, step.pause, step.retry_at) == ("split", "no credits left", None)
    assert (step.refused, step.not_taken, step.vendor_ids) == ({}, frozenset([1]), ("a",))


def test_whom_a_limit_did_not_take_goes_again_when_the_api_says() -> None:
    answer = Answer("accepted", "429", not_taken=frozenset([1]), retry_after_seconds=60, vendor_ids=("a",))
    step = after_answer(answer, size=2, replay=False, attempts=1, now=NOW, wait_seconds=1)
    assert (step.state, step.pause, step.retry_at) == ("split", "", NOW + timedelta(seconds=60))


@given(st.sets(st.integers(1, 40), min_size=1), st.integers(0, 3), st.integers(0, 3), st.data())
def test_the_pieces_of_a_batch_are_its_whole_range_and_each_was_taken_or_not(
    chosen: set[int], before: int, after: int, data: st.DataObject
) -> None:
    ordinals = sorted(ordinal + 3 for ordinal in chosen)
    first, last = ordinals[0] - before, ordinals[-1] + after
    not_taken = data.draw(st.frozensets(st.integers(0, len(ordinals) - 1)))
    found = pieces(first, last, ordinals, not_taken)
    assert [ordinal for piece in found for ordinal in range(piece.first, piece.last + 1)] == [*range(first, last + 1)]
    assert all(one.taken != next_.taken for one, next_ in pairwise(found))
    for piece in found:
        inside = [place for place, ordinal in enumerate(ordinals) if piece.first <= ordinal <= piece.last]
        assert inside
        assert {place not in not_taken for place in inside} == {piece.taken}


@given(UNRESOLVED, st.none() | st.integers(0, 200_000), st.integers(0, 200_000), st.integers(0, 600))
def test_a_key_is_trusted_inside_its_lifetime_only(
    batch: Unresolved, seconds: int | None, passed: int, lease: int
) -> None:
    may = may_replay(
        batch, idempotency_seconds=seconds, now=NOW + timedelta(seconds=passed), lease_seconds=lease
    )
    if may:
        assert batch.same_api
        assert seconds is not None
        # It may begin late and take long, and has arrived all the same before the key is forgotten.
        assert passed + lease < seconds


@given(
    UNRESOLVED, st.booleans(), st.booleans(), st.sampled_from(["ask", "resend"]), st.booleans()
)
def test_an_uncertain_batch_is_freed_only_when_told_to_and_nobody_may_be_posting_it(
    batch: Unresolved, replayable: bool, lookup: bool, when_uncertain: str, posting: bool
) -> None:
    way = way_on(
        batch,
        replayable=replayable,
        lookup=lookup,
        when_uncertain=when_uncertain,  # type: ignore[arg-type]
        posting=posting,
    )
    if way == "free":
        assert (when_uncertain, posting, batch.in_flight) == ("resend", True, False)
    if way == "park":
        assert when_uncertain == "ask"
    if way == "look":
        assert (lookup, batch.same_api) == (True, True)


@given(UNRESOLVED, st.none() | st.integers(0, 5), st.integers(1, 5), st.floats(0, 60), st.floats(0, 120))
def test_the_record_frees_only_what_it_had_time_to_show(
    batch: Unresolved, found: int | None, size: int, lag: float, passed: float
) -> None:
    now = NOW + timedelta(seconds=passed)
    step = after_lookup(found, size, batch, lag_seconds=lag, now=now, wait_seconds=3)
    if step.state == "accepted":
        assert found is not None and found >= size
    elif step.state == "retry":
        assert found == 0
        assert not batch.in_flight
        assert now >= batch.since + timedelta(seconds=lag)
    else:
        assert step.state == "uncertain"
        if found and found < size and now >= batch.since + timedelta(seconds=lag):
            # Some have it: again for all would be a second mail for them. A person decides.
            assert step.retry_at is None
        else:
            assert step.retry_at is not None and step.retry_at >= now


def test_a_record_that_never_answers_keeps_no_issue_open_for_ever() -> None:
    batch = Unresolved(since=NOW, first_posted_at=NOW, same_api=True, in_flight=False, attempts=300)
    found = []
    for hours in (1, 24, 25):
        now = NOW + timedelta(hours=hours)
        step = after_lookup(None, 5, batch, lag_seconds=1800, now=now, wait_seconds=300)
        found.append((step.state, step.retry_at and step.retry_at - now))
    assert found == [("uncertain", timedelta(seconds=300))] * 2 + [("uncertain", None)]
    freed = after_lookup(
        None, 5, batch, lag_seconds=1800, now=NOW + timedelta(hours=25), wait_seconds=300, when_uncertain="resend"
    )
    assert freed.state == "retry"


def test_the_rest_of_a_request_is_sent_again_when_told_to_and_nobody_may_be_posting_it() -> None:
    batch = Unresolved(since=NOW, first_posted_at=NOW, same_api=True, in_flight=False, attempts=1)
    asleep = replace(batch, in_flight=True)
    states = [
        after_lookup(3, 5, each, lag_seconds=lag, now=NOW, wait_seconds=3, when_uncertain="resend").state
        for each, lag in ((batch, 0), (batch, 60), (asleep, 0))
    ]
    assert states == ["retry", "uncertain", "uncertain"]


@given(UNRESOLVED, st.floats(0, 120), st.floats(0, 240))
def test_a_record_that_may_have_forgotten_frees_nothing(batch: Unresolved, kept: float, passed: float) -> None:
    now = NOW + timedelta(seconds=passed)
    step = after_lookup(0, 5, batch, lag_seconds=1, now=now, wait_seconds=3, kept_seconds=kept)
    if passed > max(kept, 1.0):
        assert (step.state, step.retry_at) == ("uncertain", None)
    elif passed >= 1.0 and not batch.in_flight:
        assert step.state == "retry"
    assert after_lookup(5, 5, batch, lag_seconds=1, now=now, wait_seconds=3, kept_seconds=kept).state == "accepted"


@given(st.integers(1, 10_000), st.integers(1, 200))
def test_halving_ends_at_single_recipients_and_loses_nobody(first: int, size: int) -> None:
    waiting, singles = [(first, first + size - 1)], []
    while waiting:
        start, end = waiting.pop()
        if start == end:
            singles.append(start)
        else:
            (a, b), (c, d) = halves(start, end)
            assert (a, b + 1, d) == (start, c, end)
            waiting += [(a, b), (c, d)]
    assert sorted(singles) == list(range(first, first + size))


def test_a_key_names_one_request() -> None:
    parts = {"issue_id": 7, "first": 1, "last": 100, "generation": 1, "api": "resend", "account": "a"}
    parts |= {"instance": "i", "sha256": "0"}
    key = request_key(**parts)  # type: ignore[arg-type]
    assert key == request_key(**parts)  # type: ignore[arg-type]
    assert key.isascii() and len(key) < 100 and key.startswith("issue-7-1-100-1-")
    for name, other in (("issue_id", 8), ("first", 2), ("last", 99), ("generation", 2), ("api", "x"), ("account", "b")):
        assert request_key(**{**parts, name: other}) != key  # type: ignore[arg-type]
    for name in ("instance", "sha256"):
        assert request_key(**{**parts, name: "another"}) != key  # type: ignore[arg-type]


def test_accepted_is_for_ever() -> None:
    assert NEXT["accepted"] == frozenset()
    with pytest.raises(Refused, match="Batch 3 is accepted"):
        check_step(3, "accepted", "retry")
    check_step(3, "withdrawn", "accepted")
