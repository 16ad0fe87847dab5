"""Mailjet."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken


class MailjetDialect(Dialect):
    """The vendor's guide to the Send API v3.1: 1 to 50 messages, each with a result of its own, under 400 as soon as
    one is refused; no keys; a record that is searched by CustomID."""

    path = "/v3.1/send"
    refuses_singly = True
    FIELDS = frozenset(
        [
            *("From", "Sender", "To", "Cc", "Bcc", "ReplyTo", "Subject", "TextPart", "HTMLPart", "TemplateID"),
            *("TemplateLanguage", "Attachments", "InlinedAttachments", "Priority", "CustomCampaign", "TrackOpens"),
            *("DeduplicateCampaign", "TrackClicks", "CustomID", "EventPayload", "URLTags", "Headers", "Variables"),
        ]
    )
    FORBIDDEN = frozenset(
        [
            *("from", "sender", "subject", "to", "cc", "bcc", "reply-to", "return-path", "delivered-to", "received"),
            *("dkim-signature", "date", "message-id", "user-agent", "x-mailer", "list-id", "x-feedback-id"),
        ]
    )
    CODES: Mapping[str, str] = {"missing_api_key": "mj-0015", "validation_error": "mj-0004", "send-0011": "send-0011"}

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        scheme, _, coded = headers.get("Authorization", "").partition(" ")
        given = b64decode(coded).decode() if scheme == "Basic" else ""
        if ":" not in given or (api_key and given != api_key):
            raise Refusal(self.error(401, "missing_api_key", "API key authentication/authorization failure."))

    def read(self, body: bytes) -> list[Taken]:
        try:
            messages = json.loads(body.decode("utf-8"))["Messages"]
        except (ValueError, TypeError, KeyError):
            raise Refusal(self.error(400, "validation_error", "Malformed JSON")) from None
        if not isinstance(messages, list) or not 1 <= len(messages) <= 50:
            raise Refusal(self.error(400, "validation_error", "1 to 50 messages"))
        return [self._read_one(message) for message in messages]

    def _read_one(self, message: Any) -> Taken:
        """The whole request is refused for what only a fault of the adapter can bring about."""
        headers = message.get("Headers", {})
        if self.FORBIDDEN & {name.lower() for name in headers}:
            raise Refusal(self.error(400, "send-0011", "Header cannot be customized using Headers collection."))
        if message.keys() - self.FIELDS or not (message.get("HTMLPart") or message.get("TextPart")):
            raise Refusal(self.error(400, "validation_error", "Unknown field, or neither HTMLPart nor TextPart"))
        mailboxes = [message["From"], *message["To"]]
        if not all("@" in each["Email"] and each.get("Name", "x") for each in mailboxes) or len(mailboxes) > 50:
            raise Refusal(self.error(400, "validation_error", "Invalid address"))
        if len(message.get("Subject", "")) > 255 or not all(isinstance(value, str) for value in headers.values()):
            raise Refusal(self.error(400, "validation_error", "Subject or header out of bounds"))
        if any(message.get(name) not in (None, "disabled", "enabled") for name in ("TrackOpens", "TrackClicks")):
            raise Refusal(self.error(400, "validation_error", "Value not allowed"))
        labels = {"CustomID": message.get("CustomID", "")}
        # The vendor gives a Message-ID of its own; a test knows a mail again by its CustomID.
        return Taken(
            message["To"][0]["Email"],
            labels["CustomID"],
            message.get("Subject", ""),
            labels,
            message.get("HTMLPart", ""),
            message.get("TextPart", ""),
            {name.lower(): value for name, value in headers.items()},
        )

    def success(self, ids: Sequence[str | None]) -> Reply:
        refused = {
            "Status": "error",
            "Errors": [
                {
                    "ErrorIdentifier": "f987008f-251a-4dff-8ffc-40f1583ad7bc",
                    "ErrorCode": "mj-0013",
                    "StatusCode": 400,
                    "ErrorMessage": "The email address is invalid.",
                    "ErrorRelatedTo": ["To[0].Email"],
                }
            ],
        }
        unpaid = {
            "Status": "error",
            "Errors": [{"ErrorCode": "send-0008", "StatusCode": 403, "ErrorMessage": "Sender is not allowed."}],
        }
        results = [
            {"Status": "success", "CustomID": "", "To": [{"MessageUUID": id_, "MessageID": 1}], "Cc": [], "Bcc": []}
            if id_
            else unpaid
            if id_ == ""
            else refused
            for id_ in ids
        ]
        return Reply.of_json(200 if all(ids) else 403 if "" in ids else 400, {"Messages": results})

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        whole = {
            "ErrorIdentifier": "06df1144-c6f3-4ca7-8885-7ec5d4344113",
            "ErrorCode": self.CODES.get(name, ""),
            "ErrorMessage": message,
            "StatusCode": status,
        }
        return Reply.of_json(status, whole, **headers)

    def look(self, path: str, query: str, headers: Mapping[str, str], taken: Sequence[tuple[str, Taken]]) -> Reply:
        """`/v3/REST/message` with the filter CustomID; it shows that id only when told to. The oldest first, unless
        said. Not told since when, it shows what is of today: here, that is nothing."""
        if path != "/v3/REST/message":
            return super().look(path, query, headers, taken)
        if not headers.get("Authorization", "").startswith("Basic "):
            return self.error(401, "missing_api_key", "No key")
        asked = {name: values[0] for name, values in parse_qs(query).items()}
        found = [one for _, one in taken if one.labels["CustomID"] == asked.get("CustomID", one.labels["CustomID"])]
        if int(asked.get("FromTS", "0")) < time.time() - 366 * 86_400:
            found = []
        shown = asked.get("ShowCustomID") == "true"
        if asked.get("Sort") == "ID DESC":
            found.reverse()
        data = [
            {"ID": 1, "Status": "sent", "CustomID": one.labels["CustomID"] if shown else ""}
            for one in found[: int(asked.get("Limit", "10"))]
        ]
        return Reply.of_json(200, {"Count": len(data), "Data": data, "Total": len(data)})
