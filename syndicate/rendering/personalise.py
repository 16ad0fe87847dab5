"""One rendered body becomes one letter to many recipients, with each one's own links and name: nothing is rendered
again."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from html import escape
from itertools import islice
from typing import Protocol

from syndicate.core import headers
from syndicate.core.copies import Addressee, Copies, Letter, Wording
from syndicate.core.message import Message
from syndicate.core.newsletter import Newsletter
from syndicate.core.placeholders import LONGEST_NAME
from syndicate.core.publication import Publication, Sender
from syndicate.core.recipients import Recipients
from syndicate.core.token import TokenSigner
from syndicate.errors import BadInput
from syndicate.rendering.email import RenderedVariant
from syndicate.rendering.text import one_line
from syndicate.rendering.words import TEST_MARKS, words_for

_LINE_END = re.compile(r"[\r\n]")
_AT_ONCE = 1_000
"""People whose values are made in one go."""
_addressee: Callable[[Iterable[object]], Addressee] = partial(tuple.__new__, Addressee)


class Person(Protocol):
    """Whoever gets a copy."""

    @property
    def ordinal(self) -> int: ...
    @property
    def subscriber_id(self) -> int: ...
    @property
    def email(self) -> str: ...
    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Recipient:
    """One row of the frozen audience. A preview takes any: `Recipient(1, 0, "reader@example.org", "")`."""

    ordinal: int
    subscriber_id: int
    email: str
    name: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """What all mails of an issue share. `date` is aware; `instance` names the installation and never changes; a test's
    links are signed for nothing."""

    publication: Publication
    sender: Sender
    newsletter: Newsletter
    issue_id: int
    instance: str
    date: datetime
    signer: TokenSigner
    revision: int = 1
    test: bool = False


def message_ids(envelope: Envelope) -> Callable[[int | str], str]:
    """The Message-ID of a mail under this envelope, by `Addressee.own`: the same for the same person and issue for
    ever, whatever the revision, so that a copy that comes twice shows as one. Tests of one issue differ by their
    moment, else a mailbox would hide the second."""
    host = headers.mail_host(envelope.publication.web_url)
    if envelope.test:
        whole = headers.message_ids(host, envelope.instance, envelope.issue_id, "test")
        return lambda own: whole(f"{own}\x1f{envelope.date.isoformat()}")
    return headers.message_ids(host, envelope.instance, envelope.issue_id)


def _own(envelope: Envelope, people: Recipients) -> Sequence[int | str]:
    return people.emails if envelope.test else people.subscriber_ids


def message_ids_of(envelope: Envelope, people: Recipients) -> list[str]:
    """The Message-IDs of their mails under this envelope, whatever the revision."""
    return list(map(message_ids(envelope), _own(envelope, people)))


def letter_of(variant: RenderedVariant, envelope: Envelope) -> Letter:
    """The version as a letter. Raises BadInput when the sender or a web address cannot stand in a header."""
    sender, newsletter = envelope.sender, envelope.newsletter.name
    for what, value in (
        ("[mail] from", sender.from_name),
        ("[mail] from", sender.from_email),
        ("[mail] reply_to", sender.reply_to),
    ):
        headers.check_one_line(what, value)
    common = headers.common_headers(
        date=envelope.date,
        title=envelope.newsletter.title,
        newsletter=newsletter,
        host=headers.mail_host(envelope.publication.web_url),
        issue_id=envelope.issue_id,
        revision=envelope.revision,
        instance=envelope.instance,
    )
    leave_at, choose_at = envelope.publication.web("u/"), envelope.publication.web("p/")
    return Letter(
        from_name=sender.from_name,
        from_email=sender.from_email,
        reply_to=sender.reply_to,
        subject=Wording.of(_marked(variant.subject, envelope), leave_at, choose_at),
        # Tokens need no escaping: only what stands before them may.
        html=Wording.of(variant.html, escape(leave_at), escape(choose_at)),
        text=Wording.of(variant.text, leave_at, choose_at),
        headers=(
            ("List-Unsubscribe", Wording([f"<{leave_at}", ">"], ["leaving"])),
            *((name, Wording([value])) for name, value in common),
        ),
    )


def addressees(envelope: Envelope, people: Recipients) -> list[Addressee]:
    """Each recipient with their own values, in their order.

    Unsubscribe and preferences tokens carry (subscriber id, newsletter, issue id). Raises BadInput for an address that
    holds a line end, and when a value cannot stand in a header."""
    emails, names = people.emails, people.names
    if _LINE_END.search("".join(emails)):
        at = next(place for place, email in enumerate(emails) if _LINE_END.search(email))
        raise BadInput(
            f"The address of recipient {people.ordinals[at]} holds a line end.", cure="Correct or erase it."
        )
    if any(names):
        names = [one_line(name)[:LONGEST_NAME] if name else name for name in names]
    leave, choose = ("test", "test") if envelope.test else ("unsubscribe", "preferences")
    leaving, choosing = (
        envelope.signer.series(purpose, envelope.newsletter.name, envelope.issue_id)(people.subscriber_ids)
        for purpose in (leave, choose)
    )
    if leaving:
        # Tokens are ASCII by construction and differ by a few digits: one look is enough.
        headers.check_headers([("List-Unsubscribe", f"<{envelope.publication.web('u/')}{leaving[0]}>")])
    return list(map(_addressee, zip(emails, names, leaving, choosing, _own(envelope, people), strict=True)))


def copies(variant: RenderedVariant | Letter, envelope: Envelope, people: Recipients) -> Copies:
    """A letter to these recipients. The same arguments always give the same mails. Raises BadInput."""
    letter = variant if isinstance(variant, Letter) else letter_of(variant, envelope)
    return Copies(letter, addressees(envelope, people), message_ids(envelope))


def personalise(variant: RenderedVariant, envelope: Envelope, people: Iterable[Person]) -> Iterator[Message]:
    """A whole mail for each recipient, in their order, made as it is asked for. Raises BadInput."""
    whole, left = copies(variant, envelope, Recipients()).whole, iter(people)
    while some := recipients(islice(left, _AT_ONCE)):
        yield from map(whole, addressees(envelope, some))


def recipients(people: Iterable[Person]) -> Recipients:
    """The same people, column by column."""
    return Recipients.of((one.ordinal, one.subscriber_id, one.email, one.name, "") for one in people)


def _marked(subject: str, envelope: Envelope) -> str:
    if envelope.test and not subject.startswith(TEST_MARKS):
        return f"{words_for(envelope.newsletter.language).test_mark} {subject}"
    return subject
