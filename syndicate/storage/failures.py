"""What a database says when it cannot go on, as one sentence with the next step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import URL

from syndicate.errors import StorageError

_RESTORE = "Put a backup in its place, or name another file in [database] url."
# https://www.sqlite.org/rescode.html: the primary codes of what is no mistake in a statement.
_SQLITE = {
    "SQLITE_BUSY": ("is locked by another program", "Try again when that has finished."),
    "SQLITE_LOCKED": ("is locked by another program", "Try again when that has finished."),
    "SQLITE_FULL": ("cannot grow: the disk is full", "Free space, then start again: nothing is lost."),
    "SQLITE_IOERR": ("cannot be read or written", "Look at the disk and its free space, then start again."),
    "SQLITE_READONLY": ("may not be written", "Make the file and its folder writable."),
    "SQLITE_PERM": ("may not be opened", "Make the file and its folder readable and writable."),
    "SQLITE_CANTOPEN": ("cannot be opened", "Make the file and its folder readable and writable."),
    "SQLITE_CORRUPT": ("is damaged", _RESTORE),
    "SQLITE_NOTADB": ("is no SQLite database", _RESTORE),
}
_PASSING = {"SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL"}
# https://www.postgresql.org/docs/current/errcodes-appendix.html: 08 connection, 28 log-in, 3D no such database,
# 53 disk, memory or connections used up, 57P shutting down or terminated, 58 system; "" when no server answered.
_POSTGRESQL = ("08", "28", "3D", "53", "57P", "58")
_GONE = ("cannot be used", "Look at [database] url, and whether its server runs.")
_PASSES: Mapping[str, tuple[str, str]] = {
    # The server ended a transaction in which nothing was said for too long (`database.WRITER_IDLE_SECONDS`).
    "25P03": _GONE,
    "40001": ("is held by another program", "Try again."),
    "40P01": ("is held by another program, which waits for this one", "Try again."),
    "53100": ("cannot grow: the disk is full", "Free space on its server, then start again: nothing is lost."),
    "55P03": ("is held by another program", "Try again when that has finished."),
    "57014": ("takes too long", "Look at its load, and at statement_timeout in its settings."),
}
"""What passes, or can be made to: what to say of it, and the next step."""


@contextmanager
def one_sentence(url: URL) -> Iterator[None]:
    """Turns what is wrong with the database at `url` into StorageError. A wrong statement stays what it is."""
    try:
        yield
    except sa.exc.PendingRollbackError as error:
        # Its connection is gone since an earlier statement, which told of it.
        raise _away(url, "the connection is lost", *_GONE) from error
    except sa.exc.DBAPIError as error:
        explained = explain(error, url)
        if explained is None:
            raise
        raise explained from error


def explain(error: sa.exc.DBAPIError, url: URL) -> StorageError | None:
    """The sentence, or None when it is not the database that is at fault."""
    said = str(error.orig).partition("\n")[0].strip().rstrip(".")
    if url.get_backend_name() == "sqlite":
        name = str(getattr(error.orig, "sqlite_errorname", ""))
        code = next((code for code in _SQLITE if name == code or name.startswith(f"{code}_")), None)
        if code is None:
            return None
        what, cure = _SQLITE[code]
        found = StorageError(f"The database {url.database} {what} ({said}).", cure=cure)
        found.try_again = code in _PASSING
        return found
    state = getattr(error.orig, "sqlstate", None) or ""
    if state in _PASSES:
        return _away(url, said, *_PASSES[state])
    operational = isinstance(error, sa.exc.OperationalError) and (not state or state.startswith(_POSTGRESQL))
    return _away(url, said, *_GONE) if operational else None


def _away(url: URL, said: str, what: str, cure: str) -> StorageError:
    place = url.set(query={}).render_as_string(hide_password=True)
    found = StorageError(f"The database {place} {what}: {said}.", cure=cure)
    found.try_again = True
    return found
