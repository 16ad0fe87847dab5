"""Amazon SES v2."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from email.header import decode_header, make_header
from email.utils import parseaddr
from typing import Any

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken

PLACE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_.]*)\s*\}\}")
ESCAPED = re.compile(r"\\\{\{")
PASSES = 4
"""More often than the vendor would: that it never looks into values again is not documented."""


class AmazonSESDialect(Dialect):
    """The service model sesv2 2019-09-27: SendBulkEmail with a template in the request, at most 50 entries and 1 MB; no
    keys, no record; a status for each entry. Signatures are looked at for their form and access key only: the tests of
    the signer hold the rest."""

    path = "/v2/email/outbound-bulk-emails"
    refuses_singly = True
    FIELDS = frozenset(["FromEmailAddress", "ReplyToAddresses", "DefaultEmailTags", "DefaultContent"])
    TEMPLATE = frozenset(["TemplateContent", "TemplateData", "Headers"])
    ENTRY = frozenset(["Destination", "ReplacementTags", "ReplacementEmailContent", "ReplacementHeaders"])
    WRITTEN = frozenset(["date", "message-id", "subject", "to", "from", "reply-to", "content-type", "mime-version"])
    NAMES: Mapping[str, str] = {
        "missing_api_key": "MissingAuthenticationTokenException",
        "rate_limit_exceeded": "TooManyRequestsException",
        "daily_quota_exceeded": "TooManyRequestsException",
        "validation_error": "BadRequestException",
        "not_found": "UnknownOperationException",
        "application_error": "InternalFailure",
    }
    AUTHORIZATION = re.compile(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/[a-z0-9-]+/ses/aws4_request, "
        r"SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}"
    )

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        found = self.AUTHORIZATION.fullmatch(headers.get("Authorization", ""))
        if not found or not headers.get("X-Amz-Date") or (api_key and found[1] != api_key.partition(":")[0]):
            raise Refusal(self.error(403, "missing_api_key", "The security token included in the request is invalid."))

    def read(self, body: bytes) -> list[Taken]:
        if len(body) > 1_000_000:
            raise Refusal(self.error(400, "validation_error", "Request is larger than 1 MB"))
        try:
            request: Any = json.loads(body.decode("utf-8"))
            template, entries = request["DefaultContent"]["Template"], request["BulkEmailEntries"]
            content = template["TemplateContent"]
            defaults = json.loads(template["TemplateData"])
            known = not request.keys() - self.FIELDS - {"BulkEmailEntries"} and not template.keys() - self.TEMPLATE
            known &= not content.keys() - {"Subject", "Text", "Html"} and isinstance(defaults, dict)
        except (ValueError, TypeError, KeyError, AttributeError):
            raise Refusal(self.error(400, "validation_error", "malformed")) from None
        if not known or not 1 <= len(entries) <= 50 or not (content.get("Html") or content.get("Text")):
            raise Refusal(self.error(400, "validation_error", "Fields, entries or body"))
        addresses = [request["FromEmailAddress"], *request.get("ReplyToAddresses", [])]
        if not all(each.isascii() and "@" in parseaddr(each)[1] for each in addresses):
            raise Refusal(self.error(400, "validation_error", "Illegal address"))
        return [self._one(request, template, defaults, entry) for entry in entries]

    def _one(self, request: Any, template: Any, defaults: Mapping[str, str], entry: Any) -> Taken:
        """The whole request is refused for what only a fault of the adapter can bring about."""
        try:
            (to,) = entry["Destination"]["ToAddresses"]
            data = entry["ReplacementEmailContent"]["ReplacementTemplate"]["ReplacementTemplateData"]
            values = {**defaults, **json.loads(data)}
        except (ValueError, TypeError, KeyError):
            raise Refusal(self.error(400, "validation_error", "Template data is invalid")) from None
        if entry.keys() - self.ENTRY or len(data) > 262_144 or not to.isascii() or "@" not in parseaddr(to)[1]:
            raise Refusal(self.error(400, "validation_error", "Illegal entry"))
        str(make_header(decode_header(parseaddr(to)[0])))
        headers = {**self._headers(template.get("Headers", [])), **self._headers(entry.get("ReplacementHeaders", []))}
        listed = [*request.get("DefaultEmailTags", []), *entry.get("ReplacementTags", [])]
        tags = {each["Name"]: each["Value"] for each in listed}
        if not all(re.fullmatch("[A-Za-z0-9_-]{1,256}", each) for pair in tags.items() for each in pair):
            raise Refusal(self.error(400, "validation_error", "Illegal tag"))
        subject, html, text = (
            self._put_in(template["TemplateContent"].get(part, ""), values) for part in ("Subject", "Html", "Text")
        )
        return Taken(parseaddr(to)[1], tags.get("syndicate-message", ""), subject, tags, html, text, headers)

    def _headers(self, listed: Sequence[Mapping[str, str]]) -> dict[str, str]:
        headers = {each["Name"].lower(): each["Value"] for each in listed}
        legal = all(re.fullmatch("[!-9;-@A-~]{1,126}", each) for each in headers)
        legal &= all(re.fullmatch("[ -~]{1,995}", each) for each in headers.values())
        if len(listed) > 15 or len(headers) < len(listed) or self.WRITTEN & headers.keys() or not legal:
            raise Refusal(self.error(400, "validation_error", "Headers"))
        return headers

    def _put_in(self, words: str, values: Mapping[str, str]) -> str:
        """As Handlebars reads a template, without escaping. An escaped place, and one with no value, is never sent."""
        for _ in range(PASSES):
            if ESCAPED.search(words) or re.search(r"\{\{(?!\s*[A-Za-z_][A-Za-z0-9_.]*\s*\}\}(?!\}))", words):
                raise Refusal(self.error(400, "validation_error", "Template contains unsupported operations."))
            if missing := {found[1] for found in PLACE.finditer(words)} - values.keys():
                raise Refusal(self.error(400, "validation_error", f"Attribute '{min(missing)}' is not present"))
            words = PLACE.sub(lambda found: values[found[1]], words)
        return words

    def success(self, ids: Sequence[str | None]) -> Reply:
        refused = {"Status": "INVALID_PARAMETER", "Error": "Illegal address"}
        unpaid = {"Status": "ACCOUNT_SENDING_PAUSED", "Error": "Email sending is paused for this account."}
        results = [{"Status": "SUCCESS", "MessageId": id_} if id_ else unpaid if id_ == "" else refused for id_ in ids]
        return Reply.of_json(200, {"BulkEmailEntryResults": results})

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        kind = f"{self.NAMES.get(name, name)}:http://internal.amazon.com/coral/com.amazonaws.services.sesv2/"
        return Reply.of_json(status, {"message": message}, x_amzn_ErrorType=kind, **headers)
