"""Where requests go: the vendor's address, or a stand-in on this machine."""

from __future__ import annotations

import hashlib
import re

from syndicate.errors import MailAPIError
from syndicate.http import Client
from syndicate.mail.base import Connection

_BASE = re.compile(r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?")


def base_url(given: str, vendor: str) -> str:
    """Scheme, host and port to post to, without a slash at the end: `given`, or `vendor` when that is "".

    Raises MailAPIError when it is not of that shape."""
    url = given or vendor
    if not url:
        raise MailAPIError("[mail] url is not set.", cure='Say where it listens, such as "http://127.0.0.1:8025".')
    if not _BASE.fullmatch(url):
        raise MailAPIError(
            f"[mail] url = {url!r} is not an address of the form https://host:port.",
            cure="Give scheme, host and, if need be, port; no path, user or password.",
        )
    return url.rstrip("/")


def api_key(connection: Connection, vendor: str) -> str:
    """The account's key as it goes into a header. Raises MailAPIError when it is missing or cannot be one."""
    key = connection.api_key
    if not key:
        raise MailAPIError(
            f"{vendor} needs an API key.", cure="Set SYNDICATE_MAIL__API_KEY or SYNDICATE_MAIL__API_KEY_FILE."
        )
    if not key.isascii() or not key.isprintable() or " " in key:
        raise MailAPIError(
            f"The API key of {vendor} holds a space, line break or other stray character.", cure="Copy it anew."
        )
    return key


def client_for(connection: Connection, *, max_answer_bytes: int = 1_000_000) -> Client:
    """What makes the requests to that mail API."""
    return Client(
        deadline_seconds=connection.deadline_seconds,
        max_answer_bytes=max_answer_bytes,
        trusted=connection.certificates,
        proxy=connection.proxy,
    )


def fingerprint(*parts: str) -> str:
    """12 hexadecimal digits that stand for an API address and account and tell neither key nor password."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
