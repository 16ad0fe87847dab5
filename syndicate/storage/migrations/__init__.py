"""How the tables come to be and change: one file per step in versions/, only ever appended.

`require_current` runs in every command and therefore never imports Alembic (some 400 ms): a file's name starts with its
revision, so the newest revision is read from the folder.

While the first version is unreleased, `python -m tests.storage.write_migration` writes versions/0001_tables.py anew
from tables.py; afterwards the same command with a message appends a step.
"""

from __future__ import annotations

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.errors import StorageError

if TYPE_CHECKING:
    from syndicate.storage.database import Database

VERSIONS = Path(__file__).parent / "versions"
ADVISORY_LOCK = 0x53796E64_00000001
"""The PostgreSQL advisory lock of whoever changes tables (its upper half spells "Synd")."""

# Alembic keeps the running migration in module globals, so two threads of one process take turns.
_one_at_a_time = Lock()


def revisions() -> list[str]:
    """Every revision this program knows, oldest first."""
    return sorted(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def current_revision(connection: Connection) -> str:
    """The revision of the tables, or "" when there are none yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return ""
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or ""


def upgrade(database: Database) -> None:
    """Brings the tables to this program's newest revision, all or nothing. A second caller, in this process or another,
    waits and then finds nothing to do. Raises StorageError when the tables are newer than this program, or not its own.
    """
    with _one_at_a_time, database.write() as connection:
        if not database.is_sqlite:
            # In its own statement: what follows must read what the holder before us committed.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        _upgrade_tables(connection)
        if database.queue is not None:
            database.queue.upgrade(connection)


def _upgrade_tables(connection: Connection) -> None:
    revision = current_revision(connection)
    if revision == revisions()[-1]:
        return
    _refuse_newer(revision)
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "syndicate.storage:migrations")
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except (sa.exc.OperationalError, sa.exc.ProgrammingError) as error:
        if revision or "already exists" not in str(error.orig):
            raise
        raise StorageError(
            f"The database holds tables of another program: {str(error.orig).partition(chr(10))[0]}.",
            cure="Name an empty database in [database] url.",
        ) from error
    from syndicate.storage import counting, kept_addresses, ledger_counting, standing_changes

    kept_addresses.install(connection)
    counting.install(connection)
    ledger_counting.install(connection)
    standing_changes.install(connection)


def require_current(database: Database) -> None:
    """Raises StorageError, with the cure, unless the tables are at this program's newest revision."""
    file = database.engine.url.database
    if database.is_sqlite and file and file != ":memory:" and not Path(file).exists():
        raise StorageError(f"There is no database at {file}.", cure='Make it with "syndicate db upgrade".')
    with database.read() as connection:
        revision = current_revision(connection)
        if revision == revisions()[-1]:
            if database.queue is not None:
                database.queue.require_current(connection)
            return
    _refuse_newer(revision)
    if not revision:
        raise StorageError("The database has no tables yet.", cure='Make them with "syndicate db upgrade".')
    raise StorageError(
        f"The database is at revision {revision}; this program needs {revisions()[-1]}.",
        cure='Make a backup, then "syndicate db upgrade".',
    )


def _refuse_newer(revision: str) -> None:
    if revision and revision not in revisions():
        raise StorageError(
            f"The database is at revision {revision}, which this program does not know (newest: {revisions()[-1]}).",
            cure="It was written by a newer Syndicate: use that one.",
        )
