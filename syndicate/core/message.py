"""One e-mail to one person, one request to a mail API, and what its answer means."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LABEL = "syndicate-message"
"""Under which name a mail's label goes along as metadata, for mail APIs that give it back with what they report."""


def label(message_id: str) -> str:
    """32 hexadecimal digits that stand for a Message-ID, angle brackets included, where only a word can stand; or for
    the key of a request, where all its mails share one."""
    return hashlib.sha256(message_id.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Message:
    """One whole e-mail to one recipient. `headers` holds only what a vendor lets a sender set (List-Id,
    List-Unsubscribe, …, Message-ID, Date), in order, ASCII, without CR or LF."""

    to_email: str
    from_name: str
    from_email: str
    reply_to: str
    subject: str
    html: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()
    to_name: str = ""

    @property
    def message_id(self) -> str:
        """The value of Message-ID with its angle brackets, or ""."""
        return next((value for name, value in self.headers if name.lower() == "message-id"), "")


@dataclass(frozen=True, slots=True)
class CapabilitySheet:
    """What a mail API can do. `checked` names the specification read and the date.

    `surely_not` says which answers turn a request down before anything of it is sent, by status and, where a status is
    not enough, by the vendor's code; and which source says so. (What failed before the request had left, at DNS,
    connecting or TLS, is surely not accepted anywhere.) Every other answer that is no readable success is uncertain.

    `substitution` is how the place of each recipient's own value is written in the one body of a request, with `name`
    for what goes there, such as `%recipient.name%`; "" when a request carries whole mails. With it, all recipients of
    a request get the same version, and each their own List-Unsubscribe all the same.
    `idempotency_seconds` is the lifetime of a request key at the API, None when it keeps none. `lookup` tells whether
    past sends can be asked for; `lookup_lag_seconds` is how long an accepted message may stay invisible, and
    `lookup_kept_seconds` for how long it is surely shown (None: longer than anything waits here). Where the record may
    be asked seldom, all processes of a site look up one request each `lookup_every_seconds`.
    `all_or_nothing` tells that a request is taken whole or not at all, so that proof of one message proves them all:
    the adapter names its source.
    """

    api: str
    checked: str
    recipients_per_request: int
    bytes_per_request: int
    idempotency_seconds: int | None = None
    lookup: bool = False
    lookup_lag_seconds: float = 0.0
    lookup_kept_seconds: float | None = None
    lookup_every_seconds: float = 0.0
    substitution: str = ""
    all_or_nothing: bool = False
    surely_not: str = ""


Verdict = Literal["accepted", "not_accepted", "uncertain"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request.

    accepted: a readable success. `refused` maps the index of a message in the request to the vendor's reason when the
    API turned single messages down inside it; `not_taken` holds the indexes of those that it surely did not take for
    what has nothing to do with them (credits that ran out midway, a limit): they go again. Not all are in one of the
    two. `stops` tells that it would go on so, `retry_after_seconds` when those not taken may go again.
    not_accepted: surely not taken, by the adapter's sheet (DNS, connect, TLS, listed rejections); `permanent` when the
    same request can never succeed, `stops` when every other request would fail too (key, domain, account): the issue
    pauses and nothing is refused. uncertain: anything else; with `vendor_ids` the API took it but does not say for
    whom, so that other requests need not wait.
    """

    verdict: Verdict
    why: str
    refused: Mapping[int, str] = field(default_factory=dict)
    permanent: bool = False
    stops: bool = False
    retry_after_seconds: float | None = None
    vendor_ids: tuple[str, ...] = ()
    not_taken: frozenset[int] = frozenset()
