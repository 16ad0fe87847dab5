"""Whatever happens in whatever order, and wherever the process dies: nobody is lost, nobody is mailed twice, and the
books say so."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from syndicate.core.issue import FINISHED
from syndicate.errors import Refused
from syndicate.services.cancel_issue import cancel
from syndicate.services.deliver_issue import deliver
from syndicate.services.pause_issue import pause, resume
from syndicate.services.resolve_issue import resolve
from syndicate.services.sweep_issues import sweep
from syndicate.storage import tables
from syndicate.storage.database import Database, open_database
from syndicate.storage.issues import get_issue
from syndicate.storage.ledger import books
from syndicate.storage.proofs import prove
from syndicate.storage.workers import worker_lock
from tests.mailing import NOW, add_readers, address, clock, delivery_of, freeze_it, make_issue, make_newsroom
from tests.services.model_api import ModelAPI, Outcome, Proof
from tests.services.mortals import DEATHS, Death, Died, Sleeper, may_die, migrated_sqlite, ordinal_of, places

OUTCOMES: list[Outcome] = ["taken", "taken, unheard", "lost", "turned away", "in part", "account"]


class Ledger(RuleBasedStateMachine):
    """One issue, from its freezing to its end."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-"))
        self.url = migrated_sqlite(self.folder)
        self.database: Database = open_database(self.url)
        self.forced = False
        self.closed: set[str] = set()
        self.was_cancelled = False
        self.sleeper: Sleeper | None = None

    @initialize(
        readers=st.integers(1, 9),
        per_request=st.integers(1, 4),
        proof=st.sampled_from(["keys", "record", "nothing"]),
        singly=st.booleans(),
    )
    def begin(self, readers: int, per_request: int, proof: Proof, singly: bool) -> None:
        self.readers, self.api = readers, ModelAPI(proof, per_request, singly=singly)
        articles = make_newsroom(self.database)
        add_readers(self.database, readers)
        self.issue_id = make_issue(self.database, articles)

    def teardown(self) -> None:
        try:
            if hasattr(self, "api"):
                self.come_to_an_end()
        finally:
            self.a_worker_wakes()
            self.database.dispose()
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- what may happen ---

    @rule(
        outcomes=st.lists(st.sampled_from(OUTCOMES), max_size=6),
        dies_at=DEATHS,
        late=st.booleans(),
        asleep=st.sampled_from(["nobody", "within its lease", "past its lease"]),
    )
    def work(
        self,
        outcomes: list[Outcome],
        dies_at: Death | None,
        late: bool,
        asleep: Literal["nobody", "within its lease", "past its lease"],
    ) -> None:
        """A process freezes, delivers and sweeps, until nothing is left that it can do now, or until it dies; another
        may have fallen asleep in the middle of a request before, alive all the while."""
        self.time_passes()
        if asleep != "nobody":
            self.a_worker_falls_asleep()
        if asleep == "past its lease":
            self.a_lease_runs_out()
        self.api.outcomes, self.api.late_posts_arrive = list(outcomes), late
        with self.may_die(dies_at), suppress(Died, Refused):
            self.freeze_and_deliver()
        self.api.dead = False
        self.api.outcomes = []

    def time_passes(self) -> None:
        """Whatever waits for its time has it, and no claim of a process that is gone holds."""
        batches = tables.batches
        with self.database.write() as connection:
            connection.execute(sa.update(batches).where(batches.c.retry_at.is_not(None)).values(retry_at=NOW))

    def a_worker_falls_asleep(self) -> None:
        self.freeze()
        if self.sleeper is None and self.state() == "sending":
            self.sleeper = Sleeper(self.url, self.folder, self.api, self.issue_id)

    def a_lease_runs_out(self) -> None:
        batches = tables.batches
        with self.database.write() as connection:
            connection.execute(sa.update(batches).where(batches.c.state == "sending").values(lease_until=NOW))

    @rule()
    def a_worker_wakes(self) -> None:
        if self.sleeper is not None:
            self.sleeper.wake()
            self.sleeper = None

    @rule(place=st.integers(0, 20))
    def a_report_comes(self, place: int) -> None:
        """The mail API tells of a mail that it took, whatever became of its answer."""
        if self.api.taken:
            ordinal = ordinal_of(self.database, self.issue_id, self.api.taken[place % len(self.api.taken)])
            with self.database.write() as connection:
                prove(connection, self.issue_id, [ordinal], api="model", all_or_nothing=False, why="it was delivered")

    @rule()
    def somebody_pauses(self) -> None:
        with suppress(Refused):
            pause(self.database, self.issue_id, why="a look", actor="desk", now=clock())

    @rule()
    def somebody_resumes(self) -> None:
        with suppress(Refused):
            resume(self.database, self.issue_id, actor="desk", now=clock())

    @rule(number=st.integers(1, 9))
    def somebody_leaves(self, number: int) -> None:
        people = tables.subscribers
        if number <= self.readers:
            self.closed.add(address(number))
            with self.database.write() as connection:
                connection.execute(sa.update(people).where(people.c.id == number).values(suppressed="unsubscribed"))

    @rule(number=st.integers(1, 9))
    def an_address_turns_out_bad(self, number: int) -> None:
        if address(number) not in self.api.taken:
            self.api.bad.add(address(number))

    @precondition(lambda self: self.api.proof == "nothing")
    @rule(how=st.sampled_from(["resend", "count-as-sent"]))
    def somebody_decides(self, how: Literal["resend", "count-as-sent"]) -> None:
        with suppress(Refused):
            resolve(self.database, self.issue_id, how, actor="desk", now=clock())
            self.forced = True

    @rule()
    def somebody_cancels(self) -> None:
        with suppress(Refused):
            cancel(self.database, self.issue_id, actor="desk", now=clock())
            self.was_cancelled = True

    # --- what always holds ---

    @invariant()
    def the_books_balance(self) -> None:
        if hasattr(self, "api"):
            with self.database.read() as connection:
                assert books(connection, self.issue_id).balanced

    @invariant()
    def nobody_is_mailed_twice(self) -> None:
        if hasattr(self, "api") and not self.forced:
            assert {to: times for to, times in Counter(self.api.taken).items() if times > 1} == {}

    @invariant()
    def the_ledger_says_what_the_api_knows(self) -> None:
        if hasattr(self, "api") and not self.forced:
            places = self.places()
            for to, place in places.items():
                if place == "accepted":
                    assert to in self.api.taken
                if place in ("planned", "retry", "refused", "suppressed"):
                    assert to not in self.api.taken, (to, place)
            assert set(self.api.taken) <= set(places)

    # --- parts ---

    def freeze(self) -> None:
        if self.state() in ("approved", "scheduled", "freezing"):
            freeze_it(self.database, self.issue_id, sheet=self.api.sheet)

    def freeze_and_deliver(self) -> None:
        self.freeze()
        with worker_lock(self.database, self.folder, "test", NOW) as worker:
            delivery = delivery_of(self.database, self.api, self.folder, patience_seconds=0.0)
            deliver(delivery, self.issue_id, worker, stop=threading.Event(), threads=2, clock=clock)
        sweep(self.database, clock())

    def come_to_an_end(self) -> None:
        """All goes well from now on: then nothing waits, and each has it, or it is known why not."""
        self.api.outcomes = []
        self.a_worker_wakes()
        for _ in range(12):
            self.time_passes()
            self.somebody_resumes()
            self.work([], None, False, "nobody")
            if self.state() in FINISHED:
                break
        places = self.places()
        assert self.state() in FINISHED, (self.state(), places)
        self.nobody_is_mailed_twice()
        if self.forced:
            return
        for to, place in places.items():
            told = (to, place, self.api.proof)
            if place == "accepted":
                assert to in self.api.taken, told
            elif place == "refused":
                assert to in self.api.bad, told
            elif place == "suppressed":
                assert to in self.closed, told
            elif place == "withdrawn":
                assert self.was_cancelled, told
            else:
                assert place == "uncertain", told
                # Only where no proof can be had: nothing tells, or a key may not be used again.
                assert (
                    self.api.proof == "nothing"
                    or to in self.api.parted
                    or (self.api.proof == "keys" and (self.was_cancelled or self.closed or self.api.bad))
                ), told

    def state(self) -> str:
        with self.database.read() as connection:
            return get_issue(connection, self.issue_id).state

    def places(self) -> dict[str, str]:
        return places(self.database, self.issue_id)

    @contextmanager
    def may_die(self, at: Death | None) -> Iterator[None]:
        """The process dies at that commit, and another one begins."""
        with may_die(self.database, at, self.api):
            yield
        if self.api.dead:
            self.database.dispose()
            self.database = open_database(self.url)


TestLedger = Ledger.TestCase
TestLedger.settings = settings(
    max_examples=30, stateful_step_count=8, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("past_its_lease", [False, True])
@pytest.mark.parametrize("proof", ["keys", "record", "nothing"])
def test_a_worker_that_slept_in_a_request_doubles_nobody(proof: Proof, past_its_lease: bool) -> None:
    ledger = Ledger()
    try:
        ledger.begin(readers=4, per_request=2, proof=proof, singly=False)
        ledger.a_worker_falls_asleep()
        assert ledger.sleeper is not None
        if past_its_lease:
            ledger.a_lease_runs_out()
        for _ in range(2):
            ledger.work([], None, False, "nobody")
            ledger.the_books_balance()
        ledger.a_worker_wakes()
        ledger.nobody_is_mailed_twice()
        ledger.the_ledger_says_what_the_api_knows()
    finally:
        ledger.teardown()
    assert set(ledger.api.taken) == {address(number) for number in range(1, 5)}


def test_what_is_found_not_to_have_arrived_after_a_cancelled_issue_was_closed_is_withdrawn() -> None:
    ledger = Ledger()
    ledger.begin(readers=6, per_request=2, singly=False, proof="record")
    ledger.work(asleep="past its lease", dies_at=None, late=True, outcomes=["turned away"])
    ledger.somebody_cancels()
    lost = ["in part", "account", "lost", "taken, unheard", "in part", "turned away"]
    ledger.work(asleep="within its lease", dies_at=None, late=False, outcomes=lost)
    ledger.a_worker_wakes()
    assert ledger.state() == "cancelled"
    ledger.come_to_an_end()
    assert not {"planned", "retry"} & set(ledger.places().values())
    ledger.teardown()
