"""Makes sure that an address is never mailed again, whether it is known or not."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.address import address_hash, normalise
from syndicate.core.reader_steps import is_closed_for_good
from syndicate.errors import BadInput
from syndicate.rendering.html import one_line
from syndicate.storage import audit, people
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key


def suppress_subscriber(database: Database, *, email: str, because: str, actor: str = "", now: datetime) -> bool:
    """Appends a suppression; False when the address was suppressed already. Raises BadInput for no address."""
    try:
        address = normalise(email)
    except ValueError as error:
        raise BadInput(f"{error}.") from None
    with database.write() as connection:
        people.lock_people(connection)
        keyed = address_hash(address.address, address_key(connection))
        # What they or a late report may lift is not enough.
        if is_closed_for_good(people.suppressed_reasons(connection, [keyed]).get(keyed, "")):
            return False
        note = one_line(because)
        people.add_suppressions(
            connection, [{"address_hash": keyed, "reason": "manual", "at": now, "origin": "command", "note": note}]
        )
        audit.record(connection, at=now, action="subscriber.suppress", subject=keyed, actor=actor)
    return True
