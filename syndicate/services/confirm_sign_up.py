"""A reader confirms by the button behind the link in their confirmation mail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy.engine import Connection

from syndicate.core import reader_steps
from syndicate.core.asked import Asked
from syndicate.core.newsletter import Newsletter
from syndicate.core.reader_steps import Circumstances, ReaderStep
from syndicate.core.sign_up import GOOD_FOR
from syndicate.core.subscriber import Subscriber
from syndicate.storage import people
from syndicate.storage.database import Database
from syndicate.storage.reader_steps import find_by_hash, left_everything_at, lift_own, write_steps
from syndicate.storage.renames import list_renames, name_now


@dataclass(frozen=True, slots=True)
class Confirmation:
    """`state` is what pressing the button would do, or did; `newsletters` are those they get of what was asked for."""

    state: Literal["open", "confirmed", "expired", "closed"]
    person: Subscriber | None = None
    newsletters: tuple[Newsletter, ...] = ()


def look_at(database: Database, asked: Asked, newsletters: Sequence[Newsletter], now: datetime) -> Confirmation:
    """What the button would do. Nothing is written."""
    with database.read() as connection:
        asked = _by_names_of_now(connection, asked)
        return _look(connection, asked, newsletters, now)


def confirm(
    database: Database, asked: Asked, *, newsletters: Sequence[Newsletter], proof: Circumstances, now: datetime
) -> Confirmation:
    """Makes the person active in what they asked for, unless the link is too old, or they left since. Twice is once."""
    with database.write() as connection:
        people.lock_people(connection)
        asked = _by_names_of_now(connection, asked)
        found = _look(connection, asked, newsletters, now)
        if found.state != "open" or found.person is None:
            return found
        if found.person.suppressed:
            lift_own(connection, asked.address_hash, proof.origin, now)
        steps = _steps(found.person, asked, newsletters)
        write_steps(connection, found.person.id, asked.address_hash, steps, proof, now)
        return _look(connection, asked, newsletters, now)


def _by_names_of_now(connection: Connection, asked: Asked) -> Asked:
    renames = list_renames(connection)
    return replace(asked, newsletters=tuple(name_now(renames, name, asked.at) for name in asked.newsletters))


def _steps(person: Subscriber, asked: Asked, newsletters: Sequence[Newsletter]) -> tuple[ReaderStep, ...]:
    cadences = {each.name: each.cadences for each in newsletters}
    return reader_steps.confirm(person, asked.newsletters, asked_at=asked.at, cadences=cadences)


def _look(connection: Connection, asked: Asked, newsletters: Sequence[Newsletter], now: datetime) -> Confirmation:
    person = find_by_hash(connection, asked.address_hash)
    if person is None or now - asked.at > GOOD_FOR or asked.at > now:
        return Confirmation("expired", person)
    if reader_steps.is_closed(person.suppressed):
        return Confirmation("closed", person)
    if person.suppressed and (left_at := left_everything_at(connection, asked.address_hash)) and left_at > asked.at:
        # They asked before that.
        return Confirmation("expired", person)
    declared = {each.name: each for each in newsletters}
    steps = _steps(person, asked, newsletters)
    chosen = {step.newsletter for step in steps} or {
        each.newsletter for each in person.subscriptions if each.status == "active"
    }
    named = tuple(declared[name] for name in asked.newsletters if name in chosen and name in declared)
    if not named:
        return Confirmation("expired", person)
    return Confirmation("open" if steps else "confirmed", person, named)
