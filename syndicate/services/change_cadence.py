"""Somebody here changes how often a reader gets a newsletter."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.newsletter import Newsletter
from syndicate.core.reader_steps import Circumstances, ReaderStep
from syndicate.errors import BadInput, NotFound, Refused
from syndicate.storage import audit, people
from syndicate.storage.database import Database
from syndicate.storage.reader_steps import get_person, write_steps


def change_cadence(
    database: Database, *, subscriber_id: int, newsletter: Newsletter, cadence: str, actor: str, now: datetime
) -> bool:
    """Moves an active subscription to that cadence, so that nothing is missed and nothing comes twice; a pause stays.
    False when it is on it already. Raises BadInput for an unknown cadence, NotFound for somebody who was erased,
    Refused when they are not active in the newsletter."""
    if cadence not in newsletter.cadences:
        known = ", ".join(newsletter.cadences) or "none"
        raise BadInput(f"The newsletter {newsletter.name!r} has no cadence {cadence!r}.", cure=f"Known: {known}.")
    with database.write() as connection:
        people.lock_people(connection)
        person = get_person(connection, subscriber_id)
        if person is None:
            raise NotFound("This reader is not known here any more.")
        before = person.subscription(newsletter.name)
        if before is None or before.status != "active":
            raise Refused(f"They are not active in {newsletter.title}.", cure="Add them to it first.")
        if before.cadence == cadence:
            return False
        step = ReaderStep(newsletter.name, cadence, "active", "changed", before, "moved", before.paused_until)
        hash_ = people.hash_of(connection, person.id)
        write_steps(connection, person.id, hash_, [step], Circumstances("console"), now)
        detail = {"newsletter": newsletter.name, "from": before.cadence, "to": cadence}
        audit.record(connection, at=now, action="subscriber.cadence", subject=hash_, actor=actor, detail=detail)
    return True
