"""Mailgun: one letter to up to 1,000 people, whose own values it puts in, and a record that is searched.

Checked against mailgun/mailgun-mcp-server@78d610f src/openapi.yaml (3.0.0) and the vendor's pages on batch sending,
unsubscribe variables, events and event polling, November 2026; what it answers to a wrong address, and that
`%recipient.…%` is put into header fields as well, by django-anymail's findings.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from html import escape as html_escape
from typing import Any
from urllib.parse import urlencode

from syndicate.core.copies import Addressee, Field, Letter
from syndicate.core.message import LABEL, Answer, CapabilitySheet, Message, label
from syndicate.errors import BadInput, MailAPIError
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding, form
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import api_key, base_url, client_for, fingerprint

SHEET = CapabilitySheet(
    api="mailgun",
    checked="mailgun openapi 3.0.0, 2026-11",
    recipients_per_request=1_000,
    bytes_per_request=25_000_000,
    lookup=True,
    # "Event polling": only what is half an hour old is sure to be all there. The free plan keeps events for a day.
    lookup_lag_seconds=1_800.0,
    lookup_kept_seconds=86_400.0,
    substitution="%recipient.name%",
    # It is queued as one message with one id ("Queued. Thank you."), and any address that is none is a 400 for all.
    all_or_nothing=True,
    surely_not="401, 403, 404, 405, 413 and 429; 400 with a `message`. Source: the answers of the operation in the "
    "specification (a 200 is what says that it is queued), and the vendor's table of response codes.",
)
_MOST_OPTIONS = 16_000
"""Bytes of all fields o:, h:, v: and t: together: 16 KB, with room for the two that are added to a request."""

_DOMAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_BASES = {"": "https://api.mailgun.net", "us": "https://api.mailgun.net", "eu": "https://api.eu.mailgun.net"}

_PLACES: Mapping[Field, str] = {
    "leaving": "%recipient.leave%",
    "choosing": "%recipient.choose%",
    "name": "%recipient.name%",
}
_NAME_IN_HTML = "%recipient.named%"

_READ_AS_PLACE = re.compile(r"%(?![0-9A-Fa-f]{2})(?=[A-Za-z_][^%\s]*(?:%|\Z))")
"""A % with which something begins that Mailgun may put a value for: `%recipient.x%`, `%recipient%`, `%unsubscribe_url%`
and their like, also where the text goes on with a place of ours. (No name of theirs begins with two digits of a URL's
escape.)"""
_WEB_ADDRESS = re.compile(r"https?://\S+")
_PLAIN_ADDRESSES = re.compile(r"(?:[A-Za-z0-9!#$&'*+/=?^_`{|}~.-]+@[A-Za-z0-9._-]+(?:, |\Z))+")

_WRITTEN_BY_MAILGUN = frozenset(["date", "message-id"])
"""Headers of ours that it writes itself, or that are for the whole request."""

_KEY = "Give the account's API key or the domain's sending key in SYNDICATE_MAIL__API_KEY"
_WHERE = 'Look whether [mail] domain is a domain of the account, and region = "eu" if it is there'
_ALLOWED = "Mailgun does not let this domain send: look at the account and the domain there"
_SENDER = "Correct [mail] from: Mailgun cannot read it"
_SAID_OF_THE_ACCOUNT = re.compile(
    r"not allowed to send|test purposes|authorized recipients|upgrade|account (?:is )?(?:disabled|suspended)",
    re.IGNORECASE,
)
_AGAIN = re.compile(r"try again after ([0-9]{1,6}) second")


class Mailgun:
    """Up to 1,000 recipients of one letter a request, no request keys. `api_key` is the key alone; `domain` is the
    sending domain; `region` is "eu" for an account there. All mails of a request carry one Message-ID, which is
    Mailgun's id of it: a label of the request key, so that its record can be asked by it."""

    sheet = SHEET

    def __init__(self, connection: Connection) -> None:
        self._key = api_key(connection, "Mailgun")
        if connection.region not in _BASES:
            raise MailAPIError(
                f"[mail] region = {connection.region!r} is none of Mailgun.", cure='It is "eu", or nothing.'
            )
        if not _DOMAIN.fullmatch(connection.domain):
            raise MailAPIError(
                f"[mail] domain = {connection.domain!r} is no domain to send from by Mailgun.",
                cure='Give the one that is verified there, such as "mg.post.example".',
            )
        self._base, self._domain = base_url(connection.url, _BASES[connection.region]), connection.domain.lower()
        self.account = fingerprint("mailgun", self._base, self._domain, self._key)
        self.url = f"{self._base}/v3/{self._domain}/messages"
        self._headers = {
            "Authorization": f"Basic {b64encode(f'api:{self._key}'.encode()).decode()}",
            "Accept": "application/json",
        }
        self._client = client_for(connection)

    def build(self, messages: Sequence[Message]) -> bytes:
        copies = encoding.one_letter(messages, SHEET)
        parts, fields = _written(copies.letter)
        emails = ", ".join([person.email for person in copies.people])
        if not _PLAIN_ADDRESSES.fullmatch(emails):
            for person in copies.people:
                _address(person.email)
        named = any(person.name for person in copies.people)
        to = ", ".join([_mailbox(person) for person in copies.people]) if named else emails
        values = form.part("recipient-variables", _values(copies.people, fields))
        return encoding.within(form.whole([form.part("to", to), *parts, values]), SHEET)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        name = label(key)
        own = [form.part("h:Message-Id", f"<{name}@{self._domain}>"), form.part(f"v:{LABEL}", name)]
        headers = {**self._headers, "Content-Type": form.content_type(body)}
        reply = self._client.post(self.url, form.with_first(body, own), headers)
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else _read(reply)
        return answers.without(self._key, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        """A request is queued whole, under one id: one event of that id proves it. That there is none proves something
        only where requests are shown under the ids that they were given: of the last accepted, those that are ours."""
        wanted = f"{label(key)}@{self._domain}"
        found = self._events({"message-id": wanted, "limit": "1"})
        if found is None or not all(_id_of(event) == wanted for event in found):
            return None
        if found:
            return frozenset(message_ids)
        last = self._events({"event": "accepted", "limit": "50"})
        ours = [event for event in last or () if _request_of(event)]
        shown = all(_request_of(event) == _id_of(event).partition("@")[0] for event in ours)
        return frozenset() if ours and shown else None

    def _events(self, asked: Mapping[str, str]) -> list[Mapping[str, Any]] | None:
        """The newest events of that kind; None when the record does not answer."""
        query = urlencode({**asked, "ascending": "no"})
        reply = self._client.get(f"{self._base}/v3/{self._domain}/events?{query}", self._headers)
        if isinstance(reply, Failure) or reply.status != 200:
            return None
        answer = answers.json_of(reply)
        items = answer.get("items") if isinstance(answer, Mapping) else None
        if not isinstance(items, list) or not all(isinstance(one, Mapping) for one in items):
            return None
        return items


def _id_of(event: Mapping[str, Any]) -> str:
    message = event.get("message")
    headers = message.get("headers") if isinstance(message, Mapping) else None
    return str(headers.get("message-id", "")).strip("<>") if isinstance(headers, Mapping) else ""


def _request_of(event: Mapping[str, Any]) -> str:
    """What a request of ours was named; "" for somebody else's mail."""
    variables = event.get("user-variables")
    return str(variables.get(LABEL, "")) if isinstance(variables, Mapping) else ""


@lru_cache(maxsize=16)
def _written(letter: Letter) -> tuple[tuple[bytes, ...], frozenset[Field]]:
    """The fields of a form that are the same for everybody who gets the letter, and the values it needs. Raises
    BadInput for what Mailgun cannot express."""
    sender = _phrase(encoding.line(letter.from_name, "The sender's name"))
    from_email = _address(letter.from_email)
    options = {"o:tracking": "no", "o:tracking-clicks": "no", "o:tracking-opens": "no"}
    if letter.reply_to:
        name, email = encoding.split_mailbox(letter.reply_to, "The reply address")
        options["h:Reply-To"] = f"{_phrase(name)}<{_address(email)}>" if name else _address(email)
    headers = [(name, value.written(_PLACES.__getitem__, _as_header)) for name, value in letter.headers]
    for name, value in encoding.fields_of(headers, "Mailgun").items():
        if name.lower() not in _WRITTEN_BY_MAILGUN:
            options[f"h:{name}"] = value
    if sum(len(name) + len(value) for name, value in options.items()) > _MOST_OPTIONS:
        raise BadInput("The headers are more than the 16 KB that Mailgun takes.", cure="Leave some out.")
    subject = letter.subject.written(_PLACES.__getitem__, _as_text).replace("%%recipient.", "%\u2060%recipient.")
    text = letter.text.written(_PLACES.__getitem__, _as_text).replace("%%recipient.", "%\u2060%recipient.")
    places: Mapping[Field, str] = {**_PLACES, "name": _NAME_IN_HTML}
    html = letter.html.written(places.__getitem__, _as_html).replace("%%recipient.", "&#37;%recipient.")
    fields = {
        "from": f"{sender}<{from_email}>" if sender else from_email,
        "subject": encoding.line(subject, "The subject"),
        "text": encoding.text(text, "The text of a mail"),
        "html": encoding.text(html, "The HTML of a mail"),
        **options,
    }
    return tuple(form.part(name, value) for name, value in fields.items() if value or name == "subject"), letter.fields


def _values(people: Sequence[Addressee], fields: frozenset[Field]) -> str:
    """`recipient-variables`: each one's values by their address. Tokens and addresses need no escaping in JSON."""
    if not fields:
        return json.dumps({person.email: {} for person in people})
    if "name" in fields:
        own = [_names(person.name) if person.name else ',"name":"","named":""' for person in people]
    else:
        own = [""] * len(people)
    each = [
        f'"{email}":{{"leave":"{leaving}","choose":"{choosing}"{names}}}'
        for (email, _, leaving, choosing, _), names in zip(people, own, strict=True)
    ]
    return "{" + ",".join(each) + "}"


def _names(name: str) -> str:
    name = encoding.line(name, "A reader's name")
    return f',"name":{json.dumps(_as_text(name))},"named":{json.dumps(_as_html(html_escape(name)))}'


def _mailbox(person: Addressee) -> str:
    name = encoding.line(person.name, "A reader's name")
    return f"{_phrase(name)}<{_address(person.email)}>" if name else _address(person.email)


def _phrase(name: str) -> str:
    """A display name with a space after it, or "": as an encoded word where it is no plain one or holds a %."""
    if name and ("%" in name or not encoding.is_plain_phrase(name)):
        name = " ".join(encoding.encoded_words(name))
    return f"{name} " if name else ""


def _address(email: str) -> str:
    if _READ_AS_PLACE.search(email):
        raise BadInput(f"Mailgun would read a place for a value in {email}.", cure="Use another address.")
    return encoding.address(email)


def _as_header(literal: str) -> str:
    if _READ_AS_PLACE.search(literal):
        raise BadInput(f"Mailgun would read a place for a value in a header: {literal[:60]!r}.", cure="Reword it.")
    return literal


def _as_text(literal: str) -> str:
    """Words in which Mailgun finds no place: an invisible character (U+2060) after the %, an escape in an address."""
    if "%" not in literal:
        return literal
    literal = _WEB_ADDRESS.sub(lambda found: _READ_AS_PLACE.sub("%25", found[0]), literal)
    return _READ_AS_PLACE.sub("%\u2060", literal)


def _as_html(literal: str) -> str:
    """HTML in which Mailgun finds no place, and which says the same."""
    return _READ_AS_PLACE.sub("&#37;", literal) if "%" in literal else literal


def _read(reply: Reply) -> Answer:
    answer = answers.json_of(reply)
    fields = answer if isinstance(answer, Mapping) else {}
    said = str(fields.get("message", ""))
    why = answers.excerpt(reply)
    match reply.status:
        case 200 if isinstance(fields.get("id"), str) and fields["id"].strip("<>") and said.startswith("Queued"):
            return Answer("accepted", "200", vendor_ids=(fields["id"].strip("<>"),))
        case 200 if reply.body.strip().startswith(b"Mailgun Magnificent API"):
            # What answers at any address that is none of its own.
            return answers.stopped(_WHERE, why)
        case 401:
            return answers.stopped(_KEY, why)
        case 403:
            return answers.stopped(_ALLOWED, why)
        case 404 | 405:
            return answers.stopped(_WHERE, why)
        case 429:
            wait = answers.wait_seconds(reply.headers, datetime.now(UTC))
            named = _AGAIN.search(said)
            default = float(named[1]) if named else 60.0
            return Answer("not_accepted", why, retry_after_seconds=default if wait is None else wait)
        case 400 if _SAID_OF_THE_ACCOUNT.search(said):
            return answers.stopped(_ALLOWED, why)
        case 400 if said.startswith("from parameter"):
            return answers.stopped(_SENDER, why)
        case 400 if said:
            return Answer("not_accepted", why, permanent=True)
        case 413:
            return Answer("not_accepted", why, permanent=True)
        case _:
            return Answer("uncertain", why, retry_after_seconds=answers.wait_seconds(reply.headers, datetime.now(UTC)))
