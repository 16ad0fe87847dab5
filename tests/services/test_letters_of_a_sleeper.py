"""A mail to one person whose process was really stopped, between its claim and its post or over its answer, while
another took it over: it comes once, whoever wakes up when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from syndicate.storage import tables
from syndicate.storage.database import Database
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import MailApiServer, read_journal
from tests.mailing import clock
from tests.process.waiting import until
from tests.services.reading_room import queued
from tests.services.site_rows import start
from tests.services.test_deliver_transactional import NOW, queue, until_settled, working

DESK = "desk@post.example"


@contextmanager
def asleep(database_url: str, directory: Path, api: str, url: str, when: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has stopped itself, and whose claim is over by now."""
    arguments = [database_url, str(directory), api, url, when]
    process = subprocess.Popen([sys.executable, "-m", "tests.services.letter_sleeper", *arguments])
    try:
        options = os.WSTOPPED | os.WNOHANG | os.WNOWAIT
        until(lambda: os.waitid(os.P_PID, process.pid, options))
        late = clock() + timedelta(seconds=0.2)
        until(lambda: clock() > late)
        yield process
    finally:
        process.kill()
        process.wait()


def make_late(database: Database) -> None:
    """Nobody waits for two minutes: its claim is as old as if somebody had."""
    table = tables.transactional_mails
    with database.write() as connection:
        old = clock() - timedelta(seconds=130)
        connection.execute(sa.update(table).values(posted_at=old, first_posted_at=old))


def only(database: Database) -> Any:
    (row,) = queued(database)
    return row


def taken_over(database: Database, run: Any) -> str:
    """What another makes of it when it has looked more than once."""
    make_late(database)
    seen: set[str] = set()

    def looked() -> bool:
        run()
        row = only(database)
        if row.retry_at is not None and row.why not in seen:
            seen.add(row.why)
            with database.write() as connection:
                connection.execute(sa.update(tables.transactional_mails).values(retry_at=clock()))
        return "owner" in row.why or row.state == "accepted"

    until(looked)
    return str(only(database).state)


class Two:
    """A mail to one person, the process that sleeps over it, and another (`run`)."""

    def __init__(self, database: Database, sleeper: subprocess.Popen[bytes], run: Any, journal: Path) -> None:
        self.database, self.sleeper, self.run, self._journal = database, sleeper, run, journal

    def wake(self) -> None:
        """The sleeper wakes up, and ends what it was doing."""
        os.kill(self.sleeper.pid, signal.SIGCONT)
        assert self.sleeper.wait(60) == 0

    def came(self) -> list[str]:
        """To whom the mail API took mails."""
        return [each.to for each in read_journal(self._journal)]


@contextmanager
def two(database: Database, database_url: str, directory: Path, name: str, when: str, **blind: bool) -> Iterator[Two]:
    start(database, NOW)
    queue(database, DESK)
    with (
        MailApiServer(name, directory / "journal") as server,
        asleep(database_url, directory, name, server.url, when) as sleeper,
        working(database, directory, Resized(mail_api(name, server.url, recipients=10), **blind)) as run,
    ):
        yield Two(database, sleeper, run, server.journal)


def test_one_that_slept_between_claim_and_post_never_posts(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with two(database, database_url, tmp_path, "mailpit", "claimed") as both:
        # It is not in the record, and that proves nothing while somebody may still wake up and post it.
        assert taken_over(database, both.run) == "uncertain"
        assert "its owner may still be posting" in only(database).why
        both.wake()
        assert both.came() == []
        assert until_settled(database, both.run, 60)[0].state == "accepted"
        assert both.came() == [DESK]


def test_one_that_was_killed_in_its_sleep_keeps_nobody_waiting(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with two(database, database_url, tmp_path, "mailpit", "claimed") as both:
        assert taken_over(database, both.run) == "uncertain"
        both.sleeper.kill()
        both.sleeper.wait()
        assert until_settled(database, both.run, 60)[0].state == "accepted"
        assert both.came() == [DESK]


def test_what_it_posts_late_under_its_key_is_the_same_mail(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with two(database, database_url, tmp_path, "resend", "claimed") as both:
        assert taken_over(database, both.run) == "accepted"
        both.wake()
        assert only(database).state == "accepted"
        assert both.came() == [DESK]


def test_an_answer_that_was_slept_over_is_proof_when_it_comes(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """Through a mail API with neither keys nor a record nobody else can find out."""
    with two(database, database_url, tmp_path, "mailpit", "answered", lookup=False) as both:
        make_late(database)
        until(lambda: both.run() is not None and only(database).why == "no proof either way")
        both.wake()
        row = only(database)
        assert (row.state, row.retry_at, row.html) == ("accepted", None, "")
        assert both.came() == [DESK]


def test_one_that_slept_over_its_claim_says_that_it_never_posted(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    """Else it would be in doubt for ever, through a mail API with neither keys nor a record."""
    with two(database, database_url, tmp_path, "mailpit", "claimed", lookup=False) as both:
        make_late(database)
        until(lambda: both.run() is not None and only(database).why == "no proof either way")
        both.wake()
        assert both.came() == []
        assert until_settled(database, both.run, 60)[0].state == "accepted"
        assert both.came() == [DESK]
