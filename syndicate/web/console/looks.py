"""How an issue, and the day, look at one moment: the words and figures of their pages that move."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from syndicate.core.alert import slot_key
from syndicate.core.books import PLACES, Books
from syndicate.core.issue import FINISHED, GOING_ON, Issue, State
from syndicate.core.newsletter import Newsletter
from syndicate.storage.alerts import Alert, list_alerts
from syndicate.storage.arrivals import HeldLot, held_lots
from syndicate.storage.article_search import Found, Wanted, find_articles
from syndicate.storage.banners import Banners, banners
from syndicate.storage.books import books, parked
from syndicate.storage.issues import get_issue, list_issues
from syndicate.storage.transactional import test_mails
from syndicate.web.console.slots_ahead import Coming, Missed, Row, all_missed, by_itself, coming_slots
from syndicate.web.live import Look
from syndicate.web.pages import Times

SOON_SECONDS = 60
"""From so many seconds before its start on, an issue counts down."""
UNDER_WAY: tuple[State, ...] = ("freezing", "sending", "paused", "cancelling")
STOPPABLE: frozenset[State] = frozenset({"scheduled", "freezing", "sending"})
SHOWN = 6
"""So many issues of the day, and tests of an issue, are followed."""
CAME_IN, HELD, AHEAD = 12, 8, 6
"""Articles that came in, articles that are held, and slots to come that the day's page shows."""
ARTICLES, ARTICLES_HELD = Wanted(without_lots=True), Wanted(status="held", without_lots=True)

_TITLES: Mapping[State, str] = {
    "freezing": "Choosing who gets it",
    "sending": "Being sent",
    "paused": "Paused",
    "cancelling": "Being ended",
    "sent": "Sent",
    "cancelled": "Ended",
}


@dataclass(frozen=True, slots=True)
class Today:
    """What the desk's first page shows. Nothing of it counts readers."""

    running: Sequence[Standing]
    awaiting: Sequence[Issue]
    coming: Sequence[Coming]
    missed: Sequence[Missed]
    alerts: Sequence[Alert]
    lots: Sequence[tuple[str, HeldLot]]
    held: Sequence[Found]
    came_in: Sequence[Found]
    banners: Banners

    @property
    def marks(self) -> tuple[object, ...]:
        """What the page around the figures depends on."""
        return (
            *(each.marks for each in self.running),
            *((each.id, each.state, each.seal, each.send_at, each.why, each.expected) for each in self.awaiting),
            *(each.marks for each in self.coming),
            *(each.marks for each in self.missed),
            *((each.key, each.sentence) for each in self.alerts),
            *(self.lots, self.held, self.came_in, self.banners),
        )


@dataclass(frozen=True, slots=True)
class Standing:
    """How one issue stands: `title` in words, `said` with its figures, `seconds` to its start while it counts down."""

    issue: Issue
    books: Books
    title: str
    said: str
    seconds: int | None
    undecided: int = 0
    """Uncertain people of whom nobody will find out any more: somebody has to decide."""

    @property
    def has_books(self) -> bool:
        """Whether there is anything to count."""
        return self.issue.planned is not None or self.issue.state in UNDER_WAY

    @property
    def can_stop(self) -> bool:
        """Whether the next request, or the first, can still be kept from going out."""
        return self.issue.state in STOPPABLE

    def texts(self, prefix: str = "") -> dict[str, str]:
        """The words and figures by the names of their places."""
        counts = {place: f"{getattr(self.books, place):,}" for place in ("planned", *PLACES)}
        balance = "it balances" if self.books.balanced else "it does not balance"
        shown = {"title": self.title, "balance": balance, **counts}
        return {f"{prefix}{name}": text for name, text in shown.items()}

    @property
    def marks(self) -> tuple[object, ...]:
        """What the page around the figures depends on."""
        issue = self.issue
        return (
            *(issue.id, issue.state, issue.revision, issue.seal, issue.is_approved, issue.why, issue.send_at),
            *(self.seconds is not None, self.undecided > 0),
        )


def standing(connection: Connection, issue: Issue, now: datetime, when: Callable[[datetime], str]) -> Standing:
    """How that issue stands now; `when` says a moment in words."""
    counted = issue.planned is not None or issue.state in UNDER_WAY
    balance = books(connection, issue.id) if counted else Books(0)
    seconds = _seconds(issue, now)
    if issue.state == "scheduled" and issue.send_at is not None:
        title = f"Set for {when(issue.send_at)}"
        if seconds is not None:
            title = f"Starts in {seconds} s" if seconds else "Starts now"
    else:
        title = _TITLES.get(issue.state, "")
    said = title
    if counted:
        left = f", {balance.uncertain:,} uncertain" if balance.uncertain else ""
        said = f"{title}: {balance.accepted:,} of {balance.planned:,} accepted, {balance.waiting:,} waiting{left}."
    undecided = balance.uncertain
    if undecided and issue.state in GOING_ON:
        # The others go on by themselves.
        waiting = parked(connection, issue.id)
        undecided = undecided if waiting is None else waiting
    return Standing(issue, balance, title, said, seconds, undecided)


def issue_look(connection: Connection, number: int, now: datetime, when: Callable[[datetime], str]) -> Look:
    """One issue. Raises NotFound."""
    issue = get_issue(connection, number)
    stands = standing(connection, issue, now, when)
    balance, goes = stands.books, by_itself(connection, issue, now)
    return Look(
        token=_token(*stands.marks, *test_mails(connection, number, SHOWN), goes, banners(connection)),
        texts=stands.texts(),
        bars={"accepted": (balance.accepted, balance.planned)},
        said=stands.said,
        ended=stands.issue.state in FINISHED,
    )


def read_today(
    connection: Connection, newsletters: Sequence[Newsletter], now: datetime, when: Callable[[datetime], str]
) -> Today:
    """The day as it is now."""
    running, waiting = todays_issues(connection, now, when)
    missed = all_missed(connection, newsletters, now)
    # What can be settled here is not told a second time as an alert.
    told = {slot_key(slot) for each in missed for slot in each.slots}
    return Today(
        running=running,
        awaiting=waiting,
        coming=coming_slots(connection, newsletters, now, 1)[:AHEAD],
        missed=missed,
        alerts=[each for each in list_alerts(connection) if each.key not in told],
        lots=sorted(held_lots(connection).items()),
        held=find_articles(connection, ARTICLES_HELD, limit=HELD),
        came_in=find_articles(connection, ARTICLES, limit=CAME_IN),
        banners=banners(connection),
    )


def today_look(today: Today) -> Look:
    """What runs, and whether anything else of the day's page is another by now."""
    texts: dict[str, str] = {}
    for each in today.running:
        texts |= each.texts(f"{each.issue.id} ")
    return Look(
        token=_token(*today.marks),
        texts=texts,
        bars={f"{each.issue.id} accepted": (each.books.accepted, each.books.planned) for each in today.running},
        said=" ".join(f"Issue {each.issue.id}: {each.said}" for each in today.running),
    )


def newsletters_look(rows: Sequence[Row]) -> Look:
    """Whether the newsletters stand otherwise by now: paused, skipped, drafted, missed, or a slot further."""
    return Look(token=_token(*(each.marks for each in rows)))


def todays_issues(
    connection: Connection, now: datetime, when: Callable[[datetime], str]
) -> tuple[list[Standing], list[Issue]]:
    """Those under way or about to start, and those that are still being prepared; the newest of each."""
    running = [standing(connection, each, now, when) for each in list_issues(connection, states=UNDER_WAY, limit=SHOWN)]
    before = list_issues(connection, states=["draft", "awaiting", "approved", "scheduled"], limit=SHOWN)
    soon = [each for each in before if _seconds(each, now) is not None]
    starting = [standing(connection, each, now, when) for each in soon]
    return [*starting, *running], [each for each in before if each not in soon]


def words_for(zone: str, now: datetime) -> Callable[[datetime], str]:
    """How moments read in the publication's zone."""
    return Times(now, ZoneInfo(zone)).when


def _seconds(issue: Issue, now: datetime) -> int | None:
    if issue.state != "scheduled" or issue.send_at is None:
        return None
    left = max(0, round((issue.send_at - now).total_seconds()))
    return left if left <= SOON_SECONDS else None


def _token(*marks: object) -> str:
    return sha256(repr(marks).encode()).hexdigest()[:16]
