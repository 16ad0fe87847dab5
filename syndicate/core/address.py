"""E-mail addresses: what people give, and the one form that tells two of them apart.

`email` is what mail is sent to: as given, with its domain in lower case ASCII (IDNA 2008, RFC 5891). `address` is
the identity: `email` with its local part in lower case, since no mailbox provider of note tells `Ann@` from `ann@`
(RFC 5321 §2.4 would let them). Dots and `+tags` are kept: they are different mailboxes at most hosts.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from typing import NamedTuple

LONGEST = 254
"""RFC 5321 §4.5.3.1.3: a path holds 256 octets, its angle brackets included."""

# What nearly every address looks like, for which both ways give the same answer (a test holds that): a file of a
# hundred thousand takes a tenth of a second this way and six the other.
_PLAIN = re.compile(
    r"(?=.{3,200}\Z)(?P<local>[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@"
    r"(?P<domain>(?:[A-Za-z0-9](?:[A-Za-z0-9]|-(?!-)){0,40}(?<!-)\.)+[A-Za-z]{2,20})\Z"
)
_SPECIAL = frozenset({"arpa", "alt", "example", "internal", "invalid", "lan", "local", "localhost", "onion", "test"})
_LONGEST_LOCAL = 64


class Address(NamedTuple):
    """`email` is as given with a clean domain; `address` is the normalised form, unique among subscribers."""

    email: str
    address: str


def normalise(text: str) -> Address:
    """Both forms of an e-mail address. Raises ValueError with what is wrong; never looks anything up."""
    text = text.strip()
    plain = _PLAIN.match(text)
    if plain:
        local, domain = plain["local"], plain["domain"].lower()
        if len(local) <= _LONGEST_LOCAL and domain.rpartition(".")[2] not in _SPECIAL:
            return Address(f"{local}@{domain}", f"{local.lower()}@{domain}")
    from email_validator import EmailNotValidError, validate_email

    if any(ord(each) < 0x20 or ord(each) == 0x7F for each in text):
        raise ValueError("it holds a line break or a control character")
    try:
        found = validate_email(text, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError(f"{shown(text)} is not an e-mail address: {_lower_first(str(error))}") from None
    domain = found.ascii_domain.lower()
    email = f"{found.local_part}@{domain}"
    if len(email.encode()) > LONGEST:
        raise ValueError(f"{shown(text)} is longer than {LONGEST} bytes")
    return Address(email, f"{found.local_part.lower()}@{domain}")


def mailable(found: Address) -> Address:
    """The same, of who is to get mail from now on. Raises ValueError for a local part outside ASCII (RFC 6531), which
    mail APIs refuse. Whoever has one may still leave, be suppressed or be erased."""
    if not found.email.isascii():
        raise ValueError(f"{shown(found.email)} cannot be mailed: it has letters outside ASCII before the @")
    return found


def named(text: str) -> tuple[str, str]:
    """Name and email of `The Harbour Post <news@post.example>`; a bare address has the name "". Raises ValueError."""
    # Not email.utils.parseaddr: a comma in a name, which people write without quotes, would end it there.
    name, bracket, email = text.strip().rpartition("<")
    if not bracket:
        return "", normalise(text).email
    if not email.endswith(">") or set("<>") & set(name + email[:-1]):
        raise ValueError(f"found {shown(text)}")
    return name.strip().strip('"').strip(), normalise(email[:-1]).email


def address_hash(address: str, key: bytes) -> str:
    """The keyed hash (HMAC-SHA256, 64 hex digits) under which an address is suppressed: it outlives erasure, and
    nobody without the key can try addresses against it."""
    return keyed_hash(key, address.encode())


def keyed_hash(key: bytes, text: bytes) -> str:
    """HMAC-SHA256 in 64 hex digits."""
    made = _begun(key).copy()
    made.update(text)
    return made.hexdigest()


@lru_cache(10)
def _begun(key: bytes) -> hmac.HMAC:
    # To begin anew costs twice as much as to copy what was begun, and events come by the thousand.
    return hmac.new(key, digestmod="sha256")


def shown(text: str) -> str:
    """A text from outside, short and without control characters, for a message."""
    return repr(text if len(text) <= 80 else f"{text[:77]}…")


def _lower_first(text: str) -> str:
    return (text[:1].lower() + text[1:]).rstrip(".")
