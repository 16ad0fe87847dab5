"""The port of the mail-API family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from syndicate.core.message import Answer, CapabilitySheet, Message


@dataclass(frozen=True, slots=True)
class Connection:
    """Where and as whom to post. `url` is scheme, host and port that take the place of the vendor's own, or "".
    `deadline_seconds` bounds one whole request, from connecting to the last byte of the answer."""

    url: str = ""
    api_key: str = field(default="", repr=False)
    deadline_seconds: float = 30.0
    stream: str = ""
    """The vendor's name for a kind of mails with a reputation of its own, "" for the one made for newsletters."""
    region: str = ""
    """The vendor's name for where the account is, "" for its first one."""
    domain: str = ""
    """The domain that the vendor sends for, where requests name it."""
    activity: bool = False
    """Whether the vendor's record may be asked, where it is one that must be paid for."""
    proxy: str = field(default="", repr=False)
    """An http address, perhaps with user and password, through which https addresses are reached, or ""."""
    certificates: Path | None = None
    """A file of certificates that are trusted in place of the world's own."""


class MailAPI(Protocol):
    """One mail API with one account. Safe to use from several threads."""

    @property
    def sheet(self) -> CapabilitySheet:
        """What it can do."""

    @property
    def account(self) -> str:
        """A short fingerprint of API address and account that tells no secret: part of every request key."""

    @property
    def url(self) -> str:
        """The whole address that requests are posted to."""

    def build(self, messages: Sequence[Message]) -> bytes:
        """The body of the one request that carries these messages: the same messages always give the same bytes. They
        may come as `core.copies.Copies` of one letter; an API that substitutes takes no others but a single message.

        Raises BadInput when a message cannot be expressed (a header this API refuses, too large)."""

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        """Posts the body once, under the request key, and reads the answer for `count` messages. Never retries, never
        follows a redirect, never raises for what the network or the API does: that is the Answer."""

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        """Which of these Message-IDs, all those of the request that was posted under that key, the API's own record
        shows as accepted; None when it cannot be asked (no record, or it did not answer), or shows none of them and
        nothing else of ours by which it is seen to work."""
