"""A reader chooses: newsletters, how often, a pause, name and language."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syndicate.core.newsletter import Newsletter
from syndicate.core.people import check_details
from syndicate.core.reader_steps import Choice, Circumstances, choose, is_closed
from syndicate.core.subscriber import Subscriber
from syndicate.errors import BadInput, NotFound, Refused
from syndicate.storage import people
from syndicate.storage.database import Database
from syndicate.storage.reader_steps import get_person, lift_own, write_steps


def change_preferences(
    database: Database,
    *,
    subscriber_id: int,
    choice: Choice,
    newsletters: Sequence[Newsletter],
    proof: Circumstances,
    now: datetime,
) -> Subscriber:
    """Makes it so for the newsletters of the settings, and returns the person as they are then.

    Raises BadInput for a name, language, cadence or pause that cannot be, NotFound for somebody who was erased, Refused
    when their address is suppressed for another reason than that they left everything."""
    declared = {each.name: each for each in newsletters}
    for name, cadence in choice.cadences.items():
        if name not in declared or (cadence is not None and cadence not in declared[name].cadences):
            raise BadInput(f"There is no {name!r} {cadence or ''}".rstrip() + ".", cure="Load the page again.")
    try:
        check_details(choice.details.get("name", ""), choice.details.get("language", ""), "")
    except ValueError as error:
        raise BadInput(f"{error}.") from None
    with database.write() as connection:
        people.lock_people(connection)
        person = get_person(connection, subscriber_id)
        if person is None:
            raise NotFound("This reader is not known here any more.", cure="Sign up again.")
        if is_closed(person.suppressed) and choice.cadences:
            raise Refused("This address must not be mailed.", cure="Write to the sender.")
        cadences = {each.name: each.cadences for each in newsletters}
        try:
            steps = choose(person, choice, cadences=cadences, now=now)
        except ValueError as error:
            raise BadInput(f"{error}.") from None
        details = {key: value.strip() for key, value in choice.details.items()}
        changed = {key: value for key, value in details.items() if value != getattr(person, key)}
        if changed:
            people.change_details(connection, person.id, changed)
        hash_ = people.hash_of(connection, person.id)
        if person.suppressed and choice.cadences:
            lift_own(connection, hash_, proof.origin, now)
        write_steps(connection, person.id, hash_, steps, proof, now)
        after = get_person(connection, subscriber_id)
    assert after is not None
    return after
