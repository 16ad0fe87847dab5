"""Stop all sending everywhere, and go on with it."""

from __future__ import annotations

from datetime import datetime

from syndicate.storage import halt
from syndicate.storage.audit import record
from syndicate.storage.database import Database


def stop_sending(database: Database, *, actor: str, now: datetime) -> bool:
    """Once this has returned, no process claims a batch of any issue; requests under way come to their end. False when
    it was stopped already. Mails that one person waits for (confirmations) are no sending, and go on."""
    with database.write() as connection:
        thrown = halt.throw(connection, stopped=True, by=actor)
        if thrown:
            record(connection, at=now, actor=actor, action="sending.stop")
        return thrown


def resume_sending(database: Database, *, actor: str, now: datetime) -> bool:
    """Lets every process go on where it was; False when nothing was stopped. A paused issue stays paused."""
    with database.write() as connection:
        thrown = halt.throw(connection, stopped=False, by=actor)
        if thrown:
            record(connection, at=now, actor=actor, action="sending.resume")
        return thrown
