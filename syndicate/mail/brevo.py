"""Brevo: one letter to up to 1,000 people, whose own values it puts in, a request key that is kept for minutes, and a
record that is searched by tag.

Checked against the official SDK (brevo-python 5.1.0: request model and error codes) and the vendor's pages on batches,
idempotency, rate limit headers and the report of e-mail events, November 2026. That a version may have headers of its
own, and how names are encoded, by django-anymail's findings: the SDK's model does not tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from syndicate.core.copies import Addressee, Copies, Field, Letter
from syndicate.core.message import Answer, CapabilitySheet, Message, label
from syndicate.errors import BadInput
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import api_key, base_url, client_for, fingerprint

SHEET = CapabilitySheet(
    api="brevo",
    checked="brevo-python 5.1.0 and developer pages, 2026-11",
    recipients_per_request=1_000,
    bytes_per_request=20_000_000,
    # The guide says 30 minutes; what announced the key said 15.
    idempotency_seconds=15 * 60,
    lookup=True,
    # The vendor publishes no figure. Its report goes back 90 days.
    lookup_lag_seconds=900.0,
    lookup_kept_seconds=89 * 86_400.0,
    substitution="{{params.name}}",
    surely_not="401, 402, 403, 404, 405, 413 and 429; 400, 406 and 422 with a `code` of what is invalid or missing, or "
    "of the account. Source: the SDK's model of errors, and the vendor's page on rate limits.",
)
_MOST_PARAMS = 1_000_000
"""Bytes of the params of all versions together (1,000 KB; 100 KB each)."""

_PLACES: Mapping[Field, str] = {
    "leaving": "{{params.leave}}",
    "choosing": "{{params.choose}}",
    "name": "{{params.name}}",
}
_OPENS = re.compile(r"\{(?=[{%#])")
"""A brace with which an expression, a statement or a comment of its template language begins."""
_STYLE = re.compile(r"(<style\b.*?</style>)", re.DOTALL | re.IGNORECASE)
_WEB_ADDRESS = re.compile(r"https?://\S+")
_NOT_PLAIN = re.compile(r"""[&<>"'{}%#]""")
"""What a name holds that the template language might escape, or read again: its bearer gets the letter whole."""
_SPECIAL = re.compile(r'[,;:<>()\[\]"\\@.]')

_WRITTEN_BY_BREVO = frozenset(["date", "message-id"])
"""Headers of ours that it writes itself."""
_CUSTOM = "X-Mailin-custom"
"""The header that its events tell again."""

_KEY = "Give an API key of Brevo (xkeysib-…), not its SMTP key, in SYNDICATE_MAIL__API_KEY"
_IP = "Brevo does not know this machine: add its IP address there, under Security, Authorised IPs"
_WHERE = "Look whether [mail] url is Brevo's"
_SENDER = "Verify [mail] from or its domain at Brevo, under Senders, Domains & Dedicated IPs"
_CREDITS = "Brevo's plan has no mails left: look at the account there"
_ALLOWED = "Brevo does not let this account send yet: look at the account there, or ask its support"

_OF_THE_REQUEST = frozenset(
    ["invalid_parameter", "missing_parameter", "out_of_range", "bad_request", "not_acceptable", "unprocessable_entity"]
)
"""`code` with which 400, 406 and 422 turn the whole request down before anything is sent."""

_OF_THE_SENDER = re.compile(r"\bsender\b(?![\w.+-]*@)")

_CAME_BEFORE = frozenset(["duplicate_parameter", "duplicate_request"])
"""`code` of a request whose key it has seen."""


class Brevo:
    """Up to 1,000 recipients of one letter a request. `api_key` is the `xkeysib-…`. It writes the Message-ID itself;
    ours goes along as its label, the request's as its tag.

    A request that comes again under its key is turned down, whatever became of it the first time: then its record is
    asked, which tells a mail for each recipient that was taken, but not which."""

    sheet = SHEET

    def __init__(self, connection: Connection) -> None:
        self._key = api_key(connection, "Brevo")
        self._base = base_url(connection.url, "https://api.brevo.com")
        self.account = fingerprint("brevo", self._base, self._key)
        self.url = f"{self._base}/v3/smtp/email"
        self._headers = {"api-key": self._key, "Content-Type": "application/json", "Accept": "application/json"}
        self._client = client_for(connection)

    def build(self, messages: Sequence[Message]) -> bytes:
        copies = encoding.one_letter(messages, SHEET)
        versions = [_version(copies, person) for person in copies.people]
        if sum(len(json.dumps(version.get("params", ""))) for version in versions) > _MOST_PARAMS:
            raise BadInput("The readers' values are more than Brevo takes (1,000 KB).", cure="Plan smaller batches.")
        return encoding.json_bytes({**_written(copies.letter), "messageVersions": versions}, SHEET)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        # Its headers are those of the mails, but for the key; each version has all of its own.
        own = {"headers": {"idempotencyKey": str(UUID(hex=label(key), version=4))}, "tags": [label(key)]}
        reply = self._client.post(self.url, encoding.with_first(body, own), self._headers)
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else self._read(reply, key, count)
        return answers.without(self._key, answer)

    def _read(self, reply: Reply, key: str, count: int) -> Answer:
        answer = _read(reply, count)
        if _code(reply) not in _CAME_BEFORE or self._taken(key) != count:
            return answer
        return Answer("accepted", "its key came before, and the mail API's record shows it")

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        taken = self._taken(key)
        if taken:
            return frozenset(message_ids) if taken >= len(message_ids) else None
        # That there is none proves something only where the record shows mails by their tags: the last mails of any are
        # looked at.
        last = self._requests({"limit": 50}) if taken is not None else None
        return frozenset() if any(_tag(event) for event in last or ()) else None

    def _taken(self, key: str) -> int | None:
        """How many mails of that request the record shows; None when it does not answer."""
        wanted = label(key)
        found = self._requests({"limit": 2 * SHEET.recipients_per_request, "tags": json.dumps([wanted])})
        if found is None or any(_tag(event) != wanted for event in found):
            # A search that passes over what it was asked for proves nothing.
            return None
        return len({event.get("messageId") for event in found})

    def _requests(self, asked: Mapping[str, object]) -> list[Mapping[str, Any]] | None:
        """The newest events of taking a mail; None when the record does not answer."""
        query = urlencode({"event": "requests", "days": 90, "sort": "desc", **asked})
        reply = self._client.get(f"{self._base}/v3/smtp/statistics/events?{query}", self._headers)
        if isinstance(reply, Failure) or reply.status != 200:
            return None
        answer = answers.json_of(reply)
        # Without any it leaves the list out.
        events = answer.get("events", []) if isinstance(answer, Mapping) else None
        if not isinstance(events, list) or not all(isinstance(one, Mapping) for one in events):
            return None
        return events


def _tag(event: Mapping[str, Any]) -> str:
    """A tag that is one of our labels; "" for none. It is told as a word, or as a list in JSON."""
    words = re.findall(r"\b[0-9a-f]{32}\b", str(event.get("tag") or event.get("tags") or ""))
    return words[0] if words else ""


@lru_cache(maxsize=16)
def _written(letter: Letter) -> dict[str, object]:
    """The fields of a request that are the same for everybody. Raises BadInput."""
    request: dict[str, object] = {
        "sender": _mailbox(encoding.line(letter.from_name, "The sender's name"), letter.from_email)
    }
    if letter.reply_to:
        name, email = encoding.split_mailbox(letter.reply_to, "The reply address")
        # Here it passes on a name that is not ASCII as it is, which no mail may carry.
        request["replyTo"] = _mailbox(name if name.isascii() else "", email)
    subject = _before_place(letter.subject.written(_PLACES.__getitem__, _as_text), "{\u2060")
    text = _before_place(letter.text.written(_PLACES.__getitem__, _as_text), "{\u2060")
    html = _before_place(letter.html.written(_PLACES.__getitem__, _as_html), "&#123;")
    return request | _content(subject, html, text)


def _content(subject: str, html: str, text: str) -> dict[str, object]:
    if not encoding.line(subject, "The subject"):
        raise BadInput("Brevo takes no mail without a subject.", cure="Write one.")
    if not html:
        raise BadInput("Brevo takes no mail without HTML.", cure="Write some.")
    content: dict[str, object] = {"subject": subject, "htmlContent": encoding.text(html, "The HTML of a mail")}
    return content | ({"textContent": encoding.text(text, "The text of a mail")} if text else {})


def _version(copies: Copies, person: Addressee) -> dict[str, object]:
    """What is one person's own. All headers are here: a version with any might have none of the request's."""
    letter = copies.letter
    name = encoding.line(person.name, "A reader's name")
    headers = [
        (header, value.fill(person.leaving, person.choosing, name))
        for header, value in letter.headers
        if header.lower() not in _WRITTEN_BY_BREVO
    ]
    message_id = copies.message_id(person)
    if message_id:
        headers.append((_CUSTOM, label(message_id)))
    version: dict[str, object] = {
        # Opens and clicks are told of nobody, where the account has that asked of each (it is passed over elsewhere).
        "to": [{**_mailbox(name, person.email), "contactPixelTrackingConsent": False}],
        "headers": encoding.fields_of(headers, "Brevo"),
    }
    if "name" in letter.fields and _NOT_PLAIN.search(name):
        whole = copies.whole(person)
        return version | _content(_as_text(whole.subject), _as_html(whole.html), _as_text(whole.text))
    values = {"leaving": ("leave", person.leaving), "choosing": ("choose", person.choosing), "name": ("name", name)}
    params = dict(values[field] for field in sorted(letter.fields))
    return {**version, "params": params} if params else version


def _mailbox(name: str, email: str) -> dict[str, str]:
    """It leaves a name out that is not ASCII and holds what must be quoted, unless it is encoded already."""
    if not name.isascii() and _SPECIAL.search(name):
        name = " ".join(encoding.encoded_words(name))
    return {"name": name, "email": encoding.address(email)} if name else {"email": encoding.address(email)}


def _before_place(written: str, brace: str) -> str:
    """A brace before a place of ours would make another of it."""
    return written.replace("{{{params.", f"{brace}{{{{params.")


def _as_text(literal: str) -> str:
    """Words in which it finds no template: an invisible character (U+2060) after the brace, an escape in an address."""
    if "{" not in literal:
        return literal
    literal = _WEB_ADDRESS.sub(lambda found: _OPENS.sub("%7B", found[0]), literal)
    return _OPENS.sub("{\u2060", literal)


def _as_html(literal: str) -> str:
    """HTML in which it finds no template, and which says the same; in a style sheet a space says nothing."""
    if not _OPENS.search(literal):
        return literal
    parts = _STYLE.split(literal)
    parts[::2] = [_OPENS.sub("&#123;", part) for part in parts[::2]]
    parts[1::2] = [_OPENS.sub("{ ", part) for part in parts[1::2]]
    return "".join(parts)


def _code(reply: Reply) -> str:
    answer = answers.json_of(reply)
    return str(answer.get("code", "")) if isinstance(answer, Mapping) else ""


def _read(reply: Reply, count: int) -> Answer:
    answer, code = answers.json_of(reply), _code(reply)
    fields = answer if isinstance(answer, Mapping) else {}
    said, why = str(fields.get("message", "")).lower(), answers.excerpt(reply)
    wait = answers.wait_seconds(reply.headers, datetime.now(UTC))
    match reply.status:
        case 201:
            ids = _ids(fields)
            if len(ids) == count:
                return Answer("accepted", "201", vendor_ids=ids)
            return Answer("uncertain", f"201, but it names {len(ids)} of {count} messages: {why}")
        case 401:
            return answers.stopped(_IP if "ip address" in said else _KEY, why)
        case 402:
            return answers.stopped(_CREDITS, why)
        case 403:
            return answers.stopped(_ALLOWED, why)
        case 404 | 405:
            return answers.stopped(_WHERE, why)
        case 413:
            return Answer("not_accepted", why, permanent=True)
        case 429:
            return Answer("not_accepted", why, retry_after_seconds=60.0 if wait is None else wait)
        case 400 | 406 | 422 if code == "not_enough_credits":
            return answers.stopped(_CREDITS, why)
        case 400 | 406 | 422 if code in ("account_under_validation", "permission_denied"):
            return answers.stopped(_ALLOWED, why)
        case 400 | 406 | 422 if code in _OF_THE_REQUEST and _OF_THE_SENDER.search(said):
            return answers.stopped(_SENDER, why)
        case 400 | 406 | 422 if code in _OF_THE_REQUEST:
            return Answer("not_accepted", why, permanent=True)
        case _:
            return Answer("uncertain", why, retry_after_seconds=wait)


def _ids(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """`messageIds` of a batch, `messageId` of a single mail."""
    given = fields.get("messageIds", [fields.get("messageId")])
    return tuple(id_ for id_ in given if isinstance(id_, str) and id_) if isinstance(given, list) else ()
