"""Mailjet: batches of whole messages, a result for each, and a record that is searched by our own id.

Checked against the vendor's guide to the Send API v3.1 (properties, errors, CustomID) and its page on status codes,
November 2026; it publishes no specification for machines.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from syndicate.core.message import Answer, CapabilitySheet, Message, label
from syndicate.errors import BadInput, MailAPIError
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding, whole_mails
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import api_key, base_url, client_for, fingerprint

SHEET = CapabilitySheet(
    api="mailjet",
    checked="mailjet guide to Send API v3.1, 2026-11",
    recipients_per_request=50,
    bytes_per_request=15_000_000,
    lookup=True,
    # The vendor publishes no figure.
    lookup_lag_seconds=900.0,
    lookup_kept_seconds=9 * 86_400.0,
    surely_not="401, 403, 404, 405, 413 and 429; 400 with an ErrorCode of the key, the sender or what is invalid, for "
    'the request or for one of its messages. Source: "Send API errors" in the vendor\'s guide, and its status codes.',
)
_LONGEST_SUBJECT = 255
_SHOWN = timedelta(days=10)
"""So far back its record is searched. Not told how far, its statistics go back to the last midnight."""

_WRITTEN_BY_MAILJET = frozenset(["date", "message-id", "list-id"])
"""Headers of ours that it writes itself and refuses from a sender (send-0011)."""

_OF_THE_ACCOUNT: Mapping[str, str] = {
    "send-0006": "Mailjet does not let this key send as another: leave [mail] from to a validated address",
    "send-0007": "Validate [mail] from at Mailjet, under sender domains and addresses",
    "send-0008": "Validate [mail] from at Mailjet, under sender domains and addresses",
    "mj-0001": "Mailjet has suspended the API key: ask its support",
    "mj-0015": "Give `key:secret` of Mailjet in SYNDICATE_MAIL__API_KEY",
}
"""ErrorCode that meets every message alike, and the cure."""

_SENDER = "Correct [mail] from and reply_to: Mailjet cannot read them"
_OF_THE_SENDER = ("From", "Sender", "ReplyTo")
"""What `ErrorRelatedTo` begins with where the error is no reader's."""

_OF_THE_MESSAGE = frozenset(
    [
        *("send-0003", "send-0004", "send-0010", "send-0011", "send-0012", "send-0015", "send-0016"),
        *("mj-0002", "mj-0003", "mj-0004", "mj-0005", "mj-0006", "mj-0007", "mj-0008", "mj-0011", "mj-0012", "mj-0013"),
    ]
)
"""ErrorCode that turns a message down, or with a 400 that names no messages the whole request, in validation. By status
401, 403, 404, 405, 413 and 429 do so. Source: "Send API errors" in the vendor's guide and its status codes."""


class Mailjet:
    """Up to 50 messages a request, no request keys. `api_key` is `key:secret`. The ID of a message at Mailjet, and its
    Message-ID, are Mailjet's own; ours goes along as its label in `CustomID`."""

    sheet = SHEET

    def __init__(self, connection: Connection) -> None:
        given = api_key(connection, "Mailjet")
        key, _, self._secret = given.partition(":")
        if not key or not self._secret:
            raise MailAPIError(
                "Mailjet needs its API key and its secret key.", cure="Set SYNDICATE_MAIL__API_KEY to key:secret."
            )
        self._base = base_url(connection.url, "https://api.mailjet.com")
        self.account = fingerprint("mailjet", self._base, key)
        self.url = f"{self._base}/v3.1/send"
        self._headers = {
            "Authorization": f"Basic {b64encode(given.encode()).decode()}",
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        self._client = client_for(connection)

    def build(self, messages: Sequence[Message]) -> bytes:
        mails = whole_mails.copies_of(messages, SHEET)
        if any(len(subject) > _LONGEST_SUBJECT for copies in mails for subject in copies.filled(copies.letter.subject)):
            raise BadInput(f"Mailjet takes subjects of at most {_LONGEST_SUBJECT} characters.", cure="Shorten it.")
        return whole_mails.request(mails, SHEET, _message, _mailbox, around=(b'{"Messages":[', b"]}"))

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        reply = self._client.post(self.url, body, self._headers)
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else _read(reply, count)
        return answers.without(self._secret, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        found = []
        for message_id in message_ids:
            known = self._knows(label(message_id))
            if known is None:
                return None
            if known:
                found.append(message_id)
        return frozenset(found) if found or not message_ids or self._works() else None

    def _works(self) -> bool:
        """Whether the record finds the last mail that it shows with an id of ours: else that it finds none proves
        nothing."""
        last = self._messages({"Limit": 50, "Sort": "ID DESC"})
        custom_id = next((id_ for id_ in last or () if re.fullmatch("[0-9a-f]{32}", id_)), "")
        return bool(custom_id) and self._knows(custom_id) is True

    def _knows(self, custom_id: str) -> bool | None:
        found = self._messages({"CustomID": custom_id, "Limit": 1})
        if found is None or any(id_ != custom_id for id_ in found):
            # A search that passes over what it was asked for proves nothing.
            return None
        return bool(found)

    def _messages(self, asked: Mapping[str, object]) -> list[str] | None:
        """The CustomID of each message; None when the record does not answer."""
        since = int((datetime.now(UTC) - _SHOWN).timestamp())
        query = urlencode({**asked, "FromTS": since, "ShowCustomID": "true"})
        reply = self._client.get(f"{self._base}/v3/REST/message?{query}", self._headers)
        if isinstance(reply, Failure) or reply.status != 200:
            return None
        answer = answers.json_of(reply)
        data = answer.get("Data") if isinstance(answer, Mapping) else None
        if not isinstance(data, list) or not all(isinstance(one, Mapping) for one in data):
            return None
        return [str(one.get("CustomID", "")) for one in data]


def _message(mail: whole_mails.Blank) -> dict[str, object]:
    letter = mail.letter
    written: dict[str, object] = {
        "From": _mailbox(encoding.line(letter.from_name, "The sender's name"), letter.from_email),
        "To": [whole_mails.TO],
    }
    if letter.reply_to:
        written["ReplyTo"] = _mailbox(*encoding.split_mailbox(letter.reply_to, "The reply address"))
    written["Subject"] = mail.subject
    headers = mail.headers("Mailjet")
    written["Headers"] = {name: value for name, value in headers.items() if name.lower() not in _WRITTEN_BY_MAILJET}
    if mail.has_text:
        written["TextPart"] = mail.text
    written["HTMLPart"] = mail.html
    written["CustomID"] = whole_mails.LABEL
    written["TrackOpens"] = written["TrackClicks"] = "disabled"
    return written


def _mailbox(name: str, email: str) -> dict[str, str]:
    return {"Email": encoding.address(email), "Name": name} if name else {"Email": encoding.address(email)}


def _read(reply: Reply, count: int) -> Answer:
    answer = answers.json_of(reply)
    fields = answer if isinstance(answer, Mapping) else {}
    if reply.status in (200, 400, 401, 403) and "Messages" in fields:
        return _read_results(reply, fields["Messages"], count)
    why, code = answers.excerpt(reply), str(fields.get("ErrorCode", ""))
    wait = answers.wait_seconds(reply.headers, datetime.now(UTC))
    match reply.status:
        case 401 | 403:
            return answers.stopped(_OF_THE_ACCOUNT.get(code, _OF_THE_ACCOUNT["mj-0015"]), why)
        case 404 | 405:
            return answers.stopped("Look whether [mail] url is Mailjet's", why)
        case 400 if code in _OF_THE_ACCOUNT:
            return answers.stopped(_OF_THE_ACCOUNT[code], why)
        case 400 if code in _OF_THE_MESSAGE:
            return Answer("not_accepted", why, permanent=True)
        case 413:
            return Answer("not_accepted", why, permanent=True)
        case 429:
            return Answer("not_accepted", why, retry_after_seconds=60.0 if wait is None else wait)
        case _:
            return Answer("uncertain", why, retry_after_seconds=wait)


def _read_results(reply: Reply, results: Any, count: int) -> Answer:
    """A result for each message, in order; the status is an error's as soon as one of them is."""
    ids: list[str] = []
    refused: dict[int, str] = {}
    not_taken: dict[int, str] = {}
    codes: set[str] = set()
    sender = False
    for place, one in enumerate(results if isinstance(results, list) else []):
        id_, errors = _accepted(one), _errors(one)
        if id_:
            ids.append(id_)
        elif errors:
            codes |= errors.keys()
            why = "; ".join(f"{code}: {answers.printable(words)}" for code, words in errors.items())[:300]
            faulty = _is_of_the_sender(one)
            sender = sender or faulty
            (not_taken if faulty or _OF_THE_ACCOUNT.keys() & errors.keys() else refused)[place] = why
    told = len(ids) + len(refused) + len(not_taken)
    if told != count or len(results) != count or codes - _OF_THE_MESSAGE - _OF_THE_ACCOUNT.keys():
        return Answer("uncertain", f"it does not tell what became of {count} messages: {answers.excerpt(reply)}")
    cure = next((_OF_THE_ACCOUNT[code] for code in sorted(codes) if code in _OF_THE_ACCOUNT), _SENDER if sender else "")
    return answers.of_results(tuple(ids), refused, not_taken, cure=cure)


def _accepted(result: Any) -> str:
    """The vendor's id of a message that was taken, or ""."""
    to = result.get("To") if isinstance(result, Mapping) and result.get("Status") == "success" else None
    first = to[0] if isinstance(to, list) and to else None
    id_ = first.get("MessageUUID") if isinstance(first, Mapping) else None
    return id_ if isinstance(id_, str) else ""


def _is_of_the_sender(result: Mapping[str, Any]) -> bool:
    """Whether any error of a message is said of a field that all messages have alike."""
    related = [error.get("ErrorRelatedTo") for error in result["Errors"]]
    fields = [field for each in related if isinstance(each, list) for field in each]
    return any(str(field).startswith(_OF_THE_SENDER) for field in fields)


def _errors(result: Any) -> dict[str, str]:
    """Codes and words of what is wrong with a message that was not taken."""
    errors = result.get("Errors") if isinstance(result, Mapping) and result.get("Status") == "error" else None
    if not isinstance(errors, list) or not all(isinstance(one, Mapping) for one in errors):
        return {}
    return {str(one.get("ErrorCode", "")): str(one.get("ErrorMessage", "")) for one in errors}
