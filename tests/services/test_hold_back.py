"""Limits, quiet hours, first waves and issues that stop by themselves, over real HTTP."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.allowance import Allowance, Limits, WarmUp
from syndicate.core.books import Books
from syndicate.core.first_wave import FirstWave, wave_spans
from syndicate.core.issue import Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.quiet import QuietHours
from syndicate.mail.base import MailAPI
from syndicate.services.deliver_issue import deliver
from syndicate.services.pause_issue import pause, resume
from syndicate.services.sweep_issues import sweep
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.issue_standing import first_wave_settled
from syndicate.storage.issues import change_issue, get_issue
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import MailApiServer, doubled, lost, read_journal
from tests.mailing import MORNING, NOW, SHEET, address, batches_of, books_now, clock, delivery_of, frozen_issue

DAY = timedelta(days=1)


@pytest.fixture
def server(tmp_path: Path) -> MailApiServer:
    return MailApiServer("mailpit", tmp_path / "journal")


def issue_of(database: Database, issue_id: int) -> Issue:
    with database.read() as connection:
        return get_issue(connection, issue_id)


def run(
    database: Database,
    issue_id: int,
    api: MailAPI,
    folder: Path,
    **changes: object,
) -> Books:
    """One delivery that does not wait for what comes later."""
    with worker_lock(database, folder, "test", NOW) as worker:
        delivery = delivery_of(database, api, folder, **{"patience_seconds": 0.0, **changes})
        deliver(delivery, issue_id, worker, stop=threading.Event(), threads=2, clock=clock)
    sweep(database, clock())
    return books_now(database, issue_id)


def newsletter(**changes: object) -> Newsletter:
    return replace(MORNING, timezone="UTC", **changes)  # type: ignore[arg-type]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


SLOW = Limits(domains={"slow.example": Allowance(10, timedelta(hours=1))})


def live_at_the_slow_one(database: Database, count: int) -> None:
    """So many, the first of them, have their mailboxes at the domain of SLOW."""
    recipients = tables.issue_recipients
    with database.write() as connection:
        connection.execute(
            sa.update(recipients)
            .where(recipients.c.ordinal <= count)
            .values(email=sa.func.replace(recipients.c.email, "@example.org", "@slow.example"))
        )


def time_passes(database: Database, how_long: timedelta) -> None:
    """As if so much time had passed: all that was kept for later is so much nearer."""
    with database.write() as connection:
        for table, column in ((tables.batches, "retry_at"), (tables.rate_limits, "tat")):
            [key] = table.primary_key.columns
            rows = connection.execute(sa.select(key, table.c[column]).where(table.c[column].is_not(None))).all()
            for name, moment in rows:
                connection.execute(sa.update(table).where(key == name).values({column: moment - how_long}))


def test_no_more_recipients_than_allowed_and_the_rest_later(
    database: Database, tmp_path: Path, server: MailApiServer
) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 60, sheet=api.sheet)
        few = Limits(recipients=(Allowance(100, DAY),))
        balance = run(database, issue_id, api, tmp_path, limits=few)
        # A tenth at once, of nine tenths: the last tenth is for mails that one person waits for.
        assert (balance.accepted, balance.waiting) == (9, 51)
        issue = issue_of(database, issue_id)
        assert issue.state == "sending"
        assert issue.why.startswith("It waits for its limit of recipients, 100/day, until ")
        assert run(database, issue_id, api, tmp_path, limits=few).accepted == 9
        assert run(database, issue_id, api, tmp_path) == Books(60, accepted=60)
        assert issue_of(database, issue_id).why == ""
        journal = read_journal(server.journal)
        assert (lost(journal, [address(number) for number in range(1, 61)]), doubled(journal)) == (set(), {})


def test_a_limit_of_requests_spreads_them(database: Database, tmp_path: Path, server: MailApiServer) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 12, sheet=api.sheet)
        began = time.monotonic()
        spread = Limits(requests=(Allowance(9, timedelta(seconds=1)),))
        assert run(database, issue_id, api, tmp_path, limits=spread, patience_seconds=60.0) == Books(12, accepted=12)
        # Eight a second after the first one: eleven more take longer than a second, however quick the machine is.
        assert time.monotonic() - began > 1.3


def test_limits_are_shared_by_all_who_send(database: Database, tmp_path: Path, server: MailApiServer) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 60, sheet=api.sheet)
        few = Limits(recipients=(Allowance(200, DAY),))
        folders = [tmp_path / "one", tmp_path / "two"]
        threads = []
        for folder in folders:
            folder.mkdir()
            threads.append(
                threading.Thread(target=run, args=(database, issue_id, api, folder), kwargs={"limits": few})
            )
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert books_now(database, issue_id).accepted == 18


def test_a_warm_up_ends_for_today(database: Database, tmp_path: Path, server: MailApiServer) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 60, sheet=api.sheet)
        with database.read() as connection:
            today = connection.execute(sa.select(sa.func.current_timestamp())).scalar_one()
        since = datetime.fromisoformat(str(today)).date() - timedelta(days=1)
        warm_up = Limits(warm_up=WarmUp(since, (10, 20, 20)))
        balance = run(database, issue_id, api, tmp_path, limits=warm_up)
        assert (balance.accepted, balance.waiting) == (18, 42)
        assert "20 on its day of the warm-up" in issue_of(database, issue_id).why


@pytest.mark.parametrize("by_day", [True, False])
def test_a_request_planned_for_more_than_a_limit_holds_goes_in_parts(
    database: Database, tmp_path: Path, by_day: bool
) -> None:
    """Planned by what the mail API takes: a warm-up of 20 a day is no reason to send 60 on one."""
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=60)
        issue_id = frozen_issue(database, 60, sheet=api.sheet)
        warm_up = WarmUp(datetime.now(UTC).date() - timedelta(days=1), (20, 20, 20))
        few = Limits(warm_up=warm_up) if by_day else Limits(recipients=(Allowance(20, DAY),))
        balance = run(database, issue_id, api, tmp_path, limits=few)
        # Of twenty in any day two at once, a tenth being left to single mails; of twenty each day nine tenths.
        assert 0 < balance.accepted <= (18 if by_day else 2)
        assert (balance.waiting, balance.refused) == (60 - balance.accepted, 0)
        assert issue_of(database, issue_id).state == "sending"
        assert run(database, issue_id, api, tmp_path) == Books(60, accepted=60)
        journal = read_journal(server.journal)
        assert (lost(journal, [address(number) for number in range(1, 61)]), doubled(journal)) == (set(), {})


def test_a_receiving_domain_has_its_pace_and_keeps_no_other_waiting(
    database: Database, tmp_path: Path, server: MailApiServer
) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 60, sheet=api.sheet)
        live_at_the_slow_one(database, 40)
        balance = run(database, issue_id, api, tmp_path, limits=SLOW)
        assert (balance.accepted, balance.waiting) == (21, 39)
        times = sorted(batch.retry_at for batch in batches_of(database, issue_id) if batch.retry_at is not None)
        assert len(times) == 39
        gaps = {round((later - earlier).total_seconds()) for earlier, later in pairwise(times)}
        assert gaps == {400}, "each has a time of its own, nine in each hour after the first"
        waiting = [batch for batch in batches_of(database, issue_id) if batch.state == "retry"]
        assert {batch.why for batch in waiting} == {"slow.example is sent no more than 10/hour"}
        assert {batch.attempts for batch in waiting} == {0}
        # When its time has come it goes, and has a place already.
        time_passes(database, timedelta(seconds=400))
        assert run(database, issue_id, api, tmp_path, limits=SLOW).accepted == 22
        assert sorted(batch.retry_at for batch in batches_of(database, issue_id) if batch.retry_at is not None) == [
            each - timedelta(seconds=400) for each in times[1:]
        ]


@pytest.mark.parametrize("how", ["paused", "paused for long", "away for long"])
def test_what_waits_for_its_domain_does_not_go_all_at_once_later(
    database: Database, tmp_path: Path, server: MailApiServer, how: str
) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 20, sheet=api.sheet)
        live_at_the_slow_one(database, 12)
        assert run(database, issue_id, api, tmp_path, limits=SLOW).accepted == 9
        if how != "away for long":
            pause(database, issue_id, why="a look", actor="desk", now=clock())
        if how != "paused":
            time_passes(database, timedelta(hours=9))
        if how != "away for long":
            resume(database, issue_id, actor="desk", now=clock())
        balance = run(database, issue_id, api, tmp_path, limits=SLOW)
        assert balance.accepted == (9 if how == "paused" else 10)
        times = sorted(batch.retry_at for batch in batches_of(database, issue_id) if batch.retry_at is not None)
        assert [round((later - earlier).total_seconds()) for earlier, later in pairwise(times)] == [400] * (
            balance.waiting - 1
        )
        for _ in range(balance.waiting):
            time_passes(database, timedelta(seconds=401))
            run(database, issue_id, api, tmp_path, limits=SLOW)
        assert books_now(database, issue_id) == Books(20, accepted=20)


def test_a_request_is_for_no_more_readers_of_a_domain_than_it_is_sent_at_once(
    database: Database, tmp_path: Path
) -> None:
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=60)
        issue_id = frozen_issue(database, 60, sheet=api.sheet)
        live_at_the_slow_one(database, 40)
        quick = Limits(domains={"slow.example": Allowance(50, timedelta(hours=1))})
        gone = [run(database, issue_id, api, tmp_path, limits=quick).accepted]
        while books_now(database, issue_id).waiting and len(gone) < 60:
            time_passes(database, timedelta(minutes=5))
            gone.append(run(database, issue_id, api, tmp_path, limits=quick).accepted)
        assert books_now(database, issue_id) == Books(60, accepted=60)
        journal = read_journal(server.journal)
        addresses = [address(number) for number in range(1, 61)]
        everybody = [*(each.replace("@example.org", "@slow.example") for each in addresses[:40]), *addresses[40:]]
        assert (lost(journal, everybody), doubled(journal)) == (set(), {})
        by_request = Counter(each.key for each in journal if each.to.endswith("@slow.example"))
        assert max(by_request.values()) <= 5


def test_quiet_hours_hold_what_goes_by_the_clock(database: Database, tmp_path: Path, server: MailApiServer) -> None:
    now = datetime.now(UTC)
    quiet = QuietHours((now - timedelta(hours=2)).time(), (now + timedelta(hours=2)).time())
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 5, sheet=api.sheet)
        assert run(database, issue_id, api, tmp_path, newsletter=newsletter(quiet=quiet)).waiting == 5
        assert "for the end of quiet hours" in issue_of(database, issue_id).why
        assert run(database, issue_id, api, tmp_path, newsletter=newsletter()) == Books(5, accepted=5)


def test_who_sends_by_hand_has_seen_the_hour(database: Database, tmp_path: Path, server: MailApiServer) -> None:
    now = datetime.now(UTC)
    quiet = QuietHours((now - timedelta(hours=2)).time(), (now + timedelta(hours=2)).time())
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 5, sheet=api.sheet)
        with database.write() as connection:
            change_issue(connection, issue_id, kind="manual", cadence="")
        assert run(database, issue_id, api, tmp_path, newsletter=newsletter(quiet=quiet)) == Books(5, accepted=5)


def test_the_rest_goes_after_a_look_at_the_first_wave(
    database: Database, tmp_path: Path, server: MailApiServer
) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 100, sheet=api.sheet)
        wave = newsletter(first_wave=FirstWave(0.05, timedelta(hours=1)))
        assert run(database, issue_id, api, tmp_path, newsletter=wave).accepted == 5
        assert "for a look at its first wave, until " in issue_of(database, issue_id).why
        assert run(database, issue_id, api, tmp_path, newsletter=wave).accepted == 5
        short = newsletter(first_wave=FirstWave(0.05, timedelta(milliseconds=1)))
        assert run(database, issue_id, api, tmp_path, newsletter=short) == Books(100, accepted=100)


def test_the_first_wave_has_readers_of_every_age(database: Database, tmp_path: Path, server: MailApiServer) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 200, sheet=api.sheet)
        wave = newsletter(first_wave=FirstWave(0.05, timedelta(hours=1)))
        assert run(database, issue_id, api, tmp_path, newsletter=wave).accepted == 10
        numbers = sorted(int(each.to.removeprefix("reader").partition("@")[0]) for each in read_journal(server.journal))
        assert [(number - 1) // 20 for number in numbers] == list(range(10))


def test_a_first_wave_in_which_no_request_begins_keeps_nobody_waiting(
    database: Database, tmp_path: Path, server: MailApiServer
) -> None:
    with server:
        # Planned for a mail API that takes them all in one request, sent by one that takes each alone.
        large = mail_api("resend", server.url, recipients=100)
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 90, sheet=large.sheet)
        wave = newsletter(first_wave=FirstWave(0.1, timedelta(milliseconds=1)))
        assert run(database, issue_id, api, tmp_path, newsletter=wave) == Books(90, accepted=90)


def test_somebody_who_has_looked_lets_the_rest_go_at_once(
    database: Database, tmp_path: Path, server: MailApiServer
) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 50, sheet=api.sheet)
        wave = newsletter(first_wave=FirstWave(0.1, timedelta(hours=1)))
        run_it = threading.Thread(
            target=run,
            args=(database, issue_id, api, tmp_path),
            kwargs={"newsletter": wave, "patience_seconds": 7200.0},
        )
        run_it.start()
        until(lambda: "first wave" in issue_of(database, issue_id).why)
        assert books_now(database, issue_id).accepted == 5
        resume(database, issue_id, actor="desk", now=clock())
        run_it.join(timeout=30)
        assert books_now(database, issue_id) == Books(50, accepted=50)


def test_a_pause_in_the_first_wave_holds_and_its_end_is_a_look(
    database: Database, tmp_path: Path, server: MailApiServer
) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 50, sheet=api.sheet)
        wave = newsletter(first_wave=FirstWave(0.1, timedelta(hours=1)))
        run(database, issue_id, api, tmp_path, newsletter=wave)
        pause(database, issue_id, why="the subject is wrong", actor="desk", now=clock())
        assert issue_of(database, issue_id).why == "the subject is wrong"
        assert run(database, issue_id, api, tmp_path, newsletter=wave).accepted == 5
        resume(database, issue_id, actor="desk", now=clock())
        assert run(database, issue_id, api, tmp_path, newsletter=wave) == Books(50, accepted=50)


def waits_for_its_server(database: Database, issue_id: int, place: int) -> None:
    """As if the server of the reader at that ordinal had wanted nothing so far, and was to be asked again in hours."""
    table = tables.batches
    values = {"state": "retry", "why": "450 greylisted", "attempts": 5, "generation": 5, "settled_at": clock()}
    with database.write() as connection:
        connection.execute(
            sa.update(table)
            .where(table.c.issue_id == issue_id, table.c.first == place)
            .values(retry_at=clock() + timedelta(hours=6), **values)
        )


def test_one_of_the_first_wave_whose_server_wants_nothing_yet_keeps_nobody_waiting(
    database: Database, tmp_path: Path, server: MailApiServer
) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 60, sheet=api.sheet)
        slow, quick = FirstWave(0.1, timedelta(hours=1)), FirstWave(0.1, timedelta(milliseconds=1))
        waits_for_its_server(database, issue_id, wave_spans(60, slow, 1, issue_id)[0][0])
        assert run(database, issue_id, api, tmp_path, newsletter=newsletter(first_wave=slow)).accepted == 5
        # The others go after a look at those who got it.
        assert "for a look at its first wave, until " in issue_of(database, issue_id).why
        assert run(database, issue_id, api, tmp_path, newsletter=newsletter(first_wave=quick)).accepted == 59
        time_passes(database, timedelta(hours=7))
        assert run(database, issue_id, api, tmp_path, newsletter=newsletter(first_wave=quick)).accepted == 60


def test_who_of_the_first_wave_gets_it_late_begins_no_look_anew(database: Database) -> None:
    issue_id = frozen_issue(database, 60, sheet=replace(SHEET, recipients_per_request=1))
    spans = wave_spans(60, FirstWave(0.1, timedelta(hours=1)), 1, issue_id)
    table = tables.batches

    def settle(place: int, **values: object) -> datetime | None:
        where = table.c.first == spans[place][0]
        with database.write() as connection:
            connection.execute(sa.update(table).where(where).values(**{"state": "accepted", **values}))
            return first_wave_settled(connection, issue_id, spans)[0]

    looks = [settle(place, settled_at=NOW + timedelta(minutes=place)) for place in range(5)]
    assert looks == [None] * 5
    fifth = NOW + timedelta(minutes=4)
    assert settle(5, state="retry", settled_at=NOW) == fifth
    assert settle(5, settled_at=NOW + timedelta(hours=6)) == fifth


def test_a_first_wave_that_cannot_go_says_so_and_somebody_may_let_the_rest_go(
    database: Database, tmp_path: Path, server: MailApiServer
) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 30, sheet=api.sheet)
        wave = FirstWave(0.1, timedelta(hours=1))
        for first, _ in wave_spans(30, wave, 1, issue_id)[1:]:
            waits_for_its_server(database, issue_id, first)
        assert run(database, issue_id, api, tmp_path, newsletter=newsletter(first_wave=wave)).accepted == 1
        assert issue_of(database, issue_id).why == "It waits for 2 of the requests of its first wave, which go later."
        resume(database, issue_id, actor="desk", now=clock())
        assert run(database, issue_id, api, tmp_path, newsletter=newsletter(first_wave=wave)).accepted == 28
        assert issue_of(database, issue_id).why == ""


def complain(database: Database, issue_id: int, count: int) -> None:
    with database.write() as connection:
        for number in range(count):
            connection.execute(
                sa.insert(tables.events).values(
                    api="mailpit",
                    event_id=f"complaint-{issue_id}-{number}",
                    kind="complaint",
                    issue_id=issue_id,
                    at=clock(),
                    received_at=clock(),
                    raw={},
                )
            )


def test_an_issue_that_too_many_call_spam_stops_until_somebody_has_looked(
    database: Database, tmp_path: Path, server: MailApiServer
) -> None:
    with server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 100, sheet=api.sheet)
        run(database, issue_id, api, tmp_path, newsletter=newsletter(first_wave=FirstWave(0.1, timedelta(hours=1))))
        complain(database, issue_id, 5)
        wave = newsletter(first_wave=FirstWave(0.1, timedelta(milliseconds=1)))
        balance = run(database, issue_id, api, tmp_path, newsletter=wave)
        assert (balance.accepted, balance.waiting) == (10, 90)
        issue = issue_of(database, issue_id)
        assert issue.state == "paused"
        assert issue.why.startswith("It stopped by itself: 5 of 10 said that it is spam")
        resume(database, issue_id, actor="desk", now=clock())
        assert run(database, issue_id, api, tmp_path, newsletter=wave) == Books(100, accepted=100)
