"""Which of our mails a report of a mail API is about."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.headers import mail_host, message_ids
from syndicate.core.mail_event import MailEvent
from syndicate.core.message import label
from syndicate.storage import instance, people, tables
from syndicate.storage.arrays import Listed, any_of
from syndicate.storage.batches import batch_of, was_left_out

RECENT = timedelta(days=40)
"""How long after an issue was frozen a report that names only the label of a mail is matched with it."""

_batches, _issues, _mails = tables.batches, tables.issues, tables.transactional_mails
_recipients, _outcomes = tables.issue_recipients, tables.recipient_outcomes


class Mailed(NamedTuple):
    """A mail to that address: that of a recipient of an issue, or (`mail_id`) one to one person outside of any."""

    issue_id: int | None = None
    ordinal: int = 0
    mail_id: int | None = None


Report = tuple[MailEvent, str]
"""A report, and the normalised address that it claims to be about ("" for none)."""


_Left = Sequence[tuple[int, Report]]
_Labels = Callable[[int | str, int], str]
"""From the two things that a Message-ID is made of: the label of that mail."""


@dataclass(frozen=True, slots=True)
class Known:
    """By what reports are matched with mails: the names that made their Message-IDs, and the issues that were frozen of
    late, the newest first."""

    host: str
    name: str
    issues: Sequence[int]


def begin(connection: Connection, now: datetime) -> Known:
    """First in a transaction that takes in reports: takes `people.lock_people`, and reads what is known, at once. On
    PostgreSQL all that follows goes by indexes: a plan is kept, and one that was made while tables were small would
    read all of them when they are large."""
    # What is read may be older than the lock: an issue was frozen before anything is reported of it.
    row = instance.read_names(connection, _beginning(connection.dialect.name), {"since": now - RECENT})
    return Known(mail_host(row.web_url), instance.instance_id(connection), row.issues or ())


def find_mails(connection: Connection, reports: Sequence[Report], known: Known) -> list[Mailed | None]:
    """For each report the mail that it is about; None when it is about none that we know was for that address.

    The label that went along with a mail proves it; else the label of its request, or the API's own id, which must be
    the one that it answered for that person."""
    found: dict[int, Mailed] = {}

    @cache
    def ids_of(first: int | str) -> Callable[[int | str], str]:
        return message_ids(known.host, known.name, first)

    def label_of(first: int | str, last: int) -> str:
        return label(ids_of(first)(last))

    for ways in (_by_issue, partial(_by_label, recent=known.issues), _alone):
        left = [(place, report) for place, report in enumerate(reports) if place not in found and report[1]]
        if left:
            found |= ways(connection, left, label_of)
    for place, (event, address) in enumerate(reports):
        if place not in found and address and (mailed := _by_request(connection, event, address)) is not None:
            found[place] = mailed
    return [found.get(place) for place in range(len(reports))]


def _by_issue(connection: Connection, left: _Left, label_of: _Labels) -> dict[int, Mailed]:
    """By the issue that the report names: the quick way."""
    found = {}
    named: dict[int, list[tuple[int, Report]]] = {}
    for place, report in left:
        if report[0].issue_id is not None and report[0].label:
            named.setdefault(report[0].issue_id, []).append((place, report))
    for issue_id, theirs in named.items():
        rows = connection.execute(_mailed(connection.dialect.name), _sent_to([issue_id], theirs))
        people = {row.address: (row.ordinal, row.subscriber_id) for row in rows}
        for place, (event, address) in theirs:
            ordinal, person = people.get(address, (0, 0))
            if ordinal and label_of(issue_id, person) == event.label:
                found[place] = Mailed(issue_id, ordinal)
    return found


def _alone(connection: Connection, left: _Left, label_of: _Labels) -> dict[int, Mailed]:
    """Mails to one person: by the API's id, or by their label as long as they are not settled."""
    vendor_ids = {event.vendor_id for _, (event, _) in left if event.vendor_id}
    answered = connection.execute(_with_ids(connection.dialect.name), {"ids": list(vendor_ids)})
    theirs = {(row.api, row.vendor_id, row.to_email.lower()): row.id for row in answered}
    ours: dict[tuple[str, str], int] = {}
    if any(event.label for _, (event, _) in left):
        for row in connection.execute(_UNSETTLED):
            ours[label_of("mail", row.id), row.to_email.lower()] = row.id
    found = {}
    for place, (event, address) in left:
        mail_id = theirs.get((event.api, event.vendor_id, address)) or ours.get((event.label, address))
        if mail_id is not None:
            found[place] = Mailed(mail_id=mail_id)
    return found


def _by_label(
    connection: Connection, left: _Left, label_of: _Labels, recent: Sequence[int]
) -> dict[int, Mailed]:
    """By the label alone, of the mail or of its request, among the last issues that went to that person: the newest
    first, which nearly all reports are about, then twice as many each time."""
    asked = [(place, report) for place, report in left if report[0].label]
    if not asked:
        return {}
    # Those of one request have its label in common.
    is_of_requests = len({event.label for _, (event, _) in asked}) < len({(e.label, told) for _, (e, told) in asked})
    ways = (find_by_request, find_by_label) if is_of_requests else (find_by_label, find_by_request)
    found: dict[int, Mailed] = {}
    start, size = 0, 1
    while start < len(recent) and len(found) < len(asked):
        some = recent[start : start + size]
        for way in ways:
            if waiting := [(place, report) for place, report in asked if place not in found]:
                found |= way(connection, some, waiting, label_of)
        start, size = start + size, size * 2
    return found


def find_by_label(
    connection: Connection, issue_ids: Sequence[int], left: _Left, label_of: _Labels
) -> dict[int, Mailed]:
    """Those of the reports, by their places, whose label is that of a mail of one of these issues to the person."""
    rows = connection.execute(_mailed(connection.dialect.name), _sent_to(issue_ids, left)).all()
    keys = {
        (label_of(issue_id, person), address): Mailed(issue_id, ordinal) for issue_id, ordinal, address, person in rows
    }
    return _named(keys, left)


def find_by_request(
    connection: Connection, issue_ids: Sequence[int], left: _Left, _label_of: _Labels
) -> dict[int, Mailed]:
    """Those of the reports, by their places, whose label is that of the request that brought one of these issues to the
    person."""
    labels: dict[str, str] = {}
    keys: dict[tuple[str, str], Mailed] = {}
    asked = {**_sent_to(issue_ids, left), "apis": list({event.api for _, (event, _) in left})}
    for issue_id, ordinal, address, request in connection.execute(_requested(connection.dialect.name), asked).all():
        if request not in labels:
            labels[request] = label(request)
        keys[labels[request], address] = Mailed(issue_id, ordinal)
    return _named(keys, left)


def _sent_to(issue_ids: Sequence[int], left: _Left) -> dict[str, Any]:
    return {"issues": list(issue_ids), "addresses": list({address for _, (_, address) in left})}


@cache
def _sent(dialect: str) -> sa.Subquery:
    """The recipients of these issues at these addresses: found from the people, whose mails are few, and not from the
    issues, which go to millions. The order is forced: a database without statistics takes an issue for a small one."""
    sent, people = _recipients.c, tables.subscribers.c
    if dialect == "sqlite":
        return _SENT_ON_SQLITE.columns(sent.issue_id, sent.ordinal, people.address, sent.subscriber_id).subquery("sent")
    asked = any_of(people.address, "addresses", dialect)
    person = sa.select(people.id, people.address).where(asked).offset(0).subquery()
    theirs = sa.select(sent.issue_id, sent.ordinal, sent.subscriber_id).where(
        sent.subscriber_id == person.c.id, any_of(sent.issue_id, "issues", dialect)
    )
    each = theirs.offset(0).lateral()
    columns = (each.c.issue_id, each.c.ordinal, person.c.address, each.c.subscriber_id)
    return sa.select(*columns).select_from(person.join(each, sa.true())).subquery("sent")


_SENT_ON_SQLITE = sa.text(
    "SELECT r.issue_id, r.ordinal, p.address, r.subscriber_id FROM json_each(:addresses) AS a"
    " CROSS JOIN subscribers AS p CROSS JOIN json_each(:issues) AS i CROSS JOIN issue_recipients AS r"
    " WHERE p.address = a.value AND r.subscriber_id = p.id AND r.issue_id = i.value"
).bindparams(sa.bindparam("issues", type_=Listed), sa.bindparam("addresses", type_=Listed))


@cache
def _mailed(dialect: str) -> sa.Select[Any]:
    return sa.select(_sent(dialect))


@cache
def _requested(dialect: str) -> sa.Select[Any]:
    sent = _sent(dialect)
    # One look for each, whatever else the table has: PostgreSQL might join an "exists" with all of it.
    own = sa.select(_outcomes.c.outcome).where(
        _outcomes.c.issue_id == sent.c.issue_id, _outcomes.c.ordinal == sent.c.ordinal
    )
    had_it = sa.func.coalesce(own.scalar_subquery(), "accepted") == "accepted"
    return (
        sa.select(sent.c.issue_id, sent.c.ordinal, sent.c.address, _batches.c.request_key)
        .select_from(sent)
        .join(_batches, _batches.c.id == batch_of(sent))
        .where(_batches.c.last >= sent.c.ordinal, had_it, any_of(_batches.c.api, "apis", dialect))
    )


_MAIL = (_mails.c.id, _mails.c.to_email, _mails.c.api, _mails.c.vendor_id)
_UNSETTLED = sa.select(*_MAIL).where(_mails.c.state.in_(["planned", "sending", "retry", "uncertain"]))
_RECENT = (
    sa.select(_issues.c.id)
    .where(_issues.c.frozen_at > sa.bindparam("since", type_=_issues.c.frozen_at.type))
    .order_by(_issues.c.frozen_at.desc(), _issues.c.id.desc())
    .subquery()
)


@cache
def _beginning(dialect: str) -> sa.Select[Any]:
    listed = sa.func.json_group_array if dialect == "sqlite" else sa.func.json_agg
    issues = sa.select(listed(_RECENT.c.id, type_=sa.JSON)).scalar_subquery().label("issues")
    if dialect == "sqlite":
        return instance.with_names(issues)
    return instance.with_names(issues, *people.LOCK_PEOPLE, *(sa.func.set_config(*each, True) for each in _BY_INDEX))


_BY_INDEX = (
    *((name, "off") for name in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin")),
    # Then one plan is as good as the next, and need not be made with each statement.
    ("plan_cache_mode", "force_generic_plan"),
    # PostgreSQL before 18 takes what is off for so dear that it would compile it, for a tenth of a second.
    ("jit", "off"),
)


@cache
def _with_ids(dialect: str) -> sa.Select[Any]:
    return sa.select(*_MAIL).where(any_of(_mails.c.vendor_id, "ids", dialect))


def _named(keys: Mapping[tuple[str, str], Mailed], left: _Left) -> dict[int, Mailed]:
    return {place: keys[event.label, address] for place, (event, address) in left if (event.label, address) in keys}


def _people(addresses: Iterable[str]) -> sa.Select[tuple[int]]:
    return sa.select(tables.subscribers.c.id).where(tables.subscribers.c.address.in_(set(addresses)))


def _by_request(connection: Connection, event: MailEvent, address: str) -> Mailed | None:
    """By the API's id, or by the label of a request. Found from the person, whose mails are few, and not from the id,
    of which there are millions: it must be the one that was answered for them, at their place among the messages of the
    request, or that of a request which has one for all and which they were in."""
    if not event.vendor_id and not event.label:
        return None
    columns = ("id", "first", "vendor_ids", "request_key", "recipients")
    query = (
        sa.select(_recipients.c.issue_id, _recipients.c.ordinal, *(_batches.c[name] for name in columns))
        .select_from(_recipients)
        .join(_batches, sa.and_(_batches.c.id == batch_of(_recipients), _batches.c.last >= _recipients.c.ordinal))
        .where(_recipients.c.subscriber_id.in_(_people([address])), _batches.c.api == event.api)
        .order_by(_recipients.c.issue_id.desc())
    )
    for row in connection.execute(query):
        for_all = row.recipients > 1 and row.vendor_ids == [event.vendor_id]
        if for_all or (event.label and event.label == label(row.request_key)):
            if not _has_own_outcome(connection, row.issue_id, row.ordinal):
                return Mailed(row.issue_id, row.ordinal)
        elif event.vendor_id in row.vendor_ids:
            place = _place(connection, row.id, row.ordinal, row.first)
            if row.vendor_ids.index(event.vendor_id) == place:
                return Mailed(row.issue_id, row.ordinal)
    return None


def made_at(connection: Connection, mailed: Mailed) -> datetime | None:
    """When the mail was made, at the latest: before it was posted."""
    mails, issues = tables.transactional_mails.c, tables.issues.c
    if mailed.issue_id is not None:
        return connection.execute(sa.select(issues.frozen_at).where(issues.id == mailed.issue_id)).scalar()
    return connection.execute(sa.select(mails.created_at).where(mails.id == mailed.mail_id)).scalar()


def _has_own_outcome(connection: Connection, issue_id: int, ordinal: int) -> bool:
    """Whether the person was left out of their batch's request, or refused in it."""
    own = sa.select(_outcomes.c.outcome).where(
        _outcomes.c.issue_id == issue_id, _outcomes.c.ordinal == ordinal, _outcomes.c.outcome != "accepted"
    )
    return connection.execute(own).first() is not None


def _place(connection: Connection, batch_id: int, ordinal: int, first: int) -> int:
    """Where the person's message stood in the batch's request: those left out before them had none."""
    left_out = sa.select(sa.func.count()).where(
        _outcomes.c.batch_id == batch_id, _outcomes.c.ordinal < ordinal, was_left_out()
    )
    return ordinal - first - int(connection.execute(left_out).scalar_one())
