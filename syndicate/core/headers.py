"""The headers that a newsletter's mail carries beside sender, recipient and subject."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from email.utils import format_datetime
from functools import lru_cache
from hashlib import sha256
from urllib.parse import urlsplit

from syndicate.errors import BadInput

LONGEST_LINE = 998
"""Octets of a header line without its line end: RFC 5322 section 2.1.1."""

_NAME = re.compile(r"[!-9;-~]+")
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_LONGEST_TITLE = 120
_OF_ISSUE = re.compile(r"issue(\d{1,18})r\d+:")
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def mail_host(web_url: str) -> str:
    """The host of `[web] url` as it may stand to the right of an @: ASCII, an IPv6 address as a domain literal."""
    host = urlsplit(web_url).hostname or "localhost"
    if ":" in host:
        return f"[IPv6:{host}]"
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise BadInput(
            f"[web] url has the host {host!r}, which is not a host name.", cure="Correct syndicate.toml."
        ) from None


def message_id(host: str, *parts: int | str) -> str:
    """A Message-ID that the same parts always give again. It tells nothing about the recipient but a hash."""
    digest = sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]
    return f"<{digest}@{host}>"


def message_ids(host: str, *parts: int | str) -> Callable[[int | str], str]:
    """What `message_id(host, *parts, last)` gives for each last part, worked out once as far as they agree."""
    state = sha256("".join(f"{part}\x1f" for part in parts).encode())
    begin, tail = state.copy, f"@{host}>"

    def message_id(last: int | str) -> str:
        whole = begin()
        whole.update(str(last).encode())
        return f"<{whole.hexdigest()[:32]}{tail}"

    return message_id


def format_date(moment: datetime) -> str:
    """An aware moment as a Date header has it: RFC 5322 section 3.3."""
    return format_datetime(moment)


def list_id(title: str, name: str, host: str) -> str:
    """`Title <name.host>`, stable for a list: RFC 2919. A title outside ASCII is encoded by RFC 2047."""
    label = f"{name}.{re.sub(r'[^A-Za-z0-9.-]+', '-', host).strip('-')}"
    phrase = title.strip()[:_LONGEST_TITLE]
    if not phrase:
        return f"<{label}>"
    if not phrase.isascii():
        phrase = " ".join(_encoded_words(phrase))
    elif not _ATOM.fullmatch(phrase):
        phrase = '"' + phrase.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{phrase} <{label}>"


def _encoded_words(text: str) -> Iterator[str]:
    """RFC 2047 section 2: words of at most 75 characters, no character cut in two. `email.header` makes longer ones."""
    word = b""
    for character in text:
        octets = character.encode("utf-8", "replace")
        if len(word) + len(octets) > 45:
            yield f"=?utf-8?b?{b64encode(word).decode('ascii')}?="
            word = b""
        word += octets
    yield f"=?utf-8?b?{b64encode(word).decode('ascii')}?="


def feedback_id(issue_id: int, revision: int, newsletter: str, instance: str) -> str:
    """Gmail's `a:b:c:SenderId` for its feedback loop: mailing, list, kind, sender; no personal data in it, no
    identifier in two fields, and a sender of 5 to 15 characters that stays."""
    sender = sha256(f"feedback\x1f{instance}".encode()).hexdigest()[:12]
    return f"issue{issue_id}r{revision}:{newsletter}:digest:{sender}"


def issue_in(feedback: str) -> int | None:
    """The issue that a Feedback-ID of ours names; None for any other."""
    found = _OF_ISSUE.match(feedback)
    return int(found.group(1)) if found else None


def common_headers(
    *, date: datetime, title: str, newsletter: str, host: str, issue_id: int, revision: int, instance: str
) -> tuple[tuple[str, str], ...]:
    """Those that are the same for every recipient of an issue, checked."""
    headers = (
        ("Date", format_datetime(date)),
        ("List-Id", list_id(title, newsletter, host)),
        ("Feedback-ID", feedback_id(issue_id, revision, newsletter, instance)),
        # RFC 3834 section 5; Precedence is not registered, but keeps the answering machines quiet that know no other.
        ("Auto-Submitted", "auto-generated"),
        ("Precedence", "bulk"),
        # RFC 8058 section 3.1: exactly this value.
        ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
    )
    check_headers(headers)
    return headers


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Raises BadInput unless every name and value is printable ASCII on one line of at most 998 octets."""
    for name, value in headers:
        _check_header(name, value)


def check_values(name: str, values: Sequence[str]) -> None:
    """The same for many values of one header."""
    _check_header(name, max(values, key=len, default=""))
    together = "".join(values)
    if not together.isascii() or not together.isprintable():
        check_headers((name, value) for value in values)


# Most of them are the same in each mail.
@lru_cache(maxsize=256)
def _check_header(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadInput(f"{name!r} is not the name of a header.", cure="Use letters, digits and hyphens.")
    if not value.isascii() or not value.isprintable():
        raise BadInput(
            f"The header {name} holds a line end or a character outside ASCII: {value[:60]!r}.", cure="Take it out."
        )
    if len(name) + 2 + len(value) > LONGEST_LINE:
        raise BadInput(f"The header {name} is longer than {LONGEST_LINE} octets.", cure="Shorten what goes into it.")


def check_one_line(what: str, value: str) -> None:
    """Raises BadInput when a value that becomes part of a header holds a line end or another control character."""
    if _BREAKS.search(value):
        raise BadInput(f"{what} holds a line end or a control character: {value[:60]!r}.", cure="Write it on one line.")
