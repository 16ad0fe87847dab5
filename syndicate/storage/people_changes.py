"""Writes what was decided for people, many at a time: subscribers, subscriptions, suppressions and their proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection

from syndicate.core.people import Change, SubscriptionChange, Wanted, resume_after_change
from syndicate.core.subscriber import Subscriber
from syndicate.storage import people
from syndicate.storage.starts import accepted_through, next_starts


@dataclass(frozen=True, slots=True)
class Decided:
    """One person's change, with the keyed hash of the address."""

    person: Subscriber | None
    wanted: Wanted
    change: Change
    address_hash: str


@dataclass(frozen=True, slots=True)
class Proof:
    """Where the consent comes from: `origin` is import or command; `basis` is what is known of it."""

    origin: str
    basis: str
    actor: str
    import_id: int | None = None


def apply(connection: Connection, decided: Sequence[Decided], proof: Proof, now: datetime) -> None:
    """Writes all of it in the caller's transaction. Unchanged people are not touched."""
    changed = [each for each in decided if each.change.outcome in ("new", "changed")]
    if not changed:
        return
    ids = _ids(connection, changed, now)
    resumes = _resumes(connection, changed, ids)
    subscriptions: list[dict[str, Any]] = []
    consents: list[dict[str, Any]] = []
    for each in changed:
        subscriber = ids.get(each.wanted.address)
        if subscriber is None:  # added by another writer since it was looked up: the next run takes it
            continue
        if each.person is not None and each.change.details:
            people.change_details(connection, subscriber, each.change.details)
        at = each.wanted.consent_at or now
        for part in each.change.subscriptions:
            subscriptions.append(
                {
                    "subscriber_id": subscriber,
                    "newsletter": part.newsletter,
                    "cadence": part.cadence,
                    "status": part.status,
                    "topics": [],
                    "since": _since(part, at, now),
                    "changed_at": now,
                    "resume_from": resumes.get((subscriber, part.newsletter)),
                }
            )
            consents.append(
                {
                    "subscriber_id": subscriber,
                    "address_hash": each.address_hash,
                    "newsletter": part.newsletter,
                    "action": part.action,
                    # Who leaves by it leaves now, whenever they came: a restored database is told so.
                    "at": now if part.action == "left" else at,
                    "origin": proof.origin,
                    "basis": each.wanted.consent_source or proof.basis,
                    "actor": proof.actor,
                    "import_id": proof.import_id,
                }
            )
    people.put_subscriptions(connection, subscriptions)
    people.add_consents(connection, consents)
    people.add_suppressions(
        connection,
        [
            {
                "address_hash": each.address_hash,
                "reason": "import",
                "at": now,
                "origin": proof.origin,
                "note": proof.basis,
            }
            for each in changed
            if each.change.suppress
        ],
    )


def _since(part: SubscriptionChange, at: datetime, now: datetime) -> datetime:
    if part.before is None or part.action == "rejoined":
        return at
    return now if part.action == "confirmed" else part.before.since


def _ids(connection: Connection, changed: Sequence[Decided], now: datetime) -> dict[str, int]:
    known = {each.wanted.address: each.person.id for each in changed if each.person is not None}
    added = people.add_people(
        connection,
        [
            {
                "email": each.wanted.email,
                "address": each.wanted.address,
                "address_hash": each.address_hash,
                "name": each.wanted.name,
                "language": each.wanted.language,
                "timezone": each.wanted.timezone,
                "created_at": now,
            }
            for each in changed
            if each.person is None
        ],
    )
    return {**known, **added}


def _resumes(
    connection: Connection, changed: Sequence[Decided], ids: dict[str, int]
) -> dict[tuple[int, str], int | None]:
    """Where the ranges of those who change their cadence start, and of those whose change is of another kind stay."""
    moving: dict[str, dict[int, SubscriptionChange]] = {}
    resumes: dict[tuple[int, str], int | None] = {}
    for each in changed:
        subscriber = ids.get(each.wanted.address)
        for part in each.change.subscriptions if subscriber is not None else ():
            assert subscriber is not None
            if part.changes_cadence and part.action != "rejoined":
                moving.setdefault(part.newsletter, {})[subscriber] = part
            elif part.before is not None and part.action != "rejoined":
                resumes[subscriber, part.newsletter] = part.before.resume_from
    if not moving:
        return resumes
    starts = next_starts(connection)
    for newsletter, parts in moving.items():
        through = accepted_through(connection, newsletter, list(parts))
        for subscriber, part in parts.items():
            assert part.before is not None
            resumes[subscriber, newsletter] = resume_after_change(
                accepted_through=through.get(subscriber),
                resume_from=part.before.resume_from,
                left_mark=starts.get((newsletter, part.before.cadence), 0),
                joined_mark=starts.get((newsletter, part.cadence), 0),
            )
    return resumes
