"""Proves bodies to be a mail API's, as each does it."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.mail.events.amazon import TOPIC, published

SECRET = "whsec_" + b64encode(b"a signing secret for the tests").decode()
SIGNING_KEY = "0123456789abcdef0123456789abcdef"
SHARED = "a-shared-secret-for-the-tests-0123456789"


def signed(body: bytes, now: datetime, event_id: str = "msg_1", secret: str = SECRET) -> dict[str, str]:
    """The headers of a webhook with this body, as Svix signs."""
    moment = str(int(now.timestamp()))
    key = b64decode(secret.removeprefix("whsec_"))
    mac = b64encode(hmac.digest(key, f"{event_id}.{moment}.".encode() + body, "sha256")).decode()
    return {"svix-id": event_id, "svix-timestamp": moment, "svix-signature": f"v1,{mac}"}


def basic(password: str, user: str = "syndicate") -> dict[str, str]:
    """The header of HTTP Basic."""
    return {"authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def shared(body: bytes, now: datetime) -> tuple[bytes, dict[str, str]]:
    """The body with the secret beside it."""
    return body, basic(SHARED)


@dataclass(frozen=True)
class Vendor:
    """How one vendor proves what it tells: its secret, and for a body what it sends (that body, or a wrapped one) and
    with which headers. `over_the_body` tells whether another body needs another proof, `in_headers` whether the proof
    is in the headers."""

    secret: str
    prove: Callable[[bytes, datetime], tuple[bytes, dict[str, str]]]
    over_the_body: bool = True
    in_headers: bool = True


def mailgun(body: bytes, now: datetime, token: str = "") -> tuple[bytes, dict[str, str]]:
    """The event in Mailgun's wrapping, signed over time and token."""
    at = str(int(now.timestamp()))
    token = token or hashlib.sha256(body).hexdigest()[:50]
    signature = hmac.new(SIGNING_KEY.encode(), f"{at}{token}".encode(), "sha256").hexdigest()
    block = json.dumps({"timestamp": at, "token": token, "signature": signature}).encode()
    return b'{"signature": %b, "event-data": %b}' % (block, body), {"content-type": "application/json"}


def sendgrid(body: bytes, now: datetime) -> tuple[bytes, dict[str, str]]:
    """The body, signed by the private key."""
    at = str(int(now.timestamp()))
    signature = b64encode(_private_key().sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    names = "x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp"
    return body, dict(zip(names, (signature, at), strict=True))


@cache
def _private_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def verification_key(key: ec.EllipticCurvePrivateKey | None = None) -> str:
    """The public half, as SendGrid shows it."""
    public = (key or _private_key()).public_key()
    made = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return b64encode(made).decode()


VENDORS: Mapping[str, Vendor] = {
    "brevo": Vendor(SHARED, shared, over_the_body=False),
    "mailgun": Vendor(SIGNING_KEY, mailgun, over_the_body=False, in_headers=False),
    "mailjet": Vendor(SHARED, shared, over_the_body=False),
    "postmark": Vendor(SHARED, shared, over_the_body=False),
    "resend": Vendor(SECRET, lambda body, now: (body, signed(body, now))),
    "sendgrid": Vendor(verification_key(), sendgrid),
    "ses": Vendor(TOPIC, published, in_headers=False),
    "sparkpost": Vendor(SHARED, shared, over_the_body=False),
}
