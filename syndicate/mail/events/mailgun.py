"""Mailgun's webhooks: one event each, signed over a time and a token but not over the event.

Checked against the vendor's pages on securing webhooks, webhook payloads and event types, November 2026; the tokens of
a request are therefore good for one body only (`Report.once`).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from syndicate.core.address import keyed_hash
from syndicate.core.bounce import bounce_kind, code_of
from syndicate.core.mail_event import EventKind, MailEvent
from syndicate.core.message import LABEL
from syndicate.errors import BadInput, MailAPIError, Refused
from syndicate.mail.events.base import Arrival, Report
from syndicate.mail.events.reading import address_of, id_in, json_of, label_in, moment, object_in, stable_id, words

API = "mailgun"
OLDEST = timedelta(hours=9)
"""It tries again for 8 hours and 5 minutes, and does not say that it signs anew for that."""
FASTEST = timedelta(minutes=5)
GOOD_FOR = OLDEST + FASTEST
SHORTEST_KEY = 20
LONGEST_TOKEN = 200

_KINDS: Mapping[str, EventKind] = {
    "accepted": "taken",
    "delivered": "delivered",
    "complained": "complaint",
    "unsubscribed": "unsubscribe",
    "rejected": "blocked",
}
_REASONS: Mapping[str, EventKind] = {
    "suppress-bounce": "hard bounce",
    "suppress-complaint": "complaint",
    "suppress-unsubscribe": "unsubscribe",
    "espblock": "blocked",
    "blacklisted": "blocked",
    "old": "soft bounce",
}
"""`reason` of a failure for good that says more than its code: what Mailgun holds back for what it knew before, what a
provider turns down for the sender, and what it tried for too long."""


class MailgunWebhook:
    """The secret is the account's HTTP webhook signing key."""

    largest_body = 1_000_000

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST_KEY or not secret.isascii() or not secret.isprintable() or " " in secret:
            raise MailAPIError(
                "The webhook secret is not a signing key of Mailgun.",
                cure="Copy the HTTP webhook signing key, which is not the API key.",
            )
        self._key = secret.encode()

    def admit(self, headers: Mapping[str, str]) -> None:
        """All: the signature stands in the body."""

    def take(self, arrival: Arrival, now: datetime) -> Report:
        try:
            told = json_of(arrival.body)
        except BadInput:
            told = None
        token = self._prove(object_in(told, "signature") if isinstance(told, dict) else {}, now)
        event = told.get("event-data")
        if not isinstance(event, dict):
            raise BadInput("The body is not an event of Mailgun.")
        return Report((_event(event, now),), token, GOOD_FOR)

    def _prove(self, signature: Mapping[str, Any], now: datetime) -> str:
        """The time and the token, when they are signed by the key, and of today. What comes together stands together in
        the database, by its time."""
        at, token = str(signature.get("timestamp", "")), str(signature.get("token", ""))
        given = str(signature.get("signature", ""))
        if not (token and given and at.isascii() and at.isdigit() and len(at) < 12) or len(token) > LONGEST_TOKEN:
            raise Refused("The request carries no signature of Mailgun.")
        expected = keyed_hash(self._key, f"{at}{token}".encode("utf-8", "replace"))
        if not hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            raise Refused("The signature does not fit.", cure="Copy the HTTP webhook signing key anew.")
        if not -FASTEST <= now - datetime.fromtimestamp(int(at), UTC) <= OLDEST:
            raise Refused("The signature is too old, or of tomorrow.", cure="Set this machine's clock.")
        return f"{at} {token}"


def _event(told: dict[str, Any], now: datetime) -> MailEvent:
    name, status = str(told.get("event")), object_in(told, "delivery-status")
    address, at = told.get("recipient"), told.get("timestamp")
    said = code = ""
    if name != "delivered":
        said = words(status.get("message"), status.get("description"))
        code = id_in(status, "enhanced-code")[:20] or code_of(words(status.get("code"), said))
    headers = object_in(object_in(told, "message"), "headers")
    return MailEvent(
        api=API,
        # Its own id is unique for a day only.
        event_id=stable_id(name, told.get("id"), address, at),
        kind=_kind(name, told, said, code),
        vendor_id=id_in(headers, "message-id").strip("<>"),
        addresses=address_of(address),
        at=moment(at, now),
        raw=told,
        label=label_in(object_in(told, "user-variables"), LABEL),
        code=code,
    )


def _kind(name: str, told: Mapping[str, Any], said: str, code: str) -> EventKind:
    if name != "failed":
        return _KINDS.get(name, "other")
    if told.get("severity") == "temporary":
        return "deferred"
    reason = str(told.get("reason"))
    return _REASONS[reason] if reason in _REASONS else bounce_kind(said, permanent=True, code=code)
