"""Twilio SendGrid."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any
from urllib.parse import parse_qs

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken


class SendGridDialect(Dialect):
    """The vendor's specification tsg_mail_v3 and its page on substitution tags: one content to 1 to 1,000
    personalizations, in which each one's tags are put in wherever their words stand, four times over; no keys; all or
    nothing; 202 without a body. Its specification tsg_email_activity_v3: a record for who has bought it, six requests a
    minute."""

    path = "/v3/mail/send"
    NESTED = 4
    has_activity = True

    def __init__(self) -> None:
        self.asked_at: deque[float] = deque(maxlen=6)

    FIELDS = frozenset(
        [
            *("personalizations", "from", "reply_to", "reply_to_list", "subject", "content", "attachments", "headers"),
            *("template_id", "categories", "custom_args", "send_at", "batch_id", "asm", "ip_pool_name"),
            *("mail_settings", "tracking_settings"),
        ]
    )
    OWN_FIELDS = frozenset(
        ["from", "to", "cc", "bcc", "subject", "headers", "substitutions", "dynamic_template_data", "custom_args"]
    )
    RESERVED = frozenset(
        [
            *("x-sg-id", "x-sg-eid", "received", "dkim-signature", "content-type", "content-transfer-encoding"),
            *("to", "from", "subject", "reply-to", "cc", "bcc"),
        ]
    )

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not given or (api_key and given != api_key):
            raise Refusal(self.error(401, "", "authorization required"))

    def read(self, body: bytes) -> list[Taken]:
        try:
            request: Any = json.loads(body.decode("utf-8"))
            every, content = request["personalizations"], request["content"]
            emails = [each["email"] for one in every for each in one["to"]]
        except (ValueError, TypeError, KeyError):
            raise Refusal(self.error(400, "", "Bad Request")) from None
        if request.keys() - self.FIELDS or any(one.keys() - self.OWN_FIELDS for one in every):
            raise Refusal(self.error(400, "", "Invalid field"))
        if not 1 <= len(every) <= 1000 or any(len(one["to"]) != 1 for one in every):
            raise Refusal(self.error(400, "", "1 to 1000 personalizations; several to a mail see each other"))
        if len({email.lower() for email in emails}) < len(emails):
            raise Refusal(self.error(400, "", "Each email address in the personalization block should be unique"))
        if not all("@" in email and " " not in email for email in [*emails, request["from"]["email"]]):
            raise Refusal(self.error(400, "", "Does not contain a valid address."))
        if not request.get("subject") or not content or not all(part["value"] for part in content):
            raise Refusal(self.error(400, "", "The subject and the content must be at least one character"))
        kinds = [part["type"] for part in content]
        if kinds != sorted(kinds, reverse=True):
            raise Refusal(self.error(400, "", "If present, text/plain must come before text/html"))
        return [self._one(request, one) for one in every]

    def _one(self, request: Mapping[str, Any], own: Mapping[str, Any]) -> Taken:
        headers = {**request.get("headers", {}), **own.get("headers", {})}
        values = own.get("substitutions", {})
        if self.RESERVED & {name.lower() for name in headers}:
            raise Refusal(self.error(400, "", "The header is reserved"))
        if not all(isinstance(value, str) for value in [*headers.values(), *values.values()]):
            raise Refusal(self.error(400, "", "Header or substitution must be a string"))
        if sum(len(f"{tag}{value}".encode()) for tag, value in values.items()) > 10_000:
            raise Refusal(self.error(400, "", "The substitutions are larger than 10000 bytes"))

        def put_in(words: str) -> str:
            for _ in range(self.NESTED):
                for tag, value in values.items():
                    words = words.replace(tag, value)
            return words

        bodies = {part["type"]: put_in(part["value"]) for part in request["content"]}
        named = {name.lower(): value for name, value in headers.items()}
        return Taken(
            own["to"][0]["email"],
            named.get("message-id", ""),
            put_in(request["subject"]),
            labels=own.get("custom_args", {}),
            html=bodies.get("text/html", ""),
            text=bodies.get("text/plain", ""),
            headers=named,
        )

    def success(self, ids: Sequence[str | None]) -> Reply:
        return Reply(202, b"", {"X-Message-Id": str(ids[0])})

    def short_success(self, ids: Sequence[str]) -> Reply:
        return Reply(202)

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        named = {}
        if status == 429:
            # It says when in Unix time.
            named = {"X_RateLimit_Reset": str(ceil(time.time() + float(headers.get("Retry_After", "60"))))}
        return Reply.of_json(status, {"errors": [{"message": message, "field": None, "help": None}]}, **named)

    def look(self, path: str, query: str, headers: Mapping[str, str], taken: Sequence[tuple[str, Taken]]) -> Reply:
        """`/v3/messages`, searched by what was given along alone, newest first, and `/v3/messages/ID`."""
        if not path.startswith("/v3/messages"):
            return super().look(path, query, headers, taken)
        if not headers.get("Authorization") or not self.has_activity:
            return self.error(403, "", "access forbidden")
        if len(self.asked_at) == 6 and time.monotonic() - self.asked_at[0] < self.minute_seconds:
            return self.error(429, "", "too many requests")
        self.asked_at.append(time.monotonic())
        if path != "/v3/messages":
            labels = {id_: one.labels for id_, one in taken}.get(path.removeprefix("/v3/messages/"))
            if labels is None:
                return self.error(404, "", "not found")
            return Reply.of_json(200, {"msg_id": path[13:], "status": "processed", "unique_args": json.dumps(labels)})
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        wanted = re.fullmatch(r"""\(unique_args\['([\w-]+)'\](="([^"]*)"| IS NOT NULL)\)""", asked.get("query", ""))
        if wanted is None or asked.keys() - {"query", "limit"}:
            return self.error(400, "", "invalid syntax")
        found = [
            {"from_email": "news@post.example", "msg_id": id_, "subject": one.subject, "to_email": one.to}
            | {"status": "processed", "opens_count": 0, "clicks_count": 0, "last_event_time": "2026-11-20T07:00:00Z"}
            for id_, one in reversed(taken)
            if wanted[1] in one.labels and wanted[3] in (None, one.labels[wanted[1]])
        ]
        return Reply.of_json(200, {"messages": found[: int(asked.get("limit", "10"))]})
