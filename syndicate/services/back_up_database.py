"""Backs up the database of a site while it is used."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from syndicate.errors import StorageError
from syndicate.storage import instance
from syndicate.storage.audit import record
from syndicate.storage.backups import Progress, copy_database, database_file
from syndicate.storage.database import Database, open_database
from syndicate.storage.epoch import raise_epoch
from syndicate.storage.integrity import find_damage
from syndicate.storage.migrations import current_revision


@dataclass(frozen=True, slots=True)
class Backup:
    """What was written."""

    path: Path
    octets: int
    revision: str


def back_up_database(
    database: Database, target: Path, *, beside: Path, actor: str, now: datetime, progress: Progress | None = None
) -> Backup:
    """Writes the state of one moment to `target`, which must not exist, and opens it again to see that it is whole.

    The database then raises its epoch: where the backup is put in its place, that is noticed. Raises StorageError."""
    source = database_file(database, what="backup")
    if os.path.lexists(target):  # a link that leads nowhere yet would lead there then
        raise StorageError(f"{target} exists already.", cure="Name another file.")
    copy_database(source, target, progress)
    copied = open_database(f"sqlite:///{target}")
    try:
        with copied.read() as connection:
            revision = current_revision(connection)
            damage = find_damage(connection)
    finally:
        copied.dispose()
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
    if damage:
        raise StorageError(f"The backup {target} is not whole: {damage[0]}", cure="Keep older backups.")
    with database.write() as connection:
        before = instance.remembered(connection, lock=True)
        instance.raise_to(connection, before.epoch + 1)
        name = instance.instance_id(connection)
        record(connection, at=now, actor=actor, action="database.backup", subject=target.name)
    raise_epoch(beside, name, before.epoch + 1)
    return Backup(target, target.stat().st_size, revision)
