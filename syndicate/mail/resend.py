"""Resend: batches of whole messages under an idempotency key.

Checked against resend/resend-openapi@fd6f395 (1.5.0) and the vendor's pages on errors and idempotency keys, November
2026. Names of senders and readers are written as the API was seen to take them (django-anymail's findings).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from syndicate.core.message import Answer, CapabilitySheet, Message
from syndicate.errors import BadInput
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding, whole_mails
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import api_key, base_url, client_for, fingerprint

SHEET = CapabilitySheet(
    api="resend",
    checked="resend-openapi 1.5.0, 2026-11",
    recipients_per_request=100,
    bytes_per_request=40_000_000,
    idempotency_seconds=24 * 3600,
    # "Strict mode (default): sends the batch only if all emails in the request are valid." (changelog, batch validation
    # modes, 2025-09-19). No other mode is asked for.
    all_or_nothing=True,
    surely_not="401, 403, 404, 405, 413 and 429; 400, 422 and 451 with the `name` of what is invalid or missing. "
    "Source: the vendor's page on errors; by the changelog, a strict batch is checked whole before any of it is sent.",
)
_PATH = "/emails/batch"
_LONGEST_KEY = 256

_REJECTED = frozenset(
    [
        *("validation_error", "missing_required_field", "missing_required_parameter", "invalid_parameter"),
        *("invalid_attachment", "invalid_idempotency_key", "security_error", "invalid_access", "invalid_region"),
    ]
)
"""Names under which 400, 422 and 451 turn the whole request down."""

_QUOTA_WAITS = {"daily_quota_exceeded": 3600.0, "monthly_quota_exceeded": 86_400.0}
"""Seconds until a used-up quota is asked for again, unless the answer says when."""

_KEY = "Give an API key of Resend (re_…) that may send in SYNDICATE_MAIL__API_KEY"
_WHERE = "Look whether [mail] url is Resend's"
_DOMAIN = "Verify the domain of [mail] from at Resend, under Domains"
_SENDER = "Correct [mail] from: Resend cannot read it"

_SAID_OF_THE_SENDER = re.compile(r"`(?:from|reply_to)`")
"""What it says under `validation_error` of a field that is no reader's."""

_NOT_IN_SENDER_NAME = re.compile(r'[,;:<>()\[\]"\\@]|=\?')


class Resend:
    """Up to 100 messages a request; the key of a request is kept for 24 hours. `api_key` is the account's `re_…`."""

    sheet = SHEET

    def __init__(self, connection: Connection) -> None:
        self._key = api_key(connection, "Resend")
        base = base_url(connection.url, "https://api.resend.com")
        self.account = fingerprint("resend", base, self._key)
        self.url = f"{base}{_PATH}"
        self._headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        self._client = client_for(connection)

    def build(self, messages: Sequence[Message]) -> bytes:
        return whole_mails.request(whole_mails.copies_of(messages, SHEET), SHEET, _email, encoding.ascii_mailbox)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        if not 1 <= len(key) <= _LONGEST_KEY or not key.isascii() or not key.isprintable():
            return Answer("not_accepted", f"the request key must be 1 to {_LONGEST_KEY} characters", permanent=True)
        reply = self._client.post(self.url, body, {**self._headers, "Idempotency-Key": key})
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else _read(reply, count)
        return answers.without(self._key, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        """None: past sends can be asked for by the vendor's own ids only."""
        return None


def _email(mail: whole_mails.Blank) -> dict[str, object]:
    letter = mail.letter
    email: dict[str, object] = {
        "from": _sender(letter.from_name, letter.from_email),
        "to": [whole_mails.TO],
        "subject": mail.subject,
    }
    if letter.reply_to:
        email["reply_to"] = [encoding.ascii_mailbox(*encoding.split_mailbox(letter.reply_to, "The reply address"))]
    email["headers"] = mail.headers("Resend")
    email["text"], email["html"] = mail.text, mail.html
    return email


def _sender(name: str, email: str) -> str:
    """The name bare and unencoded: the API refuses a quoted `from` with 422 and an encoded one with 451."""
    if _NOT_IN_SENDER_NAME.search(encoding.line(name, "The sender's name")):
        raise BadInput(
            f"Resend cannot take the sender name {name!r}.",
            cure='Leave out , ; : < > ( ) [ ] @ \\ and " in [mail] from.',
        )
    return f"{name} <{encoding.address(email)}>" if name else encoding.address(email)


def _read(reply: Reply, count: int) -> Answer:
    answer = answers.json_of(reply)
    if reply.status == 200:
        ids = _ids(answer)
        if len(ids) == count:
            return Answer("accepted", "200", vendor_ids=ids)
        return Answer("uncertain", f"200, but it names {len(ids)} of {count} messages: {answers.excerpt(reply)}")
    wait = answers.wait_seconds(reply.headers, datetime.now(UTC))
    fields = answer if isinstance(answer, Mapping) else {}
    return _read_error(reply, fields.get("name"), str(fields.get("message", "")).lower(), wait)


def _ids(answer: Any) -> tuple[str, ...]:
    data = answer.get("data") if isinstance(answer, Mapping) else None
    found = [one.get("id") if isinstance(one, Mapping) else None for one in data] if isinstance(data, list) else []
    return tuple(id_ for id_ in found if isinstance(id_, str) and id_)


def _read_error(reply: Reply, name: object, said: str, wait: float | None) -> Answer:
    why = answers.excerpt(reply)
    match reply.status:
        case 403 if name == "validation_error" and "api key" not in said:
            return answers.stopped(_DOMAIN, why)
        case 401 | 403:
            return answers.stopped(_KEY, why)
        case 404 | 405:
            return answers.stopped(_WHERE, why)
        case 400 if name == "validation_error" and "api key" in said:
            return answers.stopped(_KEY, why)
        case 400 | 422 | 451 if name == "invalid_from_address" or (
            name == "validation_error" and _SAID_OF_THE_SENDER.search(said)
        ):
            return answers.stopped(_SENDER, why)
        case 400 | 422 | 451 if name in _REJECTED:
            return Answer("not_accepted", why, permanent=True)
        case 413:
            return Answer("not_accepted", why, permanent=True)
        case 429:
            default = _QUOTA_WAITS.get(str(name), 1.0)
            return Answer("not_accepted", why, retry_after_seconds=default if wait is None else wait)
        case 409 if name == "concurrent_idempotent_requests":
            return Answer("uncertain", why, retry_after_seconds=5.0 if wait is None else wait)
        case 409 if name == "invalid_idempotent_request":
            alarm = "ALARM: the API holds another request under this key"
            return Answer("uncertain", f"{alarm} ({why})")
        case _:
            return Answer("uncertain", why, retry_after_seconds=wait)
