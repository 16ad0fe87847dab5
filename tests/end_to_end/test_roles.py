"""Clock, worker and web as processes of their own on one PostgreSQL database: killed, put to sleep and woken."""

from __future__ import annotations

import json
import os
import signal
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syndicate.storage.database import Database, open_database
from syndicate.storage.issues import get_issue
from tests.end_to_end.running import Running, running
from tests.end_to_end.site import SiteFolder, make_site
from tests.end_to_end.test_run import PER_REQUEST, READERS, ShortLease, check_books, make_due, ok
from tests.end_to_end.test_send_killed import SiteWithKey, point_at
from tests.end_to_end.watch import Watch
from tests.mail_api_server import MailApiProcess, read_journal
from tests.process.waiting import until

pytestmark = pytest.mark.slow

CLOCK, WORKER = ("--role", "clock"), ("--role", "worker")


@pytest.fixture
def mailing(fresh: SiteFolder) -> SiteWithKey:
    """A site on PostgreSQL with readers, and an article to send."""
    site = SiteWithKey(fresh.folder)
    ok(site, "db", "upgrade")
    ok(site, "collect")
    site.readers(READERS)
    site.story(1)
    ok(site, "collect")
    return site


@pytest.fixture
def database(mailing: SiteWithKey, empty_database: str) -> Iterator[Database]:
    opened = open_database(empty_database)
    yield opened
    opened.dispose()


def is_sent(database: Database, issue: int) -> bool:
    with database.read() as connection:
        return get_issue(connection, issue).state == "sent"


def leads(*clocks: Running) -> Running | None:
    """Which of them keeps the clock, by what it told last."""
    told = {each: [line["event"] for line in each.lines if line["event"] in ("leads", "lost")] for each in clocks}
    return next((each for each, events in told.items() if events[-1:] == ["leads"]), None)


def test_on_sqlite_one_process_is_both_and_says_so(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site")
    for role in (CLOCK, WORKER):
        done = site.call("run", *role)
        assert done.returncode == 2
        assert "`run --role work`" in done.stderr and "needs PostgreSQL" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert "--host" in site.call("run", "--role", "clock", "--port", "0").stderr
    assert "sends nothing" in site.call("run", "--role", "clock", "--concurrency", "2").stderr
    assert "127.0.0.1:9101" in site.call("run", "--health", "somewhere").stderr


def test_a_clock_that_is_killed_or_asleep_is_followed_by_the_one_that_stands_by(
    mailing: SiteWithKey, database: Database, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    with ExitStack() as stack:
        server = stack.enter_context(MailApiProcess("resend", journal))
        point_at(mailing, "resend", server.url)
        first = stack.enter_context(running(mailing, *CLOCK))
        until(lambda: leads(first))
        second, worker = (stack.enter_context(running(mailing, *each)) for each in (CLOCK, WORKER))
        until(lambda: second.heard("stands by") and worker.heard("working"))
        # A saved file goes from the clock's machine, or the worker's, to the feeds.
        mailing.story(2)
        until(lambda: b"Story number 2" in _read(mailing.folder / "feeds" / "rss.xml"))

        os.kill(first.process.pid, signal.SIGSTOP)
        until(lambda: leads(second))
        os.kill(first.process.pid, signal.SIGCONT)
        until(lambda: first.heard("lost"))

        # Where the machine is busy, they may have put each other out once more.
        until(lambda: leads(first, second))
        leader = leads(first, second)
        left = second if leader is first else first
        assert leader is not None
        leader.process.kill()
        until(lambda: leads(left))
        # What is due at a time is sent by the clock that is left.
        drafted = str(json.loads(ok(mailing, "issues", "draft", "morning", "--json"))["id"])
        ok(mailing, "issues", "approve", drafted)
        moment = datetime.now(UTC) + timedelta(seconds=2)
        ok(mailing, "issues", "send", drafted, "--yes", "--at", f"{moment:%Y-%m-%dT%H:%M:%S+00:00}")
        until(lambda: is_sent(database, int(drafted)))
        assert Counter(one.to for one in read_journal(journal)) == {
            f"reader{number}@example.com": 1 for number in range(1, READERS + 1)
        }
        assert (left.end(), worker.end()) == (0, 0)
        assert (left.stray, worker.stray) == ([], [])


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def test_a_worker_that_sleeps_beyond_its_lease_cannot_finish_what_another_took(
    mailing: SiteWithKey, database: Database, empty_database: str, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    site = ShortLease(mailing.folder)
    settings = site.folder / "syndicate.toml"
    with MailApiProcess("resend", journal, faults=["1:delay=0.8"]) as server:
        point_at(site, "resend", server.url)
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("[mail]\n", "[mail]\ndeadline_seconds = 1\n"), encoding="utf-8")
        issue = make_due(site)
        with running(site, *WORKER) as sleeper, Watch(empty_database, issue) as watch:
            sleeper.up("working")
            ok(site, "resume")
            until(lambda: len(read_journal(journal)) >= PER_REQUEST)
            os.kill(sleeper.process.pid, signal.SIGSTOP)
            with running(site, *WORKER) as other:
                until(lambda: is_sent(database, issue), 180)
                os.kill(sleeper.process.pid, signal.SIGCONT)
                mine = json.loads(ok(site, "issues", "books", str(issue), "--json"))
                until(lambda: sleeper.heard("delivered") or sleeper.heard("delivery") or sleeper.heard("failed"))
                assert json.loads(ok(site, "issues", "books", str(issue), "--json")) == mine
                assert (sleeper.end(), other.end()) == (0, 0)
        assert not watch.unbalanced
        check_books(site, issue, journal)


def test_a_worker_that_is_told_to_leave_ends_its_request_and_takes_no_other(
    mailing: SiteWithKey, database: Database, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    faults = [f"{number}:delay=2" for number in range(1, 4)]
    with MailApiProcess("resend", journal, faults=faults) as server:
        point_at(mailing, "resend", server.url)
        issue = make_due(mailing)
        with running(mailing, *WORKER, "--concurrency", "2", "--health", "127.0.0.1:0") as worker:
            worker.up("working")
            port = worker.heard("health")[0]["port"]
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as answer:
                assert json.load(answer)["processes"] == {"worker": 1}
            assert "A worker is up." in mailing.call("check").stdout
            ok(mailing, "resume")
            until(lambda: len(read_journal(journal)) >= PER_REQUEST)  # taken, and not answered for two seconds
            taken = len(read_journal(journal))
            assert worker.end() == 0
            assert worker.heard("left")
        books = json.loads(ok(mailing, "issues", "books", str(issue), "--json"))
        assert books["accepted"] >= taken
        assert (books["uncertain"], books["balanced"]) == (0, True)
        ok(mailing, "run", "--once")
        check_books(mailing, issue, journal)
