"""Amazon SES v2: one letter to up to 50 people, whose own values it puts in, signed; a result for each; no request keys
and no record that could be asked.

Checked against the service model sesv2 2019-09-27 of botocore 1.44.8 and the vendor's pages on templates, on header
fields and on errors of the API, November 2026. Of a template that comes with its request "only simple substitutions"
are taken, at most 1 MB in all. "Advanced email personalization": values are put into HTML without escaping.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from html import escape as html_escape
from typing import Any

from syndicate.core.copies import Addressee, Copies, Field, Letter, Wording
from syndicate.core.message import LABEL, Answer, CapabilitySheet, Message, label
from syndicate.errors import BadInput, MailAPIError
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding
from syndicate.mail.aws_signature import Signer
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import api_key, base_url, client_for, fingerprint

SHEET = CapabilitySheet(
    api="ses",
    checked="botocore 1.44.8 sesv2 2019-09-27, 2026-11",
    recipients_per_request=50,
    bytes_per_request=1_000_000,
    substitution="{{name}}",
    surely_not="401, 403, 404, 405, 413 and 429; 400 with the name of an error of the message, the account, the key or "
    "a limit; of a 200, each entry with no id and a status that names why, or FAILED and an error. "
    'Source: the errors of SendBulkEmail in the service model, "Common Errors" of its API reference, and '
    'BulkEmailEntryResult there, whose Error is what "prevented a message being sent".',
)
_PATH = "/v2/email/outbound-bulk-emails"
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-[0-9]")
_MOST_HEADERS, _LONGEST_NAME = 15, 126
_HEADER_VALUE = re.compile(r"[ -~]{1,995}")

_PLACES: Mapping[Field, str] = {"leaving": "{{leave}}", "choosing": "{{choose}}", "name": "{{name}}"}
_NAME_IN_HTML = "{{named}}"
_NO_VALUES = '{"leave":"","choose":"","name":"","named":""}'
"""A value that is missing lets SES take a mail and then not send it ("Rendering Failure")."""

_READ_AS_PLACE = re.compile(r"\{(?=\{)|[{\\]\Z|\A\}")
"""A brace that opens a place, and what would change one that stands beside it: `{` and a backslash before, `}` after
it."""
_WEB_ADDRESS = re.compile(r"https?://\S+")

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

_KEY = "Look at the access key, its right to ses:SendBulkEmail, and this machine's clock"
_OF_THE_KEY = frozenset(
    [
        *("AccessDeniedException", "ExpiredTokenException", "IncompleteSignature", "MissingAuthenticationToken"),
        *("NotAuthorized", "OptInRequired", "RequestExpired", "UnrecognizedClientException", "InvalidClientTokenId"),
        *("InvalidSignatureException", "SignatureDoesNotMatch"),
    ]
)
"""Errors of who asks. "Common Errors" has most of them as 400, the service answers 403 as well."""

_SET = "Look at the configuration set that Amazon SES takes for [mail] from"
_ENTRY_OF_THE_ACCOUNT: Mapping[str, str] = {
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": _OF_THE_ACCOUNT["MailFromDomainNotVerifiedException"],
    "ACCOUNT_SUSPENDED": _OF_THE_ACCOUNT["AccountSuspendedException"],
    "ACCOUNT_SENDING_PAUSED": _OF_THE_ACCOUNT["SendingPausedException"],
    "CONFIGURATION_SET_NOT_FOUND": _SET,
    "CONFIGURATION_SET_SENDING_PAUSED": _SET,
    "INVALID_SENDING_POOL_NAME": _SET,
    "TEMPLATE_NOT_FOUND": "Ask Amazon SES whether this region takes a template with its request",
}
"""The same as statuses of entries."""

_LIMITS: Mapping[str, float] = {
    "TooManyRequestsException": 1.0,
    "ThrottlingException": 1.0,
    "LimitExceededException": 60.0,
}
"""Errors after which to wait, in seconds; they come as 400 or 429. A daily quota is asked for again after an hour."""

_ENTRY_LIMITS: Mapping[str, float] = {
    "ACCOUNT_THROTTLED": 1.0,
    "TRANSIENT_FAILURE": 60.0,
    "ACCOUNT_DAILY_QUOTA_EXCEEDED": 3600.0,
}
"""The same as statuses of entries: each recipient counts, so that a rate below 50 a second meets the last of a request.
The model says of a transient failure that the request could not be processed."""

_OF_THE_MESSAGE = frozenset(["MessageRejected", "BadRequestException", "ValidationException"])
"""Errors that turn the request down before it is taken."""


class AmazonSES:
    """`api_key` is `access key:secret access key` of a user who may `ses:SendBulkEmail`; `region` is where the
    account's identities are, us-east-1 unless said. Each Message-ID is Amazon's own; ours goes along as its label in a
    tag."""

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
        copies = encoding.one_letter(messages, SHEET)
        common, own = _written(copies.letter)
        entries = [_entry(copies, person, own) for person in copies.people]
        written = json.dumps(entries, separators=(",", ":")).encode("ascii")
        return encoding.within(common[:-1] + b',"BulkEmailEntries":' + written + b"}", SHEET)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        signed = self._signer.headers(self.url, body, "application/json", datetime.now(UTC))
        reply = self._client.post(self.url, body, {**signed, "Accept": "application/json"})
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else _read(reply, count)
        return answers.without(self._secret, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        """None: what was sent is told by events only."""
        return None


@lru_cache(maxsize=16)
def _written(letter: Letter) -> tuple[bytes, tuple[tuple[str, Wording], ...]]:
    """What of a request is the same for everybody who gets the letter, as JSON, and the headers that differ. Raises
    BadInput for what SES cannot express."""
    fields = encoding.fields_of(
        [(name, value.written(_PLACES.__getitem__, _as_header)) for name, value in letter.headers], "Amazon SES"
    )
    taken = [each for each in letter.headers if each[0].lower() not in _WRITTEN_BY_SES]
    if len(taken) > _MOST_HEADERS:
        raise BadInput(f"Amazon SES takes at most {_MOST_HEADERS} headers.", cure="Leave some out.")
    common = [_header(name, fields[name]) for name, value in taken if not value.fields]
    subject = letter.subject.written(_PLACES.__getitem__, _as_text)
    text = letter.text.written(_PLACES.__getitem__, _as_text)
    places: Mapping[Field, str] = {**_PLACES, "name": _NAME_IN_HTML}
    html = letter.html.written(places.__getitem__, _as_html)
    content = {
        "Subject": encoding.line(subject, "The subject"),
        **({"Text": encoding.text(text, "The text of a mail")} if text else {}),
        "Html": encoding.text(html, "The HTML of a mail"),
    }
    request: dict[str, object] = {
        "FromEmailAddress": _mailbox(encoding.line(letter.from_name, "The sender's name"), letter.from_email)
    }
    if letter.reply_to:
        request["ReplyToAddresses"] = [_mailbox(*encoding.split_mailbox(letter.reply_to, "The reply address"))]
    template = {"TemplateContent": content, "TemplateData": _NO_VALUES, "Headers": common}
    request["DefaultContent"] = {"Template": template}
    return encoding.json_bytes(request, SHEET), tuple(each for each in taken if each[1].fields)


def _entry(copies: Copies, person: Addressee, own: Sequence[tuple[str, Wording]]) -> dict[str, object]:
    email, name, leaving, choosing, _ = person
    name = encoding.line(name, "A reader's name")
    values = {
        "leave": leaving,
        "choose": choosing,
        "name": _as_text(name),
        "named": _as_html(html_escape(name)),
    }
    data = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
    entry: dict[str, object] = {
        "Destination": {"ToAddresses": [_mailbox(name, email)]},
        "ReplacementTags": [{"Name": LABEL, "Value": label(copies.message_id(person))}],
        "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": data}},
    }
    if own:
        # A header of an entry stands beside those of the template.
        entry["ReplacementHeaders"] = [_header(each, value.fill(leaving, choosing, name)) for each, value in own]
    return entry


def _mailbox(name: str, email: str) -> str:
    """As encoded words, too, where a place could be read in the name."""
    if "{{" in name:
        return f"{' '.join(encoding.encoded_words(name))} <{encoding.address(email)}>"
    return encoding.ascii_mailbox(name, email)


def _header(name: str, value: str) -> dict[str, str]:
    if len(name) > _LONGEST_NAME or not _HEADER_VALUE.fullmatch(value):
        raise BadInput(f"Amazon SES cannot take the header {name}: empty, too long or not ASCII.", cure="Leave it out.")
    return {"Name": name, "Value": value}


def _as_header(literal: str) -> str:
    if "{{" in literal:
        raise BadInput(f"Amazon SES might read a place for a value in a header: {literal[:60]!r}.", cure="Reword it.")
    return literal


def _as_text(literal: str) -> str:
    """Words in which SES finds no place: an invisible character (U+2060) beside the brace, an escape in an address."""
    literal = _WEB_ADDRESS.sub(lambda found: found[0].replace("{{", "%7B%7B"), literal)
    return _READ_AS_PLACE.sub(lambda found: "\u2060}" if found[0] == "}" else f"{found[0]}\u2060", literal)


def _as_html(literal: str) -> str:
    """HTML in which SES finds no place, and which says the same."""
    return _READ_AS_PLACE.sub(lambda found: f"&#{ord(found[0])};", literal)


def _read(reply: Reply, count: int) -> Answer:
    answer = answers.json_of(reply)
    fields = answer if isinstance(answer, Mapping) else {}
    if reply.status == 200:
        return _read_results(reply, fields.get("BulkEmailEntryResults"), count)
    why, said = answers.excerpt(reply), str(fields.get("message", fields.get("Message", "")))
    name = re.split("[:#]", reply.headers.get("x-amzn-errortype", "") or str(fields.get("__type", "")))[0].strip()
    why = f"{name}: {why}" if re.fullmatch("[A-Za-z]{1,60}", name) else why
    wait = answers.wait_seconds(reply.headers, datetime.now(UTC))
    match reply.status:
        case 401 | 403:
            return answers.stopped(_KEY, why)
        case 400 if name in _OF_THE_KEY:
            return answers.stopped(_KEY, why)
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


def _read_results(reply: Reply, results: Any, count: int) -> Answer:
    """A result for each entry, in order; what it says nothing certain of leaves all of them in doubt."""
    ids: list[str] = []
    refused: dict[int, str] = {}
    not_taken: dict[int, str] = {}
    cure, wait = "", None
    entries = results if isinstance(results, list) else []
    for place, one in enumerate(entries):
        fields = one if isinstance(one, Mapping) else {}
        status, id_, said = fields.get("Status"), fields.get("MessageId"), str(fields.get("Error") or "")
        why = answers.printable(f"{status}: {said}" if said else f"{status}")
        match status:
            case "SUCCESS" if isinstance(id_, str) and id_:
                ids.append(id_)
            case str() if id_:
                continue
            case "MESSAGE_REJECTED" if "not verified" in said:
                cure, not_taken[place] = cure or _OF_THE_ACCOUNT["MessageRejected"], why
            case str() if status in _ENTRY_OF_THE_ACCOUNT:
                cure, not_taken[place] = cure or _ENTRY_OF_THE_ACCOUNT[status], why
            case str() if status in _ENTRY_LIMITS:
                wait, not_taken[place] = max(wait or 0.0, _ENTRY_LIMITS[status]), why
            case "MESSAGE_REJECTED" | "INVALID_PARAMETER":
                refused[place] = why
            case "FAILED" if said:
                # "Unable to process your request" may be of Amazon: it goes again with others that failed, or alone.
                not_taken[place] = why
    if len(ids) + len(refused) + len(not_taken) != count or len(entries) != count:
        return Answer("uncertain", f"it does not tell what became of {count} messages: {answers.excerpt(reply)}")
    return answers.of_results(tuple(ids), refused, not_taken, cure=cure, retry_after_seconds=wait)
