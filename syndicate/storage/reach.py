"""Whom an issue would reach. Where everybody gets the same, from what is counted as it changes; else counted in the
database: one row for each version and time zone, never one per person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.history import History, history_of
from syndicate.core.issue import Issue
from syndicate.core.reach import Part, Reach, reach_of
from syndicate.storage import tables
from syndicate.storage.audience import audience_condition, count_audience
from syndicate.storage.audience_counts import count_subscriptions
from syndicate.storage.freezing import earlier_versions, version_key
from syndicate.storage.issues import get_composition

_people, _subscriptions = tables.subscribers, tables.subscriptions

LOOKED_AT = 20_000
"""A page looks at so many people, one by one, in about a fifth of a second."""


def count_reach(connection: Connection, issue: Issue, shown: Sequence[tuple[str, int]], *, now: datetime) -> Reach:
    """Whom the issue would reach at `now` if it showed these articles, as (id, number). Where some of its readers may
    have got some of them before, it looks at each: that takes seconds for a million."""
    return _count(connection, issue, shown, _history(connection, issue, shown), now)


def count_readers(connection: Connection, issue: Issue, articles: Sequence[Article], *, now: datetime) -> Reach:
    """Who would get the issue with these articles."""
    return count_reach(connection, issue, [(each.id, each.number or 0) for each in articles], now=now)


def reach_as_composed(connection: Connection, issue: Issue, *, now: datetime) -> Reach:
    """Whom the issue would reach as it is composed now, at once: where that needs a look at more than LOOKED_AT people,
    it is as counted when the issue was sealed."""
    composed = [each for each in get_composition(connection, issue.id) if each.role != "skipped"]
    shown = [(each.article_id, each.number) for each in composed]
    history = _history(connection, issue, shown)
    if history.versions and count_audience(connection, issue.newsletter, issue.audience, now=now) > LOOKED_AT:
        issues = tables.issues
        row = connection.execute(sa.select(issues.c.reach, issues.c.sealed_at).where(issues.c.id == issue.id)).one()
        if row.reach is not None and row.sealed_at is not None:
            return Reach(**row.reach, counted_at=row.sealed_at)
    return _count(connection, issue, shown, history, now)


def as_kept(reach: Reach) -> dict[str, Any]:
    """For `issues.reach`; when it was counted is when it was sealed."""
    return {name: value for name, value in asdict(reach).items() if name != "counted_at"}


def _history(connection: Connection, issue: Issue, shown: Sequence[tuple[str, int]]) -> History:
    ids = frozenset(article_id for article_id, _ in shown)
    return history_of(earlier_versions(connection, issue, ids), ids)


def _count(
    connection: Connection, issue: Issue, shown: Sequence[tuple[str, int]], history: History, now: datetime
) -> Reach:
    if history.versions or issue.audience.to is not None:
        parts = _parts(connection, issue, history, now)
    else:
        counted = count_subscriptions(connection, issue.newsletter, issue.audience.cadence, now=now)
        whole = {each.timezone: Part("", each.timezone, each.people) for each in counted if not each.why}
        apart = []
        if issue.kind == "cadence":
            # Whose range starts earlier gets more than the others; only who starts later may get less.
            apart = _parts(connection, issue, history, now, _subscriptions.c.resume_from > issue.lo)
        for part in apart:
            theirs = whole.get(part.timezone, Part("", part.timezone, 0))
            whole[part.timezone] = replace(theirs, people=theirs.people - part.people)
        parts = [*whole.values(), *apart]
    return reach_of(parts, history, shown, issue.lo)


def _parts(
    connection: Connection, issue: Issue, history: History, now: datetime, *only: sa.ColumnElement[bool]
) -> list[Part]:
    """People of the audience by version and time zone."""
    people = (
        sa.select(version_key(issue, history).label("version"), _people.c.timezone.label("zone"))
        .select_from(_subscriptions.join(_people, _people.c.id == _subscriptions.c.subscriber_id))
        .where(audience_condition(issue.newsletter, issue.audience, now=now), *only)
        .subquery()
    )
    query = sa.select(people.c.version, people.c.zone, sa.func.count()).group_by(people.c.version, people.c.zone)
    return [Part(*row) for row in connection.execute(query)]


def count_not_mailed(connection: Connection, issue: Issue, now: datetime) -> dict[str, int]:
    """Subscriptions within the audience rule that are not mailed, by why: "suppressed", "paused", "left" and "pending"
    (who has not confirmed yet)."""
    if issue.audience.to is None:
        counts: dict[str, int] = {}
        for each in count_subscriptions(connection, issue.newsletter, issue.audience.cadence, now=now):
            counts[each.why] = counts.get(each.why, 0) + each.people
        return {why: people for why, people in counts.items() if why}
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
    query = query.where(_people.c.address.in_(issue.audience.to))
    found = query.subquery()
    by_reason = sa.select(found.c.why, sa.func.count()).where(found.c.why != "").group_by(found.c.why)
    return dict(connection.execute(by_reason).all())
