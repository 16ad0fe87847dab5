"""One letter to many people: what is the same for all of them, and the few values that differ.

A mail API that substitutes gets the letter once and the values of each; for one that does not, whole mails are spliced
from the letter, one by one as they are asked for. Nothing is rendered again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple, overload

from syndicate.core.message import Message
from syndicate.core.placeholders import pieces

Field = Literal["leaving", "choosing", "name"]
"""leaving: the token of a link out. choosing: the token of a link to one's preferences. name: the recipient's."""

_FIELDS: Mapping[str, Field] = {"unsubscribe": "leaving", "preferences": "choosing", "name": "name"}
"""By the placeholder that stands for it, whose link is its token with what stands before it."""


class Wording:
    """A text with places for each recipient's own values: `literals[0]`, the value of `fields[0]`, `literals[1]`, …"""

    __slots__ = ("_parts", "_places", "fields", "fill", "literals")

    def __init__(self, literals: Sequence[str], fields: Sequence[Field] = ()) -> None:
        self.literals, self.fields = tuple(literals), tuple(fields)
        self._parts = [""] * (len(self.literals) + len(self.fields))
        self._parts[::2] = self.literals
        self._places = tuple(
            [1 + 2 * at for at, field in enumerate(self.fields) if field == wanted]
            for wanted in ("leaving", "choosing", "name")
        )
        self.fill: Callable[[str, str, str], str] = self._fill if self.fields else self._same
        """The text with these values (leaving, choosing, name) in their places, as they are."""

    @classmethod
    def of(cls, text: str, leave_at: str, choose_at: str) -> Wording:
        """A text with the placeholders of `core.placeholders`; the two are what stands before the tokens of links."""
        before = {"unsubscribe": leave_at, "preferences": choose_at, "name": ""}
        parts = pieces(text)
        for at in range(1, len(parts), 2):
            parts[at - 1] += before[parts[at]]
        return cls(parts[::2], [_FIELDS[name] for name in parts[1::2]])

    def written(self, place: Callable[[Field], str], literal: Callable[[str], str] = str) -> str:
        """The text with something else in each place, and its literals as `literal` writes them."""
        parts = self._parts.copy()
        parts[::2] = map(literal, self.literals)
        parts[1::2] = map(place, self.fields)
        return "".join(parts)

    def _same(self, leaving: str, choosing: str, name: str) -> str:
        return self.literals[0]

    def _fill(self, leaving: str, choosing: str, name: str) -> str:
        parts = self._parts.copy()
        for places, value in zip(self._places, (leaving, choosing, name), strict=True):
            for at in places:
                parts[at] = value
        return "".join(parts)


@dataclass(frozen=True, slots=True, eq=False)
class Letter:
    """What the mails of one version have in common. `headers` are those a vendor lets a sender set, but for Message-ID,
    in order; names stand in `html` as HTML. Two letters are the same only if they are one object."""

    from_name: str
    from_email: str
    reply_to: str
    subject: Wording
    html: Wording
    text: Wording
    headers: tuple[tuple[str, Wording], ...] = ()

    @property
    def fields(self) -> frozenset[Field]:
        """The values that a recipient must have."""
        wordings = (self.subject, self.html, self.text, *(value for _, value in self.headers))
        return frozenset(field for wording in wordings for field in wording.fields)

    @property
    def in_order(self) -> list[tuple[str, Wording]]:
        """The headers as they stand in a mail: those first that differ."""
        return sorted(self.headers, key=lambda header: not header[1].fields)


class Addressee(NamedTuple):
    """One recipient of a letter, with the values for its places. `own` is what the Message-ID of their mail is made
    of."""

    email: str
    name: str
    leaving: str
    choosing: str
    own: int | str


class Copies(Sequence[Message]):
    """Mails that are copies of one letter. As a sequence it is whole mails, made as they are asked for."""

    def __init__(self, letter: Letter, people: Sequence[Addressee], message_id: Callable[[int | str], str]) -> None:
        self.letter, self.people = letter, people
        self._message_id = message_id
        self._headers = letter.in_order

    @classmethod
    def of(cls, message: Message) -> Copies:
        """One whole mail, as a letter without places."""
        headers = tuple(
            (name, Wording([value])) for name, value in message.headers if name.lower() != "message-id"
        )
        letter = Letter(
            message.from_name,
            message.from_email,
            message.reply_to,
            Wording([message.subject]),
            Wording([message.html]),
            Wording([message.text]),
            headers,
        )
        return cls(letter, [Addressee(message.to_email, message.to_name, "", "", message.message_id)], str)

    def message_id(self, person: Addressee) -> str:
        """The Message-ID of their mail, with its angle brackets; "" for none."""
        return self._message_id(person.own)

    def message_ids(self) -> list[str]:
        """Those of all, in order."""
        return [self._message_id(person.own) for person in self.people]

    def filled(self, wording: Wording) -> list[str]:
        """A wording of the letter, other than HTML, as each has it; once where all have the same."""
        if not wording.fields:
            return list(wording.literals)
        return [wording.fill(person.leaving, person.choosing, person.name) for person in self.people]

    def __len__(self) -> int:
        return len(self.people)

    @overload
    def __getitem__(self, place: int) -> Message: ...
    @overload
    def __getitem__(self, place: slice) -> Copies: ...
    def __getitem__(self, place: int | slice) -> Message | Copies:
        if isinstance(place, slice):
            return Copies(self.letter, self.people[place], self._message_id)
        return self.whole(self.people[place])

    def __iter__(self) -> Iterator[Message]:
        return map(self.whole, self.people)

    def whole(self, person: Addressee) -> Message:
        """Their mail."""
        letter, (email, name, leaving, choosing, own) = self.letter, person
        in_html = escape(name) if name else ""
        message_id = self._message_id(own)
        return Message(
            to_email=email,
            from_name=letter.from_name,
            from_email=letter.from_email,
            reply_to=letter.reply_to,
            subject=letter.subject.fill(leaving, choosing, name),
            html=letter.html.fill(leaving, choosing, in_html),
            text=letter.text.fill(leaving, choosing, name),
            headers=(
                *((("Message-ID", message_id),) if message_id else ()),
                *((header, value.fill(leaving, choosing, name)) for header, value in self._headers),
            ),
            to_name=name,
        )


def addresses_of(messages: Sequence[Message]) -> list[str]:
    """Whom the messages go to, in order, without making any of them."""
    if isinstance(messages, Copies):
        return [person.email for person in messages.people]
    return [message.to_email for message in messages]
