"""Backups of an SQLite database: taken while it is used, and put back in its place."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from syndicate.errors import StorageError
from syndicate.storage.database import Database

PAGES = 2_000
"""Copied between two looks at the progress: some eight megabytes."""

Progress = Callable[[int, int], None]
"""Called with how many pages are copied, and of how many."""


def database_file(database: Database, *, what: str) -> Path:
    """The file of an SQLite database. Raises StorageError for PostgreSQL, which brings tools of its own; `what` is
    backup or restore."""
    if database.is_sqlite:
        return Path(database.engine.url.database or "")
    place = database.engine.url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    lines = {
        "backup": f"pg_dump --format=custom --file=syndicate.dump '{place}'",
        "restore": f"pg_restore --clean --if-exists --dbname='{place}' syndicate.dump",
    }
    raise StorageError(
        f"PostgreSQL makes its {what}s by the server's own tools.",
        cure=f"Run: {lines[what]} (the first start afterwards notices that the database is older).",
    )


def copy_database(source: Path, target: Path, progress: Progress | None = None) -> None:
    """Copies the state of one moment into a new file, mode 600, while others read and write; on the disk when it
    returns. Nothing is at `target` before it is whole. Raises StorageError."""
    partial = target.with_name(f"{target.name}.partial")
    with _named(source, target), ExitStack() as undo:
        partial.unlink(missing_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        # What was begun of a source that turns out to be none is nobody's.
        undo.callback(partial.unlink, missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(_open(source)) as here, closing(sqlite3.connect(partial, isolation_level=None)) as there:
            # A reader's view that stays open: what is written meanwhile does not start the copy anew.
            here.execute("BEGIN")
            here.execute("SELECT count(*) FROM sqlite_master").fetchone()
            here.backup(
                there,
                pages=PAGES,
                progress=lambda _status, left, whole: progress(whole - left, whole) if progress else None,
            )
            # One file, with nothing beside it.
            there.execute("PRAGMA journal_mode=DELETE")
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
        descriptor = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def replace_content(source: Path, target: Path) -> None:
    """Puts the content of one database file into another, in one transaction: a kill leaves the old content or the new.
    A target that is damaged is replaced as a file. Raises StorageError."""
    with _named(source, target):
        try:
            with closing(_open(source)) as here, closing(sqlite3.connect(target, timeout=5)) as there:
                here.backup(there)
                there.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorname not in ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_READONLY"):
                raise
        copy_database(source, target.with_name(f"{target.name}.restored"))
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        target.with_name(f"{target.name}.restored").replace(target)


def set_aside(path: Path, aside: Path) -> None:
    """Keeps a database under another name: a copy, or when it cannot be read its files as they are."""
    try:
        copy_database(path, aside)
    except StorageError:
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                copied = aside.with_name(aside.name + suffix)
                copied.write_bytes(part.read_bytes())
                copied.chmod(0o600)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=30)
    return connection


@contextmanager
def _named(source: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StorageError(f"{source} cannot be copied to {target}: {error}.", cure="Look at both files.") from error
    except OSError as error:
        why = error.strerror or error
        raise StorageError(f"{target} cannot be written: {why}.", cure="Free space or choose another place.") from error
