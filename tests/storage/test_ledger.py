"""The ledger under every interleaving of claims, answers, deaths, sleep, leaving, pauses and cancelling, on real rows.

A model of a mail API keeps keys or a record, as the sheet says. Whatever happens: nobody is accepted twice where the
API can know, nobody counts as accepted who was not, nobody is lost, and the books balance after every step.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal

import pytest
import sqlalchemy as sa
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from syndicate.core.batch import (
    MOST_RUNS,
    Step,
    Unresolved,
    after_answer,
    after_lookup,
    may_replay,
    request_key,
    too_bad,
    way_on,
)
from syndicate.core.message import Answer
from syndicate.storage import ledger_counting, tables
from syndicate.storage.claims import Planned, Prepared, claim, hold_to_post, may_post, planned_recipients
from syndicate.storage.database import Database, open_database
from syndicate.storage.issues import change_issue, get_issue, move_issue
from syndicate.storage.ledger import (
    Batch,
    Claim,
    books,
    claimable,
    due_uncertain,
    hand_back,
    insert_batch,
    is_open,
    last_accepted,
    move_unresolved,
    select_batches,
    settle,
    sleeping_owners,
    take_over,
    withdraw,
)
from syndicate.storage.proofs import prove
from syndicate.storage.workers import Life
from tests.mailing import NOW, add_readers, address, make_issue, make_newsroom

PEOPLE, PER_REQUEST = 3, 2
LEASE = 60.0
KEY_SECONDS = 86_400.0


@dataclass
class Flight:
    """One request on its way: it may reach the API late, once, or never."""

    claim: Claim
    worker: str
    reached: bool = False
    answered: bool = False
    not_taken: frozenset[int] = frozenset()
    """Places of those whom the API did not take of it."""


@dataclass
class Api:
    """What a mail API keeps: acceptances, keys (if it has them), a record (if it has one)."""

    keyed: bool
    record: bool
    accepted: Counter[int] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)

    def take(self, flight: Flight) -> None:
        flight.reached = True
        if self.keyed and flight.claim.batch.request_key in self.keys:
            return
        self.keys.add(flight.claim.batch.request_key)
        ordinals = flight.claim.ordinals
        self.accepted.update(one for place, one in enumerate(ordinals) if place not in flight.not_taken)


@cache
def begun() -> tuple[Database, bytes]:
    """A database in memory, and its content with an issue of three people, two a request, that is being sent. One for
    all runs: its statements are compiled once."""
    database = open_database("sqlite://")
    tables.metadata.create_all(database.engine)
    with database.write() as connection:
        ledger_counting.install(connection)
    articles = make_newsroom(database)
    add_readers(database, PEOPLE)
    issue_id = make_issue(database, articles)
    rows = [
        {"ordinal": n, "subscriber_id": n, "address": address(n), "email": address(n), "variant_key": ""}
        for n in range(1, PEOPLE + 1)
    ]
    with database.write() as connection:
        connection.execute(sa.insert(tables.issue_recipients), [{"issue_id": issue_id, **row} for row in rows])
        for first in range(1, PEOPLE + 1, PER_REQUEST):
            insert_batch(connection, issue_id, first, min(first + PER_REQUEST - 1, PEOPLE), revision=1)
        change_issue(connection, issue_id, state="sending", planned=PEOPLE, frozen_at=NOW)
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert raw is not None
        return database, raw.serialize()


class Ledger(RuleBasedStateMachine):
    """Workers `w1`, `w2`, … at one issue of three people, two a request."""

    database: Database
    now: datetime
    api: Api

    @initialize(
        keyed=st.booleans(), record=st.booleans(), when_uncertain=st.sampled_from(["ask", "resend"]),
        bad=st.integers(0, 12)
    )
    def begin(self, keyed: bool, record: bool, when_uncertain: Literal["ask", "resend"], bad: int) -> None:
        self.database, content = begun()
        with self.database.engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert raw is not None
            raw.deserialize(content)
        self.issue_id = 1
        # A person whom the API turns down, if any.
        self.bad = bad
        self.api = Api(keyed, record)
        self.when_uncertain = when_uncertain
        self.now = NOW
        self.lives: dict[str, Life] = {"w1": "alive", "w2": "alive"}
        self.flights: list[Flight] = []
        self.ended = self.cancelled = self.resent = self.lost_in_part = False

    # --- the steps of a worker ---

    @rule(data=st.data(), many=st.integers(1, 3), wait=st.sampled_from([0, 2]))
    def claims(self, data: st.DataObject, many: int, wait: int) -> None:
        self.time_passes(wait)
        worker = data.draw(st.sampled_from(self.living()))
        with self.database.read() as connection:
            start = data.draw(st.integers(0, PEOPLE))
            batches = claimable(connection, self.issue_id, self.now, start=start, limit=many)
            people = planned_recipients(connection, "morning", batches)
        self.claim([self.prepare(batch, people[batch.id]) for batch in batches], worker)

    @rule(data=st.data(), wait=st.sampled_from([0, 2, 2, 61]))
    def settles_what_is_uncertain(self, data: st.DataObject, wait: int) -> None:
        self.time_passes(wait)
        worker = data.draw(st.sampled_from(self.living()))
        with self.database.read() as connection:
            batches = due_uncertain(connection, self.issue_id, self.now, 1)
            people = planned_recipients(connection, "morning", batches)
            sleeping = sleeping_owners(connection, batches)
            posting = may_post(connection, self.issue_id)
        for batch in batches:
            self.resolve(batch, people[batch.id], bool(sleeping[batch.id]), posting, worker)

    def resolve(self, batch: Batch, people: Planned, in_flight: bool, posting: bool, worker: str) -> None:
        assert batch.settled_at is not None and batch.first_posted_at is not None
        seen = Unresolved(batch.settled_at, batch.first_posted_at, True, in_flight, batch.attempts)
        members = people.last_time.ordinals
        seconds = KEY_SECONDS if self.api.keyed else None
        replayable = may_replay(seen, idempotency_seconds=seconds, now=self.now)
        if replayable and posting and people.excluded.keys() <= people.left_out:
            prepared = Prepared(
                batch,
                tuple(members),
                dict.fromkeys(people.left_out, "left"),
                frozenset(people.excluded),
                api=batch.api,
                account=batch.account,
                request_key=batch.request_key,
                sha256=batch.sha256,
                replay=True,
            )
            self.claim([prepared], worker)
            return
        way = way_on(
            seen,
            replayable=replayable and not posting,
            lookup=self.api.record,
            when_uncertain=self.when_uncertain,
            posting=posting,
        )
        if way == "look":
            found = sum(self.api.accepted[ordinal] > 0 for ordinal in members)
            # Some have it and some do not, and nobody says so: a person decides.
            self.lost_in_part |= 0 < found < len(members)
            step = after_lookup(found, len(members), seen, lag_seconds=0, now=self.now, wait_seconds=1)
        elif way == "free":
            self.resent = True
            step = Step("retry", "sent again", retry_at=self.now)
        else:
            step = Step("uncertain", batch.why, retry_at=self.now + timedelta(seconds=1) if way == "wait" else None)
        with self.database.write() as connection:
            move_unresolved(connection, batch, step, self.now)

    def prepare(self, batch: Batch, people: Planned) -> Prepared:
        excluded = people.excluded
        ordinals = tuple(people.everybody.without(excluded).ordinals)
        key = request_key(
            issue_id=self.issue_id,
            first=batch.first,
            last=batch.last,
            generation=batch.generation + 1,
            api="model",
            account="a",
            instance="i",
            sha256="hash",
        )
        return Prepared(batch, ordinals, excluded, frozenset(excluded), "model", "a", key, "hash")

    def claim(self, prepared: list[Prepared], worker: str) -> None:
        with self.database.write() as connection:
            claims = (
                claim(connection, "morning", prepared, worker_id=worker, now=self.now, lease_seconds=LEASE)
                if hold_to_post(connection, self.issue_id)
                else []
            )
        for each in claims:
            assert each.ordinals
            assert not self.ended_sending()
            self.flights.append(Flight(each, worker))

    # --- the wire ---

    @precondition(lambda self: any(not flight.reached for flight in self.flights))
    @rule(data=st.data())
    def a_request_arrives(self, data: st.DataObject) -> None:
        # The last first: they are the ones that something still depends on.
        flight = data.draw(st.sampled_from([flight for flight in self.flights if not flight.reached][::-1]))
        if self.bad not in flight.claim.ordinals:
            self.api.take(flight)

    @precondition(lambda self: any(not flight.reached for flight in self.flights) and not self.api.keyed)
    @rule(data=st.data())
    def a_request_is_taken_in_part(self, data: st.DataObject) -> None:
        """By an API that answers for each message by itself: such keep no keys."""
        flight = data.draw(st.sampled_from([flight for flight in self.flights if not flight.reached][::-1]))
        if len(flight.claim.ordinals) > 1 and self.bad not in flight.claim.ordinals:
            flight.not_taken = frozenset([data.draw(st.integers(0, 1))])
            self.api.take(flight)

    @precondition(lambda self: any(not flight.answered for flight in self.flights))
    @rule(data=st.data(), lost=st.booleans(), limited=st.booleans())
    def an_answer_comes(self, data: st.DataObject, lost: bool, limited: bool) -> None:
        flight = data.draw(st.sampled_from([flight for flight in self.flights if not flight.answered][::-1]))
        self.answer(flight, lost=lost, limited=limited)

    def answer(self, flight: Flight, *, lost: bool, limited: bool) -> None:
        if self.lives[flight.worker] != "alive":
            return
        flight.answered = True
        if lost:
            answer = Answer("uncertain", "reset")
        elif flight.reached:
            answer = Answer("accepted", "200", not_taken=flight.not_taken, retry_after_seconds=1 if limited else None)
        elif self.bad in flight.claim.ordinals:
            answer = Answer("not_accepted", "422", permanent=True)
        elif limited:
            answer = Answer("not_accepted", "429", retry_after_seconds=1)
        else:
            answer = Answer("not_accepted", "connection refused")
        # Once it is answered, this request does not arrive any more.
        flight.reached = True
        step = after_answer(
            answer,
            size=len(flight.claim.ordinals),
            replay=flight.claim.replay,
            attempts=flight.claim.batch.attempts,
            now=self.now,
            wait_seconds=1,
        )
        with self.database.write() as connection:
            settle(connection, self.issue_id, [(flight.claim, step)], self.now)

    # --- what happens to workers, people and the issue ---

    @rule(data=st.data(), life=st.sampled_from([None, None, None, "gone", "unclear"]))
    def a_worker_ends(self, data: st.DataObject, life: Life | None) -> None:
        if life is None:
            return
        worker = data.draw(st.sampled_from(self.living()))
        self.lives[worker] = life
        self.lives[f"w{len(self.lives) + 1}"] = "alive"
        if life == "gone":
            # What did not leave it by now never will. Of an unclear one nobody knows: its requests may still arrive.
            for flight in self.flights:
                if flight.worker == worker:
                    flight.reached = True

    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        for flight in self.flights:
            unclear = self.lives[flight.worker] == "unclear"
            if unclear and flight.claim.batch.lease_until is not None and flight.claim.batch.lease_until < self.now:
                # A process without its lock posts nothing past its lease.
                flight.reached = True

    @rule(wait=st.sampled_from([0, 61]))
    def somebody_recovers(self, wait: int = 0) -> None:
        self.time_passes(wait)
        with self.database.write() as connection:
            take_over(connection, self.now, self.lives, issue_id=self.issue_id)

    @rule(person=st.integers(1, PEOPLE), back=st.sampled_from([True, True, True, True, False]))
    def somebody_leaves_or_comes_back(self, person: int, back: bool) -> None:
        table = tables.subscriptions
        with self.database.write() as connection:
            connection.execute(
                sa.update(table)
                .where(table.c.subscriber_id == person)
                .values(status="active" if back else "left")
            )

    @rule(state=st.sampled_from(["paused", "sending", "sending", "sending"]))
    def paused_or_resumed(self, state: str) -> None:
        if not self.cancelled:
            with self.database.write() as connection:
                change_issue(connection, self.issue_id, state=state)

    @rule(sure=st.integers(0, 30))
    def cancelled_now_and_then(self, sure: int) -> None:
        if sure == 30:
            self.cancelled = True
            with self.database.write() as connection:
                change_issue(connection, self.issue_id, state="cancelling")
                withdraw(connection, self.issue_id, 100, self.now)

    # --- what always holds ---

    def living(self) -> list[str]:
        return [worker for worker, life in self.lives.items() if life == "alive"]

    def ended_sending(self) -> bool:
        with self.database.read() as connection:
            state: str = connection.execute(sa.select(tables.issues.c.state)).scalar_one()
        return state != "sending"

    def accepted_ordinals(self) -> set[int]:
        with self.database.read() as connection:
            batches = select_batches(connection, self.issue_id, states=["accepted"])
            own = set(connection.execute(sa.select(tables.recipient_outcomes.c.ordinal)).scalars())
        return {n for batch in batches for n in range(batch.first, batch.last + 1)} - own

    @invariant()
    def the_books_balance(self) -> None:
        if hasattr(self, "issue_id"):
            with self.database.read() as connection:
                balance = books(connection, self.issue_id, gone=set(self.lives) - set(self.living()))
                assert ledger_counting.wrong_counts(connection) == {}
            assert balance.balanced, balance

    @invariant()
    def accepted_is_true_and_nobody_is_accepted_twice(self) -> None:
        if not hasattr(self, "issue_id"):
            return
        assert all(self.api.accepted[ordinal] for ordinal in self.accepted_ordinals())
        if (self.api.keyed or self.api.record) and not self.resent:
            assert max(self.api.accepted.values(), default=0) <= 1, self.api.accepted

    def teardown(self) -> None:
        """Everything comes to rest: all answers come or never will, and one worker finishes."""
        if not hasattr(self, "issue_id"):
            return
        for worker in self.living():
            self.lives[worker] = "gone"
        self.lives["last"] = "alive"
        for flight in self.flights:
            flight.reached = True
        if not self.cancelled:
            with self.database.write() as connection:
                change_issue(connection, self.issue_id, state="sending")
        for _ in range(60):
            self.now += timedelta(seconds=61)
            self.somebody_recovers()
            with self.database.read() as connection:
                uncertain = due_uncertain(connection, self.issue_id, self.now, 10)
                batches = claimable(connection, self.issue_id, self.now, start=0, limit=10)
                people = planned_recipients(connection, "morning", [*uncertain, *batches])
                sleeping = sleeping_owners(connection, uncertain)
            for batch in uncertain:
                self.resolve(batch, people[batch.id], bool(sleeping[batch.id]), not self.cancelled, "last")
            self.claim([self.prepare(batch, people[batch.id]) for batch in batches], "last")
            if self.cancelled:
                with self.database.write() as connection:
                    withdraw(connection, self.issue_id, 100, self.now)
            for flight in [each for each in self.flights if each.worker == "last" and not each.answered]:
                if self.bad not in flight.claim.ordinals:
                    self.api.take(flight)
                self.answer(flight, lost=False, limited=False)
            with self.database.read() as connection:
                if not is_open(connection, self.issue_id, unresolved=True):
                    break
        self.the_books_balance()
        self.accepted_is_true_and_nobody_is_accepted_twice()
        with self.database.read() as connection:
            balance = books(connection, self.issue_id)
            states = Counter(each.state for each in select_batches(connection, self.issue_id))
        assert balance.waiting == 0, (balance, states)
        assert not states["sending"]
        settles = (self.api.record or self.when_uncertain == "resend") and not self.lost_in_part
        if not self.cancelled and settles and not self.api.keyed:
            # Nothing stays open where the API's record, or the house's rule, can settle it.
            assert balance.uncertain == 0, states


TestLedger = pytest.mark.slow(Ledger.TestCase)
TestLedger.settings = settings(max_examples=60, stateful_step_count=40)


# --- single rules, on both databases ----------------------------------------------------------------------------------


def claim_one(database: Database, issue_id: int, worker: str, now: datetime = NOW) -> Claim:
    with database.write() as connection:
        [batch] = claimable(connection, issue_id, now, start=0, limit=1)
        people = planned_recipients(connection, "morning", [batch])[batch.id]
        excluded = people.excluded
        ordinals = tuple(people.everybody.without(excluded).ordinals)
        prepared = Prepared(batch, ordinals, excluded, frozenset(excluded), "a", "a", f"key {batch.generation}", "hash")
        [claimed] = claim(connection, "morning", [prepared], worker_id=worker, now=now, lease_seconds=LEASE)
    return claimed


def issue_with_one_batch(database: Database) -> int:
    articles = make_newsroom(database)
    add_readers(database, 4)
    issue_id = make_issue(database, articles)
    rows = [
        {"ordinal": n, "subscriber_id": n, "address": address(n), "email": address(n), "variant_key": ""}
        for n in range(1, 5)
    ]
    with database.write() as connection:
        connection.execute(sa.insert(tables.issue_recipients), [{"issue_id": issue_id, **row} for row in rows])
        insert_batch(connection, issue_id, 1, 4, revision=1)
        change_issue(connection, issue_id, state="sending", planned=4, frozen_at=NOW)
    return issue_id


def only_batch(database: Database, issue_id: int) -> Batch:
    with database.read() as connection:
        [batch] = select_batches(connection, issue_id)
    return batch


def settle_one(database: Database, issue_id: int, claimed: Claim, step: Step) -> bool:
    with database.write() as connection:
        [ours] = settle(connection, issue_id, [(claimed, step)], NOW)
    return ours


def test_a_claim_is_for_one(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    batch = only_batch(database, issue_id)
    prepared = Prepared(batch, (1, 2, 3, 4), {}, frozenset(), "a", "a", "key", "hash")
    claims = []
    for worker in ("w1", "w2"):
        with database.write() as connection:
            claims.append(claim(connection, "morning", [prepared], worker_id=worker, now=NOW, lease_seconds=LEASE))
    assert [len(each) for each in claims] == [1, 0]
    held = only_batch(database, issue_id)
    assert (held.state, held.worker_id, held.generation, held.fence) == ("sending", "w1", 1, 1)
    assert held.lease_until == NOW + timedelta(seconds=LEASE)


def test_a_late_acceptance_counts_whoever_brings_it(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    first = claim_one(database, issue_id, "w1")
    with database.write() as connection:
        assert take_over(connection, NOW, {"w1": "gone"}) == 1
    uncertain = only_batch(database, issue_id)
    with database.write() as connection:
        assert move_unresolved(connection, uncertain, Step("retry", "not in the record", retry_at=NOW), NOW)
    assert settle_one(database, issue_id, first, Step("accepted", "200")) is False
    batch = only_batch(database, issue_id)
    assert (batch.state, batch.retry_at) == ("accepted", None)
    with database.read() as connection:
        assert claimable(connection, issue_id, NOW, start=0, limit=9) == []


def test_a_late_refusal_of_the_only_request_of_its_generation_frees_it(database: Database) -> None:
    """As of a worker that wakes up and finds that it is too late to post: where there is no record, nothing else would
    ever tell."""
    issue_id = issue_with_one_batch(database)
    first = claim_one(database, issue_id, "w1")
    with database.write() as connection:
        assert take_over(connection, NOW + timedelta(seconds=LEASE + 1), {"w1": "alive"}) == 1
    with database.read() as connection:
        assert sleeping_owners(connection, [only_batch(database, issue_id)]) == {first.batch.id: {"w1"}}
    assert settle_one(database, issue_id, first, too_bad("422", 1)) is False
    batch = only_batch(database, issue_id)
    assert (batch.state, batch.retry_at, batch.why) == ("retry", NOW, "a late answer: 422")
    with database.read() as connection:
        assert sleeping_owners(connection, [batch]) == {first.batch.id: set()}


@pytest.mark.parametrize("what", ["a replay", "claimed again", "in part", "the issue is closed"])
def test_any_other_late_refusal_changes_nothing(database: Database, what: str) -> None:
    issue_id = issue_with_one_batch(database)
    late = claim_one(database, issue_id, "w1")
    with database.write() as connection:
        assert take_over(connection, NOW + timedelta(seconds=LEASE + 1), {"w1": "alive"}) == 1
    step = too_bad("422", 1)
    if what == "a replay":
        # Of the request that it repeats it says nothing.
        late = replace(late, replay=True)
    elif what == "claimed again":
        late = replace(late, batch=replace(late.batch, fence=late.batch.fence - 1))
    elif what == "the issue is closed":
        # Nobody would send what goes again there: it stays for a person to decide.
        with database.write() as connection:
            move_issue(connection, get_issue(connection, issue_id), "sent")
    else:
        step = Step("split", "no credits", not_taken=frozenset([2]), vendor_ids=("a",))
    assert settle_one(database, issue_id, late, step) is False
    assert only_batch(database, issue_id).state == "uncertain"


def test_a_late_acceptance_of_a_split_batch_reaches_its_children(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    first = claim_one(database, issue_id, "w1")
    assert settle_one(database, issue_id, first, Step("split", "422")) is True
    child = claim_one(database, issue_id, "w1")
    settle_one(database, issue_id, child, Step("split", "422"))
    assert settle_one(database, issue_id, first, Step("accepted", "200")) is False
    with database.read() as connection:
        states = Counter(batch.state for batch in select_batches(connection, issue_id))
        balance = books(connection, issue_id)
    assert states == {"split": 2, "accepted": 3}
    assert (balance.accepted, balance.balanced) == (4, True)


def test_recipients_refused_inside_an_accepted_request(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    claimed = claim_one(database, issue_id, "w1")
    assert settle_one(database, issue_id, claimed, Step("accepted", "200", refused={1: "inactive"})) is True
    with database.read() as connection:
        balance = books(connection, issue_id)
        rows: list[Any] = list(connection.execute(sa.select(tables.recipient_outcomes)))
    assert (balance.accepted, balance.refused, balance.balanced) == (3, 1, True)
    assert [(row.ordinal, row.outcome, row.why) for row in rows] == [(2, "refused", "inactive")]


IN_PART = Answer(
    "accepted", "405: no credits", {1: "inactive"}, stops=True, vendor_ids=("a", "b"), not_taken=frozenset([2])
)
"""Of four: the first and the last were taken, the second was refused, for the third there were no credits."""


def after_a_part(claimed: Claim) -> Step:
    batch = claimed.batch
    return after_answer(IN_PART, size=4, replay=claimed.replay, attempts=batch.attempts, now=NOW, wait_seconds=1)


def test_whom_the_api_did_not_take_is_planned_again_and_nobody_else(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    claimed = claim_one(database, issue_id, "w1")
    assert settle_one(database, issue_id, claimed, after_a_part(claimed)) is True
    columns = ("first", "last", "state", "recipients", "vendor_ids", "generation", "request_key")
    table = tables.batches
    with database.read() as connection:
        rows = connection.execute(sa.select(*(table.c[name] for name in columns)).order_by(table.c.id)).all()
        balance = books(connection, issue_id)
        outcomes = connection.execute(sa.select(tables.recipient_outcomes)).all()
        assert not may_post(connection, issue_id)
    key = claimed.batch.request_key
    assert [tuple(row) for row in rows[1:]] == [
        (1, 2, "accepted", 2, ["a"], 1, key),
        (3, 3, "planned", 0, [], 0, ""),
        (4, 4, "accepted", 1, ["b"], 1, key),
    ]
    assert rows[0].state == "split"
    assert (balance.accepted, balance.refused, balance.waiting, balance.balanced) == (2, 1, 1, True)
    assert [(row.ordinal, row.outcome, row.why) for row in outcomes] == [(2, "refused", "inactive")]


def test_an_answer_in_part_that_comes_late_proves_whom_it_took(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    claimed = claim_one(database, issue_id, "w1")
    with database.write() as connection:
        assert take_over(connection, NOW, {"w1": "gone"}) == 1
    assert settle_one(database, issue_id, claimed, after_a_part(claimed)) is False
    with database.read() as connection:
        balance = books(connection, issue_id)
    assert (balance.accepted, balance.uncertain, balance.balanced) == (2, 2, True)


def test_an_answer_in_part_to_a_request_that_came_again_proves_whom_it_took(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    claimed = replace(claim_one(database, issue_id, "w1"), replay=True)
    assert settle_one(database, issue_id, claimed, after_a_part(claimed)) is True
    with database.read() as connection:
        balance = books(connection, issue_id)
    assert (balance.accepted, balance.uncertain, balance.balanced) == (2, 2, True)


def test_who_is_proven_meanwhile_is_accepted_in_whatever_piece(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    claimed = claim_one(database, issue_id, "w1")
    with database.write() as connection:
        prove(connection, issue_id, [2, 3], api="model", all_or_nothing=False, why="it was delivered")
    settle_one(database, issue_id, claimed, after_a_part(claimed))
    with database.read() as connection:
        balance = books(connection, issue_id)
    assert (balance.accepted, balance.balanced) == (4, True)
    with database.write() as connection:
        change_issue(connection, issue_id, state="sending")
    with database.read() as connection:
        [batch] = claimable(connection, issue_id, NOW, start=0, limit=9)
        planned = planned_recipients(connection, "morning", [batch])[batch.id]
    assert (list(planned.everybody.ordinals), planned.has_it) == ([3], frozenset({3}))


def test_only_what_was_refused_since_the_last_acceptance_is_handed_back_and_not_for_ever(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    moments = iter(NOW + timedelta(seconds=second) for second in range(1, 100))

    def answered(step: Step) -> Batch:
        claimed, moment = claim_one(database, issue_id, "w1"), next(moments)
        with database.write() as connection:
            assert settle(connection, issue_id, [(claimed, step)], moment) == [True]
        return claimed.batch

    for _ in range(2):
        # Until one reader is in each.
        answered(Step("split", "422"))
    earlier = answered(Step("refused", "no such mailbox"))
    answered(Step("accepted", "200"))
    answered(Step("split", "422"))
    later = answered(Step("refused", "not from you"))
    with database.read() as connection:
        since = last_accepted(connection, issue_id)
    for times in range(1, MOST_RUNS + 1):
        with database.write() as connection:
            assert hand_back(connection, issue_id, since, next(moments)) == (times < MOST_RUNS)
        with database.read() as connection:
            states = {batch.id: batch.state for batch in select_batches(connection, issue_id)}
            balance = books(connection, issue_id)
        assert (states[earlier.id], balance.balanced) == ("refused", True)
        assert states[later.id] == ("planned" if times < MOST_RUNS else "refused")
        if times < MOST_RUNS:
            again = answered(Step("refused", "not from you"))
            # Under a key of its own: it was surely not accepted.
            assert (again.id, again.generation) == (later.id, times + 1)


def test_a_step_that_pauses_does_so_at_once(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    claimed = claim_one(database, issue_id, "w1")
    settle_one(database, issue_id, claimed, Step("planned", "401", pause="401: the key is wrong", counts=False))
    batch = only_batch(database, issue_id)
    assert (batch.state, batch.attempts) == ("planned", 0)
    with database.read() as connection:
        assert not may_post(connection, issue_id)


def test_exclusions_that_changed_since_the_request_was_built_void_the_claim(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    batch = only_batch(database, issue_id)
    prepared = Prepared(batch, (1, 2, 3, 4), {}, frozenset(), "a", "a", "key", "hash")
    with database.write() as connection:
        connection.execute(
            sa.update(tables.subscribers).where(tables.subscribers.c.id == 2).values(suppressed="complaint")
        )
    with database.write() as connection:
        assert claim(connection, "morning", [prepared], worker_id="w1", now=NOW, lease_seconds=LEASE) == []
    assert only_batch(database, issue_id) == batch
    assert claim_one(database, issue_id, "w1").ordinals == (1, 3, 4)


def test_who_comes_back_before_the_next_generation_is_in_it(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    table = tables.subscribers
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.id == 2).values(suppressed="bounce"))
    first = claim_one(database, issue_id, "w1")
    assert dict(first.excluded) == {2: "bounce"}
    settle_one(database, issue_id, first, Step("retry", "429", retry_at=NOW))
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.id == 2).values(suppressed=""))
    second = claim_one(database, issue_id, "w1")
    assert (second.ordinals, second.batch.generation) == ((1, 2, 3, 4), 2)
    settle_one(database, issue_id, second, Step("accepted", "200"))
    with database.read() as connection:
        assert books(connection, issue_id).accepted == 4


def test_only_what_is_as_it_was_read_is_moved(database: Database) -> None:
    issue_id = issue_with_one_batch(database)
    claim_one(database, issue_id, "w1")
    with database.write() as connection:
        take_over(connection, NOW, {"w1": "gone"})
    read = only_batch(database, issue_id)
    with database.write() as connection:
        assert not move_unresolved(connection, replace(read, fence=0), Step("accepted", "x"), NOW)
        assert move_unresolved(connection, read, Step("accepted", "counted as sent"), NOW)
        assert not move_unresolved(connection, read, Step("retry", "x", retry_at=NOW), NOW)
    assert only_batch(database, issue_id).state == "accepted"
