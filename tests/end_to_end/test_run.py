"""`syndicate run`: real processes that collect, publish, serve and send by themselves, and are stopped and killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from syndicate.storage.database import open_database
from syndicate.storage.transactional import queue_mail
from syndicate.storage.workers import live_workers
from tests.end_to_end.running import running, runs
from tests.end_to_end.site import SiteFolder, make_site
from tests.end_to_end.test_send_killed import SiteWithKey, point_at
from tests.end_to_end.watch import Watch
from tests.mail_api_server import MailApiProcess, read_journal
from tests.process.waiting import until

READERS = 300
PER_REQUEST = 100
"""Of Resend's batch."""


@pytest.fixture
def site(tmp_path: Path) -> SiteFolder:
    return make_site(tmp_path / "site")


@pytest.fixture
def mailing(tmp_path: Path) -> SiteWithKey:
    """A site with readers and an issue that is due, which no process has begun."""
    site = SiteWithKey(make_site(tmp_path / "site").folder)
    site.readers(READERS)
    site.story(1)
    ok(site, "collect")
    return site


def ok(site: SiteFolder, *arguments: str) -> str:
    """A command in this process, where what it needs is loaded already."""
    done = site.call(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def database_of(site: SiteFolder) -> str:
    return f"sqlite:///{site.folder / 'syndicate.db'}"


def make_due(site: SiteFolder) -> int:
    """Schedules an issue for a moment that has come, while all sending is stopped."""
    ok(site, "stop")
    drafted = str(json.loads(ok(site, "issues", "draft", "morning", "--json"))["id"])
    ok(site, "issues", "approve", drafted)
    assert "syndicate resume" in site.call("issues", "send", drafted, "--yes").stderr
    return int(drafted)


def check_books(site: SiteFolder, issue: int, journal: Path) -> None:
    """Everybody exactly once, and the books say so."""
    books = json.loads(ok(site, "issues", "books", str(issue), "--json"))
    assert (books["planned"], books["accepted"], books["balanced"]) == (READERS, READERS, True)
    times = Counter(one.to for one in read_journal(journal))
    assert times == {f"reader{number}@example.com": 1 for number in range(1, READERS + 1)}


def sent(site: SiteFolder, issue: int) -> bool:
    with closing(sqlite3.connect(site.folder / "syndicate.db")) as connection:
        return bool(connection.execute("SELECT state FROM issues WHERE id = ?", [issue]).fetchone() == ("sent",))


def test_a_saved_article_is_in_the_feeds_within_two_seconds(site: SiteFolder) -> None:
    with running(site) as run:
        run.up()
        until(lambda: b"<rss" in run.get("/feeds/rss.xml"))
        took = []
        for number in (1, 2, 3):
            path = site.folder / "articles" / f"saved-{number}.md"
            path.write_text(f"# Saved a moment ago {number}\n\nIt happened just now.\n", encoding="utf-8")
            title = f"Saved a moment ago {number}".encode()
            took.append(until(lambda: title in run.get("/feeds/rss.xml"), every=0.01))  # noqa: B023
        # The best of three: what else this machine does meanwhile is not the product's.
        assert min(took) < 2.0, took
        assert run.end() == 0
        assert run.stray == []
        assert [each["new"] for each in run.heard("collected")] == [1, 1, 1]


def limits(site: SiteFolder) -> int:
    with closing(sqlite3.connect(site.folder / "syndicate.db")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM rate_limits").fetchone()
    return int(count)


def test_it_says_where_it_is_that_a_worker_is_up_and_forgets_what_is_old(site: SiteFolder) -> None:
    assert "No worker is up" in site.run("check").stdout
    with closing(sqlite3.connect(site.folder / "syndicate.db")) as connection:
        connection.execute("INSERT INTO rate_limits (key, tat) VALUES ('old', '2020-01-01T00:00:00.000000Z')")
        connection.commit()
    with running(site) as run:
        run.up()
        assert run.get("/up")
        assert "A worker is up." in site.run("check").stdout
        until(lambda: limits(site) == 0)
        second = site.run("run", "--port", "0")
        assert second.returncode == 1
        assert "runs already" in second.stderr and str(run.process.pid) in second.stderr
        assert run.end(signal.SIGINT) == 0
    assert "No worker is up" in site.run("check").stdout


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["for people", "for programs"])
def test_the_first_start_prints_one_link_that_makes_the_first_user(site: SiteFolder, options: Sequence[str]) -> None:
    process = site.start("run", "--host", "0.0.0.0", "--port", "0", *options)  # not where the settings say
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(5 if options else 4)]
        if options:
            said = json.loads(" ".join(lines))
            console, link = said["console"], said["first_user_link"]
        else:
            console, link = lines[1], lines[3]
        assert console.endswith("/console/"), lines
        assert "/console/welcome/" in link
        with urllib.request.urlopen(link, timeout=60) as page:
            assert page.status == 200
        process.terminate()
        _, log = process.communicate(timeout=60)
        assert process.returncode == 0
        assert link.rpartition("/")[2] not in log
    finally:
        process.kill()
        process.communicate()


def test_a_port_that_is_taken_is_said_with_the_cure(site: SiteFolder) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        done = site.run("run", "--port", str(other.getsockname()[1]))
    assert done.returncode == 1
    assert "--port" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_embargo_ends_by_itself(site: SiteFolder) -> None:
    with running(site) as run:
        run.up()
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 6))
        text = f"---\ntitle: Under embargo\nembargo: {moment}\n---\n\nNot before its time.\n"
        (site.folder / "articles" / "embargo.md").write_text(text, encoding="utf-8")
        until(lambda: run.heard("collected"))
        assert b"Under embargo" not in run.get("/feeds/rss.xml")
        until(lambda: b"Under embargo" in run.get("/feeds/rss.xml"))
        assert time.time() >= time.mktime(time.strptime(moment, "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
        assert run.end() == 0


def test_a_mail_that_one_person_waits_for_goes_out_although_all_sending_is_stopped(site: SiteFolder) -> None:
    ok(site, "collect")
    ok(site, "stop")
    database = open_database(database_of(site))
    with running(site, "--role", "work") as run:
        with database.write() as connection:
            queue_mail(
                connection,
                kind="confirmation",
                request_key="confirm-1",
                to_email="reader@example.com",
                subject="Please confirm",
                html="<p>Please confirm.</p>",
                text="Please confirm.",
                now=datetime.now(UTC),
            )
        until(lambda: site.mails)
        until(lambda: run.heard("letters"))
        assert run.heard("letters")[0]["accepted"] == 1
        assert run.end() == 0
    database.dispose()


def test_the_clock_drafts_for_the_next_slot_and_tells_the_editors(site: SiteFolder) -> None:
    slot = datetime.now(ZoneInfo("Europe/Lisbon")) + timedelta(minutes=30)
    settings = site.folder / "syndicate.toml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(re.sub('daily = "[^"]*"', f'daily = "daily {slot:%H:%M}"', text), encoding="utf-8")
    site.readers(3)
    site.story(1)
    ok(site, "collect")
    with running(site, "--role", "work") as run:
        until(lambda: run.heard("drafted"))
        until(lambda: site.mails)
        (preview,) = site.mails
        assert b"desk@example.com" in preview.read_bytes()
        assert run.end() == 0


def test_the_first_signal_lets_an_open_request_end_and_books_it(mailing: SiteWithKey, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    faults = [f"{number}:delay=2" for number in range(1, 4)]
    with MailApiProcess("resend", journal, faults=faults) as server:
        point_at(mailing, "resend", server.url)
        issue = make_due(mailing)
        with running(mailing) as run:
            run.up()
            ok(mailing, "resume")
            until(lambda: len(read_journal(journal)) >= PER_REQUEST)  # taken, and not answered for two seconds
            taken = len(read_journal(journal))
            assert run.end() == 0
            assert run.heard("left", "work")
        books = json.loads(ok(mailing, "issues", "books", str(issue), "--json"))
        assert books["accepted"] >= taken
        assert (books["uncertain"], books["balanced"]) == (0, True)
        ok(mailing, "run", "--once")
        check_books(mailing, issue, journal)


def test_the_second_signal_leaves_at_once_and_the_next_start_goes_on(mailing: SiteWithKey, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with MailApiProcess("resend", journal, faults=["1:delay=90"]) as server:
        point_at(mailing, "resend", server.url)
        issue = make_due(mailing)
        with running(mailing) as run:
            run.up()
            ok(mailing, "resume")
            until(lambda: len(read_journal(journal)) >= PER_REQUEST)
            run.process.send_signal(signal.SIGTERM)
            until(lambda: run.heard("leaving", "work"))
            begun = time.monotonic()
            assert run.end(seconds=90) == 128 + signal.SIGTERM
            assert time.monotonic() - begun < 60
        server.control(plan={"faults": [], "chances": [], "seed": 0})
        with running(mailing, "--role", "work") as run:
            until(lambda: sent(mailing, issue))
            assert run.end() == 0
        check_books(mailing, issue, journal)


@pytest.mark.parametrize("kill", ["kill_mid_body", "kill_after_accept"])
def test_a_killed_work_process_starts_again_and_nobody_is_lost_or_doubled(
    mailing: SiteWithKey, tmp_path: Path, kill: str
) -> None:
    journal = tmp_path / "journal"
    with MailApiProcess("resend", journal, faults=[f"2:{kill}", "4:drop_after_accept"]) as server:
        point_at(mailing, "resend", server.url)
        issue = make_due(mailing)
        with running(mailing) as run, Watch(database_of(mailing), issue) as watch:
            run.up()
            victim = run.child("work")
            server.control(pid=victim)
            ok(mailing, "resume")
            until(lambda: run.heard("restart"))
            assert run.heard("restart")[0]["child"] == "work"
            until(lambda: sent(mailing, issue))
            assert not runs(victim)
            assert run.end() == 0
        assert watch.looks and not watch.unbalanced
        check_books(mailing, issue, journal)


def test_a_killed_web_process_starts_again_on_the_same_port(site: SiteFolder) -> None:
    with running(site) as run:
        run.up()
        until(lambda: b"<rss" in run.get("/feeds/rss.xml"))
        victim = run.child("web")
        os.kill(victim, signal.SIGKILL)
        # The socket is the supervisor's: whoever asks meanwhile waits, and is refused by nobody.
        assert b"<rss" in run.get("/feeds/rss.xml")
        assert run.child("web") not in (0, victim)
        assert run.end() == 0


def test_a_killed_supervisor_takes_its_children_along_and_the_next_start_goes_on(
    mailing: SiteWithKey, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    with MailApiProcess("resend", journal, faults=["1:delay=2"]) as server:
        point_at(mailing, "resend", server.url)
        issue = make_due(mailing)
        with running(mailing) as run:
            run.up()
            port = run.address.rpartition(":")[2]
            ok(mailing, "resume")
            until(lambda: len(read_journal(journal)) >= PER_REQUEST)
            children = [run.child("web"), run.child("work")]
            assert all(children)
            run.process.kill()
            # At once, on the same port, beside the old children that finish what they had under way.
            with running(mailing, "--port", port) as again:
                again.up()
                until(lambda: not any(map(runs, children)))
                until(lambda: sent(mailing, issue))
                assert again.get("/up")
                assert again.end() == 0
        check_books(mailing, issue, journal)


class ShortLease(SiteWithKey):
    """Its processes lend claims for seconds."""

    @staticmethod
    def command(*arguments: str) -> Sequence[str]:
        words = list(SiteWithKey.command(*arguments))
        return [*words[:2], "tests.end_to_end.short_lease", *words[3:]]


def test_a_worker_that_sleeps_beyond_its_lease_is_stood_in_for_and_wakes_to_do_no_harm(
    mailing: SiteWithKey, tmp_path: Path
) -> None:
    journal = tmp_path / "journal"
    site = ShortLease(mailing.folder)
    settings = site.folder / "syndicate.toml"
    with MailApiProcess("resend", journal, faults=["1:delay=0.8"]) as server:
        point_at(site, "resend", server.url)
        text = settings.read_text(encoding="utf-8")
        settings.write_text(text.replace("[mail]\n", "[mail]\ndeadline_seconds = 1\n"), encoding="utf-8")
        issue = make_due(site)
        with running(site, "--role", "work") as sleeper, Watch(database_of(site), issue) as watch:
            until(lambda: sleeper.heard("working"))
            ok(site, "resume")
            until(lambda: len(read_journal(journal)) >= PER_REQUEST)
            os.kill(sleeper.process.pid, signal.SIGSTOP)
            with running(site, "--role", "work") as other:
                until(lambda: sent(site, issue))
                os.kill(sleeper.process.pid, signal.SIGCONT)
                time.sleep(2.0)  # for whatever it would do now
                assert (sleeper.end(), other.end()) == (0, 0)
        assert not watch.unbalanced
        check_books(site, issue, journal)


def test_two_workers_share_the_work_and_one_stop_holds_in_both(mailing: SiteWithKey, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    with MailApiProcess("resend", journal, faults=["1:delay=0.5"]) as server:
        point_at(mailing, "resend", server.url)
        issue = make_due(mailing)
        with running(mailing, "--role", "work") as first, running(mailing, "--role", "work") as second:
            until(lambda: first.heard("stopped") and second.heard("stopped"))
            database = open_database(database_of(mailing))
            assert len([each for each in live_workers(database, mailing.folder) if each.startswith("work-")]) == 2
            database.dispose()
            ok(mailing, "resume")
            until(lambda: read_journal(journal))
            stopped = json.loads(ok(mailing, "stop", "--json"))["issues"]
            taken = len(read_journal(journal))
            if stopped:  # else the whole issue went out before the command had begun
                assert (stopped[0]["requests_under_way"], stopped[0]["books"]["accepted"]) == (0, taken)
                time.sleep(1)  # nothing happens: that is what is tried
                assert len(read_journal(journal)) == taken
            ok(mailing, "resume")
            until(lambda: sent(mailing, issue))
            assert (first.end(), second.end()) == (0, 0)
        check_books(mailing, issue, journal)


def test_the_sign_of_life_is_given_by_the_one_command(site: SiteFolder) -> None:
    """Its two processes are both among the workers of the site."""
    with socket.create_server(("127.0.0.1", 0)) as heart:
        heart.settimeout(60)
        address = f"http://127.0.0.1:{heart.getsockname()[1]}/beat"
        with (site.folder / "syndicate.toml").open("a", encoding="utf-8") as settings:
            settings.write(f'\n[alerts]\nheartbeat_url = "{address}"\nallow_private = true\n')
        with running(site) as run:
            run.up()
            asked, _ = heart.accept()
            with asked:
                asked.sendall(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
                assert asked.recv(1000).startswith(b"GET /beat ")
            assert run.end() == 0
            assert run.stray == []
