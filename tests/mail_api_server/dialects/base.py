"""How each vendor reads a request and words an answer: from the vendors' specifications, not from our adapters."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_json(cls, status: int, value: object, **headers: str) -> Reply:
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named})


@dataclass(frozen=True, slots=True)
class Taken:
    """A message read from a request."""

    to: str
    message_id: str
    subject: str
    labels: Mapping[str, str] = field(default_factory=dict)
    """What the sender gave along for finding it again in the vendor's record."""
    html: str = ""
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """As the recipient gets them, names in lower case."""
    stream: str = ""
    """The kind of mails it is among, or the campaign, by which the vendor's record is searched."""


class Refusal(Exception):
    """The request is turned down as a whole."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Dialect:
    """One vendor's dialect. `path` is where mails are posted to, `invalid_status` the status of a request that is
    turned down as a whole for what is in it, `refuses_singly` whether one bad message leaves the others be."""

    path: str
    invalid_status = 400
    refuses_singly = False
    record_seconds = 0.0
    """How long a message that was taken does not show in the record."""
    minute_seconds = 60.0
    """In which a record that may be asked so often a minute may be asked so often."""

    def authorize(self, headers: Mapping[str, str], api_key: str) -> None:
        """Raises Refusal when the key is missing, or another than `api_key` if that is given."""
        raise NotImplementedError

    def read(self, body: bytes) -> list[Taken]:
        """The messages of a request. Raises Refusal for what the vendor would not read."""
        raise NotImplementedError

    def success(self, ids: Sequence[str | None]) -> Reply:
        """The answer to messages that were taken under these ids; None stands for one that was refused by itself, ""
        for one that the account has no credits for."""
        raise NotImplementedError

    def answer(self, messages: Sequence[Taken], ids: Sequence[str | None]) -> Reply:
        """As `success`, where the vendor repeats something of what it took or refused."""
        return self.success(ids)

    def ids(self, number: int, messages: Sequence[Taken]) -> list[str]:
        """The vendor's ids of the messages of a request."""
        return [f"m{number}-{place}" for place in range(len(messages))]

    def elsewhere(self, path: str) -> Reply:
        """The answer to a POST that is not to `path`."""
        return self.error(404, "not_found", "The requested endpoint does not exist")

    def short_success(self, ids: Sequence[str]) -> Reply:
        """A success that does not tell of every message."""
        return self.success(ids[:-1])

    def error(self, status: int, name: str, message: str, **headers: str) -> Reply:
        """How the vendor words an error; `name` is Resend's word for it."""
        raise NotImplementedError

    def key_of(self, headers: Mapping[str, str], body: bytes) -> str:
        """The idempotency key of a request; "" when it has none or the vendor keeps none."""
        return ""

    def replayed(self, kept: Reply) -> Reply:
        """The answer to a request that comes again under its key, when it was taken with the answer that is kept."""
        return kept

    def look(self, path: str, query: str, headers: Mapping[str, str], taken: Sequence[tuple[str, Taken]]) -> Reply:
        """What the vendor's record says to a GET."""
        return Reply(404, b"404 page not found\n")


def message_id_of(headers: Mapping[str, Any]) -> str:
    return next((str(value) for name, value in headers.items() if name.lower() == "message-id"), "")
