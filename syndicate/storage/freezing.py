"""The frozen audience: who an issue goes to, with ordinals, variants and planned batches, chunk by chunk.

A chunk is a range of subscriber ids. It is frozen and planned in one transaction, so that a process killed at any
instant leaves whole chunks, and the next goes on from `issues.frozen_through`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.batch import CLAIMABLE, BatchState
from syndicate.core.history import LONGEST_KEY, Carried, History
from syndicate.core.issue import Issue, State
from syndicate.storage import tables
from syndicate.storage.arrays import any_of
from syndicate.storage.audience import audience_condition
from syndicate.storage.batches import batch_of
from syndicate.storage.issues import change_issue

UNFREEZING = -1
"""`issues.frozen_through` of an audience that is being taken back: whoever finds it goes on with that."""

UNKNOWN = "~"
"""The key of no version."""

_WAITING: tuple[BatchState, ...] = ("planned", "retry", "sending", "uncertain")
_MAY_STILL_BE_ACCEPTED: Mapping[State, tuple[BatchState, ...]] = {
    "freezing": _WAITING,
    "sending": _WAITING,
    "paused": _WAITING,
    "cancelling": ("sending", "uncertain"),
}
"""By the state of an issue, the batches that do not prove anything yet. Once it is closed, only proof counts."""

_recipients = tables.issue_recipients
_people = tables.subscribers
_subscriptions = tables.subscriptions
_batches = tables.batches
_COLUMNS = ["issue_id", "ordinal", "subscriber_id", "address", "email", "name", "variant_key"]


@dataclass(frozen=True, slots=True)
class Run:
    """Ordinals in a row, both ends included, of people who get the same version."""

    variant_key: str
    first: int
    last: int


def end_of_chunk(connection: Connection, issue: Issue, after: int, size: int | None) -> int | None:
    """The highest subscriber id of the next chunk of the audience above `after`, of at most `size` people, or of all
    who are left; None when there are none."""
    if issue.audience.to is not None:
        named = _people.c.id.label("member")
        ids = _audience(issue, after, None).with_only_columns(named)
    else:
        # By the index of subscriptions alone: a few of them may be paused or suppressed, and their chunk the smaller.
        named = _subscriptions.c.subscriber_id.label("member")
        of = [_subscriptions.c.newsletter == issue.newsletter, _subscriptions.c.status == "active", named > after]
        if issue.audience.cadence is not None:
            of.append(_subscriptions.c.cadence == issue.audience.cadence)
        ids = sa.select(named).where(*of)
    chunk = (ids.order_by(named).limit(size) if size else ids).subquery()
    end: int | None = connection.execute(sa.select(sa.func.max(chunk.c.member))).scalar_one()
    return end


def earliest_start(connection: Connection, issue: Issue) -> int | None:
    """The lowest article number above which somebody's range starts; None when everybody follows the cadence."""
    start = _subscriptions.c.resume_from
    query = (
        sa.select(start)
        .join(_people, _people.c.id == _subscriptions.c.subscriber_id)
        .where(audience_condition(issue.newsletter, issue.audience, now=issue.frozen_at or issue.drafted_at))
        .where(start.is_not(None))  # the condition of their index, which gives the order too
        .order_by(start)
        .limit(1)
    )
    first: int | None = connection.execute(query).scalar_one_or_none()
    return first


def earlier_versions(connection: Connection, issue: Issue, articles: Collection[str]) -> list[Carried]:
    """Versions of the newsletter's other frozen issues, closed or under way, that may have carried one of the articles.
    Issues sent `--again` do not count."""
    issues, variants, used = tables.issues, tables.variants, tables.issue_articles
    shares = sa.exists().where(used.c.issue_id == issues.c.id, used.c.article_id.in_(sorted(articles)))
    query = (
        sa.select(
            variants.c.issue_id,
            variants.c.id,
            variants.c.key,
            variants.c.revision,
            variants.c.article_ids,
            issues.c.state,
            issues.c.revision.label("last_revision"),
        )
        .join(issues, issues.c.id == variants.c.issue_id)
        .where(
            issues.c.newsletter == issue.newsletter,
            issues.c.id != issue.id,
            issues.c.frozen_at.is_not(None),
            ~issues.c.again,
            # A version that starts earlier than its issue carries articles which its issue does not.
            sa.or_(shares, variants.c.key.like("%+%")),
        )
    )
    return [
        Carried(
            row.issue_id,
            row.id,
            row.key,
            row.revision,
            frozenset(row.article_ids),
            row.state,
            row.revision == row.last_revision,
        )
        for row in connection.execute(query)
    ]


def others_frozen(connection: Connection, issue: Issue) -> list[tuple[Any, ...]]:
    """The newsletter's other frozen issues, and all by which what `earlier_versions` says of them may change. Closed
    ones, perhaps of many years, are told by how many there are and when the last was closed."""
    issues = tables.issues
    ended = issues.c.ended_at
    of = [issues.c.newsletter == issue.newsletter, issues.c.id != issue.id, issues.c.frozen_at.is_not(None)]
    open_ones = sa.select(
        issues.c.id, issues.c.state, issues.c.revision, issues.c.frozen_at, issues.c.frozen_through
    ).where(*of, ended.is_(None))
    closed = sa.select(sa.func.count(), sa.func.max(ended)).where(*of, ended.is_not(None))
    queries = (closed, open_ones.order_by(issues.c.id))
    return [tuple(row) for query in queries for row in connection.execute(query)]


def variant_keys(connection: Connection, issue: Issue, history: History, after: int, through: int | None) -> set[str]:
    """The variant keys of the people of a chunk."""
    query = _audience(issue, after, through).with_only_columns(version_key(issue, history)).distinct()
    return set(connection.execute(query).scalars())


def freeze_chunk(
    connection: Connection,
    issue: Issue,
    history: History,
    *,
    size: int,
    base: int,
    stored_keys: Mapping[str, str],
    nothing_left: Collection[str],
) -> list[Run] | None:
    """Freezes the next people of the issue, at most `size`, ordinals from base + 1 on, people of one version side by
    side. None when nobody is left.

    `stored_keys` maps keys that are too long to what is stored (others of those are UNKNOWN: cut, one would be the key
    of people who got less); people whose key is in `nothing_left` are left out."""
    if _all_alike(connection, issue, history):
        return _freeze_alike(connection, issue, size, base)
    through = end_of_chunk(connection, issue, issue.frozen_through, size)
    if through is None:
        return None
    change_issue(connection, issue.id, frozen_through=through)
    key = version_key(issue, history)
    people = _audience(issue, issue.frozen_through, through).add_columns(key.label("variant_key")).subquery()
    fits = sa.func.length(people.c.variant_key) <= LONGEST_KEY
    stored: sa.ColumnElement[str] = sa.case((fits, people.c.variant_key), else_=UNKNOWN)
    if stored_keys:
        stored = sa.case(dict(stored_keys), value=people.c.variant_key, else_=stored)
    ordinal = sa.func.row_number().over(order_by=[people.c.variant_key, people.c.id]) + base
    chosen = sa.select(
        sa.literal(issue.id), ordinal, people.c.id, people.c.address, people.c.email, people.c.name, stored
    )
    if nothing_left:
        chosen = chosen.where(people.c.variant_key.not_in(sorted(nothing_left)))
    connection.execute(sa.insert(_recipients).from_select(_COLUMNS, chosen))
    runs = (
        sa.select(_recipients.c.variant_key, sa.func.min(_recipients.c.ordinal), sa.func.max(_recipients.c.ordinal))
        .where(_recipients.c.issue_id == issue.id, _recipients.c.ordinal > base)
        .group_by(_recipients.c.variant_key)
        .order_by(sa.func.min(_recipients.c.ordinal))
    )
    return [Run(*row) for row in connection.execute(runs)]


def _freeze_alike(connection: Connection, issue: Issue, size: int, base: int) -> list[Run] | None:
    """As `freeze_chunk`, of people who all get the issue's own version: nothing to sort by, so they come in the order
    of the indexes of two tables, as many as there shall be."""
    highest = end_of_chunk(connection, issue, issue.frozen_through, None)
    if highest is None:
        return None
    member = _people.c.id if issue.audience.to is not None else _subscriptions.c.subscriber_id
    ordinal = sa.func.row_number().over(order_by=member) + base
    theirs = (_people.c.id, _people.c.address, _people.c.email, _people.c.name)
    chosen = _audience(issue, issue.frozen_through, None).with_only_columns(
        sa.literal(issue.id), ordinal, *theirs, sa.literal("")
    )
    # Spelled out: planned for any number, the join would be another.
    chosen = chosen.order_by(member).limit(sa.literal_column(str(size)))
    connection.execute(sa.insert(_recipients).from_select(_COLUMNS, chosen))
    last = highest_ordinal(connection, issue.id)
    if last == base:
        change_issue(connection, issue.id, frozen_through=highest)
        return []
    its = sa.and_(_recipients.c.issue_id == issue.id, _recipients.c.ordinal == last)
    taken: int = connection.execute(sa.select(_recipients.c.subscriber_id).where(its)).scalar_one()
    # Of a last chunk also those are behind it who were looked at and not taken.
    change_issue(connection, issue.id, frozen_through=taken if last - base == size else max(taken, highest))
    return [Run("", base + 1, last)]


def _all_alike(connection: Connection, issue: Issue, history: History) -> bool:
    """Whether everybody gets the issue's own version."""
    if history.versions:
        return False
    elsewhere = sa.select(_subscriptions.c.subscriber_id).where(
        _subscriptions.c.newsletter == issue.newsletter, _subscriptions.c.resume_from.is_not(None)
    )
    return issue.kind != "cadence" or connection.execute(elsewhere.limit(1)).first() is None


def plan_run(connection: Connection, issue: Issue, run: Run, size: int) -> None:
    """Plans the batches of a run, each of at most `size` people."""
    first = _recipients.c.ordinal
    last = sa.case((first + size - 1 < run.last, first + size - 1), else_=run.last)
    # Only those are read with whom a batch starts.
    starts = any_of(first, "starts", connection.dialect.name)
    chosen = sa.select(sa.literal(issue.id), first, last, sa.literal("planned"), sa.literal(issue.revision))
    chosen = chosen.where(_recipients.c.issue_id == issue.id, starts).order_by(first)
    columns = ["issue_id", "first", "last", "state", "revision"]
    firsts = list(range(run.first, run.last + 1, size))
    connection.execute(sa.insert(_batches).from_select(columns, chosen), {"starts": firsts})


def highest_ordinal(connection: Connection, issue_id: int) -> int:
    """The number of recipients frozen so far."""
    query = sa.select(sa.func.coalesce(sa.func.max(_recipients.c.ordinal), 0)).where(_recipients.c.issue_id == issue_id)
    return int(connection.execute(query).scalar_one())


def unfreeze_chunk(connection: Connection, issue_id: int, size: int) -> bool:
    """Forgets some `size` frozen recipients from the highest ordinal down, with their batches, of an issue of which
    nothing was ever claimed. False when none was left."""
    through = highest_ordinal(connection, issue_id)
    if through == 0:
        return False
    # Whole batches only.
    start = sa.select(sa.func.max(_batches.c.first)).where(
        _batches.c.issue_id == issue_id, _batches.c.first <= max(through - size + 1, 1)
    )
    first = connection.execute(start).scalar_one() or 1
    connection.execute(sa.delete(_batches).where(_batches.c.issue_id == issue_id, _batches.c.first >= first))
    connection.execute(sa.delete(_recipients).where(_recipients.c.issue_id == issue_id, _recipients.c.ordinal >= first))
    return True


def _audience(issue: Issue, after: int, through: int | None) -> sa.Select[Any]:
    query = (
        sa.select(_people.c.id, _people.c.address, _people.c.email, _people.c.name)
        .join(_subscriptions, _subscriptions.c.subscriber_id == _people.c.id)
        # By one moment for all chunks: a pause that ends between two of them changes nothing.
        .where(audience_condition(issue.newsletter, issue.audience, now=issue.frozen_at or issue.drafted_at))
    )
    # The same twice, so that either table's index serves. A few who are named are found by the index of addresses: the
    # sum hides the id from the others.
    named = issue.audience.to is not None
    for column in (_people.c.id + 0,) if named else (_people.c.id, _subscriptions.c.subscriber_id):
        query = query.where(column > after)
        if through is not None:
            query = query.where(column <= through)
    return query


def version_key(issue: Issue, history: History) -> sa.ColumnElement[str]:
    """The variant key of a person, in SQL: one mark for each version of another issue that they got or are to get, and
    one for their own start."""
    parts: list[sa.ColumnElement[str]] = []
    for mark, versions in history.versions.items():
        got = sa.or_(*(_got(each) for each in versions))
        parts.append(sa.case((got, mark), else_=""))
    if issue.kind == "cadence":
        start = _subscriptions.c.resume_from
        own = sa.and_(start.is_not(None), start != issue.lo)
        parts.append(sa.case((own, sa.literal("+") + sa.cast(start, sa.Text)), else_=""))
    return _joined(parts)


def _joined(parts: Iterable[sa.ColumnElement[str]]) -> sa.ColumnElement[str]:
    whole: sa.ColumnElement[str] = sa.cast(sa.literal(""), sa.Text)
    for part in parts:
        whole = whole + part
    return whole


def is_accepted(
    recipient: sa.FromClause,
    revision: int | None = None,
    or_is: Collection[BatchState] = (),
    *,
    is_current: bool = True,
) -> sa.ColumnElement[bool]:
    """Whether the mail API accepted the issue for a row of `issue_recipients`, in that revision if one is given, or
    their batch is in one of the other states `or_is`. What no request carries yet goes out in the issue's last
    revision: `is_current` says that this is it."""
    batch = _batches.alias()
    own = tables.recipient_outcomes.alias()
    unclaimed = sorted(CLAIMABLE.intersection(or_is))
    settled = ["accepted", *(state for state in or_is if state not in CLAIMABLE)]
    carried: sa.ColumnElement[bool] = batch.c.state.in_(settled)
    if revision is not None:
        carried = sa.and_(carried, batch.c.revision == revision)
    if is_current and unclaimed:
        carried = sa.or_(carried, batch.c.state.in_(unclaimed))
    theirs = sa.exists().where(own.c.issue_id == recipient.c.issue_id, own.c.ordinal == recipient.c.ordinal)
    # Theirs, and not anybody's: it also stands inside of the look at their batch.
    outcome = theirs.correlate(recipient)
    # Proven for this one person, while nobody knows of the others in their batch.
    proven: sa.ColumnElement[bool] = outcome.where(own.c.outcome == "accepted")
    if revision is not None:
        proven = sa.and_(proven, batch.c.revision == revision)
    accepted = sa.exists().where(batch.c.id == batch_of(recipient), sa.or_(carried, proven))
    return sa.and_(accepted, ~outcome.where(own.c.outcome != "accepted"))


def _got(version: Carried) -> sa.ColumnElement[bool]:
    """Whether the person was in that version of the other issue and the mail API accepted it, or may still do so: what
    is under way brings them its articles, so this issue must not."""
    earlier = _recipients.alias()
    return sa.exists().where(
        earlier.c.subscriber_id == _people.c.id,
        earlier.c.issue_id == version.issue_id,
        earlier.c.variant_key == version.variant_key,
        is_accepted(
            earlier,
            version.revision,
            _MAY_STILL_BE_ACCEPTED.get(version.issue_state, ()),
            is_current=version.is_current,
        ),
    )
