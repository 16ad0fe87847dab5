"""How names, header values and whole requests are written for a mail API, and what none of them may contain."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Collection, Mapping, Sequence
from email.utils import parseaddr
from functools import lru_cache
from itertools import chain, repeat

from syndicate.core.copies import Copies
from syndicate.core.headers import check_headers, check_one_line
from syndicate.core.message import CapabilitySheet, Message
from syndicate.errors import BadInput

_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_ADDRESS = re.compile(r"[!-~]+@[A-Za-z0-9._-]+")
_NOT_IN_ADDRESS = re.compile(r'[<>,;:"()\[\]\\ ]')

WRITTEN_BY_THE_API = frozenset(
    [
        *("from", "to", "cc", "bcc", "subject", "reply-to", "sender", "return-path", "received", "dkim-signature"),
        *("mime-version", "content-type", "content-transfer-encoding", "content-disposition"),
    ]
)
"""Header names, in lower case, that follow from other fields of a message or from the sending itself."""


def address(email: str) -> str:
    """The address as it is. Raises BadInput when it is not a bare ASCII address (`core.address` makes domains so)."""
    if _ADDRESS.fullmatch(email) and not _NOT_IN_ADDRESS.search(email):
        return email
    raise BadInput(f"{email!r} cannot be written as an e-mail address.", cure="Correct the address.")


def text(words: str, what: str) -> str:
    """A text as it is. Raises BadInput when it holds half of a surrogate pair, which no mail could carry."""
    if not words.isascii():
        try:
            words.encode("utf-8")
        except UnicodeEncodeError:
            raise BadInput(f"{what} is not valid Unicode.", cure="Look at the articles in it.") from None
    return words


def line(words: str, what: str) -> str:
    """A name or subject as it is. Raises BadInput when it holds a line end or control character (header injection)."""
    check_one_line(what, words)
    return text(words, what)


def is_plain_phrase(words: str) -> bool:
    """Whether a display name may stand bare before an address: RFC 5322 atoms, nothing that looks encoded."""
    return _PLAIN_PHRASE.fullmatch(words) is not None and "=?" not in words


def encoded_words(words: str, *, first: int = 75) -> list[str]:
    """RFC 2047 encoded words (UTF-8, base64) of at most 75 characters, the first of at most `first` (it shares a line
    with the header's name), cut between characters. Between them belongs white space, which readers take away again."""
    chunks, chunk = [], b""
    rooms = chain([(first - 12) // 4 * 3], repeat(45))
    room = next(rooms)
    for character in words:
        octets = character.encode("utf-8")
        if len(chunk) + len(octets) > room:
            chunks.append(chunk)
            chunk, room = b"", next(rooms)
        chunk += octets
    return [f"=?utf-8?b?{b64encode(each).decode('ascii')}?=" for each in [*chunks, chunk] if each]


def mailbox(name: str, email: str) -> str:
    """`name <address>`, the name quoted where need be (RFC 5322 section 3.4) and otherwise as it is, UTF-8 included:
    for an API that encodes names itself. Raises BadInput for what is no address."""
    if not name:
        return address(email)
    if not is_plain_phrase(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        name = f'"{escaped}"'
    return f"{name} <{address(email)}>"


def ascii_mailbox(name: str, email: str) -> str:
    """`name <address>` in ASCII, without quotes: a name that is no plain phrase goes as encoded words, for an API that
    passes names on as they are or refuses quoted ones. Raises BadInput for what is no address."""
    if not name:
        return address(email)
    return f"{name if is_plain_phrase(name) else ' '.join(encoded_words(name))} <{address(email)}>"


@lru_cache(maxsize=64)
def split_mailbox(mailbox: str, what: str) -> tuple[str, str]:
    """`Name <address>` or `address` as (name, address). Raises BadInput."""
    called, email = parseaddr(line(mailbox, what))
    if not email:
        raise BadInput(f"{what} {mailbox!r} holds no address.", cure="Write it as name@example.com.")
    return called, address(email)


def header_fields(message: Message, api: str, *, refused: Collection[str] = WRITTEN_BY_THE_API) -> dict[str, str]:
    """The message's own headers, in order. Raises BadInput as `fields_of` does."""
    return fields_of(message.headers, api, refused=refused)


def fields_of(
    headers: Sequence[tuple[str, str]], api: str, *, refused: Collection[str] = WRITTEN_BY_THE_API
) -> dict[str, str]:
    """Headers by name, in order. Raises BadInput for a name in `refused` (lower case), a name given twice (a
    JSON object holds each once), and for anything but printable ASCII (RFC 5322 section 2.2)."""
    check_headers(headers)
    fields = dict(headers)
    folded = {each.lower() for each in fields}
    if len(folded) < len(headers) or not folded.isdisjoint(refused):
        culprits = sorted(folded.intersection(refused)) or ["one that comes twice"]
        raise BadInput(f"{api} takes no such header from a sender: {', '.join(culprits)}.", cure="Leave it out.")
    return fields


def check_count(messages: Sequence[Message], sheet: CapabilitySheet) -> None:
    """Raises BadInput when there are none, or more than one request takes."""
    if not 1 <= len(messages) <= sheet.recipients_per_request:
        raise BadInput(
            f"One request to {sheet.api} takes 1 to {sheet.recipients_per_request} messages, not {len(messages)}.",
            cure="Plan smaller batches.",
        )


def one_letter(messages: Sequence[Message], sheet: CapabilitySheet) -> Copies:
    """The messages as copies of one letter, for an API that takes one body a request. Raises BadInput when they are not
    (a single one always is), and as `check_count` does."""
    check_count(messages, sheet)
    if isinstance(messages, Copies):
        return messages
    if len(messages) == 1:
        return Copies.of(messages[0])
    raise BadInput(f"One request to {sheet.api} carries one letter.", cure="Send its copies, or one mail at a time.")


def json_bytes(request: object, sheet: CapabilitySheet) -> bytes:
    """Compact JSON in the order of the fields: the same request always gives the same bytes. In ASCII, which Python
    writes three times as fast as UTF-8. Raises BadInput when it is larger than the API takes."""
    return within(json.dumps(request, separators=(",", ":")).encode("ascii"), sheet)


def with_first(body: bytes, fields: Mapping[str, object]) -> bytes:
    """The body, which is an object of JSON, with further fields before its own."""
    return json.dumps(fields, separators=(",", ":")).encode("ascii")[:-1] + b"," + body[1:]


def within(body: bytes, sheet: CapabilitySheet) -> bytes:
    """The body of a request as it is. Raises BadInput when it is larger than the API takes."""
    if len(body) > sheet.bytes_per_request:
        raise BadInput(
            f"A request of {len(body):,} bytes is more than {sheet.api} takes ({sheet.bytes_per_request:,}).",
            cure="Shorten the issue.",
        )
    return body
