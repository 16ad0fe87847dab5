"""SparkPost's webhooks: lists of events, each wrapped twice, unsigned.

Checked against the vendor's webhook event reference and its bounce classification codes, November 2026. What it sends
to try a webhook out holds no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from syndicate.core.bounce import bounce_kind, code_of
from syndicate.core.mail_event import EventKind, MailEvent
from syndicate.core.message import LABEL
from syndicate.errors import BadInput
from syndicate.mail.events.reading import id_in, label_in, moment, object_in, objects_of, stable_id, text_in, words
from syndicate.mail.events.shared_secret import SharedSecretWebhook

API = "sparkpost"

_KINDS: Mapping[str, EventKind] = {
    "injection": "taken",
    "delivery": "delivered",
    "delay": "deferred",
    "spam_complaint": "complaint",
    "list_unsubscribe": "unsubscribe",
    "link_unsubscribe": "unsubscribe",
    "generation_failure": "blocked",
    "generation_rejection": "blocked",
}
_FAILED = frozenset(["bounce", "out_of_band", "policy_rejection"])

_CLASSES: Mapping[str, EventKind] = {
    **dict.fromkeys(["10", "30"], "hard bounce"),
    **dict.fromkeys(["20", "21", "22", "23", "24", "40", "70"], "soft bounce"),
    **dict.fromkeys(["25", "50", "51", "52", "53", "54"], "blocked"),
    **dict.fromkeys(["60", "80", "100"], "other"),
    "90": "unsubscribe",
}
"""`bounce_class`. 25 is what SparkPost holds back by its own or the account's list, 60 an answering machine. With 1 it
does not know; the code is asked then."""


class SparkPostWebhook(SharedSecretWebhook):
    """The secret stands in the address that SparkPost was given."""

    largest_body = 20_000_000

    def events(self, body: bytes, now: datetime) -> Iterable[MailEvent]:
        found = []
        for wrapped in objects_of(body, "SparkPost"):
            if "msys" not in wrapped:
                raise BadInput("The body is not what SparkPost reports.")
            inner = object_in(wrapped, "msys")
            found += [_event(told, now) for told in inner.values() if isinstance(told, dict) and told]
        return found


def _event(told: dict[str, Any], now: datetime) -> MailEvent:
    name = str(told.get("type"))
    address = text_in(told, "raw_rcpt_to", "rcpt_to")
    vendor_id, at = id_in(told, "transmission_id"), told.get("timestamp")
    said = words(told.get("raw_reason"), told.get("reason"))
    code = code_of(said) if name in _FAILED or name == "delay" else ""
    return MailEvent(
        api=API,
        event_id=id_in(told, "event_id") or stable_id(name, vendor_id, address, at),
        kind=_kind(name, told, said) if name in _FAILED else _KINDS.get(name, "other"),
        vendor_id=vendor_id,
        addresses=(address,) if address else (),
        at=moment(at, now),
        raw=told,
        label=label_in(object_in(told, "rcpt_meta"), LABEL),
        code=code,
    )


def _kind(name: str, told: Mapping[str, Any], said: str) -> EventKind:
    known = _CLASSES.get(text_in(told, "bounce_class"))
    if known == "hard bounce" or known is None:
        return bounce_kind(said, permanent=known is not None) if name != "policy_rejection" else "blocked"
    return known
