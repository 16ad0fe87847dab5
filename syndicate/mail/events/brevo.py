"""Brevo's transactional webhooks: one event each, or a list of them, unsigned.

Checked against the vendor's pages on transactional webhooks and on securing webhook calls, November 2026. A firewall
may hold them to 1.179.112.0/20 and 172.246.240.0/20, from where it says they come.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from syndicate.core.bounce import bounce_kind, code_of
from syndicate.core.mail_event import EventKind, MailEvent
from syndicate.mail.events.reading import address_of, id_in, label_in, moment, objects_of, stable_id, words
from syndicate.mail.events.shared_secret import SharedSecretWebhook

API = "brevo"

_KINDS: Mapping[str, EventKind] = {
    "request": "taken",
    "delivered": "delivered",
    "deferred": "deferred",
    # It had the address on its own list, and tried nothing.
    "blocked": "blocked",
    # It was taken, and could not be sent.
    "error": "blocked",
    "invalid_email": "hard bounce",
    "spam": "complaint",
    "complaint": "complaint",
    "unsubscribe": "unsubscribe",
    "unsubscribed": "unsubscribe",
}
_CUSTOM = "X-Mailin-custom"
"""The header of a mail that its events tell again."""


class BrevoWebhook(SharedSecretWebhook):
    """The secret stands in the address that Brevo was given, or is its Bearer token."""

    def events(self, body: bytes, now: datetime) -> Iterable[MailEvent]:
        return [_event(told, now) for told in objects_of(body, "Brevo")]


def _event(told: dict[str, Any], now: datetime) -> MailEvent:
    name, address, vendor_id = str(told.get("event")), told.get("email"), id_in(told, "message-id")
    said = words(told.get("reason"))
    # In milliseconds; its other times are in whatever zone the account has.
    at = told.get("ts_epoch")
    in_milliseconds = isinstance(at, int | float) and not isinstance(at, bool)
    failed = name in ("hard_bounce", "soft_bounce")
    return MailEvent(
        api=API,
        # Its `id` is the webhook's.
        event_id=stable_id(name, vendor_id, address, at, told.get("ts_event"), told.get("link")),
        kind=bounce_kind(said, permanent=name == "hard_bounce") if failed else _KINDS.get(name, "other"),
        vendor_id=vendor_id,
        addresses=address_of(address),
        at=moment(at, now, per_second=1000) if in_milliseconds else moment(told.get("ts_event"), now),
        raw=told,
        label=label_in(told, _CUSTOM) or label_in(told, "tags"),
        code=code_of(said) if failed or name == "deferred" else "",
    )
