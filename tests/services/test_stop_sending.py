"""All sending stopped: no claim after it returned, what was claimed is handed back, and resuming loses nobody."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.errors import StorageError
from syndicate.services.deliver_issue import deliver
from syndicate.services.stop_sending import resume_sending, stop_sending
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.halt import stopped_by, under_way
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import MailApiServer, Plan, doubled, lost, read_journal
from tests.mailing import NOW, address, batches_of, books_now, clock, delivery_of, frozen_issue

READERS = 40


@pytest.fixture
def started(database: Database) -> Database:
    with database.write() as connection:
        connection.execute(sa.insert(tables.instance).values(id=1, created_at=NOW))
    return database


def who(database: Database) -> str | None:
    with database.read() as connection:
        return stopped_by(connection)


def actions(database: Database) -> list[tuple[str, str]]:
    log = tables.audit_log
    with database.read() as connection:
        return [(row.action, row.actor) for row in connection.execute(sa.select(log).order_by(log.c.id))]


def test_stopped_once_and_resumed_once(started: Database) -> None:
    assert who(started) is None
    assert stop_sending(started, actor="the desk", now=NOW)
    assert not stop_sending(started, actor="somebody later", now=NOW)
    assert who(started) == "the desk"
    assert resume_sending(started, actor="the editor", now=NOW)
    assert not resume_sending(started, actor="the editor", now=NOW)
    assert who(started) is None
    assert actions(started) == [("sending.stop", "the desk"), ("sending.resume", "the editor")]


def test_a_database_that_was_never_a_site_says_so(database: Database) -> None:
    with pytest.raises(StorageError, match="never started"):
        stop_sending(database, actor="the desk", now=NOW)


def test_a_stop_in_the_middle_hands_back_what_was_not_posted(started: Database, tmp_path: Path) -> None:
    """One request is on the wire for seconds, more are claimed behind it: none of those is posted."""
    hold_seconds = 2.5
    with MailApiServer("resend", tmp_path / "journal", plan=Plan.parse([f"2:delay={hold_seconds}"])) as server:
        api = mail_api("resend", server.url, recipients=4)
        issue_id = frozen_issue(started, READERS, sheet=api.sheet)
        with worker_lock(started, tmp_path, "test", NOW) as worker:
            delivery = delivery_of(started, api, tmp_path)
            sender = threading.Thread(
                target=deliver,
                args=(delivery, issue_id, worker),
                kwargs={"stop": threading.Event(), "threads": 1, "clock": clock},
            )
            sender.start()
            until(lambda: len(server.seen) == 2)
            stop_sending(started, actor="the desk", now=NOW)
            fences = [batch.fence for batch in batches_of(started, issue_id)]
            with started.read() as connection:
                (found,) = under_way(connection)
            assert found.requests >= 1
            assert found.recipients == 4 * found.requests
            assert found.books.balanced
            sender.join()
        assert [batch.fence for batch in batches_of(started, issue_id)] == fences
        assert len(server.seen) == 2
        assert books_now(started, issue_id) == Books(READERS, accepted=8, waiting=READERS - 8)
        resume_sending(started, actor="the desk", now=NOW)
        with worker_lock(started, tmp_path, "test", NOW) as worker:
            deliver(delivery, issue_id, worker, stop=threading.Event(), threads=4, clock=clock)
        assert books_now(started, issue_id) == Books(READERS, accepted=READERS)
        journal = read_journal(server.journal)
        everybody = [address(number) for number in range(1, READERS + 1)]
        assert (lost(journal, everybody), doubled(journal)) == (set(), {})


def until(state: object, seconds: float = 20.0) -> None:
    assert callable(state)
    patience = time.monotonic() + seconds
    while not state():
        assert time.monotonic() < patience, "it did not come to that"
        time.sleep(0.01)
