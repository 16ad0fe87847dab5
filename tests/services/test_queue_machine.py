"""Signals that are lost, doubled and late, two mail APIs of which one stands in for the other, and processes that die
at any commit: nobody is lost, nobody is mailed twice, whoever is called when."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from syndicate.core import job
from syndicate.core.issue import FINISHED
from syndicate.core.job import Job
from syndicate.core.standby import StandbyRule
from syndicate.errors import Refused
from syndicate.services.approve_issue import schedule
from syndicate.services.cancel_issue import cancel
from syndicate.services.deliver_issue import deliver
from syndicate.services.pause_issue import pause, resume
from syndicate.services.recover_batches import recover
from syndicate.services.sweep_issues import sweep
from syndicate.storage import tables
from syndicate.storage.database import open_database
from syndicate.storage.due import due_jobs
from syndicate.storage.issues import get_issue
from syndicate.storage.ledger import books
from syndicate.storage.proofs import prove
from syndicate.storage.standby import Standby, free_from, turn
from syndicate.storage.workers import worker_lock
from tests.mailing import NOW, add_readers, clock, delivery_of, freeze_it, make_issue, make_newsroom
from tests.services.calls import Alone, Shared
from tests.services.model_api import ModelAPI, Outcome, Proof
from tests.services.mortals import DEATHS, Death, Died, Sleeper, may_die, migrated_sqlite, ordinal_of, places

OUTCOMES: list[Outcome] = ["taken", "taken, unheard", "lost", "turned away", "account"]
PROOFS: list[Proof] = ["keys", "record", "nothing"]
THEN: list[Outcome] = ["away", "away", "taken"]
"""After those: mostly nothing more, so that an issue lasts, and the other one's turn comes."""
RULE = StandbyRule(timedelta(0), timedelta(hours=1))
"""The other one's turn comes at once: no machine waits for minutes."""
NUMBERED = ("an_old_call_comes_late", "a_report_comes", "somebody_leaves")
HAPPENINGS = (
    *NUMBERED,
    *("calls_are_lost", "somebody_looks", "the_first_is_tried_again"),
    *("somebody_pauses", "somebody_resumes", "somebody_cancels"),
)


class Calls(RuleBasedStateMachine):
    """One issue, sent by whoever is called."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="calls-"))
        self.url = self.new_database()
        self.open()
        self.old: list[Job] = []
        self.sleeper: Sleeper | None = None
        self.closed: set[str] = set()
        self.was_cancelled = False

    def new_database(self) -> str:
        return migrated_sqlite(self.folder)

    def open(self) -> None:
        self.database = open_database(self.url)
        self.calls = Alone(self.database) if self.database.is_sqlite else Shared(self.database)

    @initialize(
        readers=st.integers(2, 12),
        per_request=st.integers(1, 3),
        first=st.sampled_from(PROOFS),
        other=st.sampled_from(PROOFS),
    )
    def begin(self, readers: int, per_request: int, first: Proof, other: Proof) -> None:
        self.first, self.other = ModelAPI(first, per_request), ModelAPI(other, per_request, name="other")
        self.apis = (self.first, self.other)
        articles = make_newsroom(self.database)
        add_readers(self.database, readers)
        with self.database.write() as connection:
            connection.execute(sa.insert(tables.instance).values(id=1, created_at=NOW))
        self.issue_id = make_issue(self.database, articles)
        now = clock()
        schedule(self.database, self.issue_id, send_at=now, now=now, actor="desk")
        assert self.calls.waiting() == ["prepare"]

    def teardown(self) -> None:
        try:
            if hasattr(self, "first"):
                self.come_to_an_end()
        finally:
            self.the_sleeper_wakes()
            self.database.dispose()
            shutil.rmtree(self.folder, ignore_errors=True)

    # --- what may happen ---

    @rule(
        places=st.lists(st.integers(0, 1), min_size=1, max_size=3),
        twice=st.booleans(),
        first=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4),
        other=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=4),
        then=st.tuples(st.sampled_from(THEN), st.sampled_from(THEN)),
        dies_at=DEATHS,
        late=st.booleans(),
    )
    def calls_are_heard(
        self,
        places: list[int],
        twice: bool,
        first: list[Outcome],
        other: list[Outcome],
        then: tuple[Outcome, Outcome],
        dies_at: Death | None,
        late: bool,
    ) -> None:
        for api, outcomes, otherwise in zip(self.apis, (first, other), then, strict=True):
            api.outcomes, api.otherwise, api.late_posts_arrive = list(outcomes), otherwise, late
        for place in places:
            if lanes := self.calls.waiting():
                taken = self.calls.take(lanes[place % len(lanes)])
                self.old.append(taken)
                self.time_passes()
                self.hear([taken] * (2 if twice else 1), dies_at)

    @rule(number=st.integers(1, 20), what=st.sampled_from(HAPPENINGS))
    def something_happens(self, number: int, what: str) -> None:
        happening: Callable[..., None] = getattr(self, what)
        happening(number) if what in NUMBERED else happening()

    def an_old_call_comes_late(self, number: int) -> None:
        """Doubled, or when nothing is left to do."""
        if self.old:
            self.time_passes()
            self.hear([self.old[number % len(self.old)]], None)

    def calls_are_lost(self) -> None:
        self.calls.lose()

    def somebody_looks(self) -> None:
        """As each process does, for what nobody was called to."""
        with self.database.read() as connection:
            due = list(due_jobs(connection, [], clock(), sending=True))
        standing = self.calls.queue.standing()
        self.calls.queue.put(each for each in due if each.key not in standing)

    @rule(lease_is_over=st.booleans())
    def a_worker_falls_asleep(self, lease_is_over: bool) -> None:
        if self.sleeper is None and self.state() == "sending" and self.whose_turn() is self.first:
            self.time_passes()
            self.sleeper = Sleeper(self.url, self.folder, self.first, self.issue_id)
            if lease_is_over:
                batches = tables.batches
                with self.database.write() as connection:
                    connection.execute(sa.update(batches).where(batches.c.state == "sending").values(lease_until=NOW))

    @rule()
    def the_sleeper_wakes(self) -> None:
        if self.sleeper is not None:
            self.sleeper.wake()
            self.sleeper = None

    def the_first_is_tried_again(self) -> None:
        self.the_turn_is(NOW)

    def the_turn_is(self, since: datetime) -> None:
        """The other one's, if it stands in since then: for an hour."""
        table = tables.instance
        with self.database.write() as connection:
            values = {"standby_since": since, "mail_failing_since": None, "mail_failed_at": None}
            connection.execute(sa.update(table).values(values))

    def a_report_comes(self, number: int) -> None:
        if taken := [(api, to) for api in self.apis for to in api.taken]:
            api, to = taken[number % len(taken)]
            ordinal = ordinal_of(self.database, self.issue_id, to)
            with self.database.write() as connection:
                prove(connection, self.issue_id, [ordinal], api=api.sheet.api, all_or_nothing=False, why="delivered")

    def somebody_pauses(self) -> None:
        with suppress(Refused):
            pause(self.database, self.issue_id, why="a look", actor="desk", now=clock())

    def somebody_resumes(self) -> None:
        with suppress(Refused):
            was = self.state()
            resume(self.database, self.issue_id, actor="desk", now=clock())
            if (was, self.state()) == ("paused", "sending"):
                called = {each.key for each in job.deliver(self.issue_id)}
                assert called <= self.calls.queue.standing()

    def somebody_leaves(self, number: int) -> None:
        people = tables.subscribers
        with self.database.write() as connection:
            left = connection.execute(
                sa.update(people)
                .where(people.c.id == number)
                .values(suppressed="unsubscribed")
                .returning(people.c.email)
            )
            self.closed |= set(left.scalars())

    def somebody_cancels(self) -> None:
        with suppress(Refused):
            cancel(self.database, self.issue_id, actor="desk", now=clock())
            self.was_cancelled = True

    # --- what always holds ---

    @invariant()
    def the_books_balance(self) -> None:
        if hasattr(self, "first"):
            with self.database.read() as connection:
                assert books(connection, self.issue_id).balanced

    @invariant()
    def nobody_is_mailed_twice(self) -> None:
        if hasattr(self, "first"):
            taken = Counter(to for api in self.apis for to in api.taken)
            assert {to: times for to, times in taken.items() if times > 1} == {}

    @invariant()
    def the_ledger_says_what_the_apis_know(self) -> None:
        if hasattr(self, "first"):
            taken = {to for api in self.apis for to in api.taken}
            told = places(self.database, self.issue_id)
            for to, place in told.items():
                if place == "accepted":
                    assert to in taken
                if place in ("planned", "retry", "suppressed"):
                    assert to not in taken, (to, place)
            assert taken <= set(told)

    # --- parts ---

    def hear(self, jobs: list[Job], dies_at: Death | None) -> None:
        """A process does these jobs, or dies at it: then what it had taken from a queue that others share is put again,
        and what it kept in its memory is gone."""
        with suppress(Died), may_die(self.database, dies_at, *self.apis):
            for each in jobs:
                self.do(each)
        if not self.first.dead:
            return
        self.first.dead = self.other.dead = False
        shared = self.calls.queue.is_shared
        self.database.dispose()
        self.open()
        if shared:
            self.calls.queue.put(jobs)

    def do(self, called: Job) -> None:
        """As the processes do: whatever the rows ask for by now."""
        assert job.issue_of(called) == self.issue_id
        with suppress(Refused):
            if self.state() in ("scheduled", "freezing"):
                freeze_it(self.database, self.issue_id, sheet=self.first.sheet, now=clock())
            elif self.state() in ("sending", "cancelling"):
                self.deliver()

    def deliver(self) -> None:
        recover(self.database, self.folder)
        with worker_lock(self.database, self.folder, "test", NOW) as worker:
            api = self.whose_turn()
            others = tuple(each for each in self.apis if each is not api)
            delivery = delivery_of(
                self.database,
                api,
                self.folder,
                others=others,
                standby=Standby(RULE, "first" if api is self.first else "standby"),
                patience_seconds=0.0,
            )
            deliver(delivery, self.issue_id, worker, stop=threading.Event(), threads=2, clock=clock)
        sweep(self.database, clock())

    def whose_turn(self) -> ModelAPI:
        with self.database.write() as connection:
            post, changed = turn(connection, RULE, clock())
            api, other = self.apis if post == "first" else self.apis[::-1]
            if changed:
                free_from(connection, other.sheet.api, other.account, clock())
        return api

    def time_passes(self) -> None:
        batches = tables.batches
        with self.database.write() as connection:
            connection.execute(sa.update(batches).where(batches.c.retry_at.is_not(None)).values(retry_at=NOW))

    def come_to_an_end(self) -> None:
        """All goes well from now on, though every call is lost: then looks alone bring it to its end."""
        self.calls.lose()
        self.the_sleeper_wakes()
        for api in self.apis:
            api.outcomes, api.otherwise = [], "taken"
        for number in range(16):
            # What may be repeated to one of the two alone waits for its turn.
            self.the_turn_is(NOW if number % 2 else clock())
            self.somebody_resumes()
            self.calls.lose()
            self.somebody_looks()
            while lanes := self.calls.waiting():
                self.time_passes()
                self.hear([self.calls.take(lanes[0])], None)
            if self.state() in FINISHED:
                break
        told = places(self.database, self.issue_id)
        assert self.state() in FINISHED, (self.state(), told)
        self.nobody_is_mailed_twice()
        self.the_ledger_says_what_the_apis_know()
        for to, place in told.items():
            if place == "suppressed":
                assert to in self.closed
            elif place == "withdrawn":
                assert self.was_cancelled
            elif place == "uncertain":
                proofs = {api.proof for api in self.apis}
                gone = self.was_cancelled or self.closed
                assert "nothing" in proofs or ("keys" in proofs and gone), (to, proofs)
            else:
                assert place == "accepted", (to, place)

    def state(self) -> str:
        with self.database.read() as connection:
            return get_issue(connection, self.issue_id).state


def of(examples: int) -> settings:
    return settings(
        max_examples=examples, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
    )


def test_on_sqlite_with_the_queue_of_a_process() -> None:
    run_state_machine_as_test(Calls, settings=of(30))


def test_on_postgresql_with_the_queue_of_many(_cloned_postgresql: Callable[[], tuple[str, Callable[[], None]]]) -> None:
    class CallsOfMany(Calls):
        def new_database(self) -> str:
            url, self.drop = _cloned_postgresql()
            return url

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                self.drop()

    run_state_machine_as_test(CallsOfMany, settings=of(8))
