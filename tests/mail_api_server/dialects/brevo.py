"""Brevo."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken

TEMPLATE = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}|\{#(.*?)#\}", re.DOTALL)
CUSTOM = "x-mailin-custom"


class BrevoDialect(Dialect):
    """The official SDK's model and the vendor's pages on batches, idempotency and the report of events: one letter to 1
    to 1,000 versions, a template language that looks into all of it, all or nothing; a key in the body that turns the
    same request down; a report that is searched by tag and does not know our label. It writes the Message-ID itself."""

    path = "/v3/smtp/email"
    FIELDS = frozenset(
        [
            *("sender", "to", "replyTo", "subject", "htmlContent", "textContent", "headers", "params", "tags"),
            *("messageVersions", "attachment", "templateId", "scheduledAt", "batchId", "cc", "bcc"),
        ]
    )
    OWN_FIELDS = frozenset(["to", "cc", "bcc", "replyTo", "subject", "htmlContent", "textContent", "params", "headers"])
    CODES: Mapping[str, str] = {
        "missing_api_key": "unauthorized",
        "not_found": "document_not_found",
        "concurrent_idempotent_requests": "duplicate_parameter",
        "invalid_idempotent_request": "duplicate_parameter",
    }

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        given = headers.get("api-key", "")
        if not given or (api_key and given != api_key):
            raise Refusal(self.error(401, "missing_api_key", "Key not found"))

    def read(self, body: bytes) -> list[Taken]:
        request = self._json(body)
        versions = request.get("messageVersions")
        if request.keys() - self.FIELDS or not request.get("subject") or not request.get("htmlContent"):
            raise Refusal(self.error(400, "", "unknown field, or subject or htmlContent is missing"))
        if not isinstance(versions, list) or not 1 <= len(versions) <= 1000:
            raise Refusal(self.error(400, "", "1 to 1000 messageVersions"))
        if any(version.keys() - self.OWN_FIELDS or len(version["to"]) != 1 for version in versions):
            raise Refusal(self.error(400, "", "unknown field of a version; several in one see each other"))
        if sum(len(json.dumps(version.get("params", {}))) for version in versions) > 1_000_000:
            raise Refusal(self.error(400, "out_of_range", "cumulative params exceed 1000 KB"))
        if not re.fullmatch(r"[!-~]+@[A-Za-z0-9.-]+", request["sender"].get("email", "")):
            raise Refusal(self.error(400, "", "valid sender email required"))
        return [self._one(request, version) for version in versions]

    def _json(self, body: bytes) -> dict[str, Any]:
        try:
            found = json.loads(body.decode("utf-8"))
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise Refusal(self.error(400, "bad_request", "Input must be a valid JSON object"))
        return found

    def _one(self, request: Mapping[str, Any], version: Mapping[str, Any]) -> Taken:
        to = version["to"][0]
        # Those of a version stand instead of the request's.
        headers = version.get("headers", request.get("headers", {}))
        if not re.fullmatch(r"[!-~]+@[A-Za-z0-9.-]+", to["email"]) or to.get("name") == "":
            raise Refusal(self.error(400, "", f"email {to['email']} is not valid in to"))
        if not all(isinstance(value, str) and value.isascii() for value in headers.values()):
            raise Refusal(self.error(400, "", "a header is no ASCII string"))
        params = version.get("params", {})

        def put_in(field: str, *, html: bool = False) -> str:
            return self._rendered(version.get(field, request.get(field, "")), params, html=html)

        named = {name.lower(): value for name, value in headers.items()}
        return Taken(
            to["email"],
            # The vendor gives a Message-ID of its own; a test knows a mail again by this.
            named.get(CUSTOM, ""),
            put_in("subject"),
            labels={"tag": (request.get("tags") or [""])[0]},
            html=put_in("htmlContent", html=True),
            text=put_in("textContent"),
            headers=named,
        )

    def _rendered(self, words: str, params: Mapping[str, str], *, html: bool) -> str:
        """As the strictest reading has it: values are escaped in HTML and looked into again, what is unknown is
        nothing, a comment is left out, and what it does not understand turns the request down."""

        def one(found: re.Match[str]) -> str:
            if found[3] is not None:
                return ""
            name = re.fullmatch(r"\s*params\.(\w+)\s*", found[1] or "")
            if found[2] is not None or (name is None and not re.fullmatch(r"\s*[\w.]+\s*", found[1])):
                raise Refusal(self.error(400, "", f"template syntax error: {found[0]}"))
            value = params.get(name[1], "") if name else ""
            return escape(value) if html else value

        for _ in range(2):
            words = TEMPLATE.sub(one, words)
        return words

    def success(self, ids: Sequence[str | None]) -> Reply:
        if len(ids) == 1:
            return Reply.of_json(201, {"messageId": ids[0]})
        return Reply.of_json(201, {"messageIds": ids})

    def short_success(self, ids: Sequence[str]) -> Reply:
        return Reply.of_json(201, {"messageIds": ids[:-1]})

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        code = self.CODES.get(name, name if name and name != "validation_error" else "invalid_parameter")
        if code == "duplicate_parameter":
            status, message = 400, "Request already processed"
        named = {}
        if status == 429:
            named = {"x_sib_ratelimit_reset": headers.get("Retry_After", "60")}
        return Reply.of_json(status, {"code": code, "message": message}, **named)

    def key_of(self, headers: Mapping[str, str], body: bytes) -> str:
        key = self._json(body).get("headers", {}).get("idempotencyKey", "")
        try:
            return str(UUID(key)) if key else ""
        except ValueError:
            raise Refusal(self.error(400, "", "idempotencyKey must be a UUID")) from None

    def replayed(self, kept: Reply) -> Reply:
        return self.error(400, "invalid_idempotent_request", "")

    def look(self, path: str, query: str, headers: Mapping[str, str], taken: Sequence[tuple[str, Taken]]) -> Reply:
        """`/v3/smtp/statistics/events`: one of kind `requests` for each mail, newest first."""
        if path != "/v3/smtp/statistics/events":
            return super().look(path, query, headers, taken)
        if not headers.get("api-key"):
            return self.error(401, "missing_api_key", "Key not found")
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        tags = json.loads(asked.pop("tags", "null"))
        if asked.pop("event", "") != "requests" or not 1 <= int(asked.pop("days", "30")) <= 90:
            return self.error(400, "", "an event that is not looked at here, or too many days")
        limit = int(asked.pop("limit", "2500"))
        if asked.pop("sort", "desc") != "desc" or asked or limit > 5000:
            return self.error(400, "", "a filter that is not looked at here")
        found = [
            {
                "email": one.to,
                "date": "2026-11-20T08:00:00.000+01:00",
                "messageId": id_,
                "event": "requests",
                "subject": one.subject,
                "tag": one.labels["tag"],
                "from": "news@post.example",
            }
            for id_, one in reversed(taken)
            if tags is None or one.labels["tag"] in tags
        ]
        return Reply.of_json(200, {"events": found[:limit]} if found else {})
