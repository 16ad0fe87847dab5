"""Claims: who is in a request, and the one durable transaction that fixes it before the call."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.batch import Step
from syndicate.core.issue import Issue
from syndicate.core.recipients import Recipients
from syndicate.storage import tables
from syndicate.storage.arrays import any_of
from syndicate.storage.batches import HAD_IT, change_batches, was_left_out
from syndicate.storage.fair_locks import SITE, share
from syndicate.storage.frozen_people import read_people
from syndicate.storage.ledger import Batch, Claim, put_outcomes, set_aside

_batches = tables.batches
_FEW = 500
"""People who are named one by one in a query."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Who is planned in a batch, with the snapshots that their mail needs. By ordinal: `excluded` says why somebody
    must not be mailed now, `left_out` who was not in the batch's last request, `has_it` for whom it is proven that the
    API took it."""

    everybody: Recipients
    excluded: Mapping[int, str] = field(default_factory=dict)
    left_out: frozenset[int] = frozenset()
    has_it: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.everybody)

    def has_none_of(self, subscriber_ids: Collection[int]) -> bool:
        """Whether none of these people is in it."""
        return not subscriber_ids or set(subscriber_ids).isdisjoint(self.everybody.subscriber_ids)

    @property
    def not_now(self) -> frozenset[int]:
        """Who gets nothing by a new request: they must not be mailed, or have it."""
        return self.has_it.union(self.excluded)

    @property
    def now(self) -> Recipients:
        """Whom a new request is for."""
        return self.everybody.without(self.not_now)

    @property
    def last_time(self) -> Recipients:
        """Whom the last request was for."""
        return self.everybody.without(self.left_out)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request built for a batch as it was read, or (`step`) why none can be built. A replay keeps generation, key
    and exclusions of the request that it repeats."""

    batch: Batch
    ordinals: tuple[int, ...]
    excluded: Mapping[int, str] = field(default_factory=dict)
    now_excluded: frozenset[int] = frozenset()
    api: str = ""
    account: str = ""
    request_key: str = ""
    sha256: str = ""
    replay: bool = False
    step: Step | None = None
    revision: int = 0
    """Of the issue's content, as its bytes have it."""


def planned_recipients(
    connection: Connection, newsletter: str, batches: Sequence[Batch], changed: Collection[int] | None = None
) -> dict[int, Planned]:
    """Who is planned in each of an issue's batches, by its id, and who of them must not be mailed now: suppressed,
    left, paused since it was frozen, or erased. `changed` are the subscriber ids of those who changed since the freeze
    (see `StandingChanges.known`): nobody else is looked at."""
    own = _own_outcomes(connection, [batch.id for batch in batches])
    found: dict[int, Planned] = {}
    for span in _spans(batches):
        issue_id, first, last = span
        everybody = read_people(connection, issue_id, first, last)
        excluded = _excluded(connection, newsletter, span, _places(everybody, changed))
        for batch in batches:
            if first <= batch.first and batch.last <= last:
                inside = range(batch.first, batch.last + 1)
                found[batch.id] = Planned(
                    everybody.between(batch.first, batch.last),
                    {ordinal: why for ordinal, why in excluded.items() if ordinal in inside},
                    frozenset(row.ordinal for row in own if row.left_out and row.ordinal in inside),
                    frozenset(row.ordinal for row in own if row.outcome == "accepted" and row.ordinal in inside),
                )
    return found


def _spans(batches: Sequence[Batch]) -> list[tuple[int, int, int]]:
    """(issue, first, last) of the ranges of the batches, those that follow one another as one: asked for with constant
    bounds, so that a database without fresh statistics still goes by the index."""
    spans: list[tuple[int, int, int]] = []
    for batch in sorted(batches, key=lambda each: (each.issue_id, each.first)):
        if spans and spans[-1][0] == batch.issue_id and spans[-1][2] + 1 == batch.first:
            spans[-1] = (batch.issue_id, spans[-1][1], batch.last)
        else:
            spans.append((batch.issue_id, batch.first, batch.last))
    return spans


def _owners(batches: Sequence[Batch]) -> Callable[[int], int]:
    """The id of the batch that an ordinal belongs to. The batches are of one issue and do not overlap."""
    ordered = sorted(batches, key=lambda each: each.first)
    firsts = [batch.first for batch in ordered]
    return lambda ordinal: ordered[bisect_right(firsts, ordinal) - 1].id


def may_post(connection: Connection, issue_id: int) -> bool:
    """Whether the issue is being sent and nothing stops all sending."""
    return _revision_to_post(connection, issue_id, _ISSUE, _SITE) is not None


def hold_to_post(connection: Connection, issue_id: int) -> int | None:
    """The revision in which the issue is to be posted, kept so to commit: a pause that has returned is never followed
    by a claim. None when it may not be posted."""
    share(connection, issue_id, SITE)
    return _revision_to_post(connection, issue_id, _HELD_ISSUE, _HELD_SITE)


def _revision_to_post(
    connection: Connection, issue_id: int, issue: sa.Select[Any], site: sa.Select[Any]
) -> int | None:
    found = connection.execute(issue, {"issue_id": issue_id}).one_or_none()
    stopped = connection.execute(site).one_or_none()
    if found is None or found.state != "sending" or (stopped and (stopped.sending_stopped or stopped.quarantined)):
        return None
    return int(found.revision)


_ISSUE = sa.select(tables.issues.c.state, tables.issues.c.revision).where(
    tables.issues.c.id == sa.bindparam("issue_id")
)
_SITE = sa.select(tables.instance.c.sending_stopped, tables.instance.c.quarantined).where(tables.instance.c.id == 1)
_HELD_ISSUE, _HELD_SITE = _ISSUE.with_for_update(read=True), _SITE.with_for_update(read=True)


def withdrawn_revisions(connection: Connection, issue: Issue, revisions: Collection[int]) -> frozenset[int]:
    """Those of the issue's earlier `revisions` that carry an article which was retracted since: they are never posted
    again, not even to find out whether they arrived."""
    earlier = sorted(each for each in set(revisions) if each < issue.revision)
    if not earlier:
        return frozenset()
    variants, articles = tables.variants, tables.articles
    query = sa.select(variants.c.revision, variants.c.article_ids).where(
        variants.c.issue_id == issue.id, variants.c.revision.in_(earlier)
    )
    carried = [(row.revision, set(row.article_ids)) for row in connection.execute(query)]
    every = sorted({each for _, ids in carried for each in ids})
    retracted = sa.select(articles.c.id).where(articles.c.id.in_(every), articles.c.status == "gone")
    gone = set(connection.execute(retracted).scalars())
    return frozenset(revision for revision, ids in carried if ids & gone)


def claim(
    connection: Connection,
    newsletter: str,
    prepared: Sequence[Prepared],
    *,
    worker_id: str,
    now: datetime,
    lease_seconds: float,
    unchanged: Collection[int] = frozenset(),
) -> list[Claim]:
    """Claims those of the prepared batches that are still as they were read and whose exclusions have not changed. Of
    the batches whose ids are `unchanged` it is known that nobody in them changed since they were read.

    The caller has asked `may_post` in the same transaction. Batches with nobody left in them are accepted, with nothing
    to post; those that cannot be built go where their step says. Neither is returned."""
    held = _hold(connection, prepared)
    still = [each for each in prepared if each.batch.id in held]
    own = _own_outcomes(connection, sorted(held))
    excluded_now = _excluded_now(connection, newsletter, still, unchanged, own)
    with_outcomes = {row.batch_id for row in own}
    claims: list[Claim] = []
    changes: list[dict[str, Any]] = []
    for each in prepared:
        batch = each.batch
        if batch.id not in held or excluded_now.get(batch.id, frozenset()) != each.now_excluded:
            continue
        if not each.replay and (each.excluded or batch.id in with_outcomes):
            put_outcomes(connection, batch, "suppressed", each.excluded, now)
        if each.step is not None:
            set_aside(connection, batch, each.step, now)
            continue
        if not each.replay and each.now_excluded.difference(each.excluded):
            _leave_out_who_has_it(connection, batch)
        if not each.ordinals:
            set_aside(connection, batch, Step("accepted", "nobody is left in it: nothing was posted"), now)
            continue
        claimed = replace(
            batch,
            state="sending",
            generation=batch.generation if each.replay else batch.generation + 1,
            api=each.api,
            account=each.account,
            request_key=each.request_key,
            sha256=each.sha256,
            revision=each.revision,
            recipients=len(each.ordinals),
            worker_id=worker_id,
            fence=batch.fence + 1,
            lease_until=now + timedelta(seconds=lease_seconds),
            first_posted_at=batch.first_posted_at if each.replay else now,
            attempts=batch.attempts + 1,
            retry_at=None,
        )
        claims.append(Claim(claimed, each.ordinals, each.excluded, each.replay))
        changes.append(_changes(claimed, now))
    change_batches(connection, _CHANGED, changes)
    return claims


def _own_outcomes(connection: Connection, batch_ids: Sequence[int]) -> Sequence[Any]:
    """Who in these batches has an outcome of their own: rows of batch_id, ordinal, outcome, left_out."""
    return connection.execute(_outcomes_of(connection.dialect.name), {"batch_ids": batch_ids}).all()


@cache
def _outcomes_of(dialect: str) -> sa.Select[Any]:
    outcomes = tables.recipient_outcomes
    columns = (outcomes.c.batch_id, outcomes.c.ordinal, outcomes.c.outcome, was_left_out().label("left_out"))
    return sa.select(*columns).where(any_of(outcomes.c.batch_id, "batch_ids", dialect))


_CHANGED = (
    *("state", "generation", "revision", "api", "account", "request_key", "sha256", "recipients", "worker_id"),
    *("fence",),
    *("lease_until", "first_posted_at", "posted_at", "attempts", "retry_at"),
)


def _leave_out_who_has_it(connection: Connection, batch: Batch) -> None:
    outcomes = tables.recipient_outcomes
    connection.execute(
        sa.update(outcomes)
        .where(outcomes.c.batch_id == batch.id, outcomes.c.outcome == "accepted")
        .values(why=HAD_IT)
    )


def _changes(claimed: Batch, now: datetime) -> dict[str, Any]:
    values = {name: getattr(claimed, name) for name in _CHANGED if name != "posted_at"}
    return {**values, "posted_at": now, "batch_id": claimed.id, "held_fence": claimed.fence - 1}


def _hold(connection: Connection, prepared: Sequence[Prepared]) -> set[int]:
    """The batches that are still as they were read, their rows held to commit; what another worker is claiming at this
    moment is passed over."""
    read = {each.batch.id: (each.batch.state, each.batch.fence, each.batch.generation) for each in prepared}
    rows = connection.execute(_free_ones(connection.dialect.name), {"batch_ids": list(read)})
    return {row.id for row in rows if (row.state, row.fence, row.generation) == read[row.id]}


@cache
def _free_ones(dialect: str) -> sa.Select[Any]:
    return (
        sa.select(_batches.c.id, _batches.c.state, _batches.c.fence, _batches.c.generation)
        .where(any_of(_batches.c.id, "batch_ids", dialect))
        .order_by(_batches.c.id)
        .with_for_update(skip_locked=True)
    )


def _people(newsletter: str) -> sa.FromClause:
    recipients, people, subscriptions = tables.issue_recipients, tables.subscribers, tables.subscriptions
    return recipients.outerjoin(people, people.c.id == recipients.c.subscriber_id).outerjoin(
        subscriptions,
        sa.and_(
            subscriptions.c.subscriber_id == recipients.c.subscriber_id, subscriptions.c.newsletter == newsletter
        ),
    )


def _exclusion() -> sa.Case[str]:
    people, subscriptions, issues = tables.subscribers, tables.subscriptions, tables.issues
    frozen_at = (
        sa.select(issues.c.frozen_at)
        .where(issues.c.id == tables.issue_recipients.c.issue_id)
        .correlate(tables.issue_recipients)
        .scalar_subquery()
    )
    return sa.case(
        (sa.or_(people.c.id.is_(None), people.c.erased_at.is_not(None)), "erased"),
        (people.c.suppressed != "", people.c.suppressed),
        (sa.or_(subscriptions.c.status.is_(None), subscriptions.c.status != "active"), "left"),
        # Only who paused after it was frozen can be in it at all. They miss nothing: their next one starts before.
        (sa.and_(subscriptions.c.paused_until.is_not(None), subscriptions.c.paused_until > frozen_at), "paused"),
        else_="",
    )


def _places(people: Recipients, changed: Collection[int] | None) -> list[int] | None:
    """The ordinals of those who changed; None when that is not known."""
    if changed is None:
        return None
    if not changed or set(changed).isdisjoint(people.subscriber_ids):
        return []
    pairs = zip(people.ordinals, people.subscriber_ids, strict=True)
    return [ordinal for ordinal, subscriber in pairs if subscriber in changed]


def _excluded(
    connection: Connection, newsletter: str, span: tuple[int, int, int], some: Sequence[int] | None = None
) -> dict[int, str]:
    """Who of (issue, first ordinal, last ordinal), or of some of these ordinals, must not be mailed now, and why."""
    if some is not None and not some:
        return {}
    recipients, (issue_id, first, last) = tables.issue_recipients, span
    query = (
        sa.select(recipients.c.ordinal, _exclusion())
        .select_from(_people(newsletter))
        .where(recipients.c.issue_id == issue_id, recipients.c.ordinal.between(first, last), _exclusion() != "")
    )
    if some is not None and len(some) <= _FEW:
        query = query.where(recipients.c.ordinal.in_(some))
    return dict(connection.execute(query).all())


def _excluded_now(
    connection: Connection,
    newsletter: str,
    prepared: Sequence[Prepared],
    unchanged: Collection[int],
    own: Sequence[Any],
) -> dict[int, frozenset[int]]:
    found = {each.batch.id: set(each.now_excluded) for each in prepared if each.batch.id in unchanged}
    for row in own:
        if row.outcome == "accepted":
            found.setdefault(row.batch_id, set()).add(row.ordinal)
    batches = [each.batch for each in prepared if each.batch.id not in unchanged]
    owner = _owners(batches)
    for span in _spans(batches):
        for ordinal in _excluded(connection, newsletter, span):
            found.setdefault(owner(ordinal), set()).add(ordinal)
    return {batch_id: frozenset(ordinals) for batch_id, ordinals in found.items()}
