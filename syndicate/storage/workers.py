"""Workers: processes that claim batches, and the proof that one of them lives.

On SQLite a worker holds an flock on a file of its own; on PostgreSQL a session advisory lock on a connection of its
own. Either is gone the instant its process is killed. A PostgreSQL lock is also gone when only the connection breaks: a
worker without its lock counts as gone only when its process is known to have ended, else as unclear.
"""

from __future__ import annotations

import fcntl
import os
import platform
import secrets
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.errors import StorageError
from syndicate.storage import tables
from syndicate.storage.database import Database, database_now
from syndicate.storage.failures import one_sentence
from syndicate.storage.sessions import own_session

Life = Literal["alive", "gone", "unclear"]
"""unclear: it no longer holds its lock, but its process may still run."""

_workers = tables.workers
_ended_here: set[str] = set()
"""Workers of this process that have ended and whose rows do not say so."""


@dataclass(frozen=True, slots=True)
class Worker:
    """This process as a worker, for as long as its lock is held."""

    id: str
    directory: Path
    _session: Connection | None = field(default=None, repr=False)

    def require_lock(self) -> None:
        """Raises StorageError when the lock was lost, as with its connection to PostgreSQL: then nothing may be
        claimed."""
        if self._session is None:
            return
        try:
            with one_sentence(self._session.engine.url):
                self._session.execute(sa.text("SELECT 1"))
        except StorageError as error:
            raise StorageError(
                "The connection that holds this worker's lock is lost.", cure="Start again: nothing is lost."
            ) from error


@contextmanager
def worker_lock(database: Database, directory: Path, role: str, now: datetime) -> Iterator[Worker]:
    """Registers this process as a worker and holds its lock for the block. `directory` is the site's folder: all who
    open one SQLite database must name the same."""
    worker_id = f"{role}-{secrets.token_hex(8)}"
    lock_key = secrets.randbits(62)
    if database.is_sqlite:
        with _file_lock(directory, worker_id):
            with _registered(database, worker_id, role, 0, now):
                yield Worker(worker_id, directory)
        return
    with own_session(database) as session:
        with one_sentence(database.engine.url):
            session.execute(sa.select(sa.func.pg_advisory_lock(lock_key)))
        with _registered(database, worker_id, role, lock_key, now):
            yield Worker(worker_id, directory, session)


def life_of(database: Database, directory: Path, worker_id: str) -> Life:
    """Whether a worker lives."""
    if worker_id in _ended_here:
        return "gone"
    with database.read() as connection:
        row = connection.execute(sa.select(_workers).where(_workers.c.id == worker_id)).one_or_none()
        if row is None or row.gone_at is not None:
            return "gone"
        if database.is_sqlite:
            return "alive" if _is_locked(_lock_file(directory, worker_id)) else "gone"
        if _holds_advisory_lock(connection, row.lock_key):
            return "alive"
    return "gone" if row.machine == _machine() and not _runs(row.pid) else "unclear"


def lives_of(database: Database, directory: Path, worker_ids: Iterable[str]) -> dict[str, Life]:
    """Whether each of them lives."""
    return {worker_id: life_of(database, directory, worker_id) for worker_id in worker_ids}


def is_alive(database: Database, directory: Path, worker_id: str) -> bool:
    """Whether a worker holds its lock."""
    return life_of(database, directory, worker_id) == "alive"


def live_workers(database: Database, directory: Path) -> frozenset[str]:
    """The ids of all workers that hold their lock."""
    with database.read() as connection:
        ids = standing_workers(connection)
    return frozenset(worker_id for worker_id in ids if is_alive(database, directory, worker_id))


def workers_are_up(database: Database, directory: Path, hosts: Collection[str]) -> bool:
    """Whether a worker on one of these machines, by host name, holds its lock."""
    with database.read() as connection:
        query = sa.select(_workers.c.id, _workers.c.machine).where(_workers.c.gone_at.is_(None))
        rows = connection.execute(query).all()
    there = [row.id for row in rows if row.machine.partition(" ")[0] in hosts]
    return any(is_alive(database, directory, worker_id) for worker_id in there)


def standing_workers(connection: Connection) -> list[str]:
    """The ids of all workers that are not known to be gone."""
    return list(connection.execute(sa.select(_workers.c.id).where(_workers.c.gone_at.is_(None))).scalars())


def mark_gone(connection: Connection, worker_ids: Iterable[str], now: datetime) -> None:
    """Says that these have ended."""
    connection.execute(
        sa.update(_workers).where(_workers.c.id.in_(list(worker_ids)), _workers.c.gone_at.is_(None)).values(gone_at=now)
    )


def mark_seen(connection: Connection, worker_id: str) -> None:
    """A sign of life of this worker."""
    now = database_now(connection)
    connection.execute(sa.update(_workers).where(_workers.c.id == worker_id).values(seen_at=now))


@contextmanager
def _registered(database: Database, worker_id: str, role: str, lock_key: int, now: datetime) -> Iterator[None]:
    with database.write() as connection:
        connection.execute(
            sa.insert(_workers).values(
                id=worker_id, machine=_machine(), pid=os.getpid(), role=role, lock_key=lock_key, started_at=now
            )
        )
    try:
        yield
    finally:
        # The database may be away at this moment. This process knows that it has ended, and says so later.
        _ended_here.add(worker_id)
        with database.write() as connection:
            connection.execute(sa.update(_workers).where(_workers.c.id == worker_id).values(gone_at=now))
        _ended_here.discard(worker_id)


@contextmanager
def _file_lock(directory: Path, worker_id: str) -> Iterator[None]:
    path = _lock_file(directory, worker_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    _forget_dead_files(path.parent)
    descriptor = _lock_new_file(path)
    try:
        yield
    finally:
        with suppress(FileNotFoundError):
            path.unlink()
        os.close(descriptor)


def _lock_new_file(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Another worker that starts now may have taken the file for a dead one's before it was locked.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        os.close(descriptor)


def _forget_dead_files(folder: Path) -> None:
    for path in folder.glob("*.lock"):
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            with suppress(BlockingIOError):
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            os.close(descriptor)


def _lock_file(directory: Path, worker_id: str) -> Path:
    return directory / ".syndicate" / "workers" / f"{worker_id}.lock"


def _is_locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _holds_advisory_lock(connection: Connection, lock_key: int) -> bool:
    # pg_locks shows a 64-bit key as two halves, with objsubid 1.
    found = connection.execute(
        sa.text(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid::bigint = :high AND objid::bigint = :low"
        ),
        {"high": lock_key >> 32, "low": lock_key & 0xFFFFFFFF},
    )
    return found.first() is not None


def _machine() -> str:
    """This machine, and the container in it: process ids mean something only inside one of them."""
    try:
        return f"{platform.node()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return platform.node()


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
