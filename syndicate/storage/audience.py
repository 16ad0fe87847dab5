"""Who an issue goes to."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import Audience, Issue
from syndicate.storage import tables
from syndicate.storage.audience_counts import count_subscriptions


def audience_condition(newsletter: str, audience: Audience, *, now: datetime) -> sa.ColumnElement[bool]:
    """The condition over `subscriptions` joined with `subscribers`: active, not paused at `now`, not suppressed, not
    erased, in the rule."""
    people, subscriptions = tables.subscribers, tables.subscriptions
    conditions = [
        subscriptions.c.newsletter == newsletter,
        subscriptions.c.status == "active",
        sa.or_(subscriptions.c.paused_until.is_(None), subscriptions.c.paused_until <= now),
        people.c.suppressed == "",
        people.c.erased_at.is_(None),
    ]
    if audience.cadence is not None:
        conditions.append(subscriptions.c.cadence == audience.cadence)
    if audience.to is not None:
        conditions.append(people.c.address.in_(audience.to))
    return sa.and_(*conditions)


def count_audience(connection: Connection, newsletter: str, audience: Audience, *, now: datetime) -> int:
    """How many people the rule takes at `now`."""
    if audience.to is None:
        counted = count_subscriptions(connection, newsletter, audience.cadence, now=now)
        return sum(each.people for each in counted if not each.why)
    people, subscriptions = tables.subscribers, tables.subscriptions
    query = (
        sa.select(sa.func.count())
        .select_from(subscriptions.join(people, people.c.id == subscriptions.c.subscriber_id))
        .where(audience_condition(newsletter, audience, now=now))
    )
    return connection.execute(query).scalar_one()


MOST_SAMPLES = 1_000
"""Nobody needs to know of more."""


def count_sample_readers(connection: Connection, issue: Issue, now: datetime) -> int:
    """How many of the people whom the issue would still be sent to have a sample address, at most MOST_SAMPLES."""
    people, subscriptions, recipients = tables.subscribers, tables.subscriptions, tables.issue_recipients
    sample = tables.SAMPLE_ON_SQLITE if connection.dialect.name == "sqlite" else tables.SAMPLE_ON_POSTGRESQL
    if issue.planned is None:
        theirs = sa.select(subscriptions.c.subscriber_id).where(
            subscriptions.c.subscriber_id == people.c.id, audience_condition(issue.newsletter, issue.audience, now=now)
        )
    else:
        theirs = sa.select(recipients.c.subscriber_id).where(
            recipients.c.subscriber_id == people.c.id, recipients.c.issue_id == issue.id
        )
    # Looked up for each sample, of whom there are few: a join might read all the others.
    gets_it = theirs.limit(1).correlate(people).scalar_subquery().is_not(None)
    found = (
        sa.select(people.c.id)
        .where(sa.text(f"({sample})"), people.c.suppressed == "", people.c.erased_at.is_(None), gets_it)
        .limit(MOST_SAMPLES)
    )
    return connection.execute(sa.select(sa.func.count()).select_from(found.subquery())).scalar_one()


def count_samples(connection: Connection) -> int:
    """How many readers with an active subscription have a sample address, at most MOST_SAMPLES."""
    people, subscriptions = tables.subscribers, tables.subscriptions
    sample = tables.SAMPLE_ON_SQLITE if connection.dialect.name == "sqlite" else tables.SAMPLE_ON_POSTGRESQL
    active = sa.select(subscriptions.c.subscriber_id).where(
        subscriptions.c.subscriber_id == people.c.id, subscriptions.c.status == "active"
    )
    found = (
        sa.select(people.c.id)
        .where(
            sa.text(f"({sample})"),
            people.c.suppressed == "",
            people.c.erased_at.is_(None),
            active.limit(1).correlate(people).scalar_subquery().is_not(None),
        )
        .limit(MOST_SAMPLES)
    )
    return connection.execute(sa.select(sa.func.count()).select_from(found.subquery())).scalar_one()


def not_in_audience(
    connection: Connection, newsletter: str, addresses: tuple[str, ...], *, now: datetime
) -> list[str]:
    """Those of the normalised addresses that the newsletter would not mail at `now`."""
    people, subscriptions = tables.subscribers, tables.subscriptions
    query = (
        sa.select(people.c.address)
        .select_from(subscriptions.join(people, people.c.id == subscriptions.c.subscriber_id))
        .where(audience_condition(newsletter, Audience(to=addresses), now=now))
    )
    taken = set(connection.execute(query).scalars())
    return [address for address in addresses if address not in taken]
