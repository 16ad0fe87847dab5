"""An editor says that a database which was copied or restored is the one to send from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from syndicate.core.instance import Difference, Here, confirmed, differences
from syndicate.storage import instance
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.epoch import raise_epoch, read_epoch
from syndicate.storage.journal_replay import Replayed, replay


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """What somebody who confirms should know: why the database is in quarantine (None: it is not), and what is not as
    it remembers."""

    why: str | None
    differences: tuple[Difference, ...]


def what_differs(
    database: Database, *, beside: Path, place: str, web_url: str, account: str, live: bool
) -> Unconfirmed:
    """Looks, and changes nothing."""
    with database.read() as connection:
        before = instance.remembered(connection)
        epoch = read_epoch(beside, instance.instance_id(connection))
        why = instance.quarantined_why(connection)
    return Unconfirmed(why, differences(before, Here(place, web_url, account, live, epoch)))


def confirm_live(
    database: Database,
    *,
    beside: Path,
    place: str,
    web_url: str,
    account: str,
    live: bool,
    seen: Sequence[Difference],
    actor: str,
    now: datetime,
) -> Replayed:
    """Takes the journal of suppressions in once more, remembers this place and ends the quarantine. `seen` is what the
    editor was shown, for the audit log. Returns what the journal brought."""
    brought = Replayed()
    if database.journal is not None:
        with database.write() as connection:
            brought = replay(connection, database.journal, now)
    with database.write() as connection:
        before = instance.remembered(connection, lock=True)
        name = instance.instance_id(connection)
        here = Here(place, web_url, account, live, read_epoch(beside, name))
        after = confirmed(before, here, shared=not database.is_sqlite)
        instance.remember(connection, after)
        record(
            connection,
            at=now,
            actor=actor,
            action="instance.confirm",
            detail={"place": place, "differences": [each.text for each in seen]},
        )
    raise_epoch(beside, name, after.epoch)
    return brought
