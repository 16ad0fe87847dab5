"""Somebody asks on the web to get newsletters: written down as pending, and one mail that asks them to confirm.

Whatever is known of the address, the answer is the same and a row is written; what differs is in the mail, which only
the mailbox's owner reads. Nothing of a person who is known changes before they confirm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy.engine import Connection

from syndicate.core import reader_steps
from syndicate.core.address import Address, address_hash, mailable, normalise
from syndicate.core.asked import Asked
from syndicate.core.newsletter import Newsletter
from syndicate.core.reader_steps import Circumstances, is_closed
from syndicate.core.sign_up import IN_ALL, PER_ADDRESS, PER_NETWORK, WORDING, network_of
from syndicate.core.subscriber import Subscriber
from syndicate.core.token import TokenSigner
from syndicate.errors import BadInput
from syndicate.rendering.issue import House
from syndicate.rendering.reader_mail import ReaderMail, RenderedMail, render_reader_mail
from syndicate.rendering.reader_words import reader_words
from syndicate.storage import people
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.people import find_people
from syndicate.storage.rate_limits import rate_key, take
from syndicate.storage.reader_steps import write_steps
from syndicate.storage.transactional import queue_mail


@dataclass(frozen=True, slots=True)
class SignedUp:
    """`state` is "asked" whether or not a mail goes out; "network" and "busy" tell to come back after `wait`."""

    state: Literal["asked", "network", "busy"]
    wait: timedelta = timedelta(0)


def sign_up(
    database: Database,
    *,
    email: str,
    newsletters: Sequence[Newsletter],
    language: str,
    house: House,
    signer: TokenSigner,
    proof: Circumstances,
    now: datetime,
) -> SignedUp:
    """Asks the owner of the address to confirm. `language` is that of the page; a known person is written to in their
    own. Raises BadInput for what is no address."""
    try:
        address = mailable(normalise(email))
    except ValueError as error:
        raise BadInput(f"{error}.") from None
    with database.read() as connection:
        secret = address_key(connection)
        keyed = address_hash(address.address, secret)
        person = find_people(connection, {address.address: keyed}).get(address.address)
    spoken = person.language if person is not None and person.language else language
    mail, known = _mail(person, address, keyed, newsletters, spoken, house, signer, now)
    with database.write() as connection:
        people.lock_people(connection)
        wait = take(connection, rate_key("sign-up-network", network_of(proof.ip) or proof.ip, secret), PER_NETWORK, now)
        if wait:
            return SignedUp("network", wait)
        if take(connection, rate_key("sign-up", address.address, secret), PER_ADDRESS, now):
            # Whoever fills a stranger's mailbox is not told that it is full.
            return SignedUp("asked")
        wait = take(connection, "sign-up-in-all", IN_ALL, now)
        if wait:
            return SignedUp("busy", wait)
        if mail is not None:
            subscriber = _write_down(connection, address, keyed, newsletters, language, proof, now)
            queue_mail(
                connection,
                kind="confirmation",
                request_key=_request_key(keyed, known, now),
                to_email=address.email,
                subject=mail.subject,
                html=mail.html,
                text=mail.text,
                now=now,
                subscriber_id=subscriber,
            )
    return SignedUp("asked")


def _write_down(
    connection: Connection,
    address: Address,
    keyed: str,
    newsletters: Sequence[Newsletter],
    language: str,
    proof: Circumstances,
    now: datetime,
) -> int:
    """The pending subscriptions; returns the person's id."""
    person = people.find_subscriber(connection, address.address)
    firsts = {each.name: next(iter(each.cadences), "") for each in newsletters}
    _, steps = reader_steps.ask(person, firsts)
    if person is not None:
        subscriber = person.id
    else:
        row = {
            "email": address.email,
            "address": address.address,
            "address_hash": keyed,
            "name": "",
            "language": language,
            "timezone": "",
            "created_at": now,
        }
        subscriber = people.add_people(connection, [row])[address.address]
    write_steps(connection, subscriber, keyed, steps, proof, now)
    return subscriber


def _mail(
    person: Subscriber | None,
    address: Address,
    keyed: str,
    newsletters: Sequence[Newsletter],
    language: str,
    house: House,
    signer: TokenSigner,
    now: datetime,
) -> tuple[RenderedMail | None, bool]:
    """What the mailbox is told, and whether it has all of it already; no mail at all for a closed address. The name
    that a person has here is not in it: somebody else may have typed the address."""
    if person is not None and is_closed(person.suppressed):
        return None, False
    known = person if person is not None and person.id else None
    missing, _ = reader_steps.ask(known, {each.name: "" for each in newsletters})
    if person is not None and person.suppressed:
        # They left everything: what they had is not theirs any more until they say so.
        missing = tuple(each.name for each in newsletters)
    words = reader_words(language)
    publication = house.publication
    shown = [each for each in newsletters if each.name in missing] or list(newsletters)
    titles = tuple(each.title for each in shown)
    listed = ", ".join(titles)
    why = words.mail_why.format(place=publication.web("subscribe"))
    if missing or known is None:
        token = Asked(keyed, tuple(each.name for each in shown), now, WORDING).token(signer)
        told = ReaderMail(
            subject=words.mail_subject.format(newsletters=listed),
            title=words.mail_title,
            paragraphs=(words.mail_text.format(address=address.email),),
            items=titles,
            button=(words.mail_button, publication.web(f"confirm/{token}")),
            small=(words.mail_ignore,),
            why=why,
        )
        return render_reader_mail(house, told, language=language), False
    token = signer.sign("preferences", known.id, shown[0].name, 0)
    told = ReaderMail(
        subject=words.mail_known_subject.format(newsletters=listed),
        title=words.mail_known_title,
        paragraphs=(words.mail_known_text.format(address=address.email),),
        items=titles,
        button=(words.mail_known_button, publication.web(f"p/{token}")),
        why=why,
    )
    return render_reader_mail(house, told, language=language), True


def _request_key(keyed: str, known: bool, now: datetime) -> str:
    """The same within one second: a double click is one mail."""
    return f"{'known' if known else 'confirm'}-{keyed[:40]}-{int(now.timestamp())}"
