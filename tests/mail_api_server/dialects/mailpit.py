"""Mailpit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken, message_id_of


class MailpitDialect(Dialect):
    """axllent/mailpit swagger v1 and server/apiv1/send.go: one message a request, no keys, a searchable record."""

    path = "/api/v1/send"
    RESTRICTED = frozenset(["to", "from", "cc", "bcc", "reply-to", "date", "subject", "content-type", "mime-version"])

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        if api_key and not headers.get("Authorization", "").startswith("Basic "):
            raise Refusal(Reply(401, b"Unauthorised.\n", {"WWW-Authenticate": 'Basic realm="Login"'}))

    def read(self, body: bytes) -> list[Taken]:
        try:
            message = json.loads(body.decode("utf-8"))
            to = [recipient["Email"] for recipient in message.get("To", [])]
            headers, sender = message.get("Headers", {}), message["From"]["Email"]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise Refusal(self.error(400, "", f"invalid request: {error!r}")) from None
        if not all("@" in address for address in [sender, *to]):
            raise Refusal(self.error(400, "", "invalid To address"))
        for name, value in headers.items():
            if name.lower() in self.RESTRICTED:
                raise Refusal(self.error(400, "", f'cannot overwrite header: "{name}"'))
            if not isinstance(value, str):
                raise Refusal(self.error(400, "", "json: cannot unmarshal into .Headers of type string"))
        taken = Taken(
            ", ".join(to),
            message_id_of(headers),
            message.get("Subject", ""),
            html=message.get("HTML", ""),
            text=message.get("Text", ""),
            headers={name.lower(): value for name, value in headers.items()},
        )
        return [taken]

    def success(self, ids: Sequence[str | None]) -> Reply:
        return Reply.of_json(200, {"ID": ids[0]})

    def short_success(self, ids: Sequence[str]) -> Reply:
        return Reply.of_json(200, {})

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        return Reply.of_json(status, {"Error": message or name}, **headers)

    def look(self, path: str, query: str, headers: Mapping[str, str], taken: Sequence[tuple[str, Taken]]) -> Reply:
        """`message-id:`, a part of it, in any case: newest first, `limit` 50 unless said."""
        if path != "/api/v1/search":
            return super().look(path, query, headers, taken)
        asked = parse_qs(query)
        words = [word.strip('"') for word in asked.get("query", [""])[0].split()]
        wanted = [word.partition(":")[2].strip('"<>').lower() for word in words if word.startswith("message-id:")]
        found = [
            {"ID": id_, "MessageID": one.message_id.strip("<>"), "Subject": one.subject, "To": [{"Address": one.to}]}
            for id_, one in reversed(taken)
            if all(part in one.message_id.lower() for part in wanted)
        ]
        start, limit = int(asked.get("start", ["0"])[0]), int(asked.get("limit", ["50"])[0])
        page = found[start : start + limit]
        return Reply.of_json(200, {"messages": page, "messages_count": len(found), "total": len(taken), "start": start})
