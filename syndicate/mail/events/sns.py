"""What Amazon SNS sends: signed with a certificate of Amazon's, for one topic that we expect.

The signature alone proves only that it is some topic's; whoever has an account there can make one and point it at us.
So the topic's own name must be the one in the settings, and nothing that the request says leads anywhere: the
certificate comes from the address that belongs to the topic's region, and so does the confirmation of a subscription.

Written from "Verifying the signatures of Amazon SNS messages" and "HTTP/HTTPS subscription confirmation JSON format" of
the SNS developer guide, November 2026. Signature version 1 is SHA-1, version 2 SHA-256.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Any, Protocol
from urllib.parse import urlencode

from syndicate.errors import BadInput, MailAPIError, Refused
from syndicate.http import Client, Failure, Reply
from syndicate.mail.events.reading import json_of, moment

OLDEST = timedelta(days=1)
"""SNS gives up after an hour at most."""
FASTEST = timedelta(minutes=5)

_TOPIC = re.compile(r"arn:aws(-cn|-us-gov)?:sns:([a-z]{2,4}(?:-[a-z]+)+-[0-9]):[0-9]{12}:[A-Za-z0-9_-]{1,256}")
_CERTIFICATE = re.compile(r"/SimpleNotificationService-[0-9a-f]{16,64}\.pem")
_MOST_CERTIFICATES = 16

_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_SUBSCRIPTION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


class Asked(Protocol):
    """What asks Amazon."""

    def get(self, url: str) -> Reply | Failure:
        """The answer."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What the topic tells. `message` is "" for what concerns the subscription alone."""

    id: str
    message: str
    at: datetime


class Topic:
    """One topic of Amazon SNS. Raises MailAPIError for a text that is no topic's name."""

    def __init__(self, arn: str, client: Asked | None = None) -> None:
        found = _TOPIC.fullmatch(arn)
        if found is None:
            raise MailAPIError(
                "The webhook secret is not the name of a topic of Amazon SNS.",
                cure="Copy its ARN: it begins with arn:aws:sns:.",
            )
        self._arn = arn
        self._base = f"https://sns.{found[2]}.amazonaws.com{'.cn' if found[1] == '-cn' else ''}"
        self._client = client or Client(deadline_seconds=10.0, public_only=True, max_answer_bytes=100_000)

    def take(self, body: bytes, now: datetime) -> Notification:
        """What the topic told, if it is this topic; a subscription to it is confirmed. Raises as `Webhook.take`."""
        try:
            told = json_of(body)
        except BadInput:
            told = None
        if not isinstance(told, dict) or not isinstance(told.get("Signature"), str):
            raise Refused("The request carries no signature of Amazon SNS.", cure="Turn raw message delivery off.")
        if told.get("TopicArn") != self._arn:
            raise Refused("The request is of another topic.", cure="Copy the ARN of the topic anew.")
        self._prove(told, now)
        at = moment(told.get("Timestamp"), now)
        if not -FASTEST <= now - at <= OLDEST:
            raise Refused("The request is too old, or of tomorrow.", cure="Set this machine's clock.")
        match told.get("Type"):
            case "Notification":
                return Notification(str(told.get("MessageId")), str(told.get("Message", "")), at)
            case "SubscriptionConfirmation":
                self._confirm(str(told.get("Token", "")))
        return Notification(str(told.get("MessageId")), "", at)

    def _prove(self, told: Mapping[str, Any], now: datetime) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import padding

        version = {"1": hashes.SHA1, "2": hashes.SHA256}.get(str(told.get("SignatureVersion")))
        if version is None:
            raise Refused("The signature is of a version that is not known.")
        names = _SIGNED if told.get("Type") == "Notification" else _SIGNED_SUBSCRIPTION
        lines = [f"{name}\n{told[name]}\n" for name in names if isinstance(told.get(name), str)]
        key = CERTIFICATES.key(self._certificate(told.get("SigningCertURL")), self._client, now)
        try:
            signature = b64decode(told["Signature"], validate=True)
            key.verify(signature, "".join(lines).encode("utf-8", "replace"), padding.PKCS1v15(), version())
        except (InvalidSignature, NotBase64, ValueError):
            raise Refused("The signature does not fit.") from None

    def _certificate(self, url: object) -> str:
        given = str(url)
        if not given.startswith(self._base) or not _CERTIFICATE.fullmatch(given, len(self._base)):
            raise Refused("The signature is by a certificate that is not Amazon's.")
        return given

    def _confirm(self, token: str) -> None:
        if not token:
            raise BadInput("The request to confirm a subscription has no token.")
        asked = {"Action": "ConfirmSubscription", "TopicArn": self._arn, "Token": token}
        reply = self._client.get(f"{self._base}/?{urlencode(asked)}")
        if isinstance(reply, Failure) or reply.status != 200:
            why = reply.why if isinstance(reply, Failure) else f"{reply.status}"
            raise MailAPIError(f"Amazon SNS could not be told that its subscription is expected ({why}).")


class Certificates:
    """Amazon's keys by the address of their certificate: fetched once, used until they expire."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Any, datetime]] = {}
        self._lock = Lock()

    def key(self, url: str, client: Asked, now: datetime) -> Any:
        """The public RSA key. Raises MailAPIError when it cannot be had now, Refused when it is none or expired."""
        with self._lock:
            known = self._known.get(url)
        if known is None:
            reply = client.get(url)
            if isinstance(reply, Failure) or reply.status != 200:
                why = reply.why if isinstance(reply, Failure) else f"{reply.status}"
                raise MailAPIError(f"The certificate of Amazon SNS could not be fetched ({why}).")
            known = self.learn(url, reply.body)
        if now > known[1]:
            raise Refused("The certificate has expired.")
        return known[0]

    def learn(self, url: str, pem: bytes) -> tuple[Any, datetime]:
        """Keeps a certificate. Raises Refused for what is none with an RSA key."""
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

        try:
            certificate = x509.load_pem_x509_certificate(pem)
            key = certificate.public_key()
        except ValueError:
            raise Refused("The certificate cannot be read.") from None
        if not isinstance(key, RSAPublicKey):
            raise Refused("The certificate has no RSA key.")
        found = (key, certificate.not_valid_after_utc)
        with self._lock:
            while len(self._known) >= _MOST_CERTIFICATES:
                self._known.pop(next(iter(self._known)))
            self._known[url] = found
        return found


CERTIFICATES = Certificates()
"""Those of this process."""
