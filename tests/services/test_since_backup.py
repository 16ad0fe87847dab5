"""A database that was restored does not send by itself what the lost one may have sent: people decide, or reports
tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.services.check_in import check_in
from syndicate.services.confirm_live import confirm_live
from syndicate.services.pause_issue import resume
from syndicate.services.resolve_issue import resolve
from syndicate.storage import instance, tables
from syndicate.storage.database import Database
from syndicate.storage.issues import change_issue
from syndicate.storage.letters import open_letters
from syndicate.storage.proofs import prove
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import MailApiServer
from tests.mailing import NOW, PUBLICATION, books_now, clock, frozen_issue, make_issue
from tests.services.clockwork import Clockwork, utc
from tests.services.composing_room import MORNING, enrol, release
from tests.services.test_deliver_issue import check, deliver_it, issue_of
from tests.services.test_deliver_transactional import queue

WEB = PUBLICATION.web_url


def restored(database: Database, folder: Path, now: datetime) -> None:
    """As if a backup had been put in its place: what is kept beside it is ahead. Somebody says at once that it is the
    one to send from."""
    place = {"beside": folder, "place": "here", "web_url": WEB, "account": "key", "live": False, "now": now}
    check_in(database, directory=folder, **place)  # type: ignore[arg-type]
    with database.read() as connection:
        old = instance.remembered(connection)
    check_in(database, directory=folder, **place)  # type: ignore[arg-type]
    with database.write() as connection:
        instance.remember(connection, old)
    assert check_in(database, directory=folder, **place).quarantine  # type: ignore[arg-type]
    confirm_live(database, seen=(), actor="ann", **place)  # type: ignore[arg-type]


def begin(database: Database) -> None:
    with database.write() as connection:
        instance.start(connection, secret=b"k" * 32, place="here", web_url=WEB, now=NOW)


def test_what_was_being_sent_is_uncertain_and_goes_again_when_somebody_says_so(
    database: Database, tmp_path: Path
) -> None:
    with MailApiServer("mailgun", tmp_path / "journal") as server:
        api = mail_api("mailgun", server.url, recipients=10)
        issue_id = frozen_issue(database, 60, sheet=api.sheet)
        begin(database)
        restored(database, tmp_path, clock())
        assert deliver_it(database, issue_id, api, tmp_path) == Books(60, uncertain=60)
        assert (len(server.seen), issue_of(database, issue_id).state) == (0, "sent")
        assert resolve(database, issue_id, "resend", actor="ann", now=clock()) == 60
        assert deliver_it(database, issue_id, api, tmp_path) == Books(60, accepted=60)
        check(server, 60)


def test_what_was_about_to_be_sent_waits_for_somebody(database: Database, tmp_path: Path) -> None:
    freezing = frozen_issue(database, 20)
    due, later = (make_issue(database, [f"urn:uuid:00000000-0000-4000-8000-{1:012}"], kind="manual") for _ in range(2))
    begin(database)
    with database.write() as connection:
        change_issue(connection, freezing, state="freezing", planned=None)
        change_issue(connection, due, state="scheduled", send_at=NOW)
        change_issue(connection, later, state="scheduled", send_at=utc("2099-01-01T07:00"))
    queue(database, "desk@post.example")
    restored(database, tmp_path, clock())
    assert [issue_of(database, each).state for each in (freezing, due, later)] == ["paused", "approved", "scheduled"]
    assert "may have gone out" in issue_of(database, freezing).why
    with database.read() as connection:
        (letter,) = open_letters(connection)
    assert (letter.state, letter.retry_at) == ("uncertain", None)
    assert resume(database, freezing, actor="ann", now=clock()).state == "freezing"


def test_numbers_that_may_have_been_given_since_are_given_to_nobody_else(database: Database, tmp_path: Path) -> None:
    issue_id = frozen_issue(database, 3)
    begin(database)
    restored(database, tmp_path, clock())
    assert make_issue(database, [f"urn:uuid:00000000-0000-4000-8000-{1:012}"], kind="manual") > issue_id + 1_000
    queue(database, "desk@post.example")
    with database.write() as connection:
        row = {"email": "new@example.org", "address": "new@example.org", "address_hash": "9" * 64, "created_at": NOW}
        reader = connection.execute(sa.insert(tables.subscribers).values(**row).returning(tables.subscribers.c.id))
        assert reader.scalar_one() > 10_000_000
        assert connection.execute(sa.select(tables.transactional_mails.c.id)).scalar_one() > 10_000_000


def test_a_slot_whose_time_had_come_is_skipped_however_soon_somebody_confirms(
    database: Database, tmp_path: Path
) -> None:
    """At seven the lost database has sent it."""
    clockwork = Clockwork(database, [replace(MORNING, approval="automatic")]).open(utc("2026-11-20T05:00"))
    enrol(database, 5, utc("2026-11-20T05:00"))
    begin(database)
    release(database, [1, 2], utc("2026-11-20T05:30"))
    assert clockwork.at("2026-11-20T05:40").sent == []
    restored(database, tmp_path, utc("2026-11-20T08:00"))
    assert clockwork.at("2026-11-20T08:01", fresh=True).sent == []
    assert clockwork.states() == {}
    release(database, [3], utc("2026-11-20T12:00"))
    assert len(clockwork.at("2026-11-23T07:00", fresh=True).sent) == 1


def test_one_that_was_drafted_for_it_is_skipped_too(database: Database, tmp_path: Path) -> None:
    clockwork = Clockwork(database, [replace(MORNING, approval="automatic")]).open(utc("2026-11-20T05:00"))
    enrol(database, 5, utc("2026-11-20T05:00"))
    begin(database)
    release(database, [1, 2], utc("2026-11-20T05:30"))
    clockwork.at("2026-11-20T06:00")
    assert clockwork.states() == {"2026-11-20T07:00": "drafted"}
    restored(database, tmp_path, utc("2026-11-20T08:00"))
    assert clockwork.at("2026-11-20T08:01", fresh=True).sent == []
    assert clockwork.states() == {"2026-11-20T07:00": "skipped"}
    assert clockwork.issue(1).state == "cancelled"
    # What was in it goes with the next, of another number: mailboxes may drop what has a Message-ID that they know.
    (number,) = clockwork.at("2026-11-23T07:00", fresh=True).sent
    assert number > 1_000
    assert (clockwork.issue(number).lo, clockwork.issue(number).hi) == (0, 2)


def test_a_machine_that_joins_or_moves_with_what_is_kept_beside_goes_on(database: Database, tmp_path: Path) -> None:
    issue_id = frozen_issue(database, 20)
    begin(database)
    there = {"web_url": WEB, "account": "key", "live": True, "now": clock()}
    check_in(database, directory=tmp_path, beside=tmp_path, place="here", **there)  # type: ignore[arg-type]
    assert check_in(database, directory=tmp_path, beside=tmp_path, place="there", **there).quarantine  # type: ignore[arg-type]
    # A file may have come from a backup of the whole folder; a server that is shared is where it was.
    assert books_now(database, issue_id) == (Books(20, uncertain=20) if database.is_sqlite else Books(20, waiting=20))


def test_a_report_proves_whom_it_is_about_and_nobody_else(database: Database, tmp_path: Path) -> None:
    """The lost database may have halved a request, and have sent one half: of a mail API that takes a request whole the
    report says nothing of the other."""
    issue_id = frozen_issue(database, 20)
    begin(database)
    restored(database, tmp_path, clock())
    with database.write() as connection:
        told = {"api": "sendgrid", "all_or_nothing": True, "why": "reported"}
        prove(connection, issue_id, [3], **told)  # type: ignore[arg-type]
    assert books_now(database, issue_id) == Books(20, accepted=1, uncertain=19)
    assert resolve(database, issue_id, "resend", actor="ann", now=clock()) == 19
