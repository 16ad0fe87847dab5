"""Whether something is due, asked often by a process that stays: reads by index, and locks nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core import job
from syndicate.core.job import Job
from syndicate.storage import tables

_articles, _feeds, _issues = tables.articles, tables.feeds, tables.issues


def due_jobs(connection: Connection, declared: Collection[str], now: datetime, *, sending: bool) -> Iterator[Job]:
    """The jobs that the rows ask for at this moment: what whoever died, or lost a signal, left to be done. With
    `sending` also those of issues, the ones under way first: people wait for the rest of them."""
    if sending:
        under_way = sa.select(_issues.c.id, _issues.c.state).where(
            _issues.c.state.in_(["freezing", "sending", "cancelling"])
        )
        for row in connection.execute(under_way.order_by(_issues.c.id)):
            yield from (job.freeze(row.id),) if row.state == "freezing" else job.deliver(row.id)
        due = sa.select(_issues.c.id).where(_issues.c.state == "scheduled", _issues.c.send_at <= now)
        for issue_id in connection.execute(due.order_by(_issues.c.send_at)).scalars():
            yield job.freeze(issue_id)
    if release_is_due(connection, now) or publishing_is_due(connection, declared):
        yield job.publish()


def release_is_due(connection: Connection, now: datetime) -> bool:
    """Whether an article waits for nothing but its release: its embargo or its date is over."""
    query = (
        sa.select(_articles.c.id)
        .where(_articles.c.status == "waiting", sa.or_(_articles.c.not_before.is_(None), _articles.c.not_before <= now))
        .limit(1)
    )
    return connection.execute(query).first() is not None


def publishing_is_due(connection: Connection, declared: Collection[str]) -> frozenset[tuple[str, int]]:
    """What the files of the declared feeds do not show yet, as (feed, generation), and ("articles", 0) when an
    article's own page is to be written or removed. Empty: nothing. A paused feed waits."""
    behind = sa.select(_feeds.c.name, _feeds.c.generation).where(
        _feeds.c.name.in_(list(declared)),
        _feeds.c.generation > _feeds.c.published_generation,
        _feeds.c.paused.is_(False),
        _feeds.c.retired.is_(False),
    )
    found = {(row.name, int(row.generation)) for row in connection.execute(behind)}
    page = sa.select(_articles.c.id).where(sa.text(tables.PAGE_DUE)).limit(1)
    if connection.execute(page).first() is not None:
        found.add(("articles", 0))
    return frozenset(found)
