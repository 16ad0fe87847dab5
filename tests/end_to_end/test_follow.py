"""A command that sends beside a worker only follows it; when the worker dies, the command goes on by itself."""

from __future__ import annotations

import json
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.storage.database import open_database
from syndicate.storage.tables import workers
from tests.end_to_end.running import running
from tests.end_to_end.site import make_site
from tests.end_to_end.test_run import PER_REQUEST, READERS, database_of, ok, sent
from tests.end_to_end.test_send_killed import SiteWithKey, point_at
from tests.mail_api_server import MailApiProcess, read_journal
from tests.process.waiting import until

pytestmark = pytest.mark.slow

WORK = ("--role", "work")


@pytest.fixture
def mailing(tmp_path: Path) -> SiteWithKey:
    """A site with readers and an article to send."""
    site = SiteWithKey(make_site(tmp_path / "site").folder)
    site.readers(READERS)
    site.story(1)
    ok(site, "collect")
    return site


def roles(site: SiteWithKey) -> Counter[str]:
    """Who ever was a worker of the site."""
    database = open_database(database_of(site))
    with database.read() as connection:
        found = Counter(connection.execute(sa.select(workers.c.role)).scalars())
    database.dispose()
    return found


def ended(command: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = command.communicate(timeout=120)
    return command.returncode, out, err


def everybody_once(journal: Path) -> bool:
    return Counter(one.to for one in read_journal(journal)) == {
        f"reader{number}@example.com": 1 for number in range(1, READERS + 1)
    }


def test_the_worker_sends_and_the_command_says_how_it_ended(mailing: SiteWithKey, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with MailApiProcess("resend", journal) as server:
        point_at(mailing, "resend", server.url)
        with running(mailing, *WORK) as worker:
            worker.up("working")
            status, out, _ = ended(mailing.start("send", "morning", "--yes", "--json"))
            assert status == 0
            assert (json.loads(out)["state"], json.loads(out)["books"]["accepted"]) == ("sent", READERS)
            assert worker.end() == 0
            assert worker.heard("delivered")
        assert roles(mailing)["command"] == 0
        assert everybody_once(journal)


def test_a_worker_that_dies_is_followed_by_the_command_itself(mailing: SiteWithKey, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with MailApiProcess("resend", journal, faults=["1:delay=20"]) as server:
        point_at(mailing, "resend", server.url)
        with running(mailing, *WORK) as worker:
            worker.up("working")
            command = mailing.start("send", "morning", "--yes")
            until(lambda: len(read_journal(journal)) >= PER_REQUEST)  # taken, and not answered yet
            assert roles(mailing)["command"] == 0
            worker.process.kill()
            status, out, _ = ended(command)
        assert status == 0
        assert f"{READERS} accepted" in out
        assert roles(mailing)["command"] == 1
        assert everybody_once(journal)


def test_one_who_leaves_off_following_leaves_the_worker_at_it(mailing: SiteWithKey, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with MailApiProcess("resend", journal, faults=["1:delay=10"]) as server:
        point_at(mailing, "resend", server.url)
        with running(mailing, *WORK) as worker:
            worker.up("working")
            command = mailing.start("send", "morning", "--yes")
            until(lambda: len(read_journal(journal)) >= PER_REQUEST)
            command.send_signal(signal.SIGINT)
            status, _, err = ended(command)
            assert status == 130
            assert "the worker that is up goes on with it" in err
            until(lambda: sent(mailing, 1))
            assert worker.end() == 0
        assert roles(mailing)["command"] == 0
        assert everybody_once(journal)


def test_what_forbids_sending_is_told_by_the_command_too(mailing: SiteWithKey, tmp_path: Path) -> None:
    """The worker tells its log, which whoever typed the command does not see."""
    point_at(mailing, "resend", "https://api.resend.com")
    with running(mailing, *WORK) as worker:
        until(lambda: worker.heard("working"))
        status, _, err = ended(mailing.start("send", "morning", "--yes"))
        assert status == 1
        assert "No live mail goes out" in err
        assert worker.end() == 0
