"""Whether the first mail API takes anything, and since when the other one stands in."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.standby import STALE, Post, StandbyRule, StandbyState, who_posts
from syndicate.storage import tables
from syndicate.storage.tables import instance


def standby_state(connection: Connection, *, lock: bool = False) -> StandbyState:
    """As it is; with `lock` held to commit."""
    query = sa.select(instance.c.mail_failing_since, instance.c.mail_failed_at, instance.c.standby_since).where(
        instance.c.id == 1
    )
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
