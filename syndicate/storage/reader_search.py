"""Finding readers among millions, and all that is kept of one: every look goes by an index, none counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.subscriber import Subscriber
from syndicate.storage import tables
from syndicate.storage.people import subscribers_where

_people = tables.subscribers

_AFTER = "z" * 40
"""Above every letter and digit in every collation, so that a start is a range of the index. What goes on behind a start
with a sign above z (~, or a letter of another alphabet) is found by more of it, or whole."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened to a reader. `kind` is what wrote it: consent, mail, event, suppression; `issue_id` when
    it is about one."""

    at: datetime
    kind: str
    what: str
    detail: str = ""
    newsletter: str = ""
    issue_id: int | None = None


def find_readers(connection: Connection, words: str, *, limit: int) -> list[Subscriber]:
    """Readers whose address or name is, or starts with, `words`; addresses first, at most `limit`. A name is looked for
    as it is typed and as names are written."""
    start = " ".join(words.split())
    if not start:
        return []
    found: dict[int, Subscriber] = {}
    ids = [
        *_ids(connection, _people.c.address, start.lower(), limit),
        *(each for name in _names(start) for each in _ids(connection, _people.c.name, name, limit)),
    ]
    wanted = list(dict.fromkeys(ids))[:limit]
    if wanted:
        found = {each.id: each for each in subscribers_where(connection, _people.c.id.in_(wanted))}
    return [found[each] for each in wanted if each in found and not found[each].erased]


def newest_readers(connection: Connection, *, before: int = 0, limit: int) -> list[Subscriber]:
    """The last who came, those with an id below `before` when it is given."""
    query = sa.select(_people.c.id).where(_people.c.erased_at.is_(None)).order_by(_people.c.id.desc()).limit(limit)
    ids = list(connection.execute(query.where(_people.c.id < before) if before else query).scalars())
    return subscribers_where(connection, _people.c.id.in_(ids))[::-1] if ids else []


def timeline(connection: Connection, person: Subscriber, address_hash: str, *, limit: int) -> list[Moment]:
    """What is known to have happened, the newest first: consents, suppressions and what the mail API reported. Mails
    are in `mailings.mailings_of`."""
    consents, suppressions, events = tables.consents, tables.suppressions, tables.events
    moments: list[Moment] = []
    of_hash = sa.select(suppressions).where(suppressions.c.address_hash == address_hash)
    for row in connection.execute(of_hash.order_by(suppressions.c.id.desc()).limit(limit)):
        moments.append(Moment(row.at, "suppression", row.reason, row.note or row.origin))
        if row.lifted_at is not None:
            by = f"by {row.lifted_by}" if row.lifted_by else ""
            moments.append(Moment(row.lifted_at, "suppression", "lifted", by))
    reported = sa.select(events.c.at, events.c.kind, events.c.issue_id, events.c.api, events.c.code).where(
        events.c.address_hash == address_hash
    )
    for row in connection.execute(reported.order_by(events.c.id.desc()).limit(limit)):
        detail = f"reported by {row.api}{f', {row.code}' if row.code else ''}"
        moments.append(Moment(row.at, "event", row.kind, detail, issue_id=row.issue_id))
    of_person = sa.select(consents).where(consents.c.subscriber_id == person.id)
    for row in connection.execute(of_person.order_by(consents.c.id.desc()).limit(limit)):
        detail = " · ".join(filter(None, (row.origin, row.basis, row.actor and f"by {row.actor}")))
        moments.append(Moment(row.at, "consent", row.action, detail, row.newsletter))
    # What came of something is listed before it where both have one moment.
    return sorted(moments, key=lambda each: each.at, reverse=True)[:limit]


def _ids(connection: Connection, column: sa.Column[str], start: str, limit: int) -> list[int]:
    query = (
        sa.select(_people.c.id)
        .where(column >= start, column <= start + _AFTER, column.startswith(start, autoescape=True))
        .order_by(column)
        .limit(limit)
    )
    return list(connection.execute(query).scalars())


def _names(typed: str) -> Iterator[str]:
    yield from dict.fromkeys((typed, typed.title(), typed[:1].upper() + typed[1:], typed.lower()))
