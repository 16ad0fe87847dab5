"""SparkPost."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any
from urllib.parse import parse_qs

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken

EXPRESSION = re.compile(r"\{\{\{\s*(.*?)\s*\}\}\}|\{\{\s*(.*?)\s*\}\}", re.DOTALL)
RESERVED = frozenset(
    [
        *("address", "email", "email_id", "env_from", "return_path", "and", "break", "do", "else", "elseif", "end"),
        *("false", "for", "function", "if", "local", "nil", "not", "or", "each", "return", "then", "true", "until"),
    ]
)


class SparkPostDialect(Dialect):
    """The vendor's pages on transmissions, events, the template language, idempotent requests and extended error codes:
    one content to many recipients, of whom it leaves out those it cannot read; one id for all; keys for 24 hours;
    events of 10 days, which come late. It writes the Message-ID itself. Whether a reason names the address is not
    documented: here it does, as one of a domain does."""

    path = "/api/v1/transmissions"
    record_seconds = 0.1
    invalid_status = 422
    refuses_singly = True
    FIELDS = frozenset(
        [
            *("options", "recipients", "content", "campaign_id", "description", "metadata", "substitution_data"),
            "return_path",
        ]
    )
    CONTENT = frozenset(["from", "subject", "html", "text", "reply_to", "headers"])
    OPTIONS = frozenset(["open_tracking", "click_tracking", "transactional"])
    CODES: Mapping[str, str] = {
        "validation_error": "1300",
        "not_found": "1600",
        "daily_quota_exceeded": "2102",
        "concurrent_idempotent_requests": "1601",
        "invalid_idempotent_request": "1600",
    }

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        given = headers.get("Authorization", "")
        if not given or " " in given or (api_key and given != api_key):
            raise Refusal(self.error(401, "", "Unauthorized."))

    def read(self, body: bytes) -> list[Taken]:
        try:
            request: Any = json.loads(body.decode("utf-8"))
            content, recipients = request["content"], request["recipients"]
        except (ValueError, TypeError, KeyError):
            raise Refusal(self.error(422, "1400", "required field is missing")) from None
        if request.keys() - self.FIELDS or content.keys() - self.CONTENT or request["options"].keys() - self.OPTIONS:
            raise Refusal(self.error(422, "1300", "unknown field"))
        if not content.get("subject") or not (content.get("html") or content.get("text")):
            raise Refusal(self.error(422, "1400", "subject, and text or html, are required"))
        if not re.fullmatch(r"[!-~]+@[A-Za-z0-9.-]+", content["from"]["email"]):
            raise Refusal(self.error(400, "7001", "Invalid domain"))
        headers = content.get("headers", {})
        if {name.lower() for name in headers} & {"subject", "from", "to", "reply-to", "content-type"}:
            raise Refusal(self.error(422, "3002", "Invalid header"))
        if not request["options"].get("transactional"):
            # Its own List-Unsubscribe stands instead of the sender's.
            headers = {**headers, "List-Unsubscribe": "<mailto:unsubscribe@sparkpostmail.com>"}
        if len(request.get("campaign_id", "").encode()) > 64:
            raise Refusal(self.error(422, "1300", "campaign_id is longer than 64 bytes"))
        if not recipients:
            raise Refusal(self.error(400, "5002", "At least one valid recipient is required"))
        return [self._one(request, headers, one) for one in recipients]

    def _one(self, request: Mapping[str, Any], headers: Mapping[str, str], recipient: Mapping[str, Any]) -> Taken:
        own = recipient.get("substitution_data", {})
        metadata = recipient.get("metadata", {})
        fits = len(json.dumps(metadata)) <= 1000 and len(json.dumps(own)) <= 100_000
        if not fits or RESERVED & own.keys() or not all(re.fullmatch(r"[A-Za-z_]\w*", key) for key in own):
            raise Refusal(self.error(422, "2002", "metadata or substitution data out of bounds"))
        if not re.fullmatch(r"[!-~]+@[A-Za-z0-9.-]+", recipient["address"]["email"]):
            raise Refusal(self.error(400, "5002", "At least one valid recipient is required"))
        known = {**metadata, **request.get("substitution_data", {}), **own}

        def put_in(template: str, *, html: bool = False) -> str:
            return self._rendered(template, known, html=html)

        content = request["content"]
        put_in(content["from"].get("name", ""))
        put_in(content.get("reply_to", ""))
        return Taken(
            recipient["address"]["email"],
            # The vendor gives a Message-ID of its own; a test knows a mail again by this.
            str(metadata.get("syndicate-message", "")),
            put_in(content["subject"]),
            labels=metadata,
            html=put_in(content.get("html", ""), html=True),
            text=re.sub(r"\[\[\s*data-msys[^]]*\]\]", "", put_in(content.get("text", ""))),
            headers={name.lower(): put_in(value) for name, value in headers.items()},
            stream=request.get("campaign_id", ""),
        )

    def _rendered(self, template: str, known: Mapping[str, str], *, html: bool) -> str:
        """Values are not looked into again; braces that belong to no expression are a mistake."""
        parts, at = [], 0
        for found in EXPRESSION.finditer(template):
            parts.append(self._literal(template[at : found.start()]))
            name = found[1] if found[1] is not None else found[2]
            if not re.fullmatch(r"\w+(\.\w+)*", name):
                raise Refusal(self.error(422, "3000", f"substitution language syntax error: {found[0]}"))
            value = str(known.get(name, ""))
            parts.append(escape(value) if html and found[1] is None else value)
            at = found.end()
        return "".join([*parts, self._literal(template[at:])])

    def _literal(self, words: str) -> str:
        if "{{" in words or "}}" in words:
            raise Refusal(self.error(422, "3000", "substitution language syntax error: braces must be escaped"))
        return words

    def ids(self, number: int, messages: Sequence[Taken]) -> list[str]:
        return [f"1166878748495{number}"] * len(messages)

    def answer(self, messages: Sequence[Taken], ids: Sequence[str | None]) -> Reply:
        taken = [id_ for id_ in ids if id_ is not None]
        if not taken:
            return self.error(400, "5002", "At least one valid recipient is required")
        results: dict[str, Any] = {
            "total_rejected_recipients": len(ids) - len(taken),
            "total_accepted_recipients": len(taken),
            "id": taken[0],
        }
        if len(taken) == len(ids):
            return Reply.of_json(200, {"results": results})
        refused = [one.to for one, id_ in zip(messages, ids, strict=True) if id_ is None]
        results["rcpt_to_errors"] = [
            {
                "message": "invalid data format/type",
                "description": f"Error validating address syntax for address: '{address}'",
                "code": "1300",
            }
            for address in refused
        ]
        errors = [{"message": "transmission created, but with validation errors", "code": "2000"}]
        return Reply.of_json(200, {"errors": errors, "results": results})

    def short_success(self, ids: Sequence[str]) -> Reply:
        results = {"total_rejected_recipients": 0, "total_accepted_recipients": len(ids) - 1, "id": ids[0]}
        return Reply.of_json(200, {"results": results})

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        code = self.CODES.get(name, name)
        if code == "2102":
            status = 420
        if status == 401:
            return Reply.of_json(401, {"errors": [{"message": "Unauthorized."}]})
        return Reply.of_json(status, {"errors": [{"message": message, "code": code}]}, **headers)

    def key_of(self, headers: Mapping[str, str], body: bytes) -> str:
        key = headers.get("Idempotency-Key", "")
        if key and not re.fullmatch(r"[A-Za-z0-9._-]{1,255}", key):
            raise Refusal(self.error(400, "1602", "Invalid idempotency key"))
        return key

    def replayed(self, kept: Reply) -> Reply:
        return Reply(kept.status, kept.body, {**kept.headers, "X-Idempotent-Replayed": "true"})

    def look(self, path: str, query: str, headers: Mapping[str, str], taken: Sequence[tuple[str, Taken]]) -> Reply:
        """`/api/v1/events/message`: an injection for each recipient, newest first, a thousand a page and of any
        campaign unless said."""
        if path != "/api/v1/events/message":
            return super().look(path, query, headers, taken)
        if not headers.get("Authorization"):
            return self.error(401, "", "Unauthorized.")
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        since = datetime.fromisoformat(asked.pop("from")).replace(tzinfo=UTC)
        kinds, per_page = asked.pop("events", "injection").split(","), int(asked.pop("per_page", "1000"))
        campaigns = asked.pop("campaigns", "")
        if asked or not 1 <= per_page <= 10_000 or "*" in campaigns or datetime.now(UTC) - since > timedelta(days=11):
            return self.error(400, "1300", "a filter that is not looked at here")
        found = [
            {
                "type": "injection",
                "campaign_id": one.stream,
                "event_id": f"9235692769381{place}",
                "rcpt_meta": one.labels,
                "rcpt_to": one.to,
                "timestamp": "2026-11-20T08:00:00.000+00:00",
                "transmission_id": id_,
            }
            for place, (id_, one) in enumerate(taken)
            if "injection" in kinds and (not campaigns or one.stream in campaigns.split(","))
        ][::-1]
        links = [{"href": f"{path}?cursor=initial", "rel": "first"}]
        if len(found) > per_page:
            links.append({"href": f"{path}?cursor=WycyMDE4", "rel": "next"})
        return Reply.of_json(200, {"results": found[:per_page], "total_count": len(found), "links": links})
