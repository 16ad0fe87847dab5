"""Who an issue goes to."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import Audience, Issue
from syndicate.core.sample import SAMPLE_DOMAINS
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


def count_sample_readers(connection: Connection, issue: Issue, now: datetime) -> int:
    """How many of the people whom the issue would still be sent to have a sample address."""
    people, subscriptions, recipients = tables.subscribers, tables.subscriptions, tables.issue_recipients
    query = sa.select(sa.func.count())
    if issue.planned is None:
        query = query.select_from(subscriptions.join(people, people.c.id == subscriptions.c.subscriber_id)).where(
            audience_condition(issue.newsletter, issue.audience, now=now), _is_sample(people.c.address)
        )
    else:
        query = query.select_from(recipients.join(people, people.c.id == recipients.c.subscriber_id)).where(
            recipients.c.issue_id == issue.id,
            people.c.suppressed == "",
            people.c.erased_at.is_(None),
            _is_sample(recipients.c.address),
        )
    return connection.execute(query).scalar_one()


def _is_sample(address: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """`core.sample.is_sample_address` for a normalised address, whose domain is in lower case."""
    ends = [address.endswith(f"{before}{domain}") for domain in SAMPLE_DOMAINS for before in ("@", ".")]
    return sa.or_(*ends)


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
