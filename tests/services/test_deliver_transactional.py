"""Mails to one person over real HTTP: each once, whatever goes wrong, and none to a closed address."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.message import Answer
from syndicate.errors import NotFound, Refused
from syndicate.mail.base import MailAPI
from syndicate.services.deliver_transactional import Delivered, deliver_transactional
from syndicate.services.settle_letter import give_up, send_again
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.letters import note_why, troubles_of_letters
from syndicate.storage.people import add_suppressions
from syndicate.storage.transactional import queue_mail
from syndicate.storage.workers import Worker, worker_lock
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import MailApiServer, Plan, read_journal
from tests.mailing import PUBLICATION, SENDER, clock
from tests.services.reading_room import ask, queued
from tests.services.site_rows import start

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


def queue(database: Database, *to: str, now: datetime = NOW) -> None:
    with database.write() as connection:
        for number, email in enumerate(to):
            queue_mail(
                connection,
                kind="alert",
                request_key=f"alert {number} {now}",
                to_email=email,
                subject="A slot was missed",
                html="<p>A slot was missed.</p>",
                text="A slot was missed.\n",
                now=now,
            )


@contextmanager
def working(database: Database, directory: Path, api: MailAPI) -> Iterator[Callable[[], Delivered]]:
    with worker_lock(database, directory, "test", NOW) as worker:
        yield lambda: deliver_pass(database, api, worker)


def deliver_pass(database: Database, api: MailAPI, worker: Worker) -> Delivered:
    return deliver_transactional(database, api, SENDER, PUBLICATION, worker, clock=clock)


def until_settled(database: Database, run: Callable[[], Delivered], seconds: float = 20.0) -> list[Any]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        run()
        rows = queued(database)
        parked = [row for row in rows if (row.state, row.retry_at) == ("uncertain", None)]
        if all(row.state in ("accepted", "refused") or row in parked for row in rows):
            return rows
        time.sleep(0.05)
    raise AssertionError([(row.state, row.why) for row in queued(database)])


def plan(*faults: str) -> Plan:
    return Plan.parse(faults, [], seed=7)


@pytest.mark.parametrize("dialect", ["resend", "mailpit"])
def test_each_is_posted_once_with_headers_of_its_own(database: Database, tmp_path: Path, dialect: str) -> None:
    start(database, NOW)
    ask(database, NOW)
    with MailApiServer(dialect, tmp_path / "journal") as server:
        with working(database, tmp_path, mail_api(dialect, server.url, recipients=10)) as run:
            assert run() == Delivered(accepted=1)
            assert run() == Delivered()
        (seen,) = server.seen
        told = json.loads(seen.body)
        mail = told[0] if isinstance(told, list) else told
        headers = {name.lower(): value for name, value in (mail.get("headers") or mail["Headers"]).items()}
        assert headers["auto-submitted"] == "auto-generated"
        assert not [name for name in headers if name.startswith("list-") or name == "precedence"]
    (row,) = queued(database)
    assert (row.state, row.html, bool(row.vendor_id)) == ("accepted", "", True)


@pytest.mark.parametrize(
    ("dialect", "fault"),
    [
        (dialect, fault)
        for dialect in ("resend", "mailpit")
        for fault in ("drop_before_body", "drop_after_accept", "server_error", "gateway_timeout", "rate_limited=0.2")
    ],
)
def test_whatever_goes_wrong_once_it_comes_exactly_once(
    database: Database, tmp_path: Path, dialect: str, fault: str
) -> None:
    start(database, NOW)
    queue(database, "desk@post.example")
    with MailApiServer(dialect, tmp_path / "journal", plan=plan(f"1:{fault}")) as server:
        with working(database, tmp_path, mail_api(dialect, server.url, recipients=10)) as run:
            (row,) = until_settled(database, run)
        assert row.state == "accepted"
        assert [each.to for each in read_journal(server.journal)] == ["desk@post.example"]


def test_what_a_dead_process_had_claimed_is_made_good_by_the_next(database: Database, tmp_path: Path) -> None:
    """Killed between the claim and the answer: the same bytes under the same key."""
    start(database, NOW)
    queue(database, "desk@post.example")
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:drop_after_accept")) as server:
        api = mail_api("resend", server.url, recipients=10)
        with working(database, tmp_path, api) as run:
            run()
        table = tables.transactional_mails
        with database.write() as connection:
            connection.execute(sa.update(table).values(state="sending", retry_at=None, worker_id="work-gone"))
        with working(database, tmp_path, api) as run:
            (row,) = until_settled(database, run)
        keys = {seen.headers.get("idempotency-key") or seen.headers.get("Idempotency-Key") for seen in server.seen}
        assert (row.state, len(server.seen), len(keys)) == ("accepted", 2, 1)
        assert len(read_journal(server.journal)) == 1


def test_without_proof_nothing_is_repeated_by_guess(database: Database, tmp_path: Path) -> None:
    start(database, NOW)
    queue(database, "desk@post.example")
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:gateway_timeout")) as server:
        api = mail_api("resend", server.url, recipients=10)
        with working(database, tmp_path, api) as run:
            run()
            # The key is too old to be trusted.
            table = tables.transactional_mails
            with database.write() as connection:
                connection.execute(
                    sa.update(table).values(first_posted_at=clock() - timedelta(hours=23), retry_at=clock())
                )
            (row,) = until_settled(database, run)
        assert (row.state, len(server.seen)) == ("uncertain", 1)


@pytest.mark.parametrize(("reason", "posted"), [("bounce", 0), ("complaint", 0), ("manual", 0), ("unsubscribe", 1)])
def test_a_closed_address_gets_nothing_and_one_that_its_reader_left_may(
    database: Database, tmp_path: Path, reason: str, posted: int
) -> None:
    start(database, NOW)
    ask(database, NOW)
    with database.read() as connection:
        keyed = connection.execute(sa.select(tables.subscribers.c.address_hash)).scalar_one()
    with database.write() as connection:
        add_suppressions(connection, [{"address_hash": keyed, "reason": reason, "at": NOW}])
    with MailApiServer("resend", tmp_path / "journal") as server:
        with working(database, tmp_path, mail_api("resend", server.url, recipients=10)) as run:
            until_settled(database, run)
        assert len(server.seen) == posted


def test_nothing_is_posted_in_quarantine(database: Database, tmp_path: Path) -> None:
    start(database, NOW)
    queue(database, "desk@post.example")
    with database.write() as connection:
        connection.execute(sa.update(tables.instance).values(quarantined=True, sending_stopped=True))
    with MailApiServer("resend", tmp_path / "journal") as server:
        with working(database, tmp_path, mail_api("resend", server.url, recipients=10)) as run:
            assert run() == Delivered()
            with database.write() as connection:
                connection.execute(sa.update(tables.instance).values(quarantined=False))
            assert run() == Delivered(accepted=1)


def test_a_refused_key_ends_the_pass_and_refuses_nobody(database: Database, tmp_path: Path) -> None:
    start(database, NOW)
    queue(database, "desk@post.example", "night@post.example")
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:unauthorized")) as server:
        with working(database, tmp_path, mail_api("resend", server.url, recipients=10)) as run:
            done = run()
        assert (done.later, bool(done.stopped), len(server.seen)) == (1, True, 1)
    assert [row.state for row in queued(database)] == ["retry", "planned"]


def troubles(database: Database, now: datetime) -> list[str]:
    with database.read() as connection:
        return [each.sentence for each in troubles_of_letters(connection, now, "Asia/Kolkata")]


def test_letters_that_a_refused_key_keeps_are_told_of_and_go_once_it_is_right(
    database: Database, tmp_path: Path
) -> None:
    start(database, NOW)
    queue(database, "desk@post.example", "night@post.example")
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:unauthorized")) as server:
        with working(database, tmp_path, mail_api("resend", server.url, recipients=10)) as run:
            run()
            assert troubles(database, NOW + timedelta(minutes=4)) == []
            [told] = troubles(database, NOW + timedelta(minutes=5))
            assert told.startswith("2 letters wait since 2026-11-20 15:00 Asia/Kolkata: ") and "401" in told
            send_again(database, queued(database)[0].id, directory=tmp_path, actor="Sandy", now=NOW)
            assert run() == Delivered(accepted=2)
    assert troubles(database, NOW + timedelta(minutes=5)) == []


def test_a_letter_is_given_up_for_its_age_and_not_for_attempts_that_others_cost_it(
    database: Database, tmp_path: Path
) -> None:
    start(database, NOW)
    queue(database, "old@post.example")
    queue(database, "new@post.example", now=datetime.now(UTC))
    with database.write() as connection:
        connection.execute(sa.update(tables.transactional_mails).values(attempts=30))
    with working(database, tmp_path, mail_api("resend", "http://127.0.0.1:9", recipients=10)) as run:
        done = run()
    assert (done.refused, done.later, done.stopped) == (1, 1, "")
    assert {row.to_email: row.state for row in queued(database)} == {
        "old@post.example": "refused",
        "new@post.example": "retry",
    }


def test_a_letter_that_cannot_even_be_tried_says_why(database: Database) -> None:
    start(database, NOW)
    queue(database, "desk@post.example")
    [told] = troubles(database, NOW + timedelta(minutes=6))
    assert "1 letter waits" in told and "nobody has posted it" in told
    with database.write() as connection:
        note_why(connection, queued(database)[0].id, "There is no key.")
    [told] = troubles(database, NOW + timedelta(minutes=6))
    assert "Asia/Kolkata: There is no key. `syndicate letters list`" in told


def lost(database: Database, tmp_path: Path) -> int:
    """A letter that was taken, whose answer and key are lost."""
    start(database, NOW)
    queue(database, "desk@post.example")
    with MailApiServer("resend", tmp_path / "lost", plan=plan("1:drop_after_accept")) as server:
        with working(database, tmp_path, mail_api("resend", server.url, recipients=10)) as run:
            run()
            longer = {"first_posted_at": clock() - timedelta(hours=23), "retry_at": clock()}
            with database.write() as connection:
                connection.execute(sa.update(tables.transactional_mails).values(**longer))
            (row,) = until_settled(database, run)
    assert row.state == "uncertain"
    return int(row.id)


def test_an_uncertain_letter_is_told_of_until_somebody_sends_it_again(database: Database, tmp_path: Path) -> None:
    number = lost(database, tmp_path)
    [told] = troubles(database, NOW)
    assert told.startswith("Of 1 letter nobody can tell whether it came, since 2026-11-20 15:00 Asia/Kolkata")
    send_again(database, number, directory=tmp_path, actor="Sandy", now=NOW)
    assert troubles(database, NOW) == []
    with MailApiServer("resend", tmp_path / "journal") as server:
        with working(database, tmp_path, mail_api("resend", server.url, recipients=10)) as run:
            assert run() == Delivered(accepted=1)
        assert [each.to for each in read_journal(server.journal)] == ["desk@post.example"]
    with pytest.raises(Refused, match="accepted already"):
        send_again(database, number, directory=tmp_path, actor="Sandy", now=NOW)


def test_a_letter_that_a_living_process_may_still_post_is_not_sent_again(database: Database, tmp_path: Path) -> None:
    number = lost(database, tmp_path)
    with worker_lock(database, tmp_path, "asleep", NOW) as sleeper:
        with database.write() as connection:
            connection.execute(sa.update(tables.transactional_mails).values(worker_id=sleeper.id))
        with pytest.raises(Refused, match="has not ended"):
            send_again(database, number, directory=tmp_path, actor="Sandy", now=NOW)
    send_again(database, number, directory=tmp_path, actor="Sandy", now=NOW)


def test_a_letter_given_up_is_not_posted_and_says_nothing_any_more(database: Database, tmp_path: Path) -> None:
    number = lost(database, tmp_path)
    give_up(database, number, actor="Sandy", now=NOW)
    (row,) = queued(database)
    assert (row.state, row.why, row.html, row.text) == ("refused", "Sandy gave it up", "", "")
    assert troubles(database, NOW) == []
    with MailApiServer("resend", tmp_path / "journal") as server:
        with working(database, tmp_path, mail_api("resend", server.url, recipients=10)) as run:
            assert run() == Delivered()
        assert server.seen == []
    with database.read() as connection:
        said = list(connection.execute(sa.select(tables.audit_log.c.action, tables.audit_log.c.subject)))
    assert ("letter.give-up", str(number)) in [tuple(each) for each in said]
    with pytest.raises(NotFound):
        give_up(database, 99, actor="Sandy", now=NOW)


def test_who_signs_up_waits_for_no_look_at_a_record(database: Database, tmp_path: Path) -> None:
    """One that hardly answers keeps waiting whom it is asked about."""
    done: list[str] = []

    class Told(Resized):
        def post(self, body: bytes, *, key: str, count: int) -> Answer:
            done.append("post")
            return super().post(body, key=key, count=count)

        def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
            done.append("look")
            return super().lookup(message_ids, key=key)

    start(database, NOW)
    queue(database, "desk@post.example", "news@post.example")
    faults = plan("1:drop_after_accept", "2:drop_after_accept")
    with MailApiServer("mailpit", tmp_path / "journal", plan=faults) as server:
        with working(database, tmp_path, Told(mail_api("mailpit", server.url, recipients=10))) as run:
            assert run().uncertain == 2
            with database.write() as connection:
                connection.execute(sa.update(tables.transactional_mails).values(retry_at=NOW))
            queue(database, "new@reader.example", now=NOW + timedelta(seconds=1))
            run()
    assert done == ["post", "post", "post", "look", "look"]
