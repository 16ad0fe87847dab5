"""Writes what a reader did by themselves, one person at a time, with its proof."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from syndicate.core.people import resume_after_change
from syndicate.core.reader_steps import OWN_SUPPRESSION, Circumstances, ReaderStep
from syndicate.core.subscriber import Subscriber
from syndicate.storage import journal, people, tables
from syndicate.storage.people import subscribers_where
from syndicate.storage.starts import accepted_through, next_starts, passed_over_above
from syndicate.storage.tables import consents, subscribers, subscriptions, suppressions

LONGEST_AGENT = 300
"""Characters of what a browser says of itself that are kept."""


def get_person(connection: Connection, subscriber_id: int) -> Subscriber | None:
    """The person of that id, None when they were erased or forgotten."""
    found = subscribers_where(connection, subscribers.c.id == subscriber_id, subscribers.c.erased_at.is_(None))
    return found[0] if found else None


def find_by_hash(connection: Connection, address_hash: str) -> Subscriber | None:
    """The person whose address has that keyed hash, None when they were erased or forgotten."""
    found = subscribers_where(
        connection, subscribers.c.address_hash == address_hash, subscribers.c.erased_at.is_(None)
    )
    return found[0] if found else None


def write_steps(
    connection: Connection,
    subscriber_id: int,
    address_hash: str,
    steps: Sequence[ReaderStep],
    proof: Circumstances,
    now: datetime,
) -> None:
    """Writes the steps and appends their proof. The caller holds `people.lock_people`."""
    if not steps:
        return
    starts = next_starts(connection)
    insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(subscriptions)
    written = ("cadence", "status", "since", "changed_at", "resume_from", "paused_until")
    joined = ("confirmed", "rejoined", "asked")
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=["subscriber_id", "newsletter"], set_={name: insert.excluded[name] for name in written}
        ),
        [
            {
                "subscriber_id": subscriber_id,
                "newsletter": step.newsletter,
                "cadence": step.cadence,
                "status": step.status,
                "since": now if step.before is None or step.action in joined else step.before.since,
                "changed_at": now,
                "resume_from": _start(connection, subscriber_id, step, starts),
                "paused_until": step.paused_until,
            }
            for step in steps
        ],
    )
    people.add_consents(
        connection,
        [
            {
                "subscriber_id": subscriber_id,
                "address_hash": address_hash,
                "newsletter": step.newsletter,
                "action": step.action,
                "at": now,
                "origin": proof.origin,
                "basis": f"pause until {step.paused_until:%Y-%m-%d}" if step.paused_until else "",
                "wording_version": proof.wording,
                "ip": proof.ip,
                "agent": proof.agent[:LONGEST_AGENT],
            }
            for step in steps
        ],
    )


def _start(
    connection: Connection, subscriber_id: int, step: ReaderStep, starts: dict[tuple[str, str], int]
) -> int | None:
    before = step.before
    if before is None or step.range == "joiner":
        return None
    if step.range == "keep":
        return before.resume_from
    through = accepted_through(connection, step.newsletter, [subscriber_id]).get(subscriber_id)
    # Also what is under way: it goes without who pauses or is out at that moment.
    passed_over = passed_over_above(connection, subscriber_id, before)
    possible = (starts.get((step.newsletter, before.cadence)), passed_over)
    start = min((each for each in possible if each is not None), default=None)
    if step.range == "moved":
        return resume_after_change(
            accepted_through=through,
            resume_from=before.resume_from,
            left_mark=start or 0,
            joined_mark=starts.get((step.newsletter, step.cadence), 0),
        )
    if through is not None:
        return through
    return before.resume_from if before.resume_from is not None else start


def came_back(connection: Connection, subscriber_id: int, since: datetime) -> set[str]:
    """The newsletters that the person joined after that moment, by themselves or because somebody here could say why;
    not by a file, whose rows may be older."""
    query = sa.select(consents.c.newsletter).where(
        consents.c.subscriber_id == subscriber_id,
        consents.c.at > since,
        consents.c.action.in_(["confirmed", "rejoined", "imported"]),
        consents.c.origin != "import",
    )
    return set(connection.execute(query).scalars())


def suppress_own(connection: Connection, address_hash: str, origin: str, now: datetime) -> None:
    """Suppresses an address because its reader left everything, unless it is suppressed already by what no report
    lifts."""
    if address_hash not in people.lasting_reasons(connection, [address_hash]):
        people.add_suppressions(
            connection, [{"address_hash": address_hash, "reason": OWN_SUPPRESSION, "at": now, "origin": origin}]
        )


def left_everything_at(connection: Connection, address_hash: str) -> datetime | None:
    """When the reader of that address last left everything, if that is in force."""
    own = (suppressions.c.address_hash == address_hash, suppressions.c.reason == OWN_SUPPRESSION, people.IN_FORCE)
    moment: datetime | None = connection.execute(sa.select(sa.func.max(suppressions.c.at)).where(*own)).scalar_one()
    return moment


def lift_own(connection: Connection, address_hash: str, by: str, now: datetime) -> None:
    """Lifts the suppressions that the reader made themselves. The caller holds `people.lock_people`: they were all made
    before, whatever a clock says."""
    lift(connection, address_hash, OWN_SUPPRESSION, by=by, now=now)


def lift(connection: Connection, address_hash: str, reason: str, *, by: str, now: datetime) -> None:
    """Lifts the suppressions in force of that reason."""
    table = suppressions
    lifting = sa.update(table).where(
        table.c.address_hash == address_hash, table.c.reason == reason, table.c.lifted_at.is_(None)
    )
    connection.execute(lifting.values(lifted_at=now, lifted_by=by))
    copy_reason(connection, address_hash)
    note_lifted(connection, address_hash, now)


def lift_all(connection: Connection, address_hash: str, *, by: str, now: datetime) -> tuple[str, ...]:
    """Lifts every suppression in force of the address, whoever made it; returns their reasons."""
    table = suppressions
    lifted = connection.execute(
        sa.update(table)
        .where(table.c.address_hash == address_hash, table.c.lifted_at.is_(None))
        .values(lifted_at=now, lifted_by=by)
        .returning(table.c.reason)
    )
    reasons = tuple(sorted({row.reason for row in lifted}))
    copy_reason(connection, address_hash)
    note_lifted(connection, address_hash, now)
    return reasons


def note_lifted(connection: Connection, address_hash: str, now: datetime) -> None:
    """Writes to the journal that nothing suppresses the address any more, if that is so."""
    if not people.suppressed_reasons(connection, [address_hash]):
        journal.note_lifted(connection, [address_hash], now)


def copy_reason(connection: Connection, address_hash: str) -> None:
    """Copies the reason in force to the subscriber, after a suppression was lifted."""
    reason = people.suppressed_reasons(connection, [address_hash]).get(address_hash, "")
    connection.execute(
        sa.update(subscribers)
        .where(subscribers.c.address_hash == address_hash, subscribers.c.erased_at.is_(None))
        .values(suppressed=reason)
    )


def pending_since(
    connection: Connection, newsletter: str, *, after: int, limit: int
) -> list[tuple[int, datetime]]:
    """The next `limit` people with an id above `after` whose sign-up to the newsletter waits for its confirmation, and
    since when."""
    query = sa.select(subscriptions.c.subscriber_id, subscriptions.c.changed_at).where(
        subscriptions.c.newsletter == newsletter,
        subscriptions.c.status == "pending",
        subscriptions.c.subscriber_id > after,
    )
    rows = connection.execute(query.order_by(subscriptions.c.subscriber_id).limit(limit))
    return [(row.subscriber_id, row.changed_at) for row in rows]


def forget_unconfirmed(
    connection: Connection, newsletter: str, subscriber_ids: Collection[int], before: datetime
) -> int:
    """Forgets the sign-ups of these people to the newsletter that were asked for before that moment and never
    confirmed, with everything about those of whom nothing else is known; returns how many. The caller holds
    `people.lock_people`."""
    forgotten = connection.execute(
        sa.delete(subscriptions)
        .where(
            subscriptions.c.subscriber_id.in_(list(subscriber_ids)),
            subscriptions.c.newsletter == newsletter,
            subscriptions.c.status == "pending",
            subscriptions.c.changed_at < before,
        )
        .returning(subscriptions.c.subscriber_id)
    )
    ids = list(forgotten.scalars())
    if not ids:
        return 0
    kept = sa.exists().where(subscriptions.c.subscriber_id == subscribers.c.id)
    mailed = sa.exists().where(tables.issue_recipients.c.subscriber_id == subscribers.c.id)
    unknown = sa.select(subscribers.c.id).where(subscribers.c.id.in_(ids), ~kept, ~mailed)
    gone = list(connection.execute(unknown).scalars())
    connection.execute(sa.delete(consents).where(consents.c.subscriber_id.in_(gone)))
    connection.execute(
        sa.delete(tables.transactional_mails).where(tables.transactional_mails.c.subscriber_id.in_(gone))
    )
    connection.execute(sa.delete(subscribers).where(subscribers.c.id.in_(gone)))
    return len(ids)

