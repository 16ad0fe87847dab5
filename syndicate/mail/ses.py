"""Amazon SES v2: one whole message a request, signed; no request keys and no record that could be asked.

Checked against the service model sesv2 2019-09-27 of botocore 1.44.5 and the vendor's pages on header fields and on
errors of the API, November 2026. Its bulk call takes content by template only, whose values it renders anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from syndicate.core.message import LABEL, Answer, CapabilitySheet, Message, label
from syndicate.errors import BadInput, MailAPIError
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding
from syndicate.mail.aws_signature import Signer
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import api_key, base_url, client_for, fingerprint

SHEET = CapabilitySheet(
    api="ses",
    checked="botocore 1.44.5 sesv2 2019-09-27, 2026-11",
    recipients_per_request=1,
    # 40 MB once the parts are coded in base64.
    bytes_per_request=29_000_000,
    surely_not="401, 403, 404, 405, 413 and 429; 400 with the name of an error of the message, the account or a limit. "
    'Source: the errors of SendEmail in the service model, and "Common Errors" of its API reference.',
)
_PATH = "/v2/email/outbound-emails"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")
_MOST_HEADERS, _LONGEST_NAME, _LONGEST_VALUE = 15, 126, 995

_WRITTEN_BY_SES = frozenset(["date", "message-id"])
"""Headers of ours that it writes itself."""

_OF_THE_ACCOUNT: Mapping[str, str] = {
    "MailFromDomainNotVerifiedException": "Verify the MAIL FROM domain at Amazon SES",
    "SendingPausedException": "Amazon SES has paused sending: look at the account's reputation there",
    "AccountSuspendedException": "Amazon SES has shut the account down: ask its support",
    "NotFoundException": "Look whether [mail] region and url are those of the account",
    "MessageRejected": "Verify [mail] from at Amazon SES in this region, and ask for production access",
}
"""Errors that meet every message alike, and the cure; MessageRejected only when an identity is not verified."""

_LIMITS: Mapping[str, float] = {
    "TooManyRequestsException": 1.0,
    "ThrottlingException": 1.0,
    "LimitExceededException": 60.0,
}
"""Errors after which to wait, in seconds; they come as 400 or 429. A daily quota is asked for again after an hour."""

_OF_THE_MESSAGE = frozenset(["MessageRejected", "BadRequestException", "ValidationException"])
"""Errors that turn the message down before it is taken."""


class AmazonSES:
    """`api_key` is `access key:secret access key` of a user who may `ses:SendEmail`; `region` is where the account's
    identities are, us-east-1 unless said. The Message-ID is Amazon's own; ours goes along as its label in a tag."""

    sheet = SHEET

    def __init__(self, connection: Connection) -> None:
        access, _, self._secret = api_key(connection, "Amazon SES").partition(":")
        if not access or not self._secret:
            raise MailAPIError(
                "Amazon SES needs an access key and its secret.", cure="Set SYNDICATE_MAIL__API_KEY to key:secret."
            )
        region = connection.region or "us-east-1"
        if not _REGION.fullmatch(region):
            raise MailAPIError(f"[mail] region = {region!r} is no region of Amazon.", cure='Such as "eu-west-1".')
        base = base_url(connection.url, f"https://email.{region}.amazonaws.com")
        self.account = fingerprint("ses", base, region, access)
        self.url = f"{base}{_PATH}"
        self._signer = Signer(access, self._secret, region, "ses")
        self._client = client_for(connection)

    def build(self, messages: Sequence[Message]) -> bytes:
        encoding.check_count(messages, SHEET)
        message = messages[0]
        from_name = encoding.line(message.from_name, "The sender's name")
        to_name = encoding.line(message.to_name, "A reader's name")
        request: dict[str, object] = {
            "FromEmailAddress": encoding.ascii_mailbox(from_name, message.from_email),
            "Destination": {"ToAddresses": [encoding.ascii_mailbox(to_name, message.to_email)]},
        }
        if message.reply_to:
            mailbox = encoding.split_mailbox(message.reply_to, "The reply address")
            request["ReplyToAddresses"] = [encoding.ascii_mailbox(*mailbox)]
        body = {"Html": _content(encoding.text(message.html, "The HTML of a mail"))}
        if message.text:
            body["Text"] = _content(encoding.text(message.text, "The text of a mail"))
        subject = _content(encoding.line(message.subject, "The subject"))
        request["Content"] = {"Simple": {"Subject": subject, "Body": body, "Headers": _headers(message)}}
        request["EmailTags"] = [{"Name": LABEL, "Value": label(message.message_id)}]
        return encoding.json_bytes(request, SHEET)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        signed = self._signer.headers(self.url, body, "application/json", datetime.now(UTC))
        reply = self._client.post(self.url, body, {**signed, "Accept": "application/json"})
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else _read(reply)
        return answers.without(self._secret, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        """None: what was sent is told by events only."""
        return None


def _content(words: str) -> dict[str, str]:
    return {"Data": words, "Charset": "UTF-8"}


def _headers(message: Message) -> list[dict[str, str]]:
    fields = encoding.header_fields(message, "Amazon SES")
    written = [{"Name": name, "Value": value} for name, value in fields.items() if name.lower() not in _WRITTEN_BY_SES]
    if len(written) > _MOST_HEADERS:
        raise BadInput(f"Amazon SES takes at most {_MOST_HEADERS} headers.", cure="Leave some out.")
    for name, value in fields.items():
        if len(name) > _LONGEST_NAME or not 1 <= len(value) <= _LONGEST_VALUE:
            raise BadInput(f"Amazon SES cannot take the header {name}: empty or too long.", cure="Leave it out.")
    return written


def _read(reply: Reply) -> Answer:
    answer = answers.json_of(reply)
    fields = answer if isinstance(answer, Mapping) else {}
    id_ = fields.get("MessageId")
    if reply.status == 200 and isinstance(id_, str) and id_:
        return Answer("accepted", "200", vendor_ids=(id_,))
    why, said = answers.excerpt(reply), str(fields.get("message", fields.get("Message", "")))
    name = re.split("[:#]", reply.headers.get("x-amzn-errortype", "") or str(fields.get("__type", "")))[0].strip()
    why = f"{name}: {why}" if re.fullmatch("[A-Za-z]{1,60}", name) else why
    wait = answers.wait_seconds(reply.headers, datetime.now(UTC))
    match reply.status:
        case 401 | 403:
            return answers.stopped("Look at the access key, its right to ses:SendEmail, and this machine's clock", why)
        case 404 | 405:
            return answers.stopped(_OF_THE_ACCOUNT["NotFoundException"], why)
        case 400 | 429 if name in _LIMITS:
            default = 3600.0 if "daily" in said.lower() else _LIMITS[name]
            return Answer("not_accepted", why, retry_after_seconds=default if wait is None else wait)
        case 400 if name in _OF_THE_ACCOUNT and (name != "MessageRejected" or "not verified" in said):
            return answers.stopped(_OF_THE_ACCOUNT[name], why)
        case 400 if name in _OF_THE_MESSAGE:
            return Answer("not_accepted", why, permanent=True)
        case 413:
            return Answer("not_accepted", why, permanent=True)
        case 429:
            return Answer("not_accepted", why, retry_after_seconds=1.0 if wait is None else wait)
        case _:
            return Answer("uncertain", why, retry_after_seconds=wait)
