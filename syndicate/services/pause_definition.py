"""Pause a source or a feed, and go on with it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.definition_states import set_paused

Kind = Literal["sources", "feeds"]


def pause_definition(database: Database, kind: Kind, name: str, *, paused: bool, actor: str, now: datetime) -> bool:
    """A paused source is not looked at, a paused feed keeps its files as they are; nothing is lost meanwhile. False
    when it is so already. Raises NotFound."""
    with database.write() as connection:
        changed = set_paused(connection, kind, name, paused)
        if changed:
            action = f"{kind.removesuffix('s')}.{'pause' if paused else 'resume'}"
            record(connection, at=now, actor=actor, action=action, subject=name)
        return changed
