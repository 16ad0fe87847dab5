"""Adds one person by hand, with the proof that they asked for it."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.address import address_hash, mailable, normalise
from syndicate.core.newsletter import Newsletter
from syndicate.core.people import Change, Wanted, check_details, decide
from syndicate.core.subscriber import Subscriber
from syndicate.errors import BadInput, Refused
from syndicate.rendering.html import one_line
from syndicate.storage import audit, people
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.people_changes import Decided, Proof, apply


def add_subscriber(
    database: Database,
    *,
    email: str,
    newsletter: Newsletter,
    because: str,
    cadence: str | None = None,
    name: str = "",
    language: str = "",
    timezone: str = "",
    actor: str = "",
    now: datetime,
) -> tuple[Subscriber, Change]:
    """Makes the person active in the newsletter, whose consent `because` describes; says what that changed.

    Raises BadInput for what cannot be used, Refused for a suppressed address."""
    try:
        address = mailable(normalise(email))
        check_details(name, language, timezone)
    except ValueError as error:
        raise BadInput(f"{error}.") from None
    if cadence is not None and cadence not in newsletter.cadences:
        known = ", ".join(newsletter.cadences) or "none"
        raise BadInput(f"The newsletter {newsletter.name!r} has no cadence {cadence!r}.", cure=f"Known: {known}.")
    wanted = Wanted(
        email=address.email,
        address=address.address,
        cadences={newsletter.name: cadence},
        name=name.strip(),
        language=language,
        timezone=timezone,
    )
    with database.write() as connection:
        people.lock_people(connection)
        keyed = address_hash(address.address, address_key(connection))
        person = people.find_people(connection, {address.address: keyed}).get(address.address)
        change = decide(person, wanted, cadences={newsletter.name: newsletter.cadences}, proven=True)
        if person is not None and change.outcome == "suppressed":
            raise Refused(
                f"{address.email} must not be mailed: the address is suppressed ({person.suppressed}).",
                cure="A suppression outranks every other wish.",
            )
        apply(connection, [Decided(person, wanted, change, keyed)], Proof("command", one_line(because), actor), now)
        if change.outcome != "unchanged":
            audit.record(
                connection,
                at=now,
                action="subscriber.add",
                subject=keyed,
                actor=actor,
                detail={"newsletter": newsletter.name},
            )
        subscriber = people.find_subscriber(connection, address.address)
    assert subscriber is not None
    return subscriber, change
