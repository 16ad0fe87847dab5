"""Erases a person: what stays is the keyed hash of the address, so that they are never mailed again."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.address import normalise
from syndicate.errors import BadInput, NotFound
from syndicate.storage import audit, people
from syndicate.storage.database import Database


def erase_subscriber(database: Database, *, email: str, actor: str = "", now: datetime) -> int:
    """Erases the person everywhere, and returns the id that their rows keep. The ledger keeps its counts: the address
    in it becomes `erased:ID`. Raises BadInput for no address, NotFound for one that nobody has."""
    try:
        address = normalise(email).address
    except ValueError as error:
        raise BadInput(f"{error}.") from None
    with database.write() as connection:
        people.lock_people(connection)
        person = people.find_subscriber(connection, address)
        if person is None:
            raise NotFound(
                f"Nobody here has the address {address}.",
                cure="To keep it out for good: 'syndicate subscribers suppress'.",
            )
        keyed = people.hash_of(connection, person.id)
        people.erase(connection, person.id, now)
        people.forget_in_audiences(connection, person.id, address)
        people.forget_events(connection, keyed)
        people.add_suppressions(
            connection, [{"address_hash": keyed, "reason": "erased", "at": now, "origin": "command"}]
        )
        people.add_consents(
            connection,
            [
                {
                    "subscriber_id": person.id,
                    "address_hash": keyed,
                    "action": "erased",
                    "at": now,
                    "origin": "command",
                    "actor": actor,
                }
            ],
        )
        audit.record(connection, at=now, action="subscriber.erase", subject=keyed, actor=actor)
    return person.id
