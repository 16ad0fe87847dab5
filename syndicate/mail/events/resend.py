"""Resend's webhooks: signed as Svix does, one event each.

Checked against resend/resend-openapi@fd6f395 (1.5.0: OutboundEmailEventData, WebhookEventBounce, WebhookEventFailed and
WebhookEventSuppressed), the vendor's pages on webhooks and the Svix manual on verifying by hand, November 2026. "Custom
headers included with the email" come back, so a report tells by our own Message-ID which mail it is about.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from syndicate.core.bounce import bounce_kind, code_of
from syndicate.core.headers import issue_in
from syndicate.core.mail_event import EventKind, MailEvent
from syndicate.core.message import label
from syndicate.errors import BadInput, MailAPIError, Refused
from syndicate.mail.events.base import Arrival, Report
from syndicate.mail.events.reading import LONGEST_ID, id_in, json_of, moment, object_in, words

API = "resend"
TOLERANCE = timedelta(minutes=5)
"""How far the signature's time may be from ours, either way: each attempt is signed anew."""

SHORTEST_KEY = 16
"""Octets; Svix makes them of 24."""

_KINDS: dict[str, EventKind] = {
    "email.sent": "taken",
    "email.delivered": "delivered",
    "email.complained": "complaint",
    "email.delivery_delayed": "deferred",
    # "Due to an error such as … domain verification issues, email quota limits": it was taken, and never sent.
    "email.failed": "blocked",
}

_PLACES = {"email.suppressed": "suppressed", "email.failed": "failed"}
"""Where an event tells more; a bounce does under "bounce"."""

_SUPPRESSED: dict[str, EventKind] = {"previous_bounce": "hard bounce", "previous_complaint": "complaint"}
"""Why the API has the address on a list of its own, and sends nothing to it."""

_OF_THE_CONTENT = frozenset({"ContentRejected", "AttachmentRejected", "MessageTooLarge"})


class ResendWebhook:
    """The secret is the webhook's own, `whsec_…`."""

    largest_body = 1_000_000

    def __init__(self, secret: str) -> None:
        try:
            self._key = b64decode(secret.removeprefix("whsec_"), validate=True)
        except (NotBase64, ValueError):
            self._key = b""
        if len(self._key) < SHORTEST_KEY:
            raise MailAPIError(
                "The webhook secret is not a signing secret of Resend.",
                cure='Copy it whole: it begins with "whsec_".',
            )

    def admit(self, headers: Mapping[str, str]) -> None:
        if not headers.get("svix-signature"):
            raise Refused("The request carries no signature of Svix.")

    def take(self, arrival: Arrival, now: datetime) -> Report:
        event_id = self._prove(arrival, now)
        return Report((_event(json_of(arrival.body), event_id, now),))

    def _prove(self, arrival: Arrival, now: datetime) -> str:
        """The event's id, when the body is signed by the secret and the signature is of now."""
        headers = arrival.headers
        event_id, at = headers.get("svix-id", ""), headers.get("svix-timestamp", "")
        given = headers.get("svix-signature", "")
        if not (event_id and given and at.isascii() and at.isdigit() and len(at) < 12):
            raise Refused("The request carries no signature of Svix.")
        if abs(now - datetime.fromtimestamp(int(at), UTC)) > TOLERANCE:
            raise Refused("The signature is too old, or of tomorrow.", cure="Set this machine's clock.")
        signed = b".".join((event_id.encode(), at.encode(), arrival.body))
        expected = b64encode(hmac.digest(self._key, signed, "sha256"))
        # Several signatures stand in the header while a secret is being changed; every one is compared.
        matches = [
            hmac.compare_digest(value.encode(), expected)
            for version, _, value in (part.partition(",") for part in given.split(" ")[:20])
            if version == "v1"
        ]
        if not any(matches):
            raise Refused("The signature does not fit.", cure="Copy the signing secret of this webhook anew.")
        return event_id


def _event(told: Any, event_id: str, now: datetime) -> MailEvent:
    data = told.get("data") if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(data, dict):
        raise BadInput("The body is not an event of Resend.")
    bounce = object_in(data, _PLACES.get(str(told.get("type")), "bounce"))
    codes = bounce.get("diagnosticCode")
    said = [bounce.get("type"), bounce.get("subType"), bounce.get("message"), bounce.get("reason")]
    why = words(*said, *(codes if isinstance(codes, list) else [codes]))
    to = data.get("to")
    named = [to] if isinstance(to, str) else to if isinstance(to, list) else []
    ours = _headers(data.get("headers"))
    return MailEvent(
        api=API,
        event_id=event_id[:LONGEST_ID],
        kind=_kind(str(told.get("type", "")), bounce, why),
        vendor_id=id_in(data, "email_id"),
        addresses=tuple(each for each in named if isinstance(each, str))[:50],
        at=moment(told.get("created_at"), now),
        raw=told,
        label=label(ours["message-id"]) if "message-id" in ours else "",
        issue_id=issue_in(ours.get("feedback-id", "")),
        code=code_of(why),
    )


def _kind(name: str, bounce: Mapping[str, Any], why: str) -> EventKind:
    if name == "email.suppressed":
        return _SUPPRESSED.get(str(bounce.get("reason")), "other")
    if name == "email.bounced" and str(bounce.get("subType")) in _OF_THE_CONTENT:
        return "blocked"
    if name == "email.bounced" and bounce.get("subType") == "MailboxFull":
        return "soft bounce"
    if name == "email.bounced":
        return bounce_kind(why, permanent=bounce.get("type", "Permanent") == "Permanent")
    return _KINDS.get(name, "other")


def _headers(given: object) -> dict[str, str]:
    """The headers of the mail itself, by lower-case name."""
    listed = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
    pairs = [(each.get("name"), each.get("value")) for each in listed]
    return {name.lower(): value for name, value in pairs if isinstance(name, str) and isinstance(value, str)}
