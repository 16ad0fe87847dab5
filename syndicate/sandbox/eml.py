"""A request to the sandbox becomes a mail as a mailbox would hold it (RFC 5322, RFC 2045, RFC 2047)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from syndicate.core.headers import LONGEST_LINE
from syndicate.mail.mime import Mailbox, addresses, folded, unstructured, whole

_HEADER_NAME = re.compile(r"[!-9;-~]+")
_HEADER_VALUE = re.compile(r"[\t -~]*")
_ADDRESS = re.compile(r"[^\s<>,;:\"()\[\]\\@\x00-\x1f\x7f-\U0010ffff]+@[A-Za-z0-9._-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

RESTRICTED = frozenset(["to", "from", "cc", "bcc", "reply-to", "date", "subject", "content-type", "mime-version"])
"""Header names, in lower case, that Mailpit does not take among `Headers`."""


class Unusable(ValueError):
    """The request cannot become a mail; the message says why, in one line."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A request that was read and found usable. `date` is the value of the Date header, "" when none was given."""

    sender: Mailbox
    to: tuple[Mailbox, ...]
    cc: tuple[Mailbox, ...]
    bcc: tuple[Mailbox, ...]
    reply_to: tuple[Mailbox, ...]
    subject: str
    text: str
    html: str
    headers: tuple[tuple[str, str], ...]
    tags: tuple[str, ...]
    date: str

    @property
    def message_id(self) -> str:
        """The value of Message-ID with its angle brackets, or ""."""
        return next((value.strip() for name, value in self.headers if name.lower() == "message-id"), "")


def read_request(request: Any) -> Mail:
    """The body of `POST /api/v1/send`, as Mailpit's swagger describes it, and `Date` beside it. Raises Unusable."""
    if not isinstance(request, dict):
        raise Unusable("the request is not a JSON object")
    if request.get("Attachments"):
        raise Unusable("the sandbox takes no attachments")
    sender = _mailboxes("From", [request.get("From")])[0]
    headers = request.get("Headers") or {}
    if not isinstance(headers, dict):
        raise Unusable("Headers is not an object")
    date = _text(request, "Date")
    fields = tuple(_header(name, value) for name, value in headers.items())
    for name, _ in fields:
        if name.lower() in RESTRICTED:
            raise Unusable(f'cannot overwrite header: "{name}"')
    return Mail(
        sender=sender,
        to=_mailboxes("To", request.get("To")),
        cc=_mailboxes("Cc", request.get("Cc")),
        bcc=_mailboxes("Bcc", [{"Email": each} for each in _list("Bcc", request.get("Bcc"))]),
        reply_to=_mailboxes("Reply-To", request.get("ReplyTo")),
        subject=_line("Subject", _text(request, "Subject")),
        text=_text(request, "Text"),
        html=_text(request, "HTML"),
        headers=fields,
        tags=tuple(_line("Tags", each) for each in _list("Tags", request.get("Tags"))),
        date=_header("Date", date)[1],
    )


def write_eml(mail: Mail, *, arrived: datetime, id_: str) -> bytes:
    """The mail in octets, CRLF throughout. The headers of the request stand verbatim and in order; what a mail must
    have and the request lacks (Date, Message-ID) is written from `arrived`, which is aware, and `id_`."""
    lines = [
        addresses("From", (mail.sender,)),
        *(addresses(name, boxes) for name, boxes in (("To", mail.to), ("Cc", mail.cc)) if boxes),
        *([addresses("Reply-To", mail.reply_to)] if mail.reply_to else []),
        f"Subject: {unstructured(mail.subject)}",
        f"Date: {mail.date or format_datetime(arrived)}",
        *([] if mail.message_id else [f"Message-ID: <{id_}@sandbox.invalid>"]),
        *(folded(name, value) for name, value in mail.headers),
        *([f"X-Tags: {unstructured(', '.join(mail.tags))}"] if mail.tags else []),
        "MIME-Version: 1.0",
    ]
    return whole(lines, mail.text, mail.html)


def _header(name: str, value: Any) -> tuple[str, str]:
    if not _HEADER_NAME.fullmatch(name):
        raise Unusable(f"{name!r} is not the name of a header")
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
        raise Unusable(f"the header {name} is not printable ASCII on one line")
    if max(map(len, f"{name}: {value}".split())) > LONGEST_LINE:
        raise Unusable(f"the header {name} cannot be folded to lines of {LONGEST_LINE} octets")
    return name, value


def _mailboxes(field: str, boxes: Any) -> tuple[Mailbox, ...]:
    found = []
    for box in _list(field, boxes):
        email = box.get("Email") if isinstance(box, dict) else None
        if not isinstance(email, str) or not _ADDRESS.fullmatch(email):
            raise Unusable(f"invalid {field} address: {email!r:.200}")
        found.append(Mailbox(_line(field, _text(box, "Name")), email))
    return tuple(found)


def _list(field: str, values: Any) -> list[Any]:
    if values is None:
        return []
    if not isinstance(values, list):
        raise Unusable(f"{field} is not an array")
    return values


def _text(of: dict[str, Any], field: str) -> str:
    value = of.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Unusable(f"{field} is not a string")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise Unusable(f"{field} is not valid Unicode") from None
    return value


def _line(field: str, value: Any) -> str:
    if not isinstance(value, str) or _CONTROL.search(value):
        raise Unusable(f"{field} holds a line end or control character")
    return value
