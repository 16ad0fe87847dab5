"""How a delivery learns that the first mail API takes nothing, and sees that it is the other one's turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from syndicate.core.standby import Post, StandbyRule, who_posts
from syndicate.storage.database import Database
from syndicate.storage.standby import note_failing, note_taking, standby_state

TELL_AFTER = timedelta(seconds=2)
"""Failures between which something is taken are nobody else's business."""


@dataclass(frozen=True, slots=True)
class Standby:
    """Two mail APIs are set up; this delivery posts through the `post` one."""

    rule: StandbyRule
    post: Post


class Turn:
    """Of one delivery. Without a standby it is always its turn."""

    def __init__(self, database: Database, standby: Standby | None) -> None:
        self._database, self._standby = database, standby
        self._since: datetime | None = None
        self._failed_at: datetime | None = None
        self._told = False
        if standby is not None:
            with database.read() as connection:
                self._told = standby_state(connection).failing_since is not None

    def is_over(self, connection: Connection, now: datetime) -> bool:
        """Whether another mail API posts now."""
        if self._standby is None:
            return False
        return who_posts(standby_state(connection), self._standby.rule, now) != self._standby.post

    def failed(self, now: datetime) -> None:
        """A request came to nothing."""
        if self._standby is None or self._standby.post != "first":
            return
        self._since, self._failed_at = self._since or now, now
        if self._told or now - self._since >= TELL_AFTER:
            self._tell(now)

    def took(self) -> None:
        """A request was accepted."""
        self._since = None
        if self._told and self._standby is not None and self._standby.post == "first":
            with self._database.write() as connection:
                note_taking(connection)
            self._told = False

    def leave(self) -> None:
        """The delivery ends, perhaps before it has told."""
        if self._failed_at is not None and self._since is not None and not self._told:
            self._tell(self._failed_at)

    def _tell(self, now: datetime) -> None:
        if self._since is not None:
            with self._database.write() as connection:
                note_failing(connection, self._since, now)
            self._told = True
