"""Takes the journal of suppressions into the database again: who left or was suppressed since a backup stays out, and a
suppression that was lifted since does not come back.

Run twice, it does nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.mail_event import UNREACHABLE
from syndicate.core.portions import portions
from syndicate.core.reader_steps import is_closed
from syndicate.core.suppression_journal import Entry, Standing, standing
from syndicate.storage import journal as journals
from syndicate.storage import people
from syndicate.storage.instance import instance_id
from syndicate.storage.journal import Journal
from syndicate.storage.reader_steps import copy_reason
from syndicate.storage.renames import Rename, list_renames, name_now
from syndicate.storage.tables import subscribers, subscriptions, suppressions

_AT_ONCE = 400
ORIGIN = "journal"


@dataclass(frozen=True, slots=True)
class Replayed:
    """How many suppressions were missing, how many people had left a newsletter, how many are erased again, and of how
    many addresses every suppression had been lifted."""

    suppressed: int = 0
    left: int = 0
    erased: int = 0
    lifted: int = 0

    def __bool__(self) -> bool:
        return bool(self.suppressed or self.left or self.erased or self.lifted)


def is_behind(connection: Connection, journal: Journal) -> bool:
    """Whether the journal tells of changes that the database may not know."""
    found = journal.length()
    return found is not None and found[1] > journals.known_length(connection, found[0])


def journal_gap(connection: Connection, journal: Journal) -> str:
    """Why the journal cannot tell all that the database does not know, in a sentence; "" when it can. To be asked
    before it is taken in or begun."""
    found, known = journal.length(), journals.known_lengths(connection)
    unknown = "who left or was suppressed since is not known here, and would be mailed."
    if found is None:
        return f"There is no journal of suppressions at {journal.path}: {unknown}"
    name, octets = found
    ours = any(True for _ in journal.entries(instance_id(connection)))
    if (known and name not in known) or not ours:
        return f"The journal of suppressions at {journal.path} is another than this database's own: {unknown}"
    if octets < known.get(name, 0):
        return f"The journal of suppressions at {journal.path} is shorter than it was: {unknown}"
    return ""


def begin_journal(connection: Connection, journal: Journal) -> None:
    """Where there is no file yet, begins one with every suppression in force."""
    if journal.length() is not None:
        return
    query = sa.select(suppressions.c.address_hash, suppressions.c.reason, suppressions.c.at)
    rows = connection.execute(query.where(people.IN_FORCE).order_by(suppressions.c.id))
    journals.note_suppressions(connection, [dict(row._mapping) for row in rows])


def replay(connection: Connection, journal: Journal, now: datetime) -> Replayed:
    """Takes in all of it, in a transaction that does nothing else."""
    people.lock_people(connection)
    length = journal.length()
    if length is None:
        return Replayed()
    renames = list_renames(connection)
    entries = journal.entries(instance_id(connection))
    found = standing(_by_names_of_now(renames, entry) for entry in entries)
    result = Replayed(
        suppressed=sum(_suppress(connection, part) for part in portions(found.suppressed.values(), _AT_ONCE)),
        left=_leave(connection, found, now),
        erased=_erase(connection, found, now),
        lifted=sum(_lift(connection, part) for part in portions(found.lifted.values(), _AT_ONCE)),
    )
    # It is all in the journal already.
    journals.forget(connection)
    journals.remember_length(connection, *length)
    return result


def _by_names_of_now(renames: Sequence[Rename], entry: Entry) -> Entry:
    if entry.act not in ("left", "joined"):
        return entry
    return replace(entry, about=name_now(renames, entry.about, entry.at))


def _suppress(connection: Connection, entries: Sequence[Entry]) -> int:
    hashes = [entry.address_hash for entry in entries]
    known, lasting = people.suppressed_reasons(connection, hashes), people.lasting_reasons(connection, hashes)
    rows = []
    for entry in entries:
        before = (known if entry.about == UNREACHABLE else lasting).get(entry.address_hash, "")
        # What others closed goes before what the reader did, who may lift only that.
        if not is_closed(before) and before != entry.about:
            rows.append({"address_hash": entry.address_hash, "reason": entry.about, "at": entry.at, "origin": ORIGIN})
    people.add_suppressions(connection, rows)
    return len(rows)


def _lift(connection: Connection, entries: Sequence[Entry]) -> int:
    """Lifts what was in force when the last of it was lifted; what is younger than that stays."""
    lifted = {entry.address_hash: entry.at for entry in entries}
    query = sa.select(suppressions.c.id, suppressions.c.address_hash, suppressions.c.at).where(
        suppressions.c.address_hash.in_(list(lifted)), people.IN_FORCE, suppressions.c.reason != "erased"
    )
    rows = [row for row in connection.execute(query) if row.at <= lifted[row.address_hash]]
    for row in rows:
        connection.execute(
            sa.update(suppressions)
            .where(suppressions.c.id == row.id)
            .values(lifted_at=lifted[row.address_hash], lifted_by=ORIGIN)
        )
    hashes = sorted({row.address_hash for row in rows})
    for each in hashes:
        copy_reason(connection, each)
    return len(hashes)


def _leave(connection: Connection, found: Standing, now: datetime) -> int:
    by_newsletter: dict[str, dict[str, Entry]] = {}
    for (address_hash, newsletter), entry in found.left.items():
        by_newsletter.setdefault(newsletter, {})[address_hash] = entry
    count = 0
    for newsletter, entries in by_newsletter.items():
        for part in portions(entries, _AT_ONCE):
            count += _leave_newsletter(connection, newsletter, {each: entries[each] for each in part}, now)
    return count


def _leave_newsletter(connection: Connection, newsletter: str, entries: dict[str, Entry], now: datetime) -> int:
    query = (
        sa.select(subscribers.c.id, subscribers.c.address_hash, subscriptions.c.newsletter, subscriptions.c.changed_at)
        .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
        .where(subscribers.c.address_hash.in_(list(entries)), subscriptions.c.status != "left")
    )
    if newsletter:  # else they left everything
        query = query.where(subscriptions.c.newsletter == newsletter)
    consents = []
    for row in connection.execute(query).all():
        entry = entries[row.address_hash]
        if row.changed_at > entry.at:
            continue
        connection.execute(
            sa.update(subscriptions)
            .where(subscriptions.c.subscriber_id == row.id, subscriptions.c.newsletter == row.newsletter)
            .values(status="left", changed_at=now, resume_from=None)
        )
        consents.append(
            {
                "subscriber_id": row.id,
                "address_hash": row.address_hash,
                "newsletter": row.newsletter,
                "action": "left",
                "at": entry.at,
                "origin": ORIGIN,
            }
        )
    people.add_consents(connection, consents)
    return len(consents)


def _erase(connection: Connection, found: Standing, now: datetime) -> int:
    erased = [entry.address_hash for entry in found.suppressed.values() if entry.about == "erased"]
    count = 0
    for part in portions(erased, _AT_ONCE):
        query = sa.select(subscribers.c.id, subscribers.c.address, subscribers.c.address_hash).where(
            subscribers.c.address_hash.in_(part), subscribers.c.erased_at.is_(None)
        )
        for row in connection.execute(query).all():
            people.erase(connection, row.id, now)
            people.forget_in_audiences(connection, row.id, row.address)
            people.forget_events(connection, row.address_hash)
            count += 1
    return count
