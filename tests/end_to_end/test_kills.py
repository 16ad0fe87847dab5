"""Real processes, a real mail API server, kill -9: each reader gets the issue exactly once, and the books balance at
every look. Where a mail API cannot tell what became of a request, nobody gets it twice, and who may not have it is
shown. `python3 -m tests.chaos` does it at length."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import count as numbers_from
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from syndicate.core.books import Books
from syndicate.mail import ADAPTERS
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue
from tests.chaos.apis import can_know
from tests.chaos.counting import Count, count, uncertain_readers
from tests.end_to_end.sender import start
from tests.end_to_end.watch import Watch
from tests.mail_api_server import MailApiProcess, read_journal
from tests.mailing import add_readers, address, books_now, clock, make_issue, make_newsroom

READERS = 300
APIS = ("resend", "mailpit")
SHORT = ("--lease", "8.5", "--deadline", "2.5")
KILLS = ("kill_before", "kill_mid_body", "kill_after_accept", "kill_after_answer")

pytestmark = pytest.mark.slow


def approved_issue(database: Database, readers: int = READERS) -> int:
    articles = make_newsroom(database)
    add_readers(database, readers)
    return make_issue(database, articles)


def finish(start_again: Callable[[], BaseProcess]) -> None:
    """Starts again until the issue is closed."""
    for _ in range(10):
        if ended(start_again()) == 0:
            return
    raise AssertionError("the issue was not closed by ten starts")


def ended(process: BaseProcess) -> int:
    """Its exit status, once it has ended."""
    process.join(300)
    assert process.exitcode is not None, "the process did not end"
    return process.exitcode


def check(
    database: Database,
    issue_id: int,
    journal: Path,
    watch: Watch,
    *,
    readers: int = READERS,
    most_uncertain: int = 0,
) -> None:
    accepted = read_journal(journal)
    everybody = [address(number) for number in range(1, readers + 1)]
    with database.read() as connection:
        assert get_issue(connection, issue_id).state == "sent"
        uncertain = uncertain_readers(connection, issue_id)
    assert count(everybody, accepted, uncertain) == Count(0, 0, len(uncertain))
    assert len(uncertain) <= most_uncertain
    sure = readers - len(uncertain)
    assert books_now(database, issue_id) == Books(planned=readers, accepted=sure, uncertain=len(uncertain))
    assert watch.looks > 3
    assert watch.unbalanced == []


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("api", APIS)
def test_killed_at_each_commit_in_turn(
    database: Database, database_url: str, tmp_path: Path, api: str, when: str
) -> None:
    """The first process dies at its first commit, the second at its second, and so on until one comes through."""
    issue_id = approved_issue(database)
    with MailApiProcess(api, tmp_path / "journal") as server, Watch(database_url, issue_id) as watch:
        for number in numbers_from(1):
            # What was being asked of the record at a death is asked again when that claim is over.
            options = ["--die-at-commit", str(number), "--when", when, "--recipients", "50", *SHORT]
            status = ended(start(database_url, tmp_path, issue_id, api, server.url, *options))
            if status != -signal.SIGKILL:
                break
        assert number > 5
        if status:
            finish(lambda: start(database_url, tmp_path, issue_id, api, server.url, *SHORT))
    check(database, issue_id, tmp_path / "journal", watch)


@pytest.mark.parametrize("api", sorted(ADAPTERS))
def test_killed_by_the_mail_api_at_each_instant_of_a_request(
    database: Database, database_url: str, tmp_path: Path, api: str
) -> None:
    # Few, for some take one in a request.
    readers, together = 60, 4
    issue_id = approved_issue(database, readers)
    faults = [f"{3 * place}:{kind}" for place, kind in enumerate(KILLS, 1)]
    with MailApiProcess(api, tmp_path / "journal", faults=faults) as server, Watch(database_url, issue_id) as watch:
        killed = 0
        for _ in range(len(KILLS) + 10):
            # One request at a time, so that each fault meets a process of its own.
            options = ["--victim", "--threads", "1", "--recipients", str(together)]
            options += SHORT if can_know(api) else []
            status = ended(start(database_url, tmp_path, issue_id, api, server.url, *options))
            killed += status == -signal.SIGKILL
            if status == 0:
                break
        assert (killed, status) == (len(KILLS), 0)
    # One request each time, where nobody can tell what became of it.
    most = 0 if can_know(api) else len(KILLS) * together
    check(database, issue_id, tmp_path / "journal", watch, readers=readers, most_uncertain=most)


@pytest.mark.parametrize("api", APIS)
def test_two_processes_at_one_issue(database: Database, database_url: str, tmp_path: Path, api: str) -> None:
    issue_id = approved_issue(database)
    with MailApiProcess(api, tmp_path / "journal") as server, Watch(database_url, issue_id) as watch:
        processes = [
            start(database_url, tmp_path, issue_id, api, server.url, "--recipients", "5") for _ in range(2)
        ]
        assert all(ended(process) in (0, 1) for process in processes)
        finish(lambda: start(database_url, tmp_path, issue_id, api, server.url))
    check(database, issue_id, tmp_path / "journal", watch)


@pytest.mark.parametrize("fault", ["delay", "delay_before_accept"])
@pytest.mark.parametrize("api", APIS)
def test_one_that_slept_past_its_lease(
    database: Database, database_url: str, tmp_path: Path, api: str, fault: str
) -> None:
    """Stopped with a request under way and others claimed, until its lease is over and another has taken them; then it
    wakes up and goes on."""
    issue_id = approved_issue(database)
    options = ["--lease", "7", "--deadline", "1.9", "--threads", "1"]
    journal = tmp_path / "journal"
    with (
        MailApiProcess(api, journal, faults=[f"3:{fault}=1.5"]) as server,
        Watch(database_url, issue_id) as watch,
    ):
        sleeper = start(database_url, tmp_path, issue_id, api, server.url, *options)
        assert sleeper.pid is not None
        try:
            # A process that is stopped inside a write would stop every other writer of SQLite: this one has written
            # down the second answer, and waits for the third.
            wait_until(lambda: books_now(database, issue_id).accepted >= answered(journal, 2))
            time.sleep(0.7)
            os.kill(sleeper.pid, signal.SIGSTOP)
            taken = clock() + timedelta(seconds=7)
            wait_until(lambda: clock() > taken)
            other = start(database_url, tmp_path, issue_id, api, server.url, *options)
            wait_until(lambda: books_now(database, issue_id).waiting == 0)
            os.kill(sleeper.pid, signal.SIGCONT)
            assert ended(other) in (0, 1)
            assert ended(sleeper) in (0, 1)
        finally:
            sleeper.kill()
        finish(lambda: start(database_url, tmp_path, issue_id, api, server.url))
    check(database, issue_id, journal, watch)


def answered(journal: Path, requests: int) -> int:
    """How many readers are in the first so many requests; more than there are while fewer were taken."""
    taken = read_journal(journal)
    first = sorted({one.request for one in taken})[:requests]
    return sum(one.request in first for one in taken) if len(first) == requests else READERS + 1


def wait_until(holds: Callable[[], bool], seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.02)
