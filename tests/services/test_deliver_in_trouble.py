"""What goes wrong around a delivery in the middle of it, for real: the disk is full, the database is locked, the mail
API's certificate is another. Each ends in a state that says what to do, with books that balance, and once it is mended
everybody has their mail, once."""

from __future__ import annotations

import shutil
import socket
import sqlite3
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.core.message import Answer
from syndicate.errors import StorageError
from syndicate.http import Client
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from syndicate.storage import database as storage
from syndicate.storage import tables
from syndicate.storage.database import Database, open_database
from tests.end_to_end.sender import Resized, mail_api
from tests.mail.test_smtp import certificate
from tests.mail_api_server import MailApiServer, read_journal
from tests.mailing import books_now, clock, frozen_issue
from tests.services.test_deliver_issue import READERS, check, deliver_it, issue_of

FAILURES = 3
"""So often the database fails before it is mended."""


@pytest.fixture
def sqlite(tmp_path: Path, _migrated_sqlite: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    """A database in a file, of which a writer waits for another less than half a minute."""
    monkeypatch.setattr(storage, "BUSY_SECONDS", 0.2)
    shutil.copyfile(_migrated_sqlite, tmp_path / "syndicate.db")
    opened = open_database(f"sqlite:///{tmp_path / 'syndicate.db'}")
    yield opened
    opened.dispose()


class Ailing:
    """A database that fails for real from `begin` on, until it has failed so often or `end` is called."""

    def __init__(self, database: Database, failures: int) -> None:
        self.engine, self.left = database.engine, failures
        self.ails = False
        self._once = threading.Lock()
        sa.event.listen(self.engine, "handle_error", self._failed)

    def begin(self) -> None:
        """Once, however often it is called."""
        with self._once:
            if not self.ails and self.left:
                self.ails = True
                self.fall_ill()

    def end(self) -> None:
        if self.ails:
            self.ails, self.left = False, 0
            self.recover()

    def _failed(self, _context: Any) -> None:
        self.left -= 1
        if self.left <= 0:
            self.end()

    def fall_ill(self) -> None:
        raise NotImplementedError

    def recover(self) -> None:
        raise NotImplementedError


class Full(Ailing):
    """It may grow no further: SQLite says SQLITE_FULL, as where the disk is full. So that the next answer that is
    recorded needs room, each brings something along."""

    def __init__(self, database: Database, failures: int) -> None:
        super().__init__(database, failures)
        with database.write() as connection:
            connection.exec_driver_sql("CREATE TABLE ballast (content BLOB)")
            connection.exec_driver_sql(
                "CREATE TRIGGER ballast AFTER UPDATE OF state ON batches WHEN new.state = 'accepted' BEGIN"
                " INSERT INTO ballast VALUES (zeroblob(20000)); END"
            )
        sa.event.listen(self.engine, "begin", self._limit)

    def _limit(self, connection: sa.Connection) -> None:
        # Of a connection, not of the file. SQLite takes the size that it has for the least.
        connection.exec_driver_sql(f"PRAGMA max_page_count = {1 if self.ails else 1_000_000}")

    def fall_ill(self) -> None:
        """From the next transaction on."""

    def recover(self) -> None:
        """From the next transaction on."""


class Locked(Ailing):
    """Another program writes, and takes its time."""

    def fall_ill(self) -> None:
        assert self.engine.url.database
        self.other = sqlite3.connect(
            self.engine.url.database, timeout=60, isolation_level=None, check_same_thread=False
        )
        self.other.execute("BEGIN IMMEDIATE")

    def recover(self) -> None:
        self.other.execute("ROLLBACK")
        self.other.close()


class Midway(Resized):
    """A mail API that has taken two requests, and takes the others when their answers are recorded and the database has
    fallen ill: so something is under way then."""

    def __init__(self, api: MailAPI, ailing: Ailing) -> None:
        super().__init__(api)
        self._ailing, self._numbers = ailing, count(1)
        self._recorded = threading.Event()

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        if next(self._numbers) > 2:
            assert self._recorded.wait(60)
            self._ailing.begin()
        return super().post(body, key=key, count=count)

    def progress(self, _done: int, _of: int) -> None:
        self._recorded.set()


ILLS = pytest.mark.parametrize(
    ("ill", "words"), [(Full, "the disk is full"), (Locked, "locked by another program")], ids=["full", "locked"]
)


@ILLS
@pytest.mark.parametrize("dialect", ["sendgrid", "resend"])
def test_a_database_that_fails_and_comes_back_loses_no_answer(
    sqlite: Database, tmp_path: Path, ill: type[Ailing], words: str, dialect: str
) -> None:
    """Where nothing proves a request afterwards its readers would stay uncertain for ever."""
    with MailApiServer(dialect, tmp_path / "journal") as server:
        api = mail_api(dialect, server.url, recipients=10)
        issue_id = frozen_issue(sqlite, READERS, sheet=api.sheet)
        ailing = ill(sqlite, FAILURES)
        midway = Midway(api, ailing)
        with pytest.raises(StorageError, match=words) as raised:
            deliver_it(sqlite, issue_id, midway, tmp_path, progress=midway.progress)
        assert raised.value.cure
        assert not ailing.ails
        balance = books_now(sqlite, issue_id)
        assert (balance.balanced, balance.uncertain, balance.refused) == (True, 0, 0)
        assert balance.accepted == len(read_journal(server.journal))
        assert issue_of(sqlite, issue_id).state == "sending"
        assert deliver_it(sqlite, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


@ILLS
def test_a_database_that_does_not_come_back_in_time_leaves_what_the_next_delivery_makes_good(
    sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ill: type[Ailing], words: str
) -> None:
    from syndicate.services.deliver_issue import answers

    monkeypatch.setattr(answers, "BACK_SECONDS", 0.3)
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=5)
        issue_id = frozen_issue(sqlite, READERS, sheet=api.sheet)
        ailing = ill(sqlite, 1_000)
        midway = Midway(api, ailing)
        try:
            with pytest.raises(StorageError, match=words):
                deliver_it(sqlite, issue_id, midway, tmp_path, progress=midway.progress)
        finally:
            ailing.end()
        balance = books_now(sqlite, issue_id)
        assert (balance.balanced, balance.refused) == (True, 0)
        assert 0 < balance.accepted < READERS
        assert issue_of(sqlite, issue_id).state == "sending"
        assert deliver_it(sqlite, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


class Front:
    """Stands before a server with TLS, one request a connection, and may show another certificate from now on."""

    def __init__(self, target: tuple[str, int], shows: Path) -> None:
        self.target = target
        self.show(shows)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def show(self, file: Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(file)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.settimeout(30)
            with (
                self.context.wrap_socket(connection, server_side=True) as client,
                socket.create_connection(self.target, timeout=30) as server,
            ):
                head, body = b"", b""
                while b"\r\n\r\n" not in head:
                    if not (more := client.recv(65536)):
                        return
                    head += more
                head, _, body = head.partition(b"\r\n\r\n")
                lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-l")]
                while len(body) < int(lengths[0] if lengths else 0):
                    body += client.recv(65536)
                lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
                server.sendall(b"\r\n".join([*lines, b"Connection: close", b"", body]))
                while answer := server.recv(65536):
                    client.sendall(answer.replace(b" X\r\n", b" X\r\nConnection: close\r\n", 1))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()


@contextmanager
def fronted(server: MailApiServer, shows: Path) -> Iterator[Front]:
    host, _, port = server.url.removeprefix("http://").partition(":")
    front = Front((host, int(port)), shows)
    try:
        yield front
    finally:
        front.close()


def at_once(database: Database) -> None:
    """What waits for its time has it."""
    batches = tables.batches
    with database.write() as connection:
        connection.execute(
            sa.update(batches).where(batches.c.retry_at.is_not(None)).values(retry_at=clock() - timedelta(seconds=1))
        )


def test_another_certificate_in_the_middle_refuses_nobody_and_is_waited_for(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("good", "other"):
        (tmp_path / name).mkdir()
    good, other = (certificate(tmp_path / name, "localhost") for name in ("good", "other"))
    with MailApiServer("postmark", tmp_path / "journal") as server, fronted(server, good) as front:
        plain: Any = open_mail_api("postmark", Connection(f"https://localhost:{front.port}", "key", 10.0))
        plain._client = Client(deadline_seconds=10.0, trusted=good)
        api = Resized(plain, recipients_per_request=2, lookup_lag_seconds=0.3)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(
            database,
            issue_id,
            api,
            tmp_path,
            threads=1,
            patience_seconds=0.0,
            progress=lambda _done, _of: front.show(other),
        )
        taken = len(read_journal(server.journal))
        assert 0 < taken < READERS
        # That nobody vouches for it is known before anything has left.
        assert balance == Books(READERS, accepted=taken, waiting=READERS - taken)
        issue = issue_of(database, issue_id)
        assert issue.state == "sending"
        with database.read() as connection:
            told = set(connection.execute(sa.select(tables.batch_log.c.why)).scalars())
        assert any("certificate" in why for why in told), told
        front.show(good)
        at_once(database)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)
