"""Puts a backup in the place of the database: in quarantine, without those who left since it was made, and with what it
was about to send in doubt."""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from syndicate.errors import Refused, StorageError
from syndicate.storage import instance, tables
from syndicate.storage.audit import record
from syndicate.storage.backups import copy_database, database_file, replace_content, set_aside
from syndicate.storage.database import Database, open_database
from syndicate.storage.integrity import find_damage
from syndicate.storage.journal import Journal, known_lengths
from syndicate.storage.journal_replay import Replayed, journal_gap, replay
from syndicate.storage.migrations import current_revision
from syndicate.storage.since_backup import Doubted, doubt
from syndicate.storage.workers import live_workers

WHY = "A backup was put in its place."


@dataclass(frozen=True, slots=True)
class Restored:
    """`aside` is where the database that was there is kept, or None when there was none; `brought` what the journal of
    suppressions added; `gap` why that may not be all, or ""; `doubted` what may have gone out since."""

    aside: Path | None
    revision: str
    brought: Replayed
    gap: str
    doubted: Doubted


def restore_database(
    database: Database, backup: Path, *, directory: Path, beside: Path, actor: str, now: datetime
) -> Restored:
    """Checks the backup, brings it up to date, takes the journal in and quarantines it, all in a copy of its own; only
    then the content is exchanged, in one transaction. Raises Refused while workers live, StorageError for a backup that
    cannot be used."""
    path = database_file(database, what="restore")
    if not os.path.isfile(backup):  # unlike Path.is_file it bears any name
        raise StorageError(f"There is no file {backup}.", cure="`syndicate db backup` makes one.")
    _refuse_workers(path, database, directory)
    # What the database that is replaced has not written down yet, where it can still be read.
    without_journal = ""
    with suppress(StorageError, sa.exc.SQLAlchemyError):
        if path.exists():
            database.pay_journal()
            with database.read() as connection:
                if not known_lengths(connection):
                    without_journal = instance.instance_id(connection)
    staged = path.with_name(f"{path.name}.staged")
    for suffix in ("", "-wal", "-shm"):
        staged.with_name(staged.name + suffix).unlink(missing_ok=True)
    copy_database(backup, staged)
    try:
        revision, brought, gap, doubted = _prepare(staged, backup, Journal(beside), without_journal, actor, now)
        aside = None
        if path.exists():
            aside = path.with_name(f"{path.stem}-before-{now:%Y%m%d-%H%M%S}{path.suffix}")
            set_aside(path, aside)
        # Nobody may have begun to work meanwhile.
        _refuse_workers(path, database, directory)
        database.dispose()
        replace_content(staged, path)
    finally:
        for suffix in ("", "-wal", "-shm"):
            staged.with_name(staged.name + suffix).unlink(missing_ok=True)
    return Restored(aside, revision, brought, gap, doubted)


def _prepare(
    staged: Path, backup: Path, journal: Journal, without_journal: str, actor: str, now: datetime
) -> tuple[str, Replayed, str, Doubted]:
    """`without_journal` names the database that is replaced when nothing was ever to be written down of it."""
    copied = open_database(f"sqlite:///{staged}")
    with ExitStack() as at_the_end:
        at_the_end.callback(copied.dispose)
        with copied.read() as connection:
            if not sa.inspect(connection).has_table(tables.instance.name):
                raise StorageError(f"{backup} is no backup of a site.", cure="Name a file that `db backup` made.")
            if damage := _broken_pages(connection):
                raise StorageError(f"{backup} is not whole: {damage}", cure="Take an older backup.")
        copied.upgrade()  # raises for one that a newer program made
        with copied.read() as connection:
            is_empty = journal.length() is None and instance.instance_id(connection) == without_journal
            gap = "" if is_empty else journal_gap(connection, journal)
        with copied.write() as connection:
            brought = replay(connection, journal, now)
        with copied.write() as connection:
            doubted = doubt(connection, now)
            instance.quarantine(connection, " ".join(filter(None, [WHY, gap, str(doubted)])))
            # Who held claims when the backup was made is gone, or works for another database.
            connection.execute(
                sa.update(tables.workers).where(tables.workers.c.gone_at.is_(None)).values(gone_at=now)
            )
            detail = {"why": told} if (told := str(doubted)) else {}
            record(connection, at=now, actor=actor, action="database.restore", subject=backup.name, detail=detail)
        with copied.read() as connection:
            if damage := next(iter(find_damage(connection)), ""):
                raise StorageError(f"{backup} is not whole: {damage}", cure="Take an older backup.")
            revision = current_revision(connection)
        with copied.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return revision, brought, gap, doubted


def _broken_pages(connection: sa.Connection) -> str:
    """What SQLite itself finds off in the pages, or ""."""
    found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    return "" if found == "ok" else str(found)


def _refuse_workers(path: Path, database: Database, directory: Path) -> None:
    if not path.exists():
        return
    try:
        up = live_workers(database, directory)
    except (StorageError, sa.exc.SQLAlchemyError):
        return  # it cannot be read: that is why it is replaced
    if up:
        raise Refused(
            f"Its workers are up: {', '.join(sorted(up)[:3])}.", cure="Stop `syndicate run` first, then restore."
        )
