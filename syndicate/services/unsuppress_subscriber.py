"""Opens a suppressed address again, because somebody here can say why."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.address import address_hash, normalise
from syndicate.errors import BadInput, NotFound
from syndicate.rendering.html import one_line
from syndicate.storage import audit, people
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.reader_steps import lift_all


def unsuppress_subscriber(
    database: Database, *, email: str, because: str, actor: str = "", now: datetime
) -> tuple[str, ...]:
    """Lifts every suppression in force of the address; returns their reasons. Nobody is subscribed by it: who was
    active when the address was suppressed gets mail again, who left stays out.

    Raises BadInput for no address, NotFound when it is not suppressed."""
    try:
        address = normalise(email).address
    except ValueError as error:
        raise BadInput(f"{error}.") from None
    with database.write() as connection:
        people.lock_people(connection)
        keyed = address_hash(address, address_key(connection))
        reasons = lift_all(connection, keyed, by=actor, now=now)
        if not reasons:
            raise NotFound(f"{address} is not suppressed.", cure="'syndicate subscribers explain' says what it gets.")
        audit.record(
            connection,
            at=now,
            action="subscriber.unsuppress",
            subject=keyed,
            actor=actor,
            detail={"because": one_line(because), "reasons": list(reasons)},
        )
    return reasons
