"""Mails to one person with two mail APIs: what the first surely did not take goes by the other, none goes by both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.standby import Post, StandbyRule, StandbyState
from syndicate.mail.base import MailAPI
from syndicate.services.deliver_transactional import Delivered, deliver_transactional
from syndicate.storage import tables
from syndicate.storage.database import Database, database_now
from syndicate.storage.standby import Standby, free_from, standby_state, turn
from syndicate.storage.workers import Worker, worker_lock
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import MailApiServer, Plan, read_journal
from tests.mailing import PUBLICATION, SENDER, clock
from tests.services.reading_room import queued
from tests.services.site_rows import start
from tests.services.test_deliver_transactional import NOW, queue, until_settled

AT_ONCE = StandbyRule(timedelta(0), timedelta(hours=1))
FINE = Plan.parse([], [], seed=1)
AWAY = Plan.parse([], ["quota=1"], seed=1)
"""Every request is surely turned away, and told to come back in an hour."""


@dataclass
class TwoOffices:
    """Two mail APIs of a site, and a worker."""

    database: Database
    servers: tuple[MailApiServer, MailApiServer]
    apis: tuple[MailAPI, MailAPI]
    worker: Worker
    post: Post = "first"

    def take_turns(self) -> None:
        """Agrees on whose turn it is, as a process does before each pass."""
        with self.database.write() as connection:
            now = database_now(connection)
            self.post, changed = turn(connection, AT_ONCE, now)
            if changed:
                left = self.apis[0 if self.post == "standby" else 1]
                free_from(connection, left.sheet.api, left.account, now)

    def deliver_pass(self) -> Delivered:
        self.take_turns()
        mine, other = self.apis if self.post == "first" else self.apis[::-1]
        return deliver_transactional(
            *(self.database, mine, SENDER, PUBLICATION, self.worker),
            clock=clock,
            others=(other,),
            standby=Standby(AT_ONCE, self.post),
        )

    def the_hour_is_over(self) -> None:
        with self.database.write() as connection:
            connection.execute(sa.update(tables.instance).values(standby_since=NOW - timedelta(days=9)))

    def look_soon(self) -> None:
        """What is uncertain is due."""
        letters = tables.transactional_mails
        with self.database.write() as connection:
            due = sa.update(letters).where(letters.c.state == "uncertain")
            connection.execute(due.values(retry_at=NOW - timedelta(days=9)))

    @property
    def state(self) -> StandbyState:
        with self.database.read() as connection:
            return standby_state(connection)

    def got(self, place: int) -> Counter[str]:
        return Counter(each.to for each in read_journal(self.servers[place].journal))


@pytest.fixture(params=["resend", "mailgun"])
def two(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[TwoOffices]:
    """The first is known by its keys or by its record; the standby is another one."""
    start(database, NOW)
    with ExitStack() as stack:
        names = (request.param, "mailpit")
        servers = [stack.enter_context(MailApiServer(name, tmp_path / name)) for name in names]
        first, other = (mail_api(name, each.url, recipients=10) for name, each in zip(names, servers, strict=True))
        worker = stack.enter_context(worker_lock(database, tmp_path, "test", NOW))
        yield TwoOffices(database, (servers[0], servers[1]), (first, other), worker)


def test_what_the_first_turned_away_goes_by_the_standby(two: TwoOffices) -> None:
    two.servers[0].plan = AWAY
    queue(two.database, "ann@post.example", "bob@post.example", "cem@post.example")
    assert two.deliver_pass() == Delivered(later=3)
    rows = until_settled(two.database, two.deliver_pass)
    assert {row.state for row in rows} == {"accepted"}
    assert (two.got(0), set(two.got(1).values()), len(two.got(1))) == (Counter(), {1}, 3)
    assert two.state.stands_in_since is not None


def test_what_the_first_may_have_taken_is_never_sent_by_the_other(two: TwoOffices) -> None:
    """The first takes a letter, its answer is lost, and from then on it takes nothing."""
    name = two.apis[0].sheet.api
    two.servers[0].plan = Plan.parse(["1:drop_after_accept", *(f"{n}:quota=1" for n in range(2, 400))], [], seed=1)
    queue(two.database, "ann@post.example", "bob@post.example")
    for _ in range(3):
        two.deliver_pass()
        two.look_soon()
    two.deliver_pass()
    first, second = queued(two.database)
    assert (second.state, second.api) == ("accepted", "mailpit")
    assert first.api == name
    if name == "resend":
        # It knows the key: it is asked to repeat as soon as it has its turn again.
        assert (first.state, first.why) == ("uncertain", "waits for the mail API that may have taken it")
        assert first.retry_at is not None
    two.servers[0].plan = FINE
    two.the_hour_is_over()
    two.look_soon()
    rows = until_settled(two.database, two.deliver_pass)
    assert [row.state for row in rows] == ["accepted", "accepted"]
    assert two.got(0) == Counter({"ann@post.example": 1})
    assert two.got(1) == Counter({"bob@post.example": 1})


def test_a_first_that_takes_again_is_noted(two: TwoOffices) -> None:
    """A failure of a moment ago is forgotten once it takes something: nothing goes by the other."""
    with two.database.write() as connection:
        now = database_now(connection)
        connection.execute(sa.update(tables.instance).values(mail_failing_since=now, mail_failed_at=now))
    queue(two.database, "ann@post.example")
    mine, other = two.apis
    patient = Standby(StandbyRule(timedelta(hours=1), timedelta(hours=1)), "first")
    done = deliver_transactional(
        *(two.database, mine, SENDER, PUBLICATION, two.worker), clock=clock, others=(other,), standby=patient
    )
    assert done == Delivered(accepted=1)
    assert two.state == StandbyState()
