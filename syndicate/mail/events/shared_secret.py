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
        scheme, _, credentials = headers.get("authorization", "").strip().partition(" ")
        given = {"bearer": credentials.strip(), "basic": _password(credentials)}.get(scheme.lower(), "")
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


def _password(credentials: str) -> str:
    try:
        return b64decode(credentials.strip(), validate=True).decode("utf-8", "replace").partition(":")[2]
    except (NotBase64, ValueError):
        return ""
