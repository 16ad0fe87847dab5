"""Readers who act for themselves on a started site: what the services behind their pages are called with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from syndicate.core.asked import Asked, read_asked
from syndicate.core.newsletter import Newsletter
from syndicate.core.reader_steps import Circumstances
from syndicate.core.subscriber import Subscriber
from syndicate.services.confirm_sign_up import Confirmation, confirm
from syndicate.services.sign_up import SignedUp, sign_up
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.people import find_subscriber
from tests.mailing import SIGNER
from tests.services.composing_room import house
from tests.services.site_rows import EVENING, MORNING

ANN = "ann@post.example"
BOTH = (MORNING, EVENING)
FORM = Circumstances("form", "203.0.113.7", "A browser", "2026-11")
HOUSE = house()


def ask(
    database: Database,
    now: datetime,
    email: str = ANN,
    newsletters: Sequence[Newsletter] = (MORNING,),
    language: str = "en",
    proof: Circumstances = FORM,
) -> SignedUp:
    return sign_up(
        database,
        email=email,
        newsletters=newsletters,
        language=language,
        house=HOUSE,
        signer=SIGNER,
        proof=proof,
        now=now,
    )


def press(database: Database, asked: Asked, now: datetime, newsletters: Sequence[Newsletter] = BOTH) -> Confirmation:
    return confirm(database, asked, newsletters=newsletters, proof=FORM, now=now)


def asked_in(mail: Any) -> Asked:
    """What the link of a queued confirmation stands for."""
    return read_asked(SIGNER, link_in(mail, "/confirm/"))


def link_in(mail: Any, path: str) -> str:
    """The token behind that path in the text of a mail."""
    return str(mail.text.split(path, 1)[1].split()[0])


def queued(database: Database) -> list[Any]:
    table = tables.transactional_mails
    with database.read() as connection:
        return list(connection.execute(sa.select(table).order_by(table.c.id)))


def join(database: Database, now: datetime, newsletters: Sequence[Newsletter] = BOTH, email: str = ANN) -> int:
    """Signs up and confirms; the person's id."""
    ask(database, now, email, newsletters)
    press(database, asked_in(queued(database)[-1]), now)
    person = person_of(database, email)
    assert person is not None
    return person.id


def person_of(database: Database, email: str = ANN) -> Subscriber | None:
    with database.read() as connection:
        return find_subscriber(connection, email)


def statuses(database: Database, email: str = ANN) -> dict[str, str]:
    person = person_of(database, email)
    return {each.newsletter: each.status for each in person.subscriptions} if person else {}
