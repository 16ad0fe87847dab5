"""What a mail API's list of addresses that it mails no more says: whose list it is, by its columns, and why each
address is on it.

The columns are those of the vendors' APIs, which their consoles' CSV files share; how they are written (`EmailAddress`,
`email_address`, `Email address`) does not matter. Sources, November 2026: Postmark's suppressions dump; Mailgun's
bounces, complaints and unsubscribes; SendGrid's suppression API; SES v2 ListSuppressedDestinations; Brevo's
blockedContacts; Resend's suppressions and contacts; SparkPost's suppression list; Mailjet's contacts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from syndicate.core.address import normalise, shown
from syndicate.core.bounce import bounce_kind, code_of, says_it_is_gone
from syndicate.core.line import line_fault
from syndicate.core.reader_steps import OWN_SUPPRESSION
from syndicate.errors import BadInput

Why = Literal["bounce", "complaint", "unsubscribe", "import"]
"""The reason of a suppression here: their mailbox does not exist, they reported spam, they left, or somebody at the
vendor put them on the list."""

_WORDS: Mapping[str, Why | None] = {
    **dict.fromkeys(["hardbounce", "bounce", "bounced", "bouncerule", "invalid", "invalidemail"], "bounce"),
    **dict.fromkeys(["complaint", "spamcomplaint", "spam", "spamreport", "contactflaggedasspam"], "complaint"),
    **dict.fromkeys(["unsubscribe", "unsubscribed", "listunsubscribe", "unsubscribelink", "unsub"], "unsubscribe"),
    **dict.fromkeys(["unsubscribedviama", "unsubscribedviaemail", "unsubscribedviaapi"], "unsubscribe"),
    **dict.fromkeys(["softbounce", "transient", "blockage"], None),
}
"""What the vendors' words mean; None is what passes. Any other word is somebody's there: that is shut too."""

PAGES = ("Suppressions", "SuppressedDestinationSummaries", "items", "contacts", "results", "data", "Data")
"""Under which name an answer of an API holds its list."""

_LONGEST = 10_000
_Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of list. `needs` are the columns by which it is known, `email` is the one of the address, `why` tells
    why a row is on it: None when it keeps nobody from mail. `sure` tells whether that holds also where the vendor has
    another list with the same columns, which keeps nobody from mail."""

    vendor: str
    kind: str
    needs: frozenset[str]
    email: str
    why: Callable[[_Row], Why | None]
    sure: Callable[[_Row], bool] = lambda row: True

    @property
    def name(self) -> str:
        return f"{self.vendor} {self.kind}"


@dataclass(frozen=True, slots=True)
class Listed:
    """One row: the normalised address, and why it is listed (None: it may be mailed); `sure` as in Shape."""

    address: str
    why: Why | None
    sure: bool = True


def _meaning(column: str) -> Callable[[_Row], Why | None]:
    def why(row: _Row) -> Why | None:
        return _WORDS.get(plain(row.get(column, "")), "import")

    return why


def _always(why: Why) -> Callable[[_Row], Why | None]:
    return lambda row: why


def _when(column: str, why: Why) -> Callable[[_Row], Why | None]:
    """For lists of everybody, in which one column says who is out."""
    return lambda row: why if plain(row.get(column, "")) in ("true", "1", "yes") else None


def _postmark(row: _Row) -> Why | None:
    """Who left there is a "manual suppression" by the recipient."""
    if plain(row.get("suppressionreason", "")) == "manualsuppression" and plain(row.get("origin", "")) == "recipient":
        return "unsubscribe"
    return _meaning("suppressionreason")(row)


def _server_said(words: str, code: str) -> Callable[[_Row], Why | None]:
    """By what the receiving server answered: a full mailbox, or a sender that is blocked, is no reason for ever."""

    def why(row: _Row) -> Why | None:
        known = _code(row, words, code)
        return "bounce" if bounce_kind(row.get(words, ""), permanent=True, code=known) == "hard bounce" else None

    return why


def _code(row: _Row, words: str, code: str) -> str:
    given = row.get(code, "").strip()
    # An enhanced code says more than a reply code does.
    return given if "." in given else code_of(row.get(words, "")) or given


def _shape(vendor: str, kind: str, needs: str, email: str, why: Callable[[_Row], Why | None]) -> Shape:
    return Shape(vendor, kind, frozenset([*needs.split(), email]), email, why)


SHAPES: tuple[Shape, ...] = (
    _shape("postmark", "suppressions", "suppressionreason", "emailaddress", _postmark),
    _shape("ses", "suppressed destinations", "reason", "emailaddress", _meaning("reason")),
    _shape("sparkpost", "suppression list", "source", "recipient", _meaning("source")),
    _shape("sparkpost", "suppression list", "type", "recipient", _always("import")),
    _shape("brevo", "blocked contacts", "senderemail reasoncode", "email", _meaning("reasoncode")),
    _shape("brevo", "blocked contacts", "blockedat reason", "email", _meaning("reason")),
    _shape("brevo", "contacts", "emailblacklisted", "email", _when("emailblacklisted", "unsubscribe")),
    _shape("mailjet", "contacts", "isexcludedfromcampaigns", "email", _when("isexcludedfromcampaigns", "unsubscribe")),
    _shape("mailjet", "contacts", "isunsubscribed", "email", _when("isunsubscribed", "unsubscribe")),
    _shape("resend", "suppressions", "origin", "email", _meaning("origin")),
    _shape("resend", "contacts", "unsubscribed", "email", _when("unsubscribed", "unsubscribe")),
    _shape("mailgun", "bounces", "code error", "address", _server_said("error", "code")),
    _shape("mailgun", "unsubscribes", "tags", "address", _always("unsubscribe")),
    _shape("mailgun", "unsubscribes", "tag", "address", _always("unsubscribe")),
    _shape("mailgun", "complaints", "createdat", "address", _always("complaint")),
    # Its list of blocks has the same columns, and SendGrid goes on mailing those ("Blocks" in its glossary).
    replace(
        _shape("sendgrid", "bounces", "created status reason", "email", _server_said("reason", "status")),
        sure=lambda row: says_it_is_gone(row.get("reason", ""), _code(row, "reason", "status")),
    ),
    _shape("sendgrid", "invalid emails", "created reason", "email", _always("bounce")),
    _shape("sendgrid", "spam reports", "created ip", "email", _always("complaint")),
    _shape("sendgrid", "unsubscribes", "created", "email", _always("unsubscribe")),
    # Words of a console's own: only where the vendor is said.
    _shape("brevo", "list", "reason", "email", _meaning("reason")),
    _shape("mailjet", "list", "status", "email", _meaning("status")),
)
"""The first that fits counts."""

_ONLY_NAMED = SHAPES[-2:]
VENDORS = tuple(sorted({shape.vendor for shape in SHAPES}))


def recognise(columns: Collection[str], vendor: str = "") -> Shape:
    """Whose list has these columns, of `vendor` alone when it is given. Raises BadInput when it is none that is
    known."""
    found = {plain(column) for column in columns}
    for shape in SHAPES:
        if (shape.vendor == vendor if vendor else shape not in _ONLY_NAMED) and shape.needs <= found:
            return shape
    named = ", ".join(column for column in sorted(columns) if column)[:200] or "none"
    if not vendor:
        raise BadInput(
            f"These columns are of no list of suppressions that is known: {shown(named)}.",
            cure=f"Say whose list it is (on the command line by --vendor): {', '.join(VENDORS)}.",
        )
    wanted = "; ".join(sorted({" ".join(sorted(shape.needs)) for shape in SHAPES if shape.vendor == vendor}))
    raise BadInput(f"These columns are of no list of {vendor}: {shown(named)}.", cure=f"It has one of: {wanted}.")


def read_row(shape: Shape, row: Mapping[str, str]) -> Listed:
    """What a row of that list says; its keys are as `plain` writes columns. Raises ValueError with what is wrong."""
    email = row.get(shape.email, "").strip()
    if not email:
        raise ValueError("it names no address")
    if fault := line_fault(email):
        raise ValueError(f"the address holds {fault}")
    return Listed(normalise(email).address, shape.why(row), shape.sure(row))


def is_news(before: str, why: Why) -> bool:
    """Whether an address that is suppressed for the reason `before` ("" for none) is to be suppressed for this one.
    What a reader may lift gives way to what they may not; nothing is ever opened."""
    return not before or (before == OWN_SUPPRESSION and why != OWN_SUPPRESSION)


def plain(name: str) -> str:
    """A column or word in lower case letters and digits alone, so that ways of writing it are one."""
    return "".join(each for each in name.lower() if each.isalnum())


def records(document: object) -> list[object]:
    """The rows of a JSON document: a list, an answer of an API that holds one, or a row by itself."""
    if isinstance(document, Mapping):
        for name in PAGES:
            if isinstance(document.get(name), list):
                return list(document[name])
        return [document]
    return list(document) if isinstance(document, list) else [document]


def flat(record: object) -> dict[str, str]:
    """A row of JSON as texts by column; what an object holds is a column of its own (`reason.code` is `reasoncode`).
    Raises ValueError when it is no object."""
    if not isinstance(record, Mapping):
        raise ValueError(f"it is not a row of a list: {shown(json.dumps(record)[:80])}")
    row: dict[str, str] = {}
    for name, value in record.items():
        if isinstance(value, Mapping):
            row |= {plain(f"{name}{inner}"): _text(each) for inner, each in value.items()}
        else:
            row[plain(str(name))] = _text(value)
    return row


def _text(value: object) -> str:
    if value is None:
        return ""
    return (value if isinstance(value, str) else json.dumps(value))[:_LONGEST]
