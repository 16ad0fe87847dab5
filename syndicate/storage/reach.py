"""Whom an issue would reach, counted in the database: one row for each version and time zone, never one per person."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.history import history_of
from syndicate.core.issue import Issue
from syndicate.core.reach import Part, Reach, reach_of
from syndicate.storage import tables
from syndicate.storage.audience import audience_condition
from syndicate.storage.freezing import earlier_versions, version_key
from syndicate.storage.issues import get_composition

_people, _subscriptions = tables.subscribers, tables.subscriptions


def count_reach(connection: Connection, issue: Issue, shown: Sequence[tuple[str, int]], *, now: datetime) -> Reach:
    """Whom the issue would reach at `now` if it showed these articles, as (id, number)."""
    ids = frozenset(article_id for article_id, _ in shown)
    history = history_of(earlier_versions(connection, issue, ids), ids)
    key = version_key(issue, history).label("version")
    zone = _people.c.timezone.label("zone")
    people = (
        sa.select(key, zone)
        .select_from(_subscriptions.join(_people, _people.c.id == _subscriptions.c.subscriber_id))
        .where(audience_condition(issue.newsletter, issue.audience, now=now))
        .subquery()
    )
    query = sa.select(people.c.version, people.c.zone, sa.func.count()).group_by(people.c.version, people.c.zone)
    parts = [Part(*row) for row in connection.execute(query)]
    return reach_of(parts, history, shown, issue.lo)


def count_readers(connection: Connection, issue: Issue, articles: Sequence[Article], *, now: datetime) -> int:
    """How many would get the issue with these articles."""
    return count_reach(connection, issue, [(each.id, each.number or 0) for each in articles], now=now).readers


def reach_as_composed(connection: Connection, issue: Issue, *, now: datetime) -> Reach:
    """Whom the issue would reach as it is composed now."""
    composed = [each for each in get_composition(connection, issue.id) if each.role != "skipped"]
    return count_reach(connection, issue, [(each.article_id, each.number) for each in composed], now=now)


def count_not_mailed(connection: Connection, issue: Issue, now: datetime) -> dict[str, int]:
    """Subscriptions within the audience rule that are not mailed, by why: "suppressed", "paused", "left" and "pending"
    (who has not confirmed yet)."""
    why = sa.case(
        (_subscriptions.c.status != "active", _subscriptions.c.status),
        (_people.c.suppressed != "", "suppressed"),
        (_subscriptions.c.paused_until > now, "paused"),
        else_="",
    ).label("why")
    query = (
        sa.select(why)
        .select_from(_subscriptions.join(_people, _people.c.id == _subscriptions.c.subscriber_id))
        .where(_subscriptions.c.newsletter == issue.newsletter, _people.c.erased_at.is_(None))
    )
    if issue.audience.cadence is not None:
        query = query.where(_subscriptions.c.cadence == issue.audience.cadence)
    if issue.audience.to is not None:
        query = query.where(_people.c.address.in_(issue.audience.to))
    found = query.subquery()
    counts = sa.select(found.c.why, sa.func.count()).where(found.c.why != "").group_by(found.c.why)
    return dict(connection.execute(counts).all())
