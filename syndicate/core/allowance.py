"""How much a mail API, or a receiving domain, may be sent: what a request takes of it, and whether enough is left.

Each limit has one instant of memory, as in `core.rate`: the theoretical arrival time (TAT) of the generic cell rate
algorithm (ITU-T I.371). A limit of 1,000 an hour lets a hundred through at once and then nine hundred an hour, so that
no hour whatever holds more than a thousand. The limits of a warm-up begin anew each day.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

SPANS = {
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}
RESERVED = 0.1
"""The part of each limit that a digest leaves to mails that one person waits for."""

ITS_TURN = "is sent no more than"
"""In the reason of every batch that waits for its turn at a receiving domain, and of no other."""

_ALLOWANCE = re.compile(r"([0-9][0-9,_]{0,14})\s*/\s*(s|min|h|hour|day)\Z")


@dataclass(frozen=True, slots=True)
class Allowance:
    """At most `count` in any `span`."""

    count: int
    span: timedelta

    def __str__(self) -> str:
        name = next(name for name, span in SPANS.items() if span == self.span and name != "h")
        return f"{self.count:,}/{name}"


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How many recipients an account may be sent on its first day (a date in the site's time zone), its second, and so
    on; after the last of them, any number."""

    since: date
    days: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the settings allow, of all mail or, by domain in lower case, of mail to one."""

    requests: tuple[Allowance, ...] = ()
    recipients: tuple[Allowance, ...] = ()
    domains: Mapping[str, Allowance] = field(default_factory=dict)
    warm_up: WarmUp | None = None

    def __bool__(self) -> bool:
        return bool(self.requests or self.recipients or self.domains or self.warm_up)


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit as it is counted: `burst` at once, then one each `every`; with a `day`, so many in it at any time.

    `counts` is "requests", "recipients", or a domain. `key` names its memory, which all processes share. The TAT of a
    limit with a day lies in the length of a day after its end, so that a memory is of use as long as it is not past."""

    key: str
    counts: str
    burst: int
    every: timedelta
    day: tuple[datetime, datetime] | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class Charge:
    """What one request takes: its recipients, and how many of them are at each limited domain."""

    recipients: int
    domains: Mapping[str, int] = field(default_factory=dict)

    def of(self, limit: Limit) -> int:
        """How much of the limit it takes."""
        if limit.counts == "requests":
            return 1
        return self.recipients if limit.counts == "recipients" else self.domains.get(limit.counts, 0)


@dataclass(frozen=True, slots=True)
class Wait:
    """What the next request waits for, and until when."""

    limit: Limit
    until: datetime


def parse_allowance(text: str) -> Allowance:
    """`600/min` as an allowance; the spans are s, min, hour (h) and day. Raises ValueError."""
    found = _ALLOWANCE.match(text.strip())
    count = int(found[1].replace(",", "").replace("_", "")) if found else 0
    if not found or not 0 < count <= 10**12:
        raise ValueError(f"found {text!r}")
    return Allowance(count, SPANS[found[2]])


def in_force(limits: Limits, account: str, now: datetime, timezone: str) -> list[Limit]:
    """The limits that hold now for an account (its name at the mail API, in no settings a secret)."""
    found = [
        _limit(f"{account}:{counts}:{allowance}", counts, allowance, 1 - RESERVED)
        for counts, allowances in (("requests", limits.requests), ("recipients", limits.recipients))
        for allowance in allowances
    ]
    if limits.warm_up is not None:
        found += _of_the_day(limits.warm_up, account, now, timezone)
    return found


def of_domains(limits: Limits, account: str) -> list[Limit]:
    """The limits of receiving domains."""
    return [_limit(f"{account}:{name}:{each}", name, each, 1.0) for name, each in sorted(limits.domains.items())]


def largest_request(limits: Limits, now: datetime, timezone: str) -> int | None:
    """How many recipients the smallest limit in force lets through at once: with requests of more, some span would hold
    too many. None without such a limit."""
    held = [limit.burst for limit in in_force(limits, "", now, timezone) if limit.counts == "recipients"]
    return min(held, default=None)


def _limit(name: str, counts: str, allowance: Allowance, part: float) -> Limit:
    key = f"allowance:{hashlib.sha256(name.encode()).hexdigest()[:40]}"
    count = max(1, int(allowance.count * part))
    # What may come at once and what comes after it in the same span are together no more than the whole.
    burst = max(1, count // 10)
    rest = count - burst or 1
    return Limit(key, counts, burst, allowance.span / rest, words=str(allowance))


def _of_the_day(warm_up: WarmUp, account: str, now: datetime, timezone: str) -> list[Limit]:
    zone = ZoneInfo(timezone)
    today = now.astimezone(zone).date()
    place = (today - warm_up.since).days
    if not 0 <= place < len(warm_up.days):
        return [] if place >= 0 else [_not_before(warm_up, account, today, zone)]
    return [_day(account, today, zone, max(1, int(warm_up.days[place] * (1 - RESERVED))), warm_up.days[place])]


def _not_before(warm_up: WarmUp, account: str, today: date, zone: ZoneInfo) -> Limit:
    """Before the warm-up begins, each day is as its first."""
    return _day(account, today, zone, max(1, int(warm_up.days[0] * (1 - RESERVED))), warm_up.days[0])


def _day(account: str, today: date, zone: ZoneInfo, count: int, told: int) -> Limit:
    begins, ends = (datetime.combine(today + timedelta(days=more), time(0), zone) for more in (0, 1))
    # By the instants, not the clocks: a day has 23 or 25 hours where they change.
    length = timedelta(seconds=ends.timestamp() - begins.timestamp())
    key = f"warm-up:{hashlib.sha256(account.encode()).hexdigest()[:40]}"
    instants = begins.astimezone(UTC), ends.astimezone(UTC)
    return Limit(key, "recipients", count, length / count, instants, f"{told:,} on its day of the warm-up")


def take(limit: Limit, tat: datetime | None, now: datetime, count: int) -> tuple[datetime, datetime]:
    """The new TAT when so many are taken, and the moment from which that is allowed: `now` or earlier when it is now.

    What is more than the whole burst waits until the limit has all of it left, and is then allowed: a request cannot be
    cut in two here."""
    if limit.day is not None:
        begins, ends = limit.day
        start = max(tat, ends) if tat is not None else ends
        after = start + limit.every * count
        # Room for what rounding does: a day's share of a count is seldom whole microseconds.
        fits = after <= ends + (ends - begins) + limit.every / 2 or start == ends
        return after, now if fits else ends
    start = max(tat, now) if tat is not None else now
    after = start + limit.every * count
    return after, after - limit.every * max(limit.burst, count)


def afford(
    limits: Sequence[Limit], tats: Mapping[str, datetime], charges: Sequence[Charge], now: datetime
) -> tuple[int, Wait | None]:
    """How many of the requests, taken in this order, may go now, and what the next one waits for."""
    held = dict(tats)
    for place, charge in enumerate(charges):
        taken: dict[str, datetime] = {}
        for limit in limits:
            after, allowed_at = take(limit, held.get(limit.key), now, charge.of(limit))
            if allowed_at > now:
                return place, Wait(limit, allowed_at)
            taken[limit.key] = after
        held |= taken
    return len(charges), None


def spend(
    limits: Sequence[Limit], tats: Mapping[str, datetime], charges: Sequence[Charge], now: datetime
) -> dict[str, datetime]:
    """The memory of each limit once these requests have gone."""
    held = dict(tats)
    for charge in charges:
        for limit in limits:
            if count := charge.of(limit):
                held[limit.key] = take(limit, held.get(limit.key), now, count)[0]
    return held


def domain_counts(addresses: Sequence[str], limited: Mapping[str, object]) -> dict[str, int]:
    """How many of the addresses are at each limited domain."""
    counts: dict[str, int] = {}
    for address in addresses:
        domain = address.rpartition("@")[2].lower()
        if domain in limited:
            counts[domain] = counts.get(domain, 0) + 1
    return counts
