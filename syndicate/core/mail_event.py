"""What a mail API reports after it took a mail, and what that means for the address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

EventKind = Literal[
    "taken", "delivered", "deferred", "hard bounce", "soft bounce", "blocked", "complaint", "unsubscribe", "other"
]
"""taken: the mail API has it. delivered: the reader's server took it. deferred: not yet, the mail API goes on trying.
hard bounce: the address is no good. soft bounce: given up, for what may pass (a full mailbox, a server that is down).
blocked: turned down for the sender or the content (reputation, policy, authentication), which says nothing about the
address. unsubscribe: the reader left by what the mail API offers. other: anything else, such as an opened mail."""

SUPPRESSES: dict[EventKind, str] = {"hard bounce": "bounce", "complaint": "complaint"}
"""The kinds that close an address at once, with the reason of its suppression."""

UNREACHABLE = "unreachable"
"""The reason of a suppression because mail came back again and again."""
SOFT_BOUNCES = 4
SOFT_ISSUES = 2
SOFT_SPAN = timedelta(days=14)
"""So many soft bounces, of so many mailings, over so long, and nothing delivered since the first of them."""
SOFT_KEPT = timedelta(days=366)
"""How long one counts: four mailings of a quarterly come within it."""


class MailEvent(NamedTuple):
    """One report. `event_id` is the same however often it is sent; `vendor_id` is what the API calls the mail, and
    `label` the `core.message.label` that went along with it, each "" where it is not told; the addresses are what it
    claims, to be believed only of a mail that it took for them. `issue_id` is the issue that the mail itself says it is
    of, which only helps to find it. `code` is RFC 3463's (`5.1.1`), else SMTP's (`550`), or
    ""."""

    api: str
    event_id: str
    kind: EventKind
    vendor_id: str
    addresses: tuple[str, ...]
    at: datetime
    raw: dict[str, Any]
    label: str = ""
    issue_id: int | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """A soft bounce of an address, or (`delivered`) that a mail reached it. `issue_id` is None for a mail to one
    person, which counts as a mailing of its own."""

    at: datetime
    issue_id: int | None
    delivered: bool


def is_unreachable(signs: Iterable[Sign], *, since: datetime | None = None) -> bool:
    """Whether mail to an address has come back too often, whatever order the reports came in."""
    bounces = came_back(signs, since=since)
    mailings = {sign.issue_id for sign in bounces if sign.issue_id is not None}
    alone = sum(sign.issue_id is None for sign in bounces)
    if len(bounces) < SOFT_BOUNCES or len(mailings) + alone < SOFT_ISSUES:
        return False
    moments = [sign.at for sign in bounces]
    return max(moments) - min(moments) >= SOFT_SPAN


def came_back(signs: Iterable[Sign], *, since: datetime | None = None) -> list[Sign]:
    """The soft bounces that count: those after `since`, when somebody opened the address again, and after the last mail
    that is known to have arrived."""
    signs = [sign for sign in signs if since is None or sign.at > since]
    reached = max((sign.at for sign in signs if sign.delivered), default=None)
    return [sign for sign in signs if not sign.delivered and (reached is None or sign.at > reached)]
