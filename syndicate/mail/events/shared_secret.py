"""The proof of mail APIs that sign nothing: a long secret in the address that they were given.

`https://syndicate:SECRET@…/webhooks/NAME` comes as HTTP Basic (RFC 7617), which unlike a path stands in no log; some
offer a Bearer token (RFC 6750). Who has it may close addresses: it should be made by a machine.
"""

from __future__ import annotations

import hmac
from abc import ABC, abstractmethod
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache

from syndicate.core.mail_event import MailEvent
from syndicate.errors import MailAPIError, Refused
from syndicate.mail.events.base import Arrival, Report

SHORTEST = 24
"""Characters of a secret that nobody guesses: 96 bits in hexadecimal digits."""


class SharedSecretWebhook(ABC):
    """The webhook of a mail API that signs nothing. Compares in constant time. Raises MailAPIError for a secret that is
    too short or cannot stand in an address."""

    largest_body = 5_000_000

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST or not all(each.isascii() and (each.isalnum() or each in "-._~") for each in secret):
            raise MailAPIError(
                f"The webhook secret is not {SHORTEST} or more letters, digits and hyphens.",
                cure='Make one: python3 -c "import secrets; print(secrets.token_hex(24))".',
            )
        self._secret = secret.encode()

    def admit(self, headers: Mapping[str, str]) -> None:
        """Raises Refused unless the request brings the secret."""
        given = _secret_in(headers.get("authorization", ""))
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret):
            raise Refused(
                "The request does not bring the secret.", cure="Put it into the address that the mail API reports to."
            )

    def take(self, arrival: Arrival, now: datetime) -> Report:
        self.admit(arrival.headers)
        return Report(tuple(self.events(arrival.body, now)))

    @abstractmethod
    def events(self, body: bytes, now: datetime) -> Iterable[MailEvent]:
        """What a body reports that came with the secret. Raises BadInput."""


@lru_cache(10)
def _secret_in(authorization: str) -> str:
    """What a request brings as the secret: nearly always the same."""
    scheme, _, credentials = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    try:
        told = b64decode(credentials.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (NotBase64, ValueError):
        return ""
    return told.decode("utf-8", "replace").partition(":")[2]
