"""Postmark's webhooks: one event each, unsigned.

Checked against the vendor's pages on the bounce, delivery, spam complaint and subscription change webhooks and its list
of bounce types, November 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from syndicate.core.bounce import bounce_kind, code_of
from syndicate.core.mail_event import EventKind, MailEvent
from syndicate.core.message import LABEL
from syndicate.errors import BadInput
from syndicate.mail.events.reading import (
    LONGEST_ID,
    address_of,
    id_in,
    json_of,
    label_in,
    moment,
    object_in,
    stable_id,
    words,
)
from syndicate.mail.events.shared_secret import SharedSecretWebhook

API = "postmark"

_BOUNCES: Mapping[str, EventKind] = {
    "HardBounce": "hard bounce",
    "BadEmailAddress": "hard bounce",
    "SoftBounce": "soft bounce",
    "Transient": "deferred",
    "DnsError": "deferred",
    "Blocked": "blocked",
    "DMARCPolicy": "blocked",
    "SpamNotification": "blocked",
    "VirusNotification": "blocked",
    # It was taken, and never sent.
    "SMTPApiError": "blocked",
    "TemplateRenderingFailed": "blocked",
    "SpamComplaint": "complaint",
    "Unsubscribe": "unsubscribe",
}
"""`Type` of a bounce. SpamNotification is a filter's word, not the reader's. The others (an answering machine, a change
of address, a deactivation by hand) say nothing of the address."""

_SUPPRESSED: Mapping[str, EventKind] = {"HardBounce": "hard bounce", "SpamComplaint": "complaint"}
"""`SuppressionReason` of a change that stops sending."""


class PostmarkWebhook(SharedSecretWebhook):
    """The secret stands in the address that Postmark was given."""

    largest_body = 1_000_000

    def events(self, body: bytes, now: datetime) -> Iterable[MailEvent]:
        told = json_of(body)
        if not isinstance(told, dict) or not isinstance(told.get("RecordType"), str):
            raise BadInput("The body is not an event of Postmark.", cure="Its inbound webhook belongs elsewhere.")
        return [_event(told, now)]


def _event(told: dict[str, Any], now: datetime) -> MailEvent:
    record, vendor_id = told["RecordType"], id_in(told, "MessageID")
    address = told.get("Email") or told.get("Recipient")
    at = next((told[name] for name in ("DeliveredAt", "BouncedAt", "ChangedAt", "ReceivedAt") if told.get(name)), None)
    # Only what is among its bounces has an id.
    number = id_in(told, "ID") if record in ("Bounce", "SpamComplaint") else ""
    return MailEvent(
        api=API,
        event_id=f"{record}-{number}"[:LONGEST_ID] if number else stable_id(record, vendor_id, address, at),
        kind=_kind(record, told),
        vendor_id=vendor_id,
        addresses=address_of(address),
        at=moment(at, now),
        raw=told,
        label=label_in(object_in(told, "Metadata"), LABEL),
        code="" if record == "Delivery" else code_of(words(told.get("Details"))),
    )


def _kind(record: str, told: Mapping[str, Any]) -> EventKind:
    match record:
        case "Delivery":
            return "delivered"
        case "SpamComplaint":
            return "complaint"
        case "Bounce":
            kind = _BOUNCES.get(str(told.get("Type")), "other")
            is_bounce = kind in ("hard bounce", "soft bounce")
            return bounce_kind(words(told.get("Details")), permanent=kind == "hard bounce") if is_bounce else kind
        case "SubscriptionChange" if told.get("SuppressSending") is True:
            if told.get("SuppressionReason") == "ManualSuppression":
                # Its other origins are Customer and Admin: somebody of ours.
                return "unsubscribe" if told.get("Origin") == "Recipient" else "other"
            return _SUPPRESSED.get(str(told.get("SuppressionReason")), "other")
        case _:
            return "other"
