"""A PostgreSQL that falls ill in the middle of a delivery: it is full, somebody holds what is to be written, it ends
our connections, or our transaction for another's. Each is told in one sentence, and loses no answer that has come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.errors import StorageError
from syndicate.storage.database import Database, open_database
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import MailApiServer, read_journal
from tests.mailing import books_now, frozen_issue
from tests.services.test_deliver_in_trouble import FAILURES, Ailing, Midway
from tests.services.test_deliver_issue import READERS, check, deliver_it, issue_of


@pytest.fixture
def postgresql(_cloned_postgresql: Callable[[], tuple[str, Callable[[], None]]]) -> Iterator[Database]:
    """One that waits for nobody's lock longer than a moment, as its settings may say."""
    url, drop = _cloned_postgresql()
    with beside(url) as other:
        other.execute(f"ALTER DATABASE \"{other.info.dbname}\" SET lock_timeout = '300ms'".encode())
    opened = open_database(url)
    yield opened
    opened.dispose()
    drop()


def beside(url: str) -> psycopg.Connection[Any]:
    """A connection of somebody else's."""
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


class Ill(Ailing):
    def __init__(self, database: Database, failures: int) -> None:
        super().__init__(database, failures)
        self.other = beside(database.engine.url.render_as_string(hide_password=False))

    def end(self) -> None:
        super().end()
        self.other.close()


class Raising(Ill):
    """Whatever would be recorded as accepted meets an error of the server's, under its own code."""

    condition = ""

    def __init__(self, database: Database, failures: int) -> None:
        super().__init__(database, failures)
        self.other.execute(b"CREATE TABLE ill ()")
        self.other.execute(
            f"CREATE FUNCTION fall_ill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
            f" IF EXISTS (SELECT FROM ill) THEN RAISE EXCEPTION 'so it is' USING ERRCODE = '{self.condition}';"
            f" END IF; RETURN NULL; END $$".encode()
        )
        self.other.execute(
            b"CREATE TRIGGER fall_ill AFTER UPDATE OF state ON batches FOR EACH ROW WHEN (new.state = 'accepted')"
            b" EXECUTE FUNCTION fall_ill()"
        )

    def fall_ill(self) -> None:
        self.other.execute(b"INSERT INTO ill DEFAULT VALUES")

    def recover(self) -> None:
        self.other.execute(b"DELETE FROM ill")


class Full(Raising):
    condition = "disk_full"


class Deadlocked(Raising):
    """It ends one of two that wait for each other."""

    condition = "deadlock_detected"


class Canceled(Raising):
    """A statement that takes longer than its settings allow."""

    condition = "query_canceled"


class Locked(Ill):
    """Somebody changes the table, and takes their time."""

    def fall_ill(self) -> None:
        self.other.execute(b"BEGIN; LOCK TABLE batches IN SHARE ROW EXCLUSIVE MODE")

    def recover(self) -> None:
        self.other.execute(b"ROLLBACK")


class Ended(Ill):
    """It ends each connection as soon as something is begun on it."""

    def __init__(self, database: Database, failures: int) -> None:
        super().__init__(database, failures)
        sa.event.listen(self.engine, "begin", self._end_it)

    def _end_it(self, connection: sa.Connection) -> None:
        if self.ails:
            driver: Any = connection.connection.driver_connection
            self.other.execute(b"SELECT pg_terminate_backend(%d)" % driver.info.backend_pid)

    def fall_ill(self) -> None:
        """From the next transaction on."""

    def recover(self) -> None:
        """From the next transaction on."""


@pytest.mark.parametrize(
    ("ill", "words"),
    [
        (Full, "the disk is full"),
        (Locked, "held by another program"),
        (Deadlocked, "held by another program"),
        (Canceled, "takes too long"),
        (Ended, "cannot be used"),
    ],
)
def test_a_server_that_fails_and_comes_back_loses_no_answer(
    postgresql: Database, tmp_path: Path, ill: type[Ill], words: str
) -> None:
    with MailApiServer("sendgrid", tmp_path / "journal") as server:
        api = mail_api("sendgrid", server.url, recipients=10)
        issue_id = frozen_issue(postgresql, READERS, sheet=api.sheet)
        ailing = ill(postgresql, FAILURES)
        midway = Midway(api, ailing)
        try:
            with pytest.raises(StorageError, match=words) as raised:
                deliver_it(postgresql, issue_id, midway, tmp_path, progress=midway.progress)
        finally:
            ailing.end()
        assert raised.value.cure
        assert raised.value.try_again
        balance = books_now(postgresql, issue_id)
        assert (balance.balanced, balance.uncertain, balance.refused) == (True, 0, 0)
        assert balance.accepted == len(read_journal(server.journal))
        assert issue_of(postgresql, issue_id).state == "sending"
        assert deliver_it(postgresql, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


@pytest.mark.parametrize("dialect", ["ses", "resend"])
def test_a_claim_whose_commit_nobody_hears_of_leaves_nobody_in_doubt(
    postgresql: Database, tmp_path: Path, dialect: str
) -> None:
    """The connection ends in the very moment: it is committed, and nothing of it was posted."""
    dialect_of_it: Any = postgresql.engine.dialect
    commit, ends = dialect_of_it.do_commit, [1]

    def unheard(connection: Any) -> None:
        claimed = connection.execute("SELECT count(*) FROM batches WHERE state = 'sending'").fetchone()[0]
        commit(connection)
        if claimed and ends:
            ends.pop()
            connection.driver_connection.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with MailApiServer(dialect, tmp_path / "journal") as server:
        api = mail_api(dialect, server.url, recipients=10)
        issue_id = frozen_issue(postgresql, READERS, sheet=api.sheet)
        dialect_of_it.do_commit = unheard
        try:
            with pytest.raises(StorageError, match="cannot be used"):
                deliver_it(postgresql, issue_id, api, tmp_path, threads=1)
        finally:
            dialect_of_it.do_commit = commit
        assert not ends
        assert books_now(postgresql, issue_id) == Books(READERS, waiting=READERS)
        assert deliver_it(postgresql, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)
