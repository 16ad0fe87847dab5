"""Jobs in a process: what fails rests and is told once in a while, what comes later comes, what is due is found."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
import sqlalchemy as sa

from syndicate.core import job
from syndicate.core.job import Job
from syndicate.errors import Refused
from syndicate.process.delivering import Leaving
from syndicate.process.handling import Handler
from syndicate.process.later import Later
from syndicate.process.log import Log
from syndicate.process.looking import Looker
from syndicate.process.loops import Loops
from syndicate.queues.local import LocalQueue
from syndicate.site import Site
from syndicate.storage.due import due_jobs
from syndicate.storage.tables import issues
from tests.process.waiting import until


class Hand:
    """Whoever knows how to do one kind: it notes what it is asked for, and fails as it is told."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.failures: list[BaseException] = []

    def __call__(self, *names: Any, **options: Any) -> None:
        self.asked.append((*names, *options.values()))
        if self.failures:
            raise self.failures.pop(0)


def handler(queue: LocalQueue, **hands: Hand) -> Handler:
    parts = [
        SimpleNamespace(**{verb: hands.get(verb, Hand())}) for verb in ("collect", "publish", "draft", "go_on")
    ]
    return Handler(queue, Log("work"), *cast(Any, parts))


def test_each_job_goes_to_whoever_knows_how() -> None:
    hands = {verb: Hand() for verb in ("collect", "publish", "draft", "go_on")}
    do = handler(LocalQueue(), **hands)
    for each in (
        job.collect("desk", folder=True),
        job.publish(),
        job.publish(everything=True),
        job.draft("7", "daily"),
        job.freeze(7),
        job.deliver(8)[2],
    ):
        do(each)
    assert hands["collect"].asked == [("desk",)]
    assert hands["publish"].asked == [(False,), (True,)]
    assert hands["draft"].asked == [("7", "daily")]
    assert hands["go_on"].asked == [(7,), (8,)]


def tried(do: Handler, job: Job, hand: Hand) -> int:
    """How often the hand has been asked, after one more try."""
    do(job)
    return len(hand.asked)


def test_what_fails_rests_is_told_and_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    collect = Hand()
    collect.failures = [Refused("The quay is closed.", cure="Open it."), ValueError("odd")]
    do, desk = handler(LocalQueue(), collect=collect), job.collect("desk", folder=True)
    with caplog.at_level("INFO", logger="syndicate"):
        do(desk)
        do(desk)  # it rests
        assert len(collect.asked) == 1
        for number in (2, 3):
            until(lambda: tried(do, desk, collect) == number)  # noqa: B023
        do(desk)  # nothing holds it back now
    assert len(collect.asked) == 4
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "collect desk: The quay is closed. Open it.",
        "collect desk: ValueError: odd",
        "collect desk: goes on.",
    ]


def test_one_that_is_broken_off_is_left_to_whoever_stays() -> None:
    collect = Hand()
    queue = LocalQueue()
    do = handler(queue, collect=collect)
    collect.failures = [Leaving(), Leaving()]
    do(job.collect("desk", folder=True))
    assert not queue.standing()  # nobody else takes from it: the next start collects
    queue.is_shared = True
    do(job.collect("desk", folder=True))
    assert queue.standing() == {"collect desk"}


def test_the_earlier_of_two_wishes_holds() -> None:
    queue, loops = LocalQueue(), Loops(Log("work"))
    later = Later(queue, loops)
    loops.keep("later", later.step)
    later.put(job.collect("slow", folder=False), in_seconds=60)
    later.put(job.collect("desk", folder=True), in_seconds=60)
    later.put(job.collect("desk", folder=True), in_seconds=0.1)
    later.put(job.collect("desk", folder=True), in_seconds=60)
    until(lambda: queue.standing() == {"collect desk"})
    loops.leave()
    assert loops.join(60) == []


def test_what_could_not_be_put_is_put_again(caplog: pytest.LogCaptureFixture) -> None:
    class Away(LocalQueue):
        """Its database is away, for the first two times."""

        turns = 0

        def put(self, jobs: Any) -> None:
            kept = list(jobs)
            if kept and self.turns < 2:
                self.turns += 1
                raise Refused("Away.")
            super().put(kept)

    queue, loops = Away(), Loops(Log("work"))
    later = Later(queue, loops)
    loops.keep("later", later.step)
    later.put(job.collect("desk", folder=True), in_seconds=0)
    until(lambda: queue.standing() == {"collect desk"})
    loops.leave()
    assert loops.join(60) == []


@pytest.fixture
def add_issue(site: Site, now: datetime) -> Callable[..., int]:
    def add(state: str, **more: Any) -> int:
        with site.database.write() as connection:
            values = {
                "newsletter": "morning",
                "kind": "cadence",
                "state": state,
                "audience": {},
                "drafted_at": now,
                **more,
            }
            return int(connection.execute(sa.insert(issues).values(values).returning(issues.c.id)).scalar_one())

    return add


def due(site: Site, now: datetime, *, sending: bool = True) -> list[Job]:
    with site.database.read() as connection:
        return [each for each in due_jobs(connection, [""], now, sending=sending) if each.kind != "publish"]


def test_the_rows_tell_what_is_due(site: Site, now: datetime, add_issue: Callable[..., int]) -> None:
    for state in ("draft", "awaiting", "approved", "paused", "sent", "cancelled"):
        add_issue(state)
    add_issue("scheduled", send_at=now + timedelta(seconds=1))
    assert due(site, now) == []
    scheduled = add_issue("scheduled", send_at=now)
    sending, cancelling, freezing = add_issue("sending"), add_issue("cancelling"), add_issue("freezing")
    assert due(site, now) == [
        *job.deliver(sending),
        *job.deliver(cancelling),
        job.freeze(freezing),
        job.freeze(scheduled),
    ]
    assert due(site, now, sending=False) == []


def test_a_look_puts_what_nobody_has(site: Site, now: datetime, add_issue: Callable[..., int]) -> None:
    issue = add_issue("sending")
    first, *others = job.deliver(issue)
    queue, loops, again = LocalQueue(), Loops(Log("work")), Hand()
    queue.put([first])
    looker = Looker(site, queue, loops, Log("work"), seconds=0.0, goes_on=again, clock=lambda: now)
    looker.step()
    assert {each.key for each in (first, *others)} <= queue.standing()
    assert again.asked == []
    with site.database.write() as connection:
        connection.execute(sa.text("UPDATE instance SET sending_stopped = :yes"), {"yes": True})
    looker.step()
    with site.database.write() as connection:
        connection.execute(sa.text("UPDATE instance SET sending_stopped = :no"), {"no": False})
    looker.step()
    assert again.asked == [()]


def test_later_waits_no_longer_than_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("syndicate.process.later.LOOK_SECONDS", 120.0)
    queue, loops = LocalQueue(), Loops(Log("work"))
    later = Later(queue, loops)
    begun = time.monotonic()
    later.put(job.collect("desk", folder=True), in_seconds=0.0)
    later.step()
    assert queue.standing() == {"collect desk"}
    assert time.monotonic() - begun < 60
