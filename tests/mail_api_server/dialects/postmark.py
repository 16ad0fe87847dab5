"""Postmark."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from email.utils import parseaddr
from typing import Any
from urllib.parse import parse_qs

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken

INACTIVE = "You tried to send to recipients that have all been marked as inactive."


class PostmarkDialect(Dialect):
    """The vendor's swagger 1.0.0 and its pages on batches, error codes, metadata and message search: 1 to 500 messages,
    each with a result of its own inside the 200; no keys; a record for each stream that is searched by one
    metadata field."""

    path = "/email/batch"
    invalid_status = 422
    refuses_singly = True
    FIELDS = frozenset(
        [
            *("From", "To", "Cc", "Bcc", "Subject", "Tag", "HtmlBody", "TextBody", "ReplyTo", "Headers", "TrackOpens"),
            *("TrackLinks", "Attachments", "Metadata", "MessageStream"),
        ]
    )
    CODES: Mapping[str, int] = {
        "missing_api_key": 10,
        "validation_error": 402,
        "rate_limit_exceeded": 429,
        "daily_quota_exceeded": 429,
    }

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        given = headers.get("X-Postmark-Server-Token", "")
        if not given or (api_key and given != api_key):
            raise Refusal(self.error(401, "missing_api_key", "The Server Token you provided was invalid"))

    def read(self, body: bytes) -> list[Taken]:
        try:
            messages = json.loads(body.decode("utf-8"))
        except ValueError:
            raise Refusal(self.error(422, "validation_error", "Invalid JSON")) from None
        if not isinstance(messages, list) or not 1 <= len(messages) <= 500:
            raise Refusal(self.error(422, "validation_error", "1 to 500 messages a batch"))
        return [self._read_one(message) for message in messages]

    def _read_one(self, message: Any) -> Taken:
        if not isinstance(message, dict) or message.keys() - self.FIELDS:
            raise Refusal(self.error(422, "validation_error", "Unknown field"))
        to = parseaddr(message["To"])[1]
        metadata = message.get("Metadata", {})
        keys_fit = len({key.lower() for key in metadata}) == len(metadata) <= 10
        keys_fit = keys_fit and all(len(key) <= 20 for key in metadata)
        if not keys_fit or not all(isinstance(value, str) and len(value) <= 80 for value in metadata.values()):
            raise Refusal(self.error(422, "validation_error", "Metadata out of bounds"))
        addressed = "@" in to and "@" in parseaddr(message["From"])[1]
        if not addressed or not (message.get("HtmlBody") or message.get("TextBody")):
            raise Refusal(self.error(422, "validation_error", "Invalid address or empty body"))
        headers = {header["Name"].lower(): header["Value"] for header in message.get("Headers", [])}
        if not all(isinstance(value, str) and "\n" not in value for value in headers.values()):
            raise Refusal(self.error(422, "validation_error", "Invalid header"))
        message_id = headers.get("message-id", "") if headers.get("x-pm-keepid") == "true" else ""
        html, text = message.get("HtmlBody", ""), message.get("TextBody", "")
        stream = message.get("MessageStream", "outbound")
        return Taken(to, message_id, message.get("Subject", ""), metadata, html, text, headers, stream)

    def success(self, ids: Sequence[str | None]) -> Reply:
        taken = {"SubmittedAt": "2026-11-20T07:00:00.0000000-05:00", "ErrorCode": 0, "Message": "OK"}
        refused = {"ErrorCode": 406, "Message": INACTIVE}
        unpaid = {"ErrorCode": 405, "Message": "Your account has run out of credits."}
        results = [{"MessageID": id_, **taken} if id_ else unpaid if id_ == "" else refused for id_ in ids]
        return Reply.of_json(200, results)

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        return Reply.of_json(status, {"ErrorCode": self.CODES.get(name, status), "Message": message}, **headers)

    def look(self, path: str, query: str, headers: Mapping[str, str], taken: Sequence[tuple[str, Taken]]) -> Reply:
        """`/messages/outbound`: `count` and `offset` are required and end at 10,000; one `metadata_…` field; the stream
        `outbound` and what is sent, unless said. Every third message stays queued."""
        if path != "/messages/outbound":
            return super().look(path, query, headers, taken)
        if not headers.get("X-Postmark-Server-Token"):
            return self.error(401, "missing_api_key", "No token")
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        count, offset = int(asked.pop("count")), int(asked.pop("offset"))
        stream, status = asked.pop("messagestream", "outbound"), asked.pop("status", "sent")
        wanted = {name.removeprefix("metadata_"): value for name, value in asked.items()}
        if not 1 <= count <= 500 or offset + count > 10_000 or len(wanted) > 1:
            return self.error(422, "validation_error", "count, offset or too many metadata fields")
        statuses = ["Sent" if place % 3 else "Queued" for place in range(len(taken))]
        found = [
            {
                "MessageID": id_,
                "MessageStream": one.stream,
                "Recipients": [one.to],
                "Status": now,
                "Metadata": one.labels,
            }
            for now, (id_, one) in reversed([*zip(statuses, taken, strict=True)])
            if one.stream == stream and now.lower() == status
            if all(one.labels.get(name) == value for name, value in wanted.items())
        ]
        return Reply.of_json(200, {"TotalCount": len(found), "Messages": found[offset : offset + count]})
