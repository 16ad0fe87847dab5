"""Resend."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import Any

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken, message_id_of


class ResendDialect(Dialect):
    """resend/resend-openapi 1.5.0 and the vendor's page on errors: strict batches of 1…100, keys for 24 hours."""

    path = "/emails/batch"
    invalid_status = 422
    FIELDS = frozenset(
        ["from", "to", "subject", "bcc", "cc", "reply_to", "html", "text", "headers", "tags", "topic_id"]
    )

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not given:
            raise Refusal(self.error(401, "missing_api_key", "Missing API Key"))
        if api_key and given != api_key:
            raise Refusal(self.error(403, "invalid_api_key", "API key is invalid"))

    def read(self, body: bytes) -> list[Taken]:
        try:
            messages = json.loads(body.decode("utf-8"))
        except ValueError:
            raise Refusal(self.error(400, "validation_error", "The body is not JSON")) from None
        if not isinstance(messages, list) or not 1 <= len(messages) <= 100:
            raise Refusal(self.error(422, "validation_error", "The batch must hold 1 to 100 emails"))
        return [self._read_one(message) for message in messages]

    def _read_one(self, message: Any) -> Taken:
        if not isinstance(message, dict) or not {"from", "to", "subject"} <= message.keys():
            raise Refusal(self.error(422, "missing_required_field", "Missing one or more required fields"))
        if message.keys() - self.FIELDS or not (message.get("html") or message.get("text")):
            raise Refusal(self.error(422, "validation_error", "Unknown field, or neither html nor text"))
        to = [message["to"]] if isinstance(message["to"], str) else message["to"]
        addresses = [parseaddr(address)[1] for address in to]
        if not addresses or len(addresses) > 50 or not all("@" in address for address in addresses):
            raise Refusal(self.error(422, "validation_error", "Invalid `to` field"))
        if "@" not in parseaddr(message["from"])[1]:
            raise Refusal(self.error(422, "invalid_from_address", "Invalid `from` field"))
        headers = message.get("headers", {})
        if not all(isinstance(value, str) and "\r" not in value and "\n" not in value for value in headers.values()):
            raise Refusal(self.error(422, "validation_error", "Invalid header"))
        return Taken(
            ", ".join(addresses),
            message_id_of(headers),
            message["subject"],
            html=message.get("html", ""),
            text=message.get("text", ""),
            headers={name.lower(): value for name, value in headers.items()},
        )

    def success(self, ids: Sequence[str | None]) -> Reply:
        return Reply.of_json(200, {"data": [{"id": id_} for id_ in ids]})

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        return Reply.of_json(status, {"statusCode": status, "name": name, "message": message}, **headers)

    def key_of(self, headers: Mapping[str, str], body: bytes) -> str:
        key = headers.get("Idempotency-Key", "")
        if len(key) > 256:
            raise Refusal(self.error(400, "invalid_idempotency_key", "The key must be between 1-256 chars"))
        return key
