"""Where the next issue of a cadence starts, and that of a person for whom it is elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import BEFORE_FREEZING, Issue
from syndicate.core.reader_steps import OWN_SUPPRESSION
from syndicate.core.subscriber import Subscription
from syndicate.storage import tables
from syndicate.storage.freezing import is_accepted

_subscriptions = tables.subscriptions
_recipients = tables.issue_recipients


def somebody_starts_elsewhere(connection: Connection, newsletter: str) -> bool:
    """Whether any subscription of the newsletter has a start of its own."""
    query = (
        sa.select(_subscriptions.c.subscriber_id)
        .where(_subscriptions.c.newsletter == newsletter, _subscriptions.c.resume_from.is_not(None))
        .limit(1)
    )
    return connection.execute(query).first() is not None


def clear_starts(connection: Connection, issue: Issue, first: int, last: int) -> None:
    """Recipients with these ordinals for whom the issue was accepted follow their cadence from now on, unless their
    subscription changed after it was frozen: then their start is about the next one."""
    if issue.frozen_at is None:
        return
    got = sa.select(_recipients.c.subscriber_id).where(
        _recipients.c.issue_id == issue.id, _recipients.c.ordinal.between(first, last), is_accepted(_recipients)
    )
    connection.execute(
        sa.update(_subscriptions)
        .where(
            _subscriptions.c.newsletter == issue.newsletter,
            _subscriptions.c.resume_from.is_not(None),
            _subscriptions.c.changed_at <= issue.frozen_at,
            _subscriptions.c.subscriber_id.in_(got),
        )
        .values(resume_from=None)
    )


def accepted_through(connection: Connection, newsletter: str, subscriber_ids: Sequence[int]) -> dict[int, int]:
    """The highest window end of the newsletter's cadence issues that the mail API accepted, for each person who has
    one since they joined. Manual sends have no window and do not count."""
    issues, batches = tables.issues, tables.batches
    recipients, outcomes = _recipients, tables.recipient_outcomes
    query = (
        sa.select(recipients.c.subscriber_id, sa.func.max(issues.c.hi).label("through"))
        .join(issues, issues.c.id == recipients.c.issue_id)
        .join(
            _subscriptions,
            sa.and_(
                _subscriptions.c.subscriber_id == recipients.c.subscriber_id,
                _subscriptions.c.newsletter == issues.c.newsletter,
                # What they got before they left says nothing of now.
                _subscriptions.c.since <= issues.c.frozen_at,
            ),
        )
        .join(
            batches,
            sa.and_(
                batches.c.issue_id == recipients.c.issue_id,
                recipients.c.ordinal.between(batches.c.first, batches.c.last),
                batches.c.state != "split",
            ),
        )
        .join(
            outcomes,
            sa.and_(outcomes.c.issue_id == recipients.c.issue_id, outcomes.c.ordinal == recipients.c.ordinal),
            isouter=True,
        )
        .where(
            recipients.c.subscriber_id.in_(list(subscriber_ids)),
            issues.c.newsletter == newsletter,
            issues.c.kind == "cadence",
            sa.func.coalesce(outcomes.c.outcome, batches.c.state) == "accepted",
        )
        .group_by(recipients.c.subscriber_id)
    )
    return {row.subscriber_id: row.through for row in connection.execute(query)}


def passed_over_above(connection: Connection, subscriber_id: int, of: Subscription) -> int | None:
    """Where the first issue of the cadence starts that was frozen since they joined it and did not reach them, or may
    not, because they left or paused while it was under way; None when there is none."""
    issues, recipients, outcomes = tables.issues, _recipients, tables.recipient_outcomes
    own = sa.and_(outcomes.c.issue_id == recipients.c.issue_id, outcomes.c.ordinal == recipients.c.ordinal)
    kept_out = sa.and_(outcomes.c.outcome == "suppressed", outcomes.c.why.in_(["left", "paused", OWN_SUPPRESSION]))
    theirs = (
        issues.c.newsletter == of.newsletter,
        issues.c.cadence == of.cadence,
        issues.c.kind == "cadence",
        issues.c.frozen_at >= of.since,
    )
    frozen = (
        sa.select(issues.c.lo)
        .join(recipients, recipients.c.issue_id == issues.c.id)
        .join(outcomes, own, isouter=True)
        .where(recipients.c.subscriber_id == subscriber_id, *theirs)
        .where(sa.or_(issues.c.state.in_(["sending", "paused"]), kept_out))
    )
    # Their chunk may be yet to come.
    freezing = sa.select(issues.c.lo).where(issues.c.state == "freezing", *theirs)
    starts = list(connection.execute(frozen.union_all(freezing)).scalars())
    return min(starts, default=None)


def next_starts(connection: Connection) -> dict[tuple[str, str], int]:
    """The number above which each cadence's next issue starts, by newsletter and cadence: its mark, or where the issue
    starts that is drafted and not yet being frozen, for the mark has moved with that."""
    issues = tables.issues
    starts = {(row.newsletter, row.name): int(row.mark) for row in connection.execute(sa.select(tables.cadences))}
    opened = sa.select(issues.c.newsletter, issues.c.cadence, issues.c.lo).where(
        issues.c.kind == "cadence", issues.c.state.in_(sorted(BEFORE_FREEZING))
    )
    for newsletter, cadence, lo in connection.execute(opened):
        starts[newsletter, cadence] = min(lo, starts.get((newsletter, cadence), lo))
    return starts
