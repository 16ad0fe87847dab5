"""People: subscribers, their subscriptions, suppressions and the proof of their consent."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.mail_event import UNREACHABLE
from syndicate.core.portions import portions
from syndicate.core.reader_steps import OWN_SUPPRESSION
from syndicate.core.subscriber import Subscriber, Subscription
from syndicate.storage import tables
from syndicate.storage.arrays import among, any_of
from syndicate.storage.batches import batch_of
from syndicate.storage.journal import note_consents, note_suppressions
from syndicate.storage.tables import consents, imports, subscribers, subscriptions, suppressions

IN_FORCE = suppressions.c.lifted_at.is_(None)
WEIGHT = sa.case({OWN_SUPPRESSION: 0, UNREACHABLE: 1, "erased": 3}, value=suppressions.c.reason, else_=2)
"""What is said of an address that several suppressions close: the heaviest, and of those the oldest. The fewer may lift
it, the more it weighs."""


LOCK_KEY = 5_020_477_861
"""Any number that no other advisory lock of this program uses."""


def keep_people(connection: Connection) -> None:
    """Taken first by whoever copies names and addresses, and kept to commit: whoever changes people waits, so that
    nobody is erased between the look and the copy. Several may hold it."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(LOCK_KEY)))


def lock_people(connection: Connection) -> None:
    """Taken first by whoever decides from what is known of people, and kept to commit: nobody leaves or is suppressed
    between the look and the change. SQLite has one writer at a time anyway."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(*LOCK_PEOPLE))


LOCK_PEOPLE = (sa.func.pg_advisory_xact_lock(LOCK_KEY),)
"""The same as columns of a query to PostgreSQL."""


def find_people(connection: Connection, hashes: Mapping[str, str]) -> dict[str, Subscriber]:
    """What is known of these addresses (address → its keyed hash), by address. An address that is suppressed without
    being a subscriber (any more) is there with the id 0."""
    rows = connection.execute(sa.select(subscribers).where(among(connection, subscribers.c.address, hashes))).all()
    found = {each.address: each for each in _subscribers(connection, rows)}
    addresses = {keyed: address for address, keyed in hashes.items()}
    for keyed, reason in suppressed_reasons(connection, list(addresses)).items():
        address = addresses[keyed]
        known = found.get(address, Subscriber(id=0, email="", address=address))
        found[address] = replace(known, suppressed=known.suppressed or reason)
    return found


def suppressed_reasons(connection: Connection, hashes: Collection[str]) -> dict[str, str]:
    """The reason of the suppression in force that weighs most, for each of the hashes that has one."""
    query = _reasons(connection.dialect.name)
    return {row.address_hash: row.reason for row in connection.execute(query, {"hashes": list(hashes)})}


def lasting_reasons(connection: Connection, hashes: Collection[str]) -> dict[str, str]:
    """The same without what a report that comes late may lift: that an address was unreachable."""
    query = _reasons(connection.dialect.name).where(suppressions.c.reason != UNREACHABLE)
    return {row.address_hash: row.reason for row in connection.execute(query, {"hashes": list(hashes)})}


@cache
def _reasons(dialect: str) -> sa.Select[str, str]:
    return (
        sa.select(suppressions.c.address_hash, suppressions.c.reason)
        .where(any_of(suppressions.c.address_hash, "hashes", dialect), IN_FORCE)
        # The last one stays.
        .order_by(WEIGHT, suppressions.c.id.desc())
    )


def add_people(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Inserts subscribers and returns their ids by address. Those that another writer added meanwhile are left out."""
    if not rows:
        return {}
    insert = _insert(connection, subscribers).on_conflict_do_nothing(index_elements=[subscribers.c.address])
    return {
        row.address: row.id
        for row in connection.execute(insert.returning(subscribers.c.address, subscribers.c.id), list(rows))
    }


def change_details(connection: Connection, subscriber_id: int, details: Mapping[str, str]) -> None:
    """Writes a new name, language or timezone."""
    connection.execute(sa.update(subscribers).where(subscribers.c.id == subscriber_id).values(**details))


def put_subscriptions(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts subscriptions, or overwrites the cadence, status, moment and resume point of those that exist."""
    if not rows:
        return
    insert = _insert(connection, subscriptions)
    written = {key: insert.excluded[key] for key in ("cadence", "status", "since", "changed_at", "resume_from")}
    upsert = insert.on_conflict_do_update(index_elements=["subscriber_id", "newsletter"], set_=written)
    if connection.dialect.name == "sqlite":
        connection.execute(upsert, list(rows))
    else:
        # With an answer they are many to a statement, and what counts them is called once for all.
        once = {(row["subscriber_id"], row["newsletter"]): row for row in rows}
        connection.execute(upsert.returning(subscriptions.c.subscriber_id), list(once.values()))


def add_consents(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Appends to the proof of consent."""
    if rows:
        connection.execute(sa.insert(consents), list(rows))
        note_consents(connection, rows)


def add_suppressions(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Appends suppressions, and copies their reason to the subscribers of those addresses that have none in force, or
    one that weighs less."""
    if not rows:
        return
    connection.execute(_APPEND, list(rows))
    note_suppressions(connection, rows)
    by_reason: dict[str, list[str]] = {}
    for row in rows:
        by_reason.setdefault(row["reason"], []).append(row["address_hash"])
    for reason, hashes in by_reason.items():
        connection.execute(_closing(connection.dialect.name, reason), {"hashes": hashes})


_APPEND = sa.insert(suppressions)


@cache
def _closing(dialect: str, reason: str) -> sa.Update:
    lighter = ["", OWN_SUPPRESSION] if reason == OWN_SUPPRESSION else ["", OWN_SUPPRESSION, UNREACHABLE]
    gives_way = subscribers.c.suppressed.in_(lighter)
    closed = sa.update(subscribers).where(any_of(subscribers.c.address_hash, "hashes", dialect), gives_way)
    return closed.values(suppressed=reason)


def start_import(connection: Connection, *, filename: str, sha256: str, basis: str, actor: str, now: datetime) -> int:
    """The proof of an import, before its first row; returns its id."""
    insert = sa.insert(imports).values(
        at=now, filename=filename, sha256=sha256, basis=basis, actor=actor, counts={"finished": False}
    )
    return int(connection.execute(insert.returning(imports.c.id)).scalar_one())


def record_import(connection: Connection, import_id: int, counts: Mapping[str, Any]) -> None:
    """How far it got."""
    connection.execute(sa.update(imports).where(imports.c.id == import_id).values(counts=dict(counts)))


def count_anew(connection: Connection) -> None:
    """After many came at once: PostgreSQL plans by statistics, and would look at everybody for each until it makes them
    by itself."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.text("ANALYZE subscribers, subscriptions"))


def find_subscriber(connection: Connection, address: str) -> Subscriber | None:
    """The person of that normalised address."""
    row = connection.execute(sa.select(subscribers).where(subscribers.c.address == address)).one_or_none()
    return _subscribers(connection, [row])[0] if row is not None else None


def subscribers_where(connection: Connection, *conditions: sa.ColumnElement[bool]) -> list[Subscriber]:
    """The people whose rows meet the conditions, in the order of their ids."""
    query = sa.select(subscribers).where(*conditions).order_by(subscribers.c.id)
    return _subscribers(connection, connection.execute(query).all())


def hash_of(connection: Connection, subscriber_id: int) -> str:
    """The keyed hash of a subscriber's address."""
    return str(
        connection.execute(sa.select(subscribers.c.address_hash).where(subscribers.c.id == subscriber_id)).scalar_one()
    )


def list_subscribers(
    connection: Connection, *, newsletter: str = "", status: str = "", limit: int = 100, after: int = 0
) -> list[Subscriber]:
    """People in the order of their ids, those above `after`. `status` is active, pending, left or suppressed; with a
    newsletter it is the status in that one. Erased people are not listed."""
    query = sa.select(subscribers).where(subscribers.c.erased_at.is_(None), subscribers.c.id > after)
    joined = [subscriptions.c.subscriber_id == subscribers.c.id]
    if newsletter:
        joined.append(subscriptions.c.newsletter == newsletter)
    if status == "suppressed":
        query = query.where(subscribers.c.suppressed != "")
    elif status:
        joined.append(subscriptions.c.status == status)
        query = query.where(subscribers.c.suppressed == "")
    if len(joined) > 1:
        query = query.where(sa.exists().where(*joined))
    return _subscribers(connection, connection.execute(query.order_by(subscribers.c.id).limit(limit)).all())


def _subscribers(connection: Connection, rows: Sequence[sa.Row[Any]]) -> list[Subscriber]:
    found: dict[int, list[Subscription]] = {}
    query = (
        sa.select(subscriptions)
        .where(among(connection, subscriptions.c.subscriber_id, [row.id for row in rows]))
        .order_by(subscriptions.c.newsletter)
    )
    for each in connection.execute(query):
        found.setdefault(each.subscriber_id, []).append(
            Subscription(
                newsletter=each.newsletter,
                cadence=each.cadence,
                status=each.status,
                since=each.since,
                topics=tuple(each.topics),
                resume_from=each.resume_from,
                changed_at=each.changed_at,
                paused_until=each.paused_until,
            )
        )
    return [
        Subscriber(
            id=row.id,
            email=row.email,
            address=row.address or "",
            name=row.name,
            language=row.language,
            timezone=row.timezone,
            suppressed=row.suppressed,
            erased=row.erased_at is not None,
            subscriptions=tuple(found.get(row.id, ())),
        )
        for row in rows
    ]


def erase(connection: Connection, subscriber_id: int, now: datetime) -> None:
    """Takes a person's name, address and everything that describes them out of every table. The keyed hash stays."""
    connection.execute(
        sa.update(subscribers)
        .where(subscribers.c.id == subscriber_id)
        .values(email="", address=None, name="", language="", timezone="", suppressed="erased", erased_at=now)
    )
    connection.execute(
        sa.update(subscriptions)
        .where(subscriptions.c.subscriber_id == subscriber_id)
        .values(status="left", topics=[], changed_at=now, resume_from=None, paused_until=None)
    )
    connection.execute(
        sa.update(consents)
        .where(consents.c.subscriber_id == subscriber_id)
        .values(ip="", agent="", basis="", origin="")
    )
    mails = tables.transactional_mails
    connection.execute(sa.delete(mails).where(mails.c.subscriber_id == subscriber_id))
    recipients = tables.issue_recipients
    _forget_reasons(connection, subscriber_id)
    connection.execute(
        sa.update(recipients)
        .where(recipients.c.subscriber_id == subscriber_id)
        .values(address=f"erased:{subscriber_id}", email="", name="")
    )


_BATCHES_AT_ONCE = 400


def _forget_reasons(connection: Connection, subscriber_id: int) -> None:
    """Empties what a mail API said of the person alone, which may repeat the address, and of requests that they were
    in with others what repeats anybody's."""
    recipients, outcomes = tables.issue_recipients, tables.recipient_outcomes
    batches, log = tables.batches, tables.batch_log
    places = sa.select(recipients.c.issue_id, recipients.c.ordinal).where(recipients.c.subscriber_id == subscriber_id)
    their_last = sa.select(batch_of(recipients)).where(recipients.c.subscriber_id == subscriber_id)
    # With what those were split from.
    theirs = sa.select(batches.c.id, batches.c.parent_id).where(batches.c.id.in_(their_last)).cte(recursive=True)
    above = batches.alias()
    theirs = theirs.union(sa.select(above.c.id, above.c.parent_id).where(above.c.id == theirs.c.parent_id))
    ids = list(connection.execute(sa.select(theirs.c.id)).scalars())
    alone = sa.select(batches.c.id).where(batches.c.first == batches.c.last)
    # Batches before outcomes, in the order of the ledger.
    for table, id_ in ((batches, batches.c.id), (log, log.c.batch_id)):
        for some in portions(ids, _BATCHES_AT_ONCE):
            names = sa.or_(id_.in_(alone.where(batches.c.id.in_(some))), table.c.why.contains("@"))
            connection.execute(sa.update(table).where(id_.in_(some), names).values(why=""))
    connection.execute(
        sa.update(outcomes).where(sa.tuple_(outcomes.c.issue_id, outcomes.c.ordinal).in_(places)).values(why="")
    )


def forget_in_audiences(connection: Connection, subscriber_id: int, address: str) -> None:
    """Takes an address out of the rules of issues that named their recipients one by one."""
    issues = tables.issues
    named = sa.select(issues.c.id, issues.c.audience).where(
        issues.c.kind == "manual", sa.cast(issues.c.audience, sa.Text).contains(address, autoescape=True)
    )
    for row in connection.execute(named).all():
        to = row.audience.get("to") or []
        if address in to:
            kept = [f"erased:{subscriber_id}" if each == address else each for each in to]
            connection.execute(
                sa.update(issues).where(issues.c.id == row.id).values(audience={**row.audience, "to": kept})
            )


def forget_events(connection: Connection, hash_: str) -> None:
    """Empties what the mail API reported about an address, which may repeat it."""
    events = tables.events
    connection.execute(sa.update(events).where(events.c.address_hash == hash_).values(raw={}))


def _insert(connection: Connection, table: sa.Table) -> Any:
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)
