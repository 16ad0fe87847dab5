"""Amazon SES v2."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from email.header import decode_header, make_header
from email.utils import parseaddr
from typing import Any

from tests.mail_api_server.dialects.base import Dialect, Refusal, Reply, Taken


class AmazonSESDialect(Dialect):
    """The service model sesv2 2019-09-27: SendEmail with simple content, one message; no keys, no record. Signatures
    are looked at for their form and access key only: the tests of the signer hold the rest."""

    path = "/v2/email/outbound-emails"
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
        try:
            request: Any = json.loads(body.decode("utf-8"))
            simple, to = request["Content"]["Simple"], request["Destination"]["ToAddresses"]
            headers = {each["Name"].lower(): each["Value"] for each in simple["Headers"]}
            subject, bodies = simple["Subject"]["Data"], simple["Body"]
        except (ValueError, TypeError, KeyError):
            raise Refusal(self.error(400, "validation_error", "malformed")) from None
        addresses = [request["FromEmailAddress"], *to, *request.get("ReplyToAddresses", [])]
        if not all(each.isascii() and "@" in parseaddr(each)[1] for each in addresses) or len(to) != 1:
            raise Refusal(self.error(400, "validation_error", "Illegal address"))
        if len(headers) > 15 or {"date", "message-id", "subject", "to", "from"} & headers.keys() or not bodies:
            raise Refusal(self.error(400, "validation_error", "Header names or body"))
        str(make_header(decode_header(parseaddr(to[0])[0])))
        tags = {each["Name"]: each["Value"] for each in request.get("EmailTags", [])}
        if not all(re.fullmatch("[A-Za-z0-9_-]{1,256}", each) for pair in tags.items() for each in pair):
            raise Refusal(self.error(400, "validation_error", "Illegal tag"))
        html, text = (bodies.get(part, {}).get("Data", "") for part in ("Html", "Text"))
        return [Taken(parseaddr(to[0])[1], tags.get("syndicate-message", ""), subject, tags, html, text, headers)]

    def success(self, ids: Sequence[str | None]) -> Reply:
        return Reply.of_json(200, {"MessageId": ids[0]})

    def short_success(self, ids: Sequence[str]) -> Reply:
        return Reply.of_json(200, {})

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        kind = f"{self.NAMES.get(name, name)}:http://internal.amazon.com/coral/com.amazonaws.services.sesv2/"
        return Reply.of_json(status, {"message": message}, x_amzn_ErrorType=kind, **headers)
