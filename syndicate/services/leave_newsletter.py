"""A reader leaves a newsletter or all of them, and comes back when that was a mistake."""

from __future__ import annotations

from datetime import datetime

from syndicate.core import reader_steps
from syndicate.core.reader_steps import Circumstances
from syndicate.storage import people
from syndicate.storage.database import Database
from syndicate.storage.reader_steps import get_person, lift_own, suppress_own, write_steps


def leave(
    database: Database, *, subscriber_id: int, newsletter: str | None, proof: Circumstances, now: datetime
) -> tuple[str, ...]:
    """Takes the person out of the newsletter; with None out of all, and suppresses the address until they come back
    themselves. Returns the newsletters that they left by this. Twice is once; nobody is asked to be known."""
    with database.write() as connection:
        people.lock_people(connection)
        person = get_person(connection, subscriber_id)
        if person is None:
            return ()
        steps = reader_steps.leave(person, newsletter)
        hash_ = people.hash_of(connection, person.id)
        write_steps(connection, person.id, hash_, steps, proof, now)
        if newsletter is None:
            suppress_own(connection, hash_, proof.origin, now)
    return tuple(step.newsletter for step in steps)


def undo_leave(
    database: Database, *, subscriber_id: int, newsletter: str | None, proof: Circumstances, now: datetime
) -> tuple[str, ...]:
    """Brings the person back into what they left within the last day, one newsletter or all; returns which."""
    with database.write() as connection:
        people.lock_people(connection)
        person = get_person(connection, subscriber_id)
        if person is None:
            return ()
        steps = reader_steps.undo_leave(person, newsletter, now)
        if steps:
            hash_ = people.hash_of(connection, person.id)
            lift_own(connection, hash_, proof.origin, now)
            write_steps(connection, person.id, hash_, steps, proof, now)
    return tuple(step.newsletter for step in steps)
