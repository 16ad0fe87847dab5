"""SparkPost: one letter to up to 2,000 people, whose own values it puts in, under an idempotency key, and a record that
is searched by campaign.

Checked against the vendor's developer pages (SparkPost/developers.sparkpost.com: transmissions, events, template
language; its change #590 of August 2026 on idempotent requests) and its table of extended error codes, November 2026;
it publishes no specification for machines. That its own List-Unsubscribe replaces ours in all but transactional mails:
its support pages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from html import escape
from typing import Any
from urllib.parse import urlencode

from syndicate.core.copies import Addressee, Copies, Field, Letter
from syndicate.core.message import LABEL, Answer, CapabilitySheet, Message, label
from syndicate.errors import BadInput, MailAPIError
from syndicate.http import Failure, Reply
from syndicate.mail import answers, encoding
from syndicate.mail.base import Connection
from syndicate.mail.endpoint import api_key, base_url, client_for, fingerprint

_KEPT_SECONDS = 24 * 3600
SHEET = CapabilitySheet(
    api="sparkpost",
    checked="developers.sparkpost.com and support pages, 2026-11",
    # It advises 2,000 to 10,000, and 50 MB.
    recipients_per_request=2_000,
    bytes_per_request=50_000_000,
    idempotency_seconds=_KEPT_SECONDS,
    lookup=True,
    # The vendor publishes no figure, but that a search ends a minute ago. "Data in the Events API is retained for 10
    # days."
    lookup_lag_seconds=3_600.0,
    lookup_kept_seconds=9 * 86_400.0,
    substitution="{{{name}}}",
    surely_not="401, 403, 404, 405, 413, 420 and 429; 400 and 422 with a `code` of the sender or of what is invalid. "
    "Source: the vendor's table of extended error codes, and its page on transmissions (\"no messages are sent\").",
)
_SHOWN_DAYS = 10
_MOST_SHOWN = 10_000
_LARGEST_RECORD = 20_000_000
_TAKEN = "injection,policy_rejection,generation_rejection,generation_failure"
"""Events of which each recipient of a transmission that was taken has one, whatever becomes of the mail."""

_LARGEST_CONTENT = 20_000_000
_BASES = {"": "https://api.sparkpost.com", "us": "https://api.sparkpost.com", "eu": "https://api.eu.sparkpost.com"}

_PLACES: Mapping[Field, str] = {"leaving": "{{{leave}}}", "choosing": "{{{choose}}}", "name": "{{{name}}}"}
_PLACES_IN_HTML: Mapping[Field, str] = {**_PLACES, "name": "{{{named}}}"}

_BRACES = {"left_brace": "{", "right_brace": "}"}
"""Values that stand for the braces of an article: what a value holds is not looked into again."""
_LEFT, _RIGHT = "{{{left_brace}}}", "{{{right_brace}}}"
_BRACES_TOGETHER = re.compile(r"\{{2,}|\}{2,}")
_ATTRIBUTES = re.compile(r"\[\[(?=\s*data-msys)")
"""With these words behind an address, a text says how the link is to be treated."""

_WRITTEN_BY_SPARKPOST = frozenset(["date", "message-id"])
"""Headers of ours that it writes itself."""

_KEY = "Give a key of SparkPost that may send transmissions in SYNDICATE_MAIL__API_KEY"
_WHERE = 'Look whether [mail] url is SparkPost\'s, and region = "eu" if the account is there'
_SENDER = "Verify the domain of [mail] from at SparkPost, under Sending Domains"
_SANDBOX = "SparkPost has only its sandbox for this account: verify the domain of [mail] from there"

_QUOTA_WAITS = {"2101": 600.0, "2102": 3600.0, "2105": 86_400.0}
"""Seconds until a used-up quota (of the hour, the day, the month) is asked for again. "No messages are sent"."""

_OF_THE_SENDER = frozenset(["7000", "7001"])
_SAID_OF_THE_SENDER = re.compile(r"content\.(?:from|reply_to)\b|\bfrom (?:address|email|domain)\b", re.IGNORECASE)
"""What it says under other codes of a field that is no reader's."""
_OF_THE_REQUEST: Mapping[int, frozenset[str]] = {
    400: frozenset(["1200", "1305", "1401", "1901", "1902", "5002"]),
    422: frozenset(["1300", "1301", "1400", "2002", "3000", "3001", "3002", "3010", "3020", "3040", "3050"]),
}
"""`code` with which a status turns the whole request down before anything is sent: what is invalid, missing or too
large, a template or header that cannot be read, no valid recipient."""


class SparkPost:
    """Up to 2,000 recipients of one letter a request; the key of a request is kept for 24 hours, and the same answer
    given to the same request. `region` is "eu" for an account there. All mails of a request have one id, which is the
    request's; ours go along as labels in their metadata, the request's key as its campaign. It writes the Message-ID
    itself. A key that may search events lets its record be asked."""

    sheet = SHEET

    def __init__(self, connection: Connection) -> None:
        self._key = api_key(connection, "SparkPost")
        if connection.region not in _BASES:
            raise MailAPIError(
                f"[mail] region = {connection.region!r} is none of SparkPost.", cure='It is "eu", or nothing.'
            )
        base = base_url(connection.url, _BASES[connection.region])
        self.account = fingerprint("sparkpost", base, self._key)
        self.url = f"{base}/api/v1/transmissions"
        self._events_url = f"{base}/api/v1/events/message"
        self._headers = {
            "Authorization": self._key,
            "Content-Type": "application/json",
            "Accept": "application/json",
        }
        self._client = client_for(connection)
        self._record = client_for(connection, max_answer_bytes=_LARGEST_RECORD)

    def build(self, messages: Sequence[Message]) -> bytes:
        copies = encoding.one_letter(messages, SHEET)
        request = {
            # It would put in a List-Unsubscribe of its own, and tracks by itself.
            "options": {"transactional": True, "open_tracking": False, "click_tracking": False},
            "substitution_data": _BRACES,
            "content": _content(copies.letter),
            "recipients": [_recipient(copies, person) for person in copies.people],
        }
        return encoding.json_bytes(request, SHEET)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        whole = encoding.with_first(body, {"campaign_id": label(key)})
        reply = self._client.post(self.url, whole, {**self._headers, "Idempotency-Key": label(key)})
        answer = answers.of_failure(reply) if isinstance(reply, Failure) else _read(reply, body, count)
        return answers.without(self._key, answer)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        """That there is none proves something only where the record tells campaigns and is searched by them: the last
        event of ours must be found by its own."""
        if not message_ids:
            return frozenset()
        found = self._events(label(key))
        if found:
            known = {_label_of(event) for event in found}
            return frozenset(message_id for message_id in message_ids if label(message_id) in known) or None
        last = self._events() if found is not None else None
        campaign = next((_campaign_of(event) for event in last or () if _label_of(event) and _campaign_of(event)), "")
        return frozenset() if campaign and self._events(campaign) else None

    def _events(self, campaign: str = "") -> list[Mapping[str, Any]] | None:
        """The newest events of taking a mail, or all those of a campaign; None when the record does not answer, not
        with all of them, or not to what it was asked."""
        since = datetime.now(UTC) - timedelta(days=_SHOWN_DAYS)
        asked = {"events": _TAKEN, "from": f"{since:%Y-%m-%dT%H:%M}", "per_page": _MOST_SHOWN if campaign else 100}
        query = urlencode({**asked, "campaigns": campaign} if campaign else asked)
        reply = self._record.get(f"{self._events_url}?{query}", self._headers)
        if isinstance(reply, Failure) or reply.status != 200:
            return None
        answer = answers.json_of(reply)
        events = answer.get("results") if isinstance(answer, Mapping) else None
        if not isinstance(events, list) or not all(isinstance(one, Mapping) for one in events):
            return None
        if campaign and (answer.get("total_count") != len(events) or any(_campaign_of(e) != campaign for e in events)):
            return None
        return events


def _campaign_of(event: Mapping[str, Any]) -> str:
    """The label of a request of ours; "" for another's campaign, or none."""
    campaign = str(event.get("campaign_id", ""))
    return campaign if re.fullmatch("[0-9a-f]{32}", campaign) else ""


def _label_of(event: Mapping[str, Any]) -> str:
    metadata = event.get("rcpt_meta")
    return str(metadata.get(LABEL, "")) if isinstance(metadata, Mapping) else ""


@lru_cache(maxsize=16)
def _content(letter: Letter) -> dict[str, object]:
    """What is the same for everybody. Raises BadInput for what SparkPost cannot express."""
    sender = {"email": encoding.address(letter.from_email)}
    if letter.from_name:
        sender["name"] = _template(_literal(encoding.line(letter.from_name, "The sender's name")))
    content: dict[str, object] = {"from": sender}
    if letter.reply_to:
        mailbox = encoding.ascii_mailbox(*encoding.split_mailbox(letter.reply_to, "The reply address"))
        content["reply_to"] = _template(_literal(mailbox))
    subject = _template(letter.subject.written(_PLACES.__getitem__, _literal))
    text = _template(letter.text.written(_PLACES.__getitem__, _literal))
    html = _template(letter.html.written(_PLACES_IN_HTML.__getitem__, _literal))
    if not encoding.line(subject, "The subject") or not (text or html):
        raise BadInput("SparkPost takes no mail without a subject and a text.", cure="Write them.")
    if len(text.encode("utf-8", "replace")) + len(html.encode("utf-8", "replace")) > _LARGEST_CONTENT:
        raise BadInput(f"The mail is larger than SparkPost takes ({_LARGEST_CONTENT:,} bytes).", cure="Shorten it.")
    content["subject"] = subject
    parts = {"text": encoding.text(text, "The text of a mail"), "html": encoding.text(html, "The HTML of a mail")}
    content |= {name: words for name, words in parts.items() if words}
    headers = [
        (name, _template(value.written(_PLACES.__getitem__, _literal)))
        for name, value in letter.headers
        if name.lower() not in _WRITTEN_BY_SPARKPOST
    ]
    content["headers"] = encoding.fields_of(headers, "SparkPost")
    return content


def _recipient(copies: Copies, person: Addressee) -> dict[str, object]:
    name = encoding.line(person.name, "A reader's name")
    address = {"email": encoding.address(person.email)}
    if name:
        address["name"] = name
    values = {"leaving": person.leaving, "choosing": person.choosing, "name": name}
    keys = {"leaving": "leave", "choosing": "choose", "name": "name"}
    own = {keys[field]: values[field] for field in sorted(copies.letter.fields)}
    if "name" in own:
        own["named"] = escape(name)
    message_id = copies.message_id(person)
    whole: dict[str, object] = {"address": address}
    if own:
        whole["substitution_data"] = own
    if message_id:
        whole["metadata"] = {LABEL: label(message_id)}
    return whole


def _literal(words: str) -> str:
    """Words in which it finds no template, and says the same; but for a single brace beside a place."""
    if "[[" in words:
        words = _ATTRIBUTES.sub("[\u2060[", words)
    if "{" not in words and "}" not in words:
        return words
    return _BRACES_TOGETHER.sub(lambda found: (_LEFT if found[0][0] == "{" else _RIGHT) * len(found[0]), words)


def _template(written: str) -> str:
    """With the single braces beside a place, which would make another of it."""
    return written.replace("{{{{", _LEFT + "{{{").replace("}}}}", "}}}" + _RIGHT)


def _read(reply: Reply, body: bytes, count: int) -> Answer:
    answer = answers.json_of(reply)
    fields = answer if isinstance(answer, Mapping) else {}
    if reply.status == 200:
        return _read_results(reply, fields.get("results"), body, count)
    codes, why = _codes(fields.get("errors")), answers.excerpt(reply)
    wait = answers.wait_seconds(reply.headers, datetime.now(UTC))
    match reply.status:
        case 401 | 403:
            return answers.stopped(_KEY, why)
        case 404 | 405:
            return answers.stopped(_WHERE, why)
        case 400 | 422 if _OF_THE_SENDER.intersection(codes) or (codes and _SAID_OF_THE_SENDER.search(why)):
            return answers.stopped(_SENDER, why)
        case 400 | 422 if codes and _OF_THE_REQUEST[reply.status].issuperset(codes):
            return Answer("not_accepted", why, permanent=True)
        case 413:
            return Answer("not_accepted", why, permanent=True)
        case 420 if "2103" in codes:
            return answers.stopped(_SANDBOX, why)
        case 420:
            default = max((_QUOTA_WAITS.get(code, 3600.0) for code in codes), default=3600.0)
            return Answer("not_accepted", why, retry_after_seconds=default if wait is None else wait)
        case 429:
            return Answer("not_accepted", why, retry_after_seconds=5.0 if wait is None else wait)
        case 409 if "1601" in codes:
            # The same request is under way.
            return Answer("uncertain", why, retry_after_seconds=5.0 if wait is None else wait)
        case 409 if "1600" in codes:
            return Answer("uncertain", f"ALARM: the API holds another request under this key ({why})")
        case _:
            return Answer("uncertain", why, retry_after_seconds=5.0 if wait is None else wait)


def _read_results(reply: Reply, results: Any, body: bytes, count: int) -> Answer:
    """A 200 counts who was taken; of the others it gives reasons, not places."""
    told = results if isinstance(results, Mapping) else {}
    id_, accepted, rejected = (
        told.get(name) for name in ("id", "total_accepted_recipients", "total_rejected_recipients")
    )
    ids = (str(id_),) if isinstance(id_, str | int) and not isinstance(id_, bool) and id_ else ()
    why = answers.excerpt(reply)
    if not ids or type(accepted) is not int or type(rejected) is not int or accepted + rejected != count:
        return Answer("uncertain", f"200, but it does not tell of {count} messages: {why}")
    if not rejected:
        return Answer("accepted", "200", vendor_ids=ids)
    if not accepted:
        return Answer("not_accepted", why, permanent=True)
    refused = _refused(told.get("rcpt_to_errors"), body)
    if len(refused) == rejected:
        return Answer("accepted", why, refused=refused, vendor_ids=ids)
    # The same answer comes as long as the key is kept; what it reports of each mail proves who has theirs.
    why = f"it took {accepted} of {count} and does not say whom it left out: {why}"
    return Answer("uncertain", why, retry_after_seconds=float(_KEPT_SECONDS), vendor_ids=ids)


def _refused(errors: Any, body: bytes) -> dict[int, str]:
    """Places in the request of those whom the errors name between quotes, by address or by domain, with the reasons."""
    named: dict[str, str] = {}
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, Mapping):
            said = f"{error.get('code', '')}: {error.get('description') or error.get('message', '')}"
            named |= {value.lower(): answers.printable(said) for value in re.findall(r"'([^']+)'", said)}
    refused = {}
    for place, recipient in enumerate(json.loads(body)["recipients"]):
        email = str(recipient["address"]["email"]).lower()
        why = named.get(email) or named.get(email.rpartition("@")[2])
        if why:
            refused[place] = why
    return refused


def _codes(errors: Any) -> frozenset[str]:
    """The code of each error; none when that is not what was answered."""
    if not isinstance(errors, list) or not all(isinstance(one, Mapping) for one in errors):
        return frozenset()
    return frozenset(str(one.get("code", "")) for one in errors)
