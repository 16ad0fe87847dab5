"""SendGrid's event webhook: lists of events, signed by its private key.

Checked against the vendor's pages on the event webhook and its security features, November 2026. Its signature is over
the time and the body; since each event has an id that is kept, the same request again changes nothing.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from syndicate.core.bounce import bounce_kind, code_of
from syndicate.core.mail_event import EventKind, MailEvent
from syndicate.core.message import LABEL
from syndicate.errors import MailAPIError, Refused
from syndicate.mail.events.base import Arrival, Report
from syndicate.mail.events.reading import address_of, id_in, label_in, moment, objects_of, stable_id, text_in, words

API = "sendgrid"
OLDEST = timedelta(hours=25)
"""It tries again for a day, and does not say that it signs anew for that."""
FASTEST = timedelta(minutes=5)

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIME = "x-twilio-email-event-webhook-timestamp"

_KINDS: Mapping[str, EventKind] = {
    "processed": "taken",
    "delivered": "delivered",
    "deferred": "deferred",
    "spamreport": "complaint",
    "unsubscribe": "unsubscribe",
    "group_unsubscribe": "unsubscribe",
}
_DROPPED: Mapping[str, EventKind] = {
    "bounced address": "hard bounce",
    "invalid": "hard bounce",
    "spam reporting address": "complaint",
    "unsubscribed address": "unsubscribe",
}
"""`reason` of what SendGrid did not even try. The others are of the account or the content."""

_CLASSES: Mapping[str, EventKind] = {
    "content": "blocked",
    "reputation": "blocked",
    "frequency or volume too high": "blocked",
    "frequency/volume": "blocked",
}
"""`bounce_classification` that is of the sender; "invalid address", "mailbox unavailable", "technical" and
"unclassified" leave it to the code."""

_AFTER_ID = re.compile(r"\.(?:filter|recvd)[A-Za-z0-9]*[-.].*|\.[0-9]+\.[0-9A-F]+\.[0-9]+\Z")
"""What comes after the id of the request in that of a message."""


class SendGridWebhook:
    """The secret is the verification key of the signed event webhook: public, in base64."""

    largest_body = 5_000_000

    def __init__(self, secret: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        try:
            key: Any = load_der_public_key(b64decode(secret, validate=True))
        except (NotBase64, ValueError):
            key = None
        if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
            raise MailAPIError(
                "The webhook secret is not a verification key of SendGrid.",
                cure="Turn the signed event webhook on and copy its verification key.",
            )
        self._key = key

    def admit(self, headers: Mapping[str, str]) -> None:
        if not headers.get(_SIGNATURE):
            raise Refused("The request carries no signature of SendGrid.")

    def take(self, arrival: Arrival, now: datetime) -> Report:
        self._prove(arrival, now)
        return Report(tuple(_event(told, now) for told in objects_of(arrival.body, "SendGrid")))

    def _prove(self, arrival: Arrival, now: datetime) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        at, given = arrival.headers.get(_TIME, ""), arrival.headers.get(_SIGNATURE, "")
        if not (given and at.isascii() and at.isdigit() and len(at) < 12):
            raise Refused("The request carries no signature of SendGrid.", cure="Turn the signed event webhook on.")
        try:
            self._key.verify(b64decode(given, validate=True), at.encode() + arrival.body, ECDSA(SHA256()))
        except (InvalidSignature, NotBase64, ValueError):
            raise Refused("The signature does not fit.", cure="Copy the verification key anew.") from None
        if not -FASTEST <= now - datetime.fromtimestamp(int(at), UTC) <= OLDEST:
            raise Refused("The signature is too old, or of tomorrow.", cure="Set this machine's clock.")


def _event(told: dict[str, Any], now: datetime) -> MailEvent:
    name, address = str(told.get("event")), told.get("email")
    message_id = id_in(told, "sg_message_id")
    said = words(told.get("response"), told.get("reason"))
    code = text_in(told, "status")[:20] if name == "bounce" else ""
    failed = name in ("bounce", "deferred")
    return MailEvent(
        api=API,
        event_id=id_in(told, "sg_event_id") or stable_id(name, message_id, address, told.get("timestamp")),
        kind=_kind(name, told, said, code),
        vendor_id=_AFTER_ID.sub("", message_id),
        addresses=address_of(address),
        at=moment(told.get("timestamp"), now),
        raw=told,
        label=label_in(told, LABEL),
        code=(code or code_of(said)) if failed else "",
    )


def _kind(name: str, told: Mapping[str, Any], said: str, code: str) -> EventKind:
    match name:
        case "dropped":
            return _DROPPED.get(text_in(told, "reason").lower(), "blocked")
        case "bounce":
            of_the_sender = _CLASSES.get(text_in(told, "bounce_classification").lower())
            # Of type "blocked" is what SendGrid does not put on its own list, and would try again another day.
            return of_the_sender or bounce_kind(said, permanent=told.get("type") != "blocked", code=code)
        case _:
            return _KINDS.get(name, "other")
