"""What is of one reader, or of one request, keeps no other waiting; what is of them all stops the issue before it does
harm."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.core.message import Answer
from syndicate.mail.base import MailAPI
from syndicate.services.deliver_issue import answers
from syndicate.services.pause_issue import resume
from syndicate.storage import tables
from syndicate.storage.database import Database
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import MailApiServer, Plan, doubled, lost, read_journal
from tests.mailing import NOW, address, clock, frozen_issue
from tests.services.test_deliver_issue import READERS, Keyless, check, deliver_it, everybody, issue_of, plan

batches = tables.batches


class Shy(Resized):
    """A mail API behind which one reader's server wants nothing of strangers yet."""

    def __init__(self, api: MailAPI, reader: str) -> None:
        super().__init__(api)
        self.reader = reader

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        if self.reader and f'"{self.reader}"'.encode() in body:
            return Answer("not_accepted", "450 4.2.0 greylisted, come again")
        return super().post(body, key=key, count=count)


def tried_for_long(database: Database) -> None:
    """What waits for its time has been tried twenty times, and has it now."""
    with database.write() as connection:
        connection.execute(
            sa.update(batches).where(batches.c.state == "retry").values(attempts=20, retry_at=clock())
        )


def test_a_server_that_is_shy_of_strangers_keeps_no_other_reader_waiting(database: Database, tmp_path: Path) -> None:
    with MailApiServer("mailpit", tmp_path / "journal") as server:
        api = Shy(mail_api("mailpit", server.url, recipients=1), address(7))
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        for _ in range(2):
            balance = deliver_it(database, issue_id, api, tmp_path, patience_seconds=0.0)
            assert balance == Books(READERS, accepted=READERS - 1, waiting=1)
            assert issue_of(database, issue_id).state == "sending"
            tried_for_long(database)
        api.reader = ""
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)
    assert issue_of(database, issue_id).state == "sent"


def test_what_never_goes_is_for_somebody_to_look_at_when_nothing_else_does(database: Database, tmp_path: Path) -> None:
    with MailApiServer("mailpit", tmp_path / "journal") as server:
        api = Shy(mail_api("mailpit", server.url, recipients=1), address(7))
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        deliver_it(database, issue_id, api, tmp_path, patience_seconds=0.0)
        tried_for_long(database)
        with database.write() as connection:
            connection.execute(sa.update(batches).values(settled_at=clock() - timedelta(hours=2)))
        balance = deliver_it(database, issue_id, api, tmp_path, patience_seconds=0.0)
        assert balance == Books(READERS, accepted=READERS - 1, waiting=1)
        issue = issue_of(database, issue_id)
        assert (issue.state, "21 attempts failed" in issue.why) == ("paused", True)
        # The clock of whoever lets it go on may be an hour ahead of the database's.
        api.reader = ""
        resume(database, issue_id, actor="an editor", now=clock() + timedelta(hours=1))
        balance = deliver_it(database, issue_id, api, tmp_path, patience_seconds=0.0)
        assert balance == Books(READERS, accepted=READERS)


class Vague(Resized):
    """A mail API that says of one request only how many of it were taken."""

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        answer = super().post(body, key=key, count=count)
        if not answer.refused:
            return answer
        return Answer("uncertain", "9 of 10", retry_after_seconds=86_400.0, vendor_ids=answer.vendor_ids)


def test_a_request_that_was_taken_for_some_keeps_no_other_waiting(database: Database, tmp_path: Path) -> None:
    with MailApiServer("sparkpost", tmp_path / "journal", refuse=[address(7)]) as server:
        api = Vague(mail_api("sparkpost", server.url, recipients=10), idempotency_seconds=None)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, api, tmp_path, threads=1, patience_seconds=0.0)
        assert balance == Books(READERS, accepted=READERS - 10, uncertain=10)
        with database.write() as connection:
            connection.execute(sa.update(batches).where(batches.c.state == "uncertain").values(retry_at=clock()))
        balance = deliver_it(database, issue_id, api, tmp_path)
        assert balance == Books(READERS, accepted=READERS - 1, uncertain=1)
        journal = read_journal(server.journal)
        assert (lost(journal, everybody()), doubled(journal)) == ({address(7)}, {})


def test_where_nothing_proves_a_request_few_are_in_doubt_when_every_answer_is_lost(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "DOUBTS_TO_PAUSE", 4)
    with MailApiServer("resend", tmp_path / "journal", plan=plan(server_error=1.0)) as server:
        api = Keyless(mail_api("resend", server.url, recipients=1))
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, api, tmp_path, threads=1)
        assert balance.waiting >= READERS - 6
        issue = issue_of(database, issue_id)
        assert (issue.state, "nothing tells what became of 4 requests in a row" in issue.why) == ("paused", True)
        server.plan = Plan()
        resume(database, issue_id, actor="an editor", now=NOW)
        after = deliver_it(database, issue_id, api, tmp_path)
        assert after == Books(READERS, accepted=READERS - balance.uncertain, uncertain=balance.uncertain)
        assert doubled(read_journal(server.journal)) == {}


def test_when_all_of_few_readers_are_refused_the_issue_pauses(database: Database, tmp_path: Path) -> None:
    with MailApiServer("mailpit", tmp_path / "journal", plan=plan(invalid=1.0)) as server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 4, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(4, waiting=4)
        issue = issue_of(database, issue_id)
        assert (issue.state, "each of its 4 readers was refused" in issue.why) == ("paused", True)
        server.plan = Plan()
        resume(database, issue_id, actor="an editor", now=NOW)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(4, accepted=4)
        check(server, 4)


def test_few_bad_addresses_are_refused_in_the_end(database: Database, tmp_path: Path) -> None:
    with MailApiServer("mailpit", tmp_path / "journal", refuse=[address(number) for number in range(1, 5)]) as server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, 4, sheet=api.sheet)
        for _ in range(2):
            assert deliver_it(database, issue_id, api, tmp_path) == Books(4, waiting=4)
            resume(database, issue_id, actor="an editor", now=NOW)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(4, refused=4)
    assert issue_of(database, issue_id).state == "sent"
