"""How long what tells of people is kept, and from when on something is too old."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Keep:
    """`[keep]`: sign-ups never confirmed, mails to one person (confirmations, previews, alerts), what mail APIs
    reported, and who was sent what. Suppressions, consents and the counts of the books are kept for ever: they are the
    proof."""

    unconfirmed_days: int
    mails_days: int
    events_days: int
    ledger_months: int


@dataclass(frozen=True, slots=True)
class Horizon:
    """What is older than these moments is forgotten."""

    sign_ups: datetime
    mails: datetime
    events: datetime
    ledger: datetime


def horizon(keep: Keep, now: datetime) -> Horizon:
    """The moments at `now`."""
    return Horizon(
        sign_ups=now - timedelta(days=keep.unconfirmed_days),
        mails=now - timedelta(days=keep.mails_days),
        events=now - timedelta(days=keep.events_days),
        ledger=months_before(now, keep.ledger_months),
    )


def months_before(moment: datetime, months: int) -> datetime:
    """The same day and time so many months earlier; the last day of a month that is too short for it."""
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    day = min(moment.day, monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)
