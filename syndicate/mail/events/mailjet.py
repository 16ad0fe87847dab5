"""Mailjet's event API: one event or a list of them, unsigned.

Checked against the vendor's guide to webhooks and its list of possible errors, November 2026.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from syndicate.core.bounce import bounce_kind, code_of
from syndicate.core.mail_event import EventKind, MailEvent
from syndicate.mail.events.reading import address_of, id_in, label_in, moment, objects_of, stable_id, words
from syndicate.mail.events.shared_secret import SharedSecretWebhook

API = "mailjet"

_KINDS: Mapping[str, EventKind] = {"sent": "delivered", "spam": "complaint", "unsub": "unsubscribe"}
"""`event`; "sent" is told when the reader's server took it."""

_ERRORS: Mapping[str, EventKind] = {
    "greylisted": "deferred",
    "relay/access denied": "blocked",
    "sender blocked": "blocked",
    "content blocked": "blocked",
    "policy issue": "blocked",
    "system issue": "soft bounce",
    "protocol issue": "soft bounce",
    "connection issue": "soft bounce",
    # What Mailjet did not even try, for what it knew before.
    "preblocked": "blocked",
    "blacklisted": "blocked",
    "spam reporter": "complaint",
    "duplicate in campaign": "other",
}
"""`error` that says more than `hard_bounce` does. The rest is of the address: user unknown, mailbox inactive, quota
exceeded, invalid domain, no mail host, typofix."""


class MailjetWebhook(SharedSecretWebhook):
    """The secret stands in the address that Mailjet was given."""

    def events(self, body: bytes, now: datetime) -> Iterable[MailEvent]:
        return [_event(told, now) for told in objects_of(body, "Mailjet")]


def _event(told: dict[str, Any], now: datetime) -> MailEvent:
    name = str(told.get("event"))
    vendor_id, address = id_in(told, "Message_GUID", "MessageID"), told.get("email")
    said = words(told.get("smtp_reply"), told.get("comment"))
    return MailEvent(
        api=API,
        # Mailjet gives an event no id, and tells it every 30 seconds until it is heard.
        event_id=stable_id(name, vendor_id, address, told.get("time"), told.get("error"), told.get("url")),
        kind=_kind(name, told, said),
        vendor_id=vendor_id,
        addresses=address_of(address),
        at=moment(told.get("time"), now),
        raw=told,
        label=label_in(told, "CustomID"),
        code="" if name == "sent" else code_of(said),
    )


def _kind(name: str, told: Mapping[str, Any], said: str) -> EventKind:
    if name not in ("bounce", "blocked"):
        return _KINDS.get(name, "other")
    error = str(told.get("error", ""))
    permanent = told.get("hard_bounce") is True
    if error in _ERRORS and not (error == "greylisted" and permanent):
        return _ERRORS[error]
    return bounce_kind(f"{error} {said}", permanent=permanent)
