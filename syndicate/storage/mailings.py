"""What one person was sent: the ledger read from the recipient's side."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import people, tables
from syndicate.storage.batches import batch_of


@dataclass(frozen=True, slots=True)
class Mailing:
    """One issue that a person was frozen into. `state` is their outcome when it differs from their batch's, else the
    batch's state, "" before batches were planned; `at` is when that was settled."""

    issue_id: int
    newsletter: str
    kind: str
    issue_state: str
    state: str
    why: str
    at: datetime | None
    article_ids: tuple[str, ...]


def mailings_of(
    connection: Connection,
    subscriber_id: int,
    *,
    issue_ids: Collection[int] | None = None,
    article_id: str = "",
    limit: int = 20,
) -> list[Mailing]:
    """The person's latest mailings, newest first; only those of `issue_ids`, and those whose version for them carries
    the article, when given."""
    recipients, issues, batches = tables.issue_recipients, tables.issues, tables.batches
    outcomes, variants = tables.recipient_outcomes, tables.variants
    theirs = sa.select(recipients).where(recipients.c.subscriber_id == subscriber_id)
    if issue_ids is not None:
        theirs = theirs.where(recipients.c.issue_id.in_(list(issue_ids)))
    if not article_id:
        # No more is looked at than is wanted: issues are numbered in the order in which they were made.
        theirs = theirs.order_by(recipients.c.issue_id.desc()).limit(limit)
    latest = theirs.subquery()
    query = (
        sa.select(
            issues.c.id,
            issues.c.newsletter,
            issues.c.kind,
            issues.c.state.label("issue_state"),
            sa.func.coalesce(outcomes.c.outcome, batches.c.state, "").label("state"),
            sa.func.coalesce(outcomes.c.why, batches.c.why, "").label("why"),
            sa.func.coalesce(outcomes.c.at, batches.c.settled_at, batches.c.posted_at).label("at"),
            variants.c.article_ids,
        )
        .select_from(latest)
        .join(issues, issues.c.id == latest.c.issue_id)
        .join(batches, batches.c.id == batch_of(latest), isouter=True)
        .join(
            outcomes,
            sa.and_(outcomes.c.issue_id == latest.c.issue_id, outcomes.c.ordinal == latest.c.ordinal),
            isouter=True,
        )
        .join(
            variants,
            sa.and_(
                variants.c.issue_id == latest.c.issue_id,
                variants.c.key == latest.c.variant_key,
                variants.c.revision == sa.func.coalesce(batches.c.revision, issues.c.revision),
            ),
            isouter=True,
        )
        .order_by(issues.c.id.desc())
        .limit(limit)
    )
    if article_id:
        query = query.where(sa.cast(variants.c.article_ids, sa.Text).contains(article_id, autoescape=True))
    return [
        Mailing(
            issue_id=row.id,
            newsletter=row.newsletter,
            kind=row.kind,
            issue_state=row.issue_state,
            state=row.state,
            why=row.why,
            at=row.at,
            article_ids=tuple(row.article_ids or ()),
        )
        for row in connection.execute(query)
    ]


def issues_with(connection: Connection, article_id: str) -> Mapping[int, tuple[str, bool]]:
    """The frozen issues that used the article, with their newsletters and whether it is still kept who got them."""
    used, issues = tables.issue_articles, tables.issues
    query = (
        sa.select(issues.c.id, issues.c.newsletter, issues.c.forgotten_at)
        .join(used, used.c.issue_id == issues.c.id)
        .where(used.c.article_id == article_id, used.c.role != "skipped", issues.c.frozen_at.is_not(None))
        .order_by(issues.c.id)
    )
    return {row.id: (row.newsletter, row.forgotten_at is None) for row in connection.execute(query)}


def suppression_of(connection: Connection, address_hash: str) -> tuple[str, datetime, str] | None:
    """Reason, moment and note of the suppression in force that weighs most."""
    table = tables.suppressions
    row = connection.execute(
        sa.select(table.c.reason, table.c.at, table.c.note)
        .where(table.c.address_hash == address_hash, people.IN_FORCE)
        .order_by(people.WEIGHT.desc(), table.c.id)
        .limit(1)
    ).one_or_none()
    return (row.reason, row.at, row.note) if row is not None else None
