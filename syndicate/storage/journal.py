"""The journal of suppressions as a file beside the database: only ever appended.

What keeps mail away is on the disk before the change commits; what allows it again is committed first, together with a
row of `journal_owed`, and written down afterwards. Whoever has something to write that keeps mail away writes what is
owed before it, so that the last line about somebody is what was done last, whatever process is killed or slow.

`suppression_journals` remembers how much of each file the database has taken in. A file that is longer tells of changes
that the database does not know: it was restored from a backup, or a process was killed just before its commit. Taking
them in again is harmless.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from syndicate.core.suppression_journal import FORBIDDING, Act, Entry, read_entries, written
from syndicate.errors import StorageError
from syndicate.storage.tables import journal_owed, suppression_journals

FILE = "suppressions.log"
_HEAD = b"journal "
_PENDING = "syndicate.journal"
_TOLD: Mapping[str, Act] = {"left": "left", "rejoined": "joined", "confirmed": "joined"}


@dataclass(frozen=True, slots=True)
class Appended:
    """Where lines were put: the journal's own name, and its length in octets before and after them (0 before the first
    ones)."""

    name: str
    start: int
    end: int


class Journal:
    """The file in one folder. Several processes append; each append is whole."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE

    def append(self, lines: Iterable[bytes]) -> Appended:
        """Appends and forces them to the disk. Raises StorageError."""
        try:
            return self._append(lines)
        except OSError as error:
            raise StorageError(
                f"The journal of suppressions, {self.path}, cannot be written: {error.strerror or error}.",
                cure="Free space or make it writable: nothing was changed.",
            ) from error

    def _append(self, lines: Iterable[bytes]) -> Appended:
        with self._locked() as (descriptor, name, head):
            start = os.lseek(descriptor, 0, os.SEEK_END)
            # A line that a kill cut short ends here.
            before = b"" if _ends_whole(descriptor, start) else b"\n"
            data = memoryview(before + b"".join(lines))
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
            return Appended(name, 0 if start == head else start, os.lseek(descriptor, 0, os.SEEK_END))

    def entries(self, instance: str) -> Iterator[Entry]:
        """All entries of the database that is called `instance`; none when there is no file."""
        try:
            with self.path.open("rb") as lines:
                yield from read_entries(lines, instance)
        except FileNotFoundError:
            return

    def length(self) -> tuple[str, int] | None:
        """Its name and its length in octets; None when there is no file."""
        try:
            with self.path.open("rb") as lines:
                head = lines.readline()
                return _name(head), os.fstat(lines.fileno()).st_size
        except FileNotFoundError:
            return None

    @contextmanager
    def _locked(self) -> Iterator[tuple[int, str, int]]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_size == 0:
                os.write(descriptor, _HEAD + secrets.token_hex(8).encode() + b"\n")
                _sync_folder(self.path.parent)
            head = os.pread(descriptor, 200, 0).partition(b"\n")[0]
            yield descriptor, _name(head), len(head) + 1
        finally:
            os.close(descriptor)


def note_suppressions(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """Has the caller's transaction write these new rows of `suppressions` to the journal."""
    _pending(connection).extend(Entry("suppressed", row["address_hash"], row["at"], row["reason"]) for row in rows)


def note_lifted(connection: Connection, hashes: Iterable[str], now: datetime) -> None:
    """The same for suppressions that are lifted."""
    _pending(connection).extend(Entry("lifted", each, now) for each in hashes)


def note_consents(connection: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
    """The same for new rows of `consents` that tell of leaving a newsletter, or of coming back to it."""
    for row in rows:
        act = _TOLD.get(row["action"])
        if act is not None:
            _pending(connection).append(Entry(act, row["address_hash"], row["at"], row.get("newsletter", "")))


def forget(connection: Connection) -> None:
    """At the beginning of a transaction: what one before it left undone is none of its business."""
    connection.info.pop(_PENDING, None)


def write_forbidding(connection: Connection, journal: Journal, instance: str) -> None:
    """At the end of a transaction: puts what keeps mail away into the journal, after what is owed to it, and remembers
    that all of it is taken in."""
    lines = [written(entry, instance) for entry in _pending(connection) if entry.act in FORBIDDING]
    if lines:
        owed = owed_lines(connection)
        appended = journal.append([*owed.values(), *lines])
        pay(connection, owed, appended)


def owe(connection: Connection, instance: str) -> bool:
    """At the end of a transaction: keeps what allows mail again, to be written down once that is committed. False when
    there is nothing."""
    lines = [
        {"line": written(replace(entry, token=secrets.token_hex(8)), instance).decode()}
        for entry in _pending(connection)
        if entry.act not in FORBIDDING
    ]
    if lines:
        connection.execute(sa.insert(journal_owed), lines)
    return bool(lines)


def owed_lines(connection: Connection) -> dict[int, bytes]:
    """What is committed and may not be in the journal yet, in its order. Written twice it is harmless."""
    return {row.id: row.line.encode() for row in connection.execute(_OWED)}


def pay(connection: Connection, owed: Iterable[int], appended: Appended) -> None:
    """These lines are in the journal now. What stood in it before them is taken in only if it was before: another
    process may have written it, and been killed before its commit."""
    if paid := list(owed):
        connection.execute(sa.delete(journal_owed).where(journal_owed.c.id.in_(paid)))
    told = {"name": appended.name, "start": appended.start, "octets": appended.end}
    connection.execute(_REMEMBER_NEXT, told)


_OWED = sa.select(journal_owed.c.id, journal_owed.c.line).order_by(journal_owed.c.id)
# In one statement, for it is executed with each suppression. A journal that is not known is known to its beginning.
_REMEMBER_NEXT = sa.text(
    "INSERT INTO suppression_journals (name, octets) SELECT CAST(:name AS VARCHAR), CAST(:octets AS BIGINT)"
    " WHERE :start = 0 OR EXISTS (SELECT 1 FROM suppression_journals WHERE name = :name)"
    " ON CONFLICT (name) DO UPDATE SET octets = excluded.octets"
    " WHERE suppression_journals.octets BETWEEN :start AND excluded.octets - 1"
)


def is_pending(connection: Connection) -> bool:
    """Whether the transaction has anything for the journal."""
    return bool(connection.info.get(_PENDING))


def remember_length(connection: Connection, name: str, octets: int) -> None:
    """The database has all of the journal of that name up to `octets`."""
    insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(suppression_journals)
    connection.execute(
        insert.values(name=name, octets=octets).on_conflict_do_update(
            index_elements=[suppression_journals.c.name],
            set_={"octets": octets},
            where=suppression_journals.c.octets < octets,
        )
    )


def known_length(connection: Connection, name: str) -> int:
    """How many octets of the journal of that name the database has taken in."""
    query = sa.select(suppression_journals.c.octets).where(suppression_journals.c.name == name)
    return connection.execute(query).scalar_one_or_none() or 0


def known_lengths(connection: Connection) -> dict[str, int]:
    """How many octets of each journal, by its name, the database has taken in."""
    rows = connection.execute(sa.select(suppression_journals.c.name, suppression_journals.c.octets))
    return {row.name: row.octets for row in rows}


def _pending(connection: Connection) -> list[Entry]:
    pending: list[Entry] = connection.info.setdefault(_PENDING, [])
    return pending


def _ends_whole(descriptor: int, end: int) -> bool:
    return end == 0 or os.pread(descriptor, 1, end - 1) == b"\n"


def _name(head: bytes) -> str:
    return head.removeprefix(_HEAD).strip().decode("ascii", "replace")[:32]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
