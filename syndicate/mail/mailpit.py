"""Mailpit: a mail server for rehearsals, with an API. Also spoken by the built-in sandbox.

Checked against axllent/mailpit@408b30d server/ui/api/v1/swagger.json and server/apiv1/send.go, November 2026.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import urlencode

from syndicate.core.message import Answer, CapabilitySheet, Message
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding, whole_mails
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import base_url, client_for, fingerprint

SHEET = CapabilitySheet(
    api="mailpit",
    checked="mailpit swagger v1, 2026-11",
    recipients_per_request=1,
    bytes_per_request=25_000_000,
    lookup=True,
    lookup_lag_seconds=2.0,
    surely_not="401, 403, 404, 405 and 413; 400 with `Error`. Source: server/apiv1/send.go and its middleware, which "
    "answer so before a message is stored.",
)
_LOOKUP_PAGE, _MOST_PAGES = 200, 50
"""Messages of one page of a search, and pages that are read: words that so many Message-IDs contain are no id."""

_KEY = "Give user:password of Mailpit's API in SYNDICATE_MAIL__API_KEY"
_ALLOWED = "Mailpit does not let this machine send: look at what it was started with"
_WHERE = "Look whether [mail] url is Mailpit's, with the port of its pages (8025 unless it was told another)"


class Mailpit:
    """One message a request, no request keys, a record that can be searched by Message-ID.

    `api_key` is "" or `user:password` (HTTP Basic). Mailpit refuses a Date among the headers and dates a message
    itself; ours goes along as the field `Date`, which the sandbox honours and Mailpit passes over.
    """

    sheet = SHEET

    def __init__(self, connection: Connection) -> None:
        self._base = base_url(connection.url, "")
        self.url = f"{self._base}/api/v1/send"
        self._user, _, self._password = connection.api_key.partition(":")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if connection.api_key:
            self._headers["Authorization"] = f"Basic {b64encode(connection.api_key.encode()).decode()}"
        self._client = client_for(connection)
        self.account = fingerprint("mailpit", self._base, self._user)

    def build(self, messages: Sequence[Message]) -> bytes:
        mails = whole_mails.copies_of(messages, SHEET)
        return whole_mails.request(mails, SHEET, _message, _mailbox, around=(b"", b""))

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        reply = self._client.post(self.url, body, self._headers)
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else _read(reply)
        return answers.without(self._password, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        found = []
        for message_id in message_ids:
            known = self._knows(message_id)
            if known is None:
                return None
            if known:
                found.append(message_id)
        return frozenset(found)

    def _knows(self, message_id: str) -> bool | None:
        """Mailpit finds every Message-ID that contains the words, in any case, and `_` or `%` stand for others: so the
        pages of what it found are read until the very id comes."""
        wanted = message_id.strip("<>")
        for start in range(0, _MOST_PAGES * _LOOKUP_PAGE, _LOOKUP_PAGE):
            words = {"query": f'message-id:"{wanted}"', "start": start, "limit": _LOOKUP_PAGE}
            reply = self._client.get(f"{self._base}/api/v1/search?{urlencode(words)}", self._headers)
            if isinstance(reply, Failure) or reply.status != 200:
                return None
            answer = answers.json_of(reply)
            messages = answer.get("messages") if isinstance(answer, dict) else None
            if not isinstance(messages, list) or not all(isinstance(one, dict) for one in messages):
                return None
            if any(one.get("MessageID") == wanted for one in messages):
                return True
            if len(messages) < _LOOKUP_PAGE:
                return False
        return None


def _message(mail: whole_mails.Blank) -> dict[str, object]:
    letter = mail.letter
    headers = mail.headers("Mailpit")
    date = next((headers.pop(name) for name in list(headers) if name.lower() == "date"), None)
    request: dict[str, object] = {
        "From": _mailbox(encoding.line(letter.from_name, "The sender's name"), letter.from_email),
        "To": [whole_mails.TO],
    }
    if letter.reply_to:
        request["ReplyTo"] = [_mailbox(*encoding.split_mailbox(letter.reply_to, "The reply address"))]
    request["Subject"] = mail.subject
    request["Headers"] = headers
    if date is not None:
        request["Date"] = date
    request["Text"], request["HTML"] = mail.text, mail.html
    return request


def _mailbox(name: str, email: str) -> dict[str, str]:
    return {"Name": name, "Email": encoding.address(email)} if name else {"Email": encoding.address(email)}


def _read(reply: Reply) -> Answer:
    answer = answers.json_of(reply)
    fields = answer if isinstance(answer, dict) else {}
    if reply.status == 200 and isinstance(fields.get("ID"), str) and fields["ID"]:
        return Answer("accepted", "200", vendor_ids=(fields["ID"],))
    why = answers.excerpt(reply)
    match reply.status:
        case 401:
            return answers.stopped(_KEY, why)
        case 403:
            return answers.stopped(_ALLOWED, why)
        case 404 | 405:
            return answers.stopped(_WHERE, why)
        case 400 if isinstance(fields.get("Error"), str):
            return Answer("not_accepted", why, permanent=True)
        case 413:
            return Answer("not_accepted", why, permanent=True)
        case _:
            return Answer("uncertain", why)
