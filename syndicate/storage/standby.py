"""Whether the first mail API takes anything, since when the other one stands in, and how whoever posts tells and sees
it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.standby import STALE, Post, StandbyRule, StandbyState, who_posts
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.fair_locks import SITE, wait_in_line
from syndicate.storage.tables import instance

TELL_AFTER = timedelta(seconds=2)
"""Failures between which something is taken are nobody else's business."""


def standby_state(connection: Connection, *, lock: bool = False) -> StandbyState:
    """As it is; with `lock` held to commit."""
    query = sa.select(instance.c.mail_failing_since, instance.c.mail_failed_at, instance.c.standby_since).where(
        instance.c.id == 1
    )
    if lock:
        wait_in_line(connection, SITE)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return StandbyState(row.mail_failing_since, row.mail_failed_at, row.standby_since) if row else StandbyState()


def note_failing(connection: Connection, since: datetime, now: datetime) -> None:
    """The first mail API has taken nothing since then, as far as this process saw."""
    state = standby_state(connection, lock=True)
    if state.failing_since is not None and state.failed_at is not None and now - state.failed_at <= STALE:
        since = min(since, state.failing_since)
    _put(connection, StandbyState(since, now, state.stands_in_since))


def note_taking(connection: Connection) -> None:
    """It took something."""
    state = standby_state(connection, lock=True)
    if state.failing_since is not None:
        _put(connection, StandbyState(stands_in_since=state.stands_in_since))


def turn(connection: Connection, rule: StandbyRule, now: datetime) -> tuple[Post, bool]:
    """Who posts from now on, and whether that has just changed, which is written down for all processes."""
    state = standby_state(connection, lock=True)
    post = who_posts(state, rule, now)
    if post == "standby" and state.stands_in_since is None:
        _put(connection, StandbyState(stands_in_since=now))
        return post, True
    if post == "first" and state.stands_in_since is not None:
        _put(connection, StandbyState())
        return post, True
    return post, False


def free_from(connection: Connection, api: str, account: str, now: datetime) -> None:
    """What waits because that mail API said when to come back waits no more: another one posts now."""
    batches, issues = tables.batches, tables.issues
    begun = sa.select(issues.c.id).where(issues.c.state.in_(["sending", "paused"]))
    connection.execute(
        sa.update(batches)
        .where(
            batches.c.issue_id.in_(begun),
            batches.c.state == "retry",
            batches.c.retry_at > now,
            batches.c.api == api,
            batches.c.account == account,
        )
        .values(retry_at=now)
    )
    letters = tables.transactional_mails
    connection.execute(
        sa.update(letters)
        .where(letters.c.state == "retry", letters.c.retry_at > now, letters.c.api == api, letters.c.account == account)
        .values(retry_at=now)
    )


def _put(connection: Connection, state: StandbyState) -> None:
    connection.execute(
        sa.update(instance)
        .where(instance.c.id == 1)
        .values(
            mail_failing_since=state.failing_since,
            mail_failed_at=state.failed_at,
            standby_since=state.stands_in_since,
        )
    )


@dataclass(frozen=True, slots=True)
class Standby:
    """Two mail APIs are set up; whoever has this posts through the `post` one."""

    rule: StandbyRule
    post: Post


class Turn:
    """Of one delivery, or of one pass over letters. Without a standby it is always its turn."""

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
        """It ends, perhaps before it has told."""
        if self._failed_at is not None and self._since is not None and not self._told:
            self._tell(self._failed_at)

    def _tell(self, now: datetime) -> None:
        if self._since is not None:
            with self._database.write() as connection:
                note_failing(connection, self._since, now)
            self._told = True
