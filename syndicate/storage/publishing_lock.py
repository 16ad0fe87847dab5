"""One publisher of a site at a time: two would put older bytes over newer ones.

The lock goes with its holder: an flock beside an SQLite file, a session's advisory lock on PostgreSQL. A killed
publisher therefore never leaves it behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep

import sqlalchemy as sa

from syndicate.errors import Refused, StorageError
from syndicate.storage.database import Database
from syndicate.storage.failures import one_sentence

ADVISORY_LOCK = 0x53796E64_00000002
"""The PostgreSQL advisory lock of whoever publishes (its upper half spells "Synd")."""

PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 0.02


@contextmanager
def publishing_lock(database: Database, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Waits for its turn, at most `patience` seconds; then raises Refused."""
    with _file_lock(database, patience) if database.is_sqlite else _session_lock(database, patience):
        yield


@contextmanager
def _file_lock(database: Database, patience: float) -> Iterator[None]:
    descriptor = os.open(f"{database.engine.url.database}-publishing", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        _wait(lambda: _try_flock(descriptor), patience)
        yield
    finally:
        os.close(descriptor)


def _try_flock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _session_lock(database: Database, patience: float) -> Iterator[None]:
    key = {"key": ADVISORY_LOCK}
    with one_sentence(database.engine.url):
        session = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    with session:
        take = sa.text("SELECT pg_try_advisory_lock(:key)")
        with one_sentence(database.engine.url):
            _wait(lambda: bool(session.execute(take, key).scalar_one()), patience)
        try:
            yield
        finally:
            # Lost, its connection has let go of the lock already.
            with suppress(StorageError), one_sentence(database.engine.url):
                session.execute(sa.text("SELECT pg_advisory_unlock(:key)"), key)


def _wait(attempt: Callable[[], bool], patience: float) -> None:
    until = monotonic() + patience
    while not attempt():
        if monotonic() >= until:
            raise Refused("Another process publishes this site and takes too long.", cure="Try again when it is done.")
        sleep(_PAUSE_SECONDS)
