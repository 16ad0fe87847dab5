"""Whole mails in a request of JSON: what all copies of a letter have in common is looked at and written once, and each
reader's own values are put between, those of all readers of a request at once.

Octet by octet it is compact JSON in ASCII, in the order of the fields, as if each mail had been written by itself: the
same mails always give the same request.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from itertools import repeat
from json.encoder import encode_basestring_ascii as _escape
from typing import Literal

from syndicate.core.copies import Copies, Field, Letter, Wording
from syndicate.core.headers import check_values
from syndicate.core.message import CapabilitySheet, Message, label
from syndicate.mail import encoding

Place = Literal[Field, "name_in_html", "to", "message_id", "label", "request"]
"""Where a value of each reader's own goes: what `To` gives, their Message-ID, its label, or what is said of the whole
request."""

_encode = json.JSONEncoder(separators=(",", ":")).encode
_MARK = "\x00place\x00"
"""What stands in for a part with places while the mail around it is written: nothing else there may hold it."""
_WRITTEN_MARK = _escape(_MARK).encode("ascii")


@dataclass(frozen=True, slots=True)
class Part:
    """JSON with places: `literals[0]`, the value of `places[0]`, `literals[1]`, …"""

    literals: tuple[bytes, ...]
    places: tuple[Place, ...]


TO = Part((b"", b""), ("to",))
MESSAGE_ID, LABEL, REQUEST = (Part((b'"', b'"'), (place,)) for place in ("message_id", "label", "request"))


@dataclass(frozen=True, slots=True)
class Blank:
    """A mail of a letter that is nobody's yet. Its parts raise BadInput for what no mail could carry."""

    letter: Letter
    has_id: bool
    """Whether its mails have a Message-ID."""

    @property
    def has_text(self) -> bool:
        return self.letter.text.literals != ("",)

    @property
    def subject(self) -> Part:
        return _part(self.letter.subject, lambda literal: encoding.line(literal, "The subject"))

    @property
    def text(self) -> Part:
        return _part(self.letter.text, lambda literal: encoding.text(literal, "The text of a mail"))

    @property
    def html(self) -> Part:
        part = _part(self.letter.html, lambda literal: encoding.text(literal, "The HTML of a mail"))
        return Part(part.literals, tuple("name_in_html" if place == "name" else place for place in part.places))

    def headers(self, api: str) -> dict[str, object]:
        """The mail's own headers, in order. Raises BadInput as `encoding.fields_of` does."""
        own = [(name, value.written(lambda _: "")) for name, value in self.letter.in_order]
        fields: dict[str, object] = {**encoding.fields_of([("Message-ID", "")] * self.has_id + own, api)}
        fields |= {name: _part(value) for name, value in self.letter.headers if value.fields}
        return fields | {"Message-ID": MESSAGE_ID} if self.has_id else fields


Write = Callable[[Blank], object]
"""How a mail API has a mail: an object of JSON, with parts in it."""
To = Callable[[str, str], object]
"""How it has the name and the address of a reader. Raises BadInput for what it cannot express."""


def copies_of(messages: Sequence[Message], sheet: CapabilitySheet) -> list[Copies]:
    """The messages as copies of as few letters as they are known to be of. Raises BadInput as `encoding.check_count`
    does."""
    encoding.check_count(messages, sheet)
    return [messages] if isinstance(messages, Copies) else [Copies.of(message) for message in messages]


def request(
    mails: Iterable[Copies],
    sheet: CapabilitySheet,
    write: Write,
    to: To,
    *,
    around: tuple[bytes, bytes] = (b"[", b"]"),
    said_of_all: str = "",
) -> bytes:
    """The mails, one after another, between what stands around them; `said_of_all` stands in the places `REQUEST`.
    Raises BadInput for what cannot be expressed, or is larger than the API takes."""
    pieces: list[bytes] = []
    for copies in mails:
        pieces += _pieces(copies, write, to, said_of_all)
    pieces[0] = around[0] + pieces[0].removeprefix(b",")
    pieces.append(around[1])
    return encoding.within(b"".join(pieces), sheet)


def _pieces(copies: Copies, write: Write, to: To, said_of_all: str) -> list[bytes]:
    """What to join: a comma and a mail for each reader."""
    ids = copies.message_ids()
    check_values("Message-ID", ids)
    for name, value in copies.letter.headers:
        if value.fields:
            check_values(name, copies.filled(value))
    mail = _written(write, Blank(copies.letter, any(ids)))
    people, count = copies.people, len(copies)
    encoding.line("".join([person.leaving + person.choosing for person in people]), "The token of a link")
    words: dict[Place, Iterable[str]] = {
        "leaving": (person.leaving for person in people),
        "choosing": (person.choosing for person in people),
        "name": [encoding.line(person.name, "A reader's name") for person in people],
        "name_in_html": (escape(person.name) for person in people),
        "message_id": ids,
        "label": map(label, ids),
        "request": repeat(said_of_all, count),
    }
    values = {place: _insides(words[place]) for place in set(mail.places) - {"to"}}
    values["to"] = [_encode(to(person.name, person.email)).encode("ascii") for person in people]
    width = len(mail.literals) + len(mail.places)
    pieces = [b""] * (width * count)
    for at, literal in enumerate(mail.literals):
        pieces[2 * at :: width] = [literal] * count
    for at, place in enumerate(mail.places):
        pieces[2 * at + 1 :: width] = values[place]
    return pieces


@lru_cache(maxsize=16)
def _written(write: Write, blank: Blank) -> Part:
    """A comma and the mail."""
    parts: list[Part] = []

    def hold(part: object) -> str:
        assert isinstance(part, Part)
        parts.append(part)
        return _MARK

    written = b"," + json.dumps(write(blank), separators=(",", ":"), default=hold).encode("ascii")
    literals, places = [b""], list[Place]()
    for between, part in zip(written.split(_WRITTEN_MARK), [*parts, Part((b"",), ())], strict=True):
        literals[-1] += between + part.literals[0]
        literals += part.literals[1:]
        places += part.places
    return Part(tuple(literals), tuple(places))


def _part(wording: Wording, look_at: Callable[[str], str] = str) -> Part:
    """A string."""
    literals = _insides(map(look_at, wording.literals))
    literals[0] = b'"' + literals[0]
    literals[-1] += b'"'
    return Part(tuple(literals), wording.fields)


def _insides(words: Iterable[str]) -> list[bytes]:
    """Each as the inside of a string of JSON."""
    return [_escape(each)[1:-1].encode("ascii") for each in words]
