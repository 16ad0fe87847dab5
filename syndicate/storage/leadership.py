"""Who leads in what only one process may do at a time, such as keeping the clock.

On PostgreSQL the leader holds an advisory lock on a connection of its own: killed, the lock is gone at once, and
whoever stands by has it. A leader that sleeps keeps its lock. So it gives a sign of life in its row, and one that gives
none for long is put out: its connections are ended, and with them whatever it had begun. When it wakes, every
transaction that it begins finds the term of another in the row.

On SQLite everybody leads: all is on one machine, and what is done twice there is done once by its rows.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.engine import Connection

from syndicate.errors import StorageError
from syndicate.storage.database import Database
from syndicate.storage.failures import one_sentence
from syndicate.storage.sessions import own_session
from syndicate.storage.tables import leases

CLOCK = "clock"
ADVISORY_LOCKS = {CLOCK: 0x53796E64_00000004}
"""By what is led in (the upper half spells "Synd")."""
SILENT_SECONDS = 6.0
"""A leader that has given no sign of life for so long, in the database's time, is put out."""


class Led(StorageError):
    """Another process leads now."""

    try_again = True


class Lead:
    """This process leads, until it is found that it does not. Safe in threads."""

    def __init__(self, name: str, term: int, session: Connection | None) -> None:
        self.name, self.term, self._session = name, term, session
        self._lock = threading.Lock()

    def beat(self) -> None:
        """Gives a sign of life. Raises Led when another leads now, StorageError when the connection is lost."""
        if self._session is None:
            return
        with self._lock, one_sentence(self._session.engine.url):
            mine = sa.and_(leases.c.name == self.name, leases.c.term == self.term)
            alive = sa.update(leases).where(mine).values(seen_at=sa.func.clock_timestamp()).returning(leases.c.name)
            if self._session.execute(alive).first() is None:
                raise self._led()

    def fence(self, connection: Connection) -> None:
        """To be called first in every transaction that writes as the leader. Raises Led."""
        term = sa.select(leases.c.term).where(leases.c.name == self.name)
        if self._session is not None and connection.execute(term).scalar_one_or_none() != self.term:
            raise self._led()

    def _led(self) -> Led:
        return Led(f"Another process keeps the {self.name} now.")


@contextmanager
def leading(database: Database, name: str = CLOCK, *, silent_seconds: float = SILENT_SECONDS) -> Iterator[Lead | None]:
    """Tries once to lead for the block; None when another leads, which is then alive. The connections of `database`
    are those that are ended should this process fall asleep: they are for what it does as the leader, and no more."""
    if database.is_sqlite:
        yield Lead(name, 0, None)
        return
    with own_session(database) as session:
        with one_sentence(database.engine.url):
            held = _try_lock(session, name) or (_put_out(session, name, silent_seconds) and _try_lock(session, name))
            lead = _take(session, name) if held else None
        yield lead


def _try_lock(session: Connection, name: str) -> bool:
    return bool(session.execute(sa.select(sa.func.pg_try_advisory_lock(ADVISORY_LOCKS[name]))).scalar_one())


def _put_out(session: Connection, name: str, silent_seconds: float) -> bool:
    """Ends the connections of a leader that gives no sign of life; False when it gives one."""
    silent = leases.c.seen_at < sa.func.clock_timestamp() - sa.func.make_interval(0, 0, 0, 0, 0, 0, silent_seconds)
    query = sa.select(leases.c.session).where(leases.c.name == name, silent)
    asleep = session.execute(query).scalar_one_or_none()
    if asleep is None:
        return False
    _end_sessions(session, asleep)
    return True


def _take(session: Connection, name: str) -> Lead:
    """The lock is held: a new term begins, and with it ends whatever was begun in the one before."""
    mine = session.execute(sa.select(sa.func.current_setting("application_name"))).scalar_one()
    before = session.execute(sa.select(leases.c.session).where(leases.c.name == name)).scalar_one_or_none()
    values = {"session": mine, "seen_at": sa.func.clock_timestamp()}
    begin = (
        insert(leases)
        .values(name=name, term=1, **values)
        .on_conflict_do_update(index_elements=[leases.c.name], set_={"term": leases.c.term + 1, **values})
        .returning(leases.c.term)
    )
    term = session.execute(begin).scalar_one()
    if before not in (None, mine):
        _end_sessions(session, str(before))
    return Lead(name, int(term), session)


def _end_sessions(session: Connection, of: str) -> None:
    session.execute(
        sa.text(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = :of AND datname = current_database() AND pid <> pg_backend_pid()"
        ),
        {"of": of},
    )
