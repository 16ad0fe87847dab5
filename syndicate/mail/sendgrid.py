"""Twilio SendGrid: one letter to up to 1,000 people, whose own values it puts in; no request keys, and a record only
for who pays for it.

Checked against twilio/sendgrid-oai@dbe0e0d spec/json/tsg_mail_v3.json and the vendor's pages on substitution tags,
personalizations, errors and rate limits, November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from itertools import count
from typing import Any

from syndicate.core.copies import Addressee, Copies, Field, Letter, Wording
from syndicate.core.message import LABEL, Answer, CapabilitySheet, Message, label
from syndicate.errors import BadInput, MailAPIError
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import api_key, base_url, client_for, fingerprint
from syndicate.mail.sendgrid_activity import KEPT_SECONDS, LAG_SECONDS, MINUTE_SECONDS, EmailActivity

SHEET = CapabilitySheet(
    api="sendgrid",
    checked="sendgrid-oai tsg_mail_v3 2026-11",
    recipients_per_request=1_000,
    bytes_per_request=30_000_000,
    substitution="-name-",
    # One 202 for all of it, or a 400 that names what is wrong with any part of it.
    all_or_nothing=True,
    surely_not="401, 403, 404, 405, 413 and 429; 400 with `errors`. Source: the answers of the operation in the "
    "specification (202 is what says that it is accepted), and the vendor's page on errors.",
)
_WITH_ACTIVITY = replace(
    SHEET,
    lookup=True,
    lookup_lag_seconds=LAG_SECONDS,
    lookup_kept_seconds=KEPT_SECONDS,
    lookup_every_seconds=MINUTE_SECONDS,
)
_PATH = "/v3/mail/send"
_BASES = {"": "https://api.sendgrid.com", "eu": "https://api.eu.sendgrid.com"}
_OFF = {"enable": False}

_WRITTEN_BY_SENDGRID = encoding.WRITTEN_BY_THE_API | {"x-sg-id", "x-sg-eid"}

_KEY = "Give a key of SendGrid that may send mail in SYNDICATE_MAIL__API_KEY"
_WHERE = 'Look whether [mail] url is SendGrid\'s, and region = "eu" if the account is there'
_SENDER = "Verify [mail] from or its domain at SendGrid, under Sender Authentication"
_CREDITS = "SendGrid's plan has no mails left: look at the account there"


class SendGrid:
    """Up to 1,000 recipients of one letter a request. `api_key` is the `SG.…`; `region` is "eu" for an account there.
    With `activity` its record is asked, of which the key must be allowed to read.

    A substitution tag may be any words; it is put in wherever those stand, up to four times over. So tags are words
    that stand neither in the letter nor in any name."""

    def __init__(self, connection: Connection) -> None:
        self.sheet = _WITH_ACTIVITY if connection.activity else SHEET
        self._key = api_key(connection, "SendGrid")
        if connection.region not in _BASES:
            raise MailAPIError(
                f"[mail] region = {connection.region!r} is none of SendGrid.", cure='It is "eu", or nothing.'
            )
        base = base_url(connection.url, _BASES[connection.region])
        self.account = fingerprint("sendgrid", base, self._key)
        self.url = f"{base}{_PATH}"
        self._headers = {
            "Authorization": f"Bearer {self._key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        self._client = client_for(connection)
        self._activity = EmailActivity(base, self._headers, self._client)

    def build(self, messages: Sequence[Message]) -> bytes:
        copies = encoding.one_letter(messages, SHEET)
        letter = copies.letter
        tags = _tags(copies)
        from_name = encoding.line(letter.from_name, "The sender's name")
        request: dict[str, object] = {
            "personalizations": [_personalization(copies, person, tags) for person in copies.people],
            "from": _mailbox(from_name, letter.from_email),
        }
        if letter.reply_to:
            request["reply_to"] = _mailbox(*encoding.split_mailbox(letter.reply_to, "The reply address"))
        subject = encoding.line(letter.subject.written(tags.__getitem__), "The subject")
        if not subject:
            raise BadInput("SendGrid takes no mail without a subject.", cure="Write one.")
        request["subject"] = subject
        request["content"] = _content(letter, tags)
        common = [(name, value.literals[0]) for name, value in letter.headers if not value.fields]
        headers = encoding.fields_of(common, "SendGrid", refused=_WRITTEN_BY_SENDGRID)
        # It dates a mail itself.
        request["headers"] = {name: value for name, value in headers.items() if name.lower() != "date"}
        tracking = ("click_tracking", "open_tracking", "subscription_tracking", "ganalytics")
        request["tracking_settings"] = dict.fromkeys(tracking, _OFF)
        request["mail_settings"] = {"footer": _OFF}
        return encoding.json_bytes(request, SHEET)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        reply = self._client.post(self.url, body, self._headers)
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else _read(reply)
        return answers.without(self._key, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return self._activity.find(message_ids) if self.sheet.lookup else None


def _tags(copies: Copies) -> dict[str, str]:
    """What stands for each value, and `named` for a name in HTML: the same for the same copies."""
    letter = copies.letter
    words = [*letter.subject.literals, *letter.html.literals, *letter.text.literals]
    words += {person.name for person in copies.people}
    whole = "\n".join(words)
    mark = next(mark for number in count() if (mark := f"-syndicate{number}") not in whole)
    return {field: f"{mark}-{field}-" for field in ("leaving", "choosing", "name", "named")}


def _content(letter: Letter, tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Text before HTML, as it wants them."""
    text = encoding.text(letter.text.written(tags.__getitem__), "The text of a mail")
    in_html: Mapping[Field, str] = {**_by_field(tags), "name": tags["named"]}
    html = encoding.text(letter.html.written(in_html.__getitem__), "The HTML of a mail")
    parts = [("text/plain", text), ("text/html", html)]
    if not text and not html:
        raise BadInput("SendGrid takes no mail without a text.", cure="Write one.")
    return [{"type": kind, "value": value} for kind, value in parts if value]


def _by_field(tags: Mapping[str, str]) -> dict[Field, str]:
    return {"leaving": tags["leaving"], "choosing": tags["choosing"], "name": tags["name"]}


def _personalization(copies: Copies, person: Addressee, tags: Mapping[str, str]) -> dict[str, object]:
    letter = copies.letter
    name = encoding.line(person.name, "A reader's name")
    message_id = copies.message_id(person)
    own = [("Message-ID", message_id)] if message_id else []
    own += [(header, _filled(value, person)) for header, value in letter.headers if value.fields]
    whole: dict[str, object] = {"to": [_mailbox(name, person.email)]}
    if own:
        whole["headers"] = encoding.fields_of(own, "SendGrid", refused=_WRITTEN_BY_SENDGRID)
    values = {"leaving": person.leaving, "choosing": person.choosing, "name": name, "named": escape(name)}
    fields = letter.fields
    substitutions = {tags[field]: value for field, value in values.items() if field.replace("named", "name") in fields}
    if substitutions:
        whole["substitutions"] = substitutions
    if message_id:
        whole["custom_args"] = {LABEL: label(message_id)}
    return whole


def _filled(value: Wording, person: Addressee) -> str:
    return value.fill(person.leaving, person.choosing, person.name)


def _mailbox(name: str, email: str) -> dict[str, str]:
    return {"email": encoding.address(email), "name": name} if name else {"email": encoding.address(email)}


def _read(reply: Reply) -> Answer:
    id_ = reply.headers.get("x-message-id", "")
    if reply.status == 202 and id_:
        return Answer("accepted", "202", vendor_ids=(id_,))
    answer = answers.json_of(reply)
    errors = _errors(answer.get("errors") if isinstance(answer, Mapping) else None)
    said = " ".join(words for _, words in errors).lower()
    why = answers.excerpt(reply)
    match reply.status:
        case 401 if "credits" in said:
            return answers.stopped(_CREDITS, why)
        case 401:
            return answers.stopped(_KEY, why)
        case 403:
            return answers.stopped(_SENDER if "from address" in said else _KEY, why)
        case 404 | 405:
            return answers.stopped(_WHERE, why)
        case 429:
            wait = answers.wait_seconds(reply.headers, datetime.now(UTC))
            return Answer("not_accepted", why, retry_after_seconds=60.0 if wait is None else wait)
        case 400 if any(field.partition(".")[0] == "from" for field, _ in errors):
            return answers.stopped(_SENDER, why)
        case 400 if errors:
            return Answer("not_accepted", why, permanent=True)
        case 413:
            return Answer("not_accepted", why, permanent=True)
        case _:
            return Answer("uncertain", why, retry_after_seconds=answers.wait_seconds(reply.headers, datetime.now(UTC)))


def _errors(errors: Any) -> list[tuple[str, str]]:
    """The field and the words of each error; none when that is not what was answered."""
    if not isinstance(errors, list) or not all(isinstance(one, Mapping) and one.get("message") for one in errors):
        return []
    return [(str(one.get("field") or ""), str(one["message"])) for one in errors]
