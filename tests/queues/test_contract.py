"""What every queue promises, asked of each: jobs that a committed transaction puts are taken soon, one at a time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.job import Job
from syndicate.queues.base import Handle, Hands, Queue
from syndicate.queues.local import LocalQueue
from syndicate.queues.procrastinate import ProcrastinateQueue
from syndicate.storage.database import Database
from syndicate.storage.signals import signal
from syndicate.storage.tables import counters
from tests.process.waiting import until

ONE = {"publish": 1}


def job(subject: str, lane: str = "publish") -> Job:
    return Job("publish", subject, lane)


@pytest.fixture
def queue(database: Database) -> Iterator[Queue]:
    """The one that fits the database, and that its transactions put jobs into."""
    made = LocalQueue() if database.is_sqlite else ProcrastinateQueue(database.engine)
    database.queue = made
    yield made


class Done:
    """A handler that remembers; `gate` keeps every job under way until it is set."""

    def __init__(self, *, open: bool = True) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self.most = 0
        self.gate = threading.Event()
        if open:
            self.gate.set()
        self._lock = threading.Lock()

    def __call__(self, job: Job) -> None:
        with self._lock:
            self.began.append(job.subject)
            self.most = max(self.most, len(self.began) - len(self.ended))
        assert self.gate.wait(30)
        with self._lock:
            self.ended.append(job.subject)


@contextmanager
def working(queue: Queue, handle: Handle, lanes: dict[str, int]) -> Iterator[Hands]:
    hands = queue.work(handle, lanes)
    try:
        yield hands
    finally:
        assert list(hands.leave(30)) == []


def count(connection: Connection, name: str, value: int) -> None:
    connection.execute(sa.insert(counters).values(name=name, value=value))


def counted(database: Database, name: str) -> int | None:
    with database.read() as connection:
        found: int | None = connection.execute(
            sa.select(counters.c.value).where(counters.c.name == name)
        ).scalar_one_or_none()
        return found


def test_what_is_put_is_done_once(queue: Queue) -> None:
    done = Done()
    with working(queue, done, ONE):
        queue.put([job("a"), job("b")])
        until(lambda: len(done.ended) == 2)
    assert Counter(done.ended) == {"a": 1, "b": 1}


def test_jobs_of_a_key_that_wait_are_one(queue: Queue) -> None:
    for _ in range(5):
        queue.put([job("a")])
    assert queue.standing() == {"publish a"}
    done = Done()
    with working(queue, done, ONE):
        queue.put([job("last")])
        until(lambda: "last" in done.ended)
    assert done.ended == ["a", "last"]


def test_one_that_is_put_while_its_like_is_under_way_comes_after_it(queue: Queue) -> None:
    done = Done(open=False)
    with working(queue, done, {"publish": 4}):
        queue.put([job("a")])
        until(lambda: done.began == ["a"])
        for _ in range(3):
            queue.put([job("a")])
        queue.put([job("b")])
        until(lambda: "b" in done.began)  # another thread is free: it is not for want of hands that "a" waits
        assert done.began == ["a", "b"]
        done.gate.set()
        until(lambda: done.ended.count("a") == 2)
    assert done.most == 2


def test_a_transaction_that_is_rolled_back_puts_nothing(database: Database, queue: Queue) -> None:
    done = Done()
    with working(queue, done, ONE):
        with pytest.raises(ZeroDivisionError), database.write() as connection:
            signal(connection, job("never"))
            raise ZeroDivisionError
        with database.write() as connection:
            signal(connection, job("soon"))
        until(lambda: done.ended == ["soon"])


def test_whoever_takes_it_sees_the_rows_that_made_it_due(database: Database, queue: Queue) -> None:
    seen: list[int | None] = []
    with working(queue, lambda job: seen.append(counted(database, job.subject)), ONE):
        for number in range(20):
            with database.write() as connection:
                count(connection, f"row {number}", number)
                signal(connection, job(f"row {number}"))
        until(lambda: len(seen) == 20)
    assert sorted(each for each in seen if each is not None) == list(range(20))


def test_a_job_that_waits_already_does_not_break_the_transaction(database: Database, queue: Queue) -> None:
    queue.put([job("a")])
    with database.write() as connection:
        signal(connection, job("a"), job("b"), job("a"))
        count(connection, "kept", 1)
    assert counted(database, "kept") == 1
    assert queue.standing() == {"publish a", "publish b"}


def test_transactions_at_once_that_put_the_same_jobs_all_commit(database: Database, queue: Queue) -> None:
    """In whatever order they name them."""
    jobs = [job(name) for name in "abcdef"]

    def write(number: int) -> None:
        for turn in range(10):
            with database.write() as connection:
                count(connection, f"{number} {turn}", 1)
                signal(connection, *(jobs if number % 2 else reversed(jobs)))

    with working(queue, Done(), {"publish": 2}):
        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(counters)).scalar_one() == 40


def test_a_lane_that_is_full_keeps_no_other_waiting(queue: Queue) -> None:
    slow, quick = Done(open=False), Done()
    with working(queue, lambda job: (slow if job.lane == "collect" else quick)(job), {"collect": 2, "publish": 1}):
        queue.put(job(f"slow {number}", "collect") for number in range(5))
        until(lambda: len(slow.began) == 2)
        queue.put([job("quick")])
        until(lambda: quick.ended == ["quick"])
        assert queue.depth()["collect"].waiting == 3
        assert queue.depth()["collect"].under_way == 2
        slow.gate.set()
        until(lambda: len(slow.ended) == 5)
    assert slow.most == 2


def test_a_lane_has_as_many_hands_as_it_is_given(queue: Queue) -> None:
    """However few cores there are."""
    done = Done(open=False)
    with working(queue, done, {"publish": 12}):
        queue.put(job(f"{number}") for number in range(15))
        until(lambda: len(done.began) == 12)
        done.gate.set()
        until(lambda: len(done.ended) == 15)
    assert done.most == 12


def test_one_that_fails_ends_no_other(queue: Queue, caplog: pytest.LogCaptureFixture) -> None:
    done = Done()

    def handle(job: Job) -> None:
        if job.subject == "ill":
            raise ValueError("odd")
        done(job)

    with working(queue, handle, ONE):
        queue.put([job("ill"), job("well")])
        until(lambda: done.ended == ["well"])
        queue.put([job("ill"), job("again")])
        until(lambda: done.ended == ["well", "again"])
        until(lambda: not queue.standing())


def test_leaving_finishes_what_is_under_way_and_begins_nothing(queue: Queue) -> None:
    done = Done(open=False)
    hands = queue.work(done, ONE)
    queue.put([job("first"), job("second")])
    until(lambda: len(done.began) == 1)
    threading.Timer(0.3, done.gate.set).start()
    assert list(hands.leave(30)) == []
    assert done.ended == done.began
    assert len(done.ended) == 1


def test_leaving_names_what_does_not_end_in_time(queue: Queue) -> None:
    done = Done(open=False)
    hands = queue.work(done, ONE)
    queue.put([job("slow")])
    until(lambda: done.began == ["slow"])
    begun = time.monotonic()
    assert list(hands.leave(0.3)) == ["publish slow"]
    assert time.monotonic() - begun < 10
    done.gate.set()
    until(lambda: done.ended == ["slow"])
    assert list(hands.leave(30)) == []
