"""How a mail is written out: RFC 5322, RFC 2045, RFC 2047. CRLF throughout, ASCII, the same words the same octets."""

from __future__ import annotations

import binascii
import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from syndicate.core.headers import LONGEST_LINE
from syndicate.core.message import Message
from syndicate.mail import encoding
from syndicate.mail.encoding import encoded_words, is_plain_phrase

_SHORT = 60
_BESIDE_A_NAME = 66
"""Room for an encoded word in the line of a header's name: 76 (RFC 2047 section 2) less the longest name here."""

_LONG = 1_000
"""Characters of a line that is not kept for the next mail."""

_LINE_END = re.compile(r"\r\n?")
_SINGLE_SPACED = re.compile(r"[!-~]+( [!-~]+)*")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A display name, or "", and an ASCII address."""

    name: str
    email: str


def write_message(message: Message) -> bytes:
    """The mail in octets. Its headers stand verbatim and in order. Raises BadInput for what cannot be written."""
    fields = encoding.header_fields(message, "SMTP")
    sender = Mailbox(encoding.line(message.from_name, "The sender's name"), encoding.address(message.from_email))
    reader = Mailbox(encoding.line(message.to_name, "A reader's name"), encoding.address(message.to_email))
    lines = [addresses("From", [sender]), addresses("To", [reader])]
    if message.reply_to:
        lines.append(addresses("Reply-To", [Mailbox(*encoding.split_mailbox(message.reply_to, "The reply address"))]))
    lines.append(f"Subject: {unstructured(encoding.line(message.subject, 'The subject'))}")
    lines += [folded(name, value) for name, value in fields.items()]
    text, html = encoding.text(message.text, "The text of a mail"), encoding.text(message.html, "The HTML of a mail")
    return whole([*lines, "MIME-Version: 1.0"], text, html)


def whole(lines: Iterable[str], text: str, html: str) -> bytes:
    """The header's lines and the two versions of the body, the one that is "" left out."""
    head = "\r\n".join(lines).encode("ascii") + b"\r\n"
    parts = [_part(kind, words) for kind, words in (("plain", text), ("html", html)) if words]
    if len(parts) < 2:
        return head + (parts[0] if parts else _part("plain", ""))
    # "=_" cannot come out of quoted-printable, so no part can hold the boundary.
    boundary = b"=_" + sha256(b"".join(parts)).hexdigest()[:24].encode()
    opening = b'Content-Type: multipart/alternative; boundary="%b"\r\n' % boundary
    body = b"".join(b"\r\n--%b\r\n%b" % (boundary, part) for part in parts)
    return head + opening + body + b"\r\n--%b--\r\n" % boundary


def _part(kind: str, words: str) -> bytes:
    *lines, last = (_LINE_END.sub("\n", words) if "\r" in words else words).split("\n")
    head = f'Content-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
    whole = [_line(line) if len(line) < _LONG else _quoted(f"{line}\n") for line in lines]
    return b"".join([head.encode("ascii"), *whole, _quoted(last)])


# Most of them are the same in each mail.
@lru_cache(maxsize=4096)
def _line(words: str) -> bytes:
    return _quoted(f"{words}\n")


def _quoted(words: str) -> bytes:
    # Python writes quoted-printable with the line ends it was given: one kind in, so one kind out.
    return binascii.b2a_qp(words.encode("utf-8"), istext=True).replace(b"\n", b"\r\n")


def addresses(name: str, boxes: Iterable[Mailbox]) -> str:
    """A header of addresses."""
    return f"{name}: " + ",\r\n ".join(_address(box) for box in boxes)


def _address(box: Mailbox) -> str:
    if not box.name:
        return box.email
    if len(box.name) > _SHORT or not box.name.isascii() or "=?" in box.name or box.name.strip() != box.name:
        return "\r\n ".join([*encoded_words(box.name, first=_BESIDE_A_NAME), f"<{box.email}>"])
    elif is_plain_phrase(box.name):
        called = box.name
    else:
        escaped = box.name.replace("\\", "\\\\").replace('"', '\\"')
        called = f'"{escaped}"'
    return f"{called} <{box.email}>"


def unstructured(words: str) -> str:
    """Bare when it is plain, a long one folded before blanks; else in encoded words, one a line."""
    plain = words.isascii() and "=?" not in words
    if plain and len(words) <= _SHORT and words.strip() == words:
        return words
    # Folded only where unfolding gives the same back: between words, none of which fills a line by itself.
    if plain and _SINGLE_SPACED.fullmatch(words) and max(map(len, words.split(" "))) <= _SHORT:
        return "\r\n ".join(textwrap.wrap(words, _SHORT, break_long_words=False, break_on_hyphens=False))
    return "\r\n ".join(encoded_words(words, first=_BESIDE_A_NAME))


def folded(name: str, value: str) -> str:
    """Verbatim; only a line that would break the limit of RFC 5322 is folded, at its blanks."""
    line = f"{name}: {value}"
    if len(line) <= LONGEST_LINE:
        return line
    lines = [""]
    for piece in re.split(r"(?=[\t ])", line):
        if len(lines[-1]) + len(piece) > LONGEST_LINE:
            lines.append("")
        lines[-1] += piece
    return "\r\n".join(lines)
