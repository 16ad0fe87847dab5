"""Alerts: who is told of what should have happened and did not, and the rules that find it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from syndicate.core.issue import BEFORE_FREEZING, Issue, State
from syndicate.core.slot import KnownSlot


@dataclass(frozen=True, slots=True)
class AlertChannels:
    """What `[alerts]` says: addresses, a web address that gets a JSON document for each alert, and one that is asked
    for as long as all runs. `allow_private` lets the two lead to this machine or a private network."""

    email: tuple[str, ...] = ()
    webhook: str = ""
    heartbeat_url: str = ""
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that should have happened and did not. `key` is the same for as long as it lasts."""

    kind: Literal["slot", "issue", "source", "feed", "clock", "sender", "mail", "letters", "process"]
    subject: str
    sentence: str

    @property
    def key(self) -> str:
        """What tells it from others: one alert for each."""
        return f"{self.kind} {self.subject}"[:200]


def told_time(moment: datetime, zone: str) -> str:
    """As editors read it: `2026-11-20 09:30 Europe/Lisbon`."""
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} {zone}"


MISSED_FOR = timedelta(minutes=2)
"""So long a process may be away, as it is when it starts again, before it is told of."""


def roles_missing(roles: Collection[str], *, mails: bool) -> tuple[Literal["web", "worker"], ...]:
    """Which processes a site lacks whose living ones have these roles. One that `mails` needs its web server, by which
    readers leave."""
    missing: list[Literal["web", "worker"]] = []
    if mails and "web" not in roles:
        missing.append("web")
    if not {"work", "worker"} & set(roles):
        missing.append("worker")
    return tuple(missing)


def missing_trouble(role: Literal["web", "worker"], since: datetime, zone: str) -> Trouble:
    """No process of that role has lived since then, told in the time of `zone`."""
    when = told_time(since, zone)
    told = {
        "web": f"No web process has been up since {when}: readers cannot leave or sign up, and nothing is served.",
        "worker": f"No worker has been up since {when}: nothing is collected, published or sent.",
    }
    return Trouble("process", role, f"{told[role]} `syndicate run` starts it; `run --role` alone where they are apart.")


SLOT_LATE = timedelta(minutes=15)
"""So long after its time a slot that did not go is told of."""

BROKEN_AT_LEAST = timedelta(minutes=15)
UNSEEN_AT_LEAST = timedelta(hours=1)
LOOKS_THAT_MAY_FAIL = 3


def slot_trouble(slot: KnownSlot, issue_state: State | None, now: datetime) -> Trouble | None:
    """Whether that slot should have gone by now and has not; `issue_state` is of its issue."""
    if slot.due_at > now - SLOT_LATE:
        return None
    when = f"{slot.newsletter}, {slot.cadence}, {slot.wall_time.replace('T', ' ')}"
    waits = issue_state in BEFORE_FREEZING
    number = slot.issue_id
    match slot.state:
        case "missed":
            told = f"was missed. `syndicate newsletters missed {slot.newsletter}` settles it."
        case "awaiting" if waits:
            told = f"did not go: {slot.why} `syndicate issues approve {number}` and `send {number}` do."
        case "going" if waits:
            told = f"did not begin: issue {number} is {issue_state}."
        case "drafting" | "drafted":
            told = f"did not go yet. {slot.why}".strip()
        case _:
            return None
    return Trouble("slot", _subject(slot), f"The slot {when} {told}")


def slot_key(slot: KnownSlot) -> str:
    """The key of what is told of that slot."""
    return Trouble("slot", _subject(slot), "").key


def unbegun_trouble(issue: Issue, zone: str) -> Trouble:
    """An issue that somebody set for a time, which has passed, and that did not begin."""
    when = f" for {told_time(issue.send_at, zone)}" if issue.send_at else ""
    why = f" {issue.why.rstrip('.')}." if issue.why else ""
    told = f"Issue {issue.id} of {issue.newsletter} was set{when} and did not begin: it is {issue.state}.{why}"
    return Trouble("issue", f"{issue.id} unbegun", f"{told} `syndicate issues show {issue.id}` says how it stands.")


def _subject(slot: KnownSlot) -> str:
    return f"{slot.newsletter}/{slot.cadence}/{slot.wall_time}"


BLOCKED_FOR = timedelta(hours=24)
"""How long it is told that mails were turned away because of their sender."""


def blocked_trouble(api: str, mails: Mapping[str, int], sender: str) -> Trouble:
    """Mailboxes turned mails away because of who sends them: `mails` counts them by status code ("" for none)."""
    codes = ", ".join(f"{code or 'without a code'} ({count:,})" for code, count in mails.items())
    count = sum(mails.values())
    told = f"{count:,} mail{'s were' if count > 1 else ' was'} turned away for the sender's sake within a day: {codes}."
    domain = sender.rpartition("@")[2]
    cure = (
        f"No reader was closed for it. Look at SPF, DKIM and DMARC of {domain} and at its reputation at {api}; "
        "`syndicate issues pause` holds what is going out."
    )
    return Trouble("sender", api, f"{told} {cure}")


LETTERS_LATE = timedelta(minutes=5)
"""So long after it was asked for, a mail to one person that waits is told of."""
LETTERS_LOOKED_FOR = timedelta(hours=1)
"""So long an uncertain one may be looked for in the mail API's record: none lags further."""


def letters_troubles(
    waiting: int,
    waiting_since: datetime | None,
    waiting_why: str,
    parked: int,
    parked_since: datetime | None,
    why: str,
    *,
    zone: str,
) -> tuple[Trouble, ...]:
    """What is wrong with mails to one person: so many wait since then, and of so many nobody can tell whether they
    came; each with what is known of the reason, or ""."""
    found = []
    if waiting and waiting_since is not None:
        verb = "waits" if waiting == 1 else "wait"
        told = f"{_letters(waiting)} {verb} since {told_time(waiting_since, zone)}"
        because = f": {waiting_why.rstrip('.')}." if waiting_why else ": nobody has posted it yet."
        found.append(Trouble("letters", "waiting", f"{told}{because} `syndicate letters list` shows what does not go."))
    if parked and parked_since is not None:
        whether = "it came" if parked == 1 else "they came"
        told = f"Of {_letters(parked)} nobody can tell whether {whether}, since {told_time(parked_since, zone)}"
        because = f": {why.rstrip('.')}." if why else "."
        cure = "`syndicate letters resend` sends again, `letters give-up` leaves it."
        found.append(Trouble("letters", "uncertain", f"{told}{because} {cure}"))
    return tuple(found)


def _letters(count: int) -> str:
    return f"{count:,} letter{'' if count == 1 else 's'}"


def is_overdue(last_at: datetime | None, now: datetime, every: timedelta, at_least: timedelta) -> bool:
    """Whether what should happen `every` so often has failed to for longer than is usual."""
    return last_at is None or now - last_at > max(LOOKS_THAT_MAY_FAIL * every, at_least)


@dataclass(frozen=True, slots=True)
class Changes:
    """What begins, what goes on under its key, and the keys of what has ended."""

    began: tuple[Trouble, ...]
    goes_on: tuple[Trouble, ...]
    ended: tuple[str, ...]


def compare(open_keys: Collection[str], found: Iterable[Trouble]) -> Changes:
    """The troubles found now beside those known to be open."""
    by_key = {each.key: each for each in found}
    return Changes(
        began=tuple(each for key, each in by_key.items() if key not in open_keys),
        goes_on=tuple(each for key, each in by_key.items() if key in open_keys),
        ended=tuple(key for key in open_keys if key not in by_key),
    )
