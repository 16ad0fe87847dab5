"""SendGrid's event webhook: signed by a key of its own, which only the public half is known of here."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from syndicate.errors import MailAPIError, Refused
from syndicate.mail.events.base import Arrival
from syndicate.mail.events.sendgrid import SendGridWebhook
from tests.mail.events.signing import sendgrid, verification_key

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
BODY = b'[{"event": "delivered", "sg_event_id": "1", "email": "ann@mail.example"}]\r\n'
SIGNATURE, TIME = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"


def take(body: bytes, headers: dict[str, str], now: datetime = NOW, key: str = "") -> str:
    (event,) = SendGridWebhook(key or verification_key()).take(Arrival(body, headers), now).events
    return event.event_id


def test_a_signed_list_is_taken_as_it_came() -> None:
    """Their lists end with a line end, which is signed too."""
    assert take(*sendgrid(BODY, NOW)) == "1"
    with pytest.raises(Refused):
        take(BODY.strip(), sendgrid(BODY, NOW)[1])


def test_another_key_proves_nothing() -> None:
    other = verification_key(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(Refused, match="fit"):
        take(*sendgrid(BODY, NOW), key=other)


@pytest.mark.parametrize(
    "change", [{TIME: "1795166941"}, {TIME: "x"}, {TIME: ""}, {SIGNATURE: "AAAA"}, {SIGNATURE: "é"}, {SIGNATURE: ""}]
)
def test_what_was_changed_is_refused(change: dict[str, str]) -> None:
    body, headers = sendgrid(BODY, NOW)
    with pytest.raises(Refused):
        take(body, {**headers, **change})


@pytest.mark.parametrize("now", [NOW - timedelta(minutes=6), NOW + timedelta(hours=26)])
def test_an_old_signature_is_refused(now: datetime) -> None:
    with pytest.raises(Refused, match="old"):
        take(*sendgrid(BODY, NOW), now=now)
    assert take(*sendgrid(BODY, NOW), now=NOW + timedelta(hours=24)) == "1"


def test_a_key_of_another_kind_is_said_so() -> None:
    for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
        public = key.public_key()
        der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(MailAPIError, match="verification key"):
            SendGridWebhook(b64encode(der).decode())
