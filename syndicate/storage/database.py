"""One database: how it is opened, read, written and brought up to date.

SQLite runs in WAL with synchronous=FULL; every writer begins with BEGIN IMMEDIATE, because a transaction that reads
first and writes later fails at once when another has written meanwhile, whatever the busy time-out.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from socket import gethostname
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url

from syndicate.errors import StorageError
from syndicate.storage import journal, signals
from syndicate.storage.failures import one_sentence
from syndicate.storage.instance import instance_id
from syndicate.storage.journal import Journal
from syndicate.storage.rested_connections import ask_the_rested
from syndicate.storage.signals import Signals

BUSY_SECONDS = 30
"""How long a writer waits for another on SQLite."""

KEEP_ALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "connect_timeout": 10}
"""A PostgreSQL server that is gone is noticed within half a minute.
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-KEEPALIVES"""

WRITER_IDLE_SECONDS = 60.0
"""A process that says nothing for so long in the middle of writing is asleep: PostgreSQL ends its transaction, so that
what it holds keeps nobody waiting.
https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-IDLE-IN-TRANSACTION-SESSION-TIMEOUT"""

_AS_A_WRITER = sa.text(
    "SELECT set_config('idle_in_transaction_session_timeout', :idle, true),"
    " CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'local', true) END"
)
"""What is committed outlives the server, also where it is set up to say so before that is true: a claim that a crash
took back would be claimed and posted again.
https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-SYNCHRONOUS-COMMIT"""


class Database:
    """An open database. Transactions are short: none stays open across HTTP or rendering."""

    def __init__(self, engine: Engine, beside: Path | None = None) -> None:
        self.engine = engine
        self.journal = Journal(beside) if beside is not None else None
        """Where suppressions are written down beside it, if anywhere."""
        self.queue: Signals | None = None
        """Where transactions put the jobs that they make due, if anywhere."""
        self.fence: Callable[[Connection], None] | None = None
        """Called first in every transaction that may write: raises when this process may write no longer."""
        self._writer = engine.execution_options(write=True)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite (else PostgreSQL)."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only view that does not change while it is open (one snapshot on both databases). Raises StorageError
        when the database itself is at fault."""
        with one_sentence(self.engine.url), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            with connection.begin():
                yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write: committed at the end of the block, rolled back by any exception. Raises
        StorageError when the database itself is at fault."""
        owes = False
        with one_sentence(self.engine.url), self._writer.begin() as connection:
            if not self.is_sqlite:
                connection.execute(_AS_A_WRITER, {"idle": f"{WRITER_IDLE_SECONDS * 1000:.0f}"})
            journal.forget(connection)
            signals.forget(connection)
            if self.fence is not None:
                self.fence(connection)
            yield connection
            if self.journal is not None and journal.is_pending(connection):
                name = instance_id(connection)
                journal.write_forbidding(connection, self.journal, name)
                owes = journal.owe(connection, name)
            jobs = signals.pending(connection) if self.queue is not None else []
            if self.queue is not None and jobs:
                self.queue.defer(connection, jobs)
        if self.queue is not None and jobs:
            self.queue.wake(jobs)
        if owes:
            # It is done, whether it can be written down now or later.
            with suppress(StorageError):
                self.pay_journal()

    def pay_journal(self) -> None:
        """Writes down what is committed and not in the journal of suppressions yet. Safe to call at any time, from
        several processes. Raises StorageError."""
        if self.journal is None:
            return
        with self.read() as connection:
            owed = journal.owed_lines(connection)
        if owed:
            appended = self.journal.append(owed.values())
            with one_sentence(self.engine.url), self._writer.begin() as connection:
                journal.pay(connection, owed, appended)

    def upgrade(self) -> None:
        """Creates the tables or brings them up to this program's revision. Safe to run twice and from two processes."""
        from syndicate.storage.migrations import upgrade

        upgrade(self)

    def require_current(self) -> None:
        """Raises StorageError unless the tables are at this program's revision."""
        from syndicate.storage.migrations import require_current

        require_current(self)

    def dispose(self) -> None:
        """Closes every connection."""
        self.engine.dispose()


def open_database(url: str, beside: Path | None = None) -> Database:
    """Opens the database at an SQLAlchemy URL (`sqlite:///…` with an absolute path, or `postgresql://…`). `beside` is
    the folder of what is kept beside it: the journal of suppressions.

    Raises StorageError for any other kind."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = sa.create_engine(
            parsed, connect_args={"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
        )
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    elif backend == "postgresql":
        # The server's list of connections tells whose they are; one name is one `Database`.
        name = f"syndicate {gethostname()[:30]} {os.getpid()} {secrets.token_hex(4)}"
        engine = sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            connect_args={"application_name": name, **KEEP_ALIVE},
        )
        ask_the_rested(engine)
    else:
        raise StorageError(
            f"A database of kind {backend!r} is not supported.", cure="Use sqlite:///FILE or postgresql://…."
        )
    return Database(engine, beside)


def database_now(connection: Connection) -> datetime:
    """The database's own clock, aware UTC: leases are counted in it, so that two machines agree. On PostgreSQL it moves
    within a transaction (`clock_timestamp`)."""
    if connection.dialect.name == "sqlite":
        text: str = connection.exec_driver_sql("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')").scalar_one()
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    moment: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return moment.astimezone(UTC)


def shared_now(connection: Connection, now: datetime) -> datetime:
    """`now` by this machine's clock, or the database's time where that is earlier: by it is due what all machines must
    agree on, so that one whose clock is ahead does nothing early. What is to happen now is set for it too."""
    return min(now, database_now(connection))


def _configure_sqlite(raw: Any, _record: Any) -> None:
    cursor = raw.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
