"""A topic of Amazon SNS in the tests' hands: its certificate is known to this process, so that nothing is fetched."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from syndicate.mail.events.sns import CERTIFICATES

TOPIC = "arn:aws:sns:eu-west-1:123456789012:syndicate"
BASE = "https://sns.eu-west-1.amazonaws.com"
CERTIFICATE = f"{BASE}/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
ENDS = datetime(2027, 1, 1, tzinfo=UTC)


@cache
def key() -> rsa.RSAPrivateKey:
    """The key that signs."""
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate() -> bytes:
    """That key's certificate, as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key().public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(ENDS)
        .sign(key(), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def envelope(message: str, now: datetime, **changes: str | None) -> dict[str, str]:
    """What the topic sends, not signed yet; None takes a field away."""
    fields: dict[str, str | None] = {
        "Type": "Notification",
        "MessageId": hashlib.sha256(message.encode()).hexdigest()[:36],
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": message,
        "Timestamp": now.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": "1",
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": f"{BASE}/?Action=Unsubscribe",
    }
    return {name: value for name, value in {**fields, **changes}.items() if value is not None}


def sign(told: dict[str, str]) -> bytes:
    """The body, signed as its version and type want it."""
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if told["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{told[name]}\n" for name in names if name in told)
    algorithm = hashes.SHA256() if told["SignatureVersion"] == "2" else hashes.SHA1()
    signature = b64encode(key().sign(text.encode(), padding.PKCS1v15(), algorithm)).decode()
    return json.dumps({**told, "Signature": signature}).encode()


def published(body: bytes, now: datetime) -> tuple[bytes, dict[str, str]]:
    """A notification that holds that message."""
    CERTIFICATES.learn(CERTIFICATE, certificate())
    return sign(envelope(body.decode("utf-8", "replace"), now)), {"x-amz-sns-message-type": "Notification"}
