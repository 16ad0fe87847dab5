"""The issues that this process freezes and sends: each at most once at a time, and left alone for a while when it came
to nothing."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.core.issue import Issue
from syndicate.core.retry import wait_seconds
from syndicate.errors import SyndicateError
from syndicate.process.delivering import UNDER_WAY, Ended, deliver_issue, freeze_issue
from syndicate.process.log import Log
from syndicate.process.loops import Loops
from syndicate.storage.database import shared_now
from syndicate.storage.halt import stopped_by
from syndicate.storage.issues import get_issue

if TYPE_CHECKING:
    from syndicate.mail.base import MailAPI
    from syndicate.site import Site

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 2.0, 60.0
ROLE = "delivery"
"""Of the worker that each delivery is; the process itself is another."""


@dataclass(slots=True)
class _Rest:
    """An issue that came to nothing just now is left alone for a while, unless somebody moves it meanwhile."""

    state: str
    accepted: int
    failures: int
    until: float


class Deliveries:
    """Does the jobs of issues, in any thread."""

    def __init__(
        self,
        site: Site,
        mail_api: Callable[[], MailAPI],
        loops: Loops,
        log: Log,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._site, self._mail_api, self._loops, self._log, self._clock = site, mail_api, loops, log, clock
        self._lock = threading.Lock()
        self._at_work: set[int] = set()
        self._rests: dict[int, _Rest] = {}
        self._told: dict[int, str] = {}

    def go_on(self, issue_id: int) -> None:
        """Freezes the issue when its time has come, or sends it when it is frozen. Does nothing when that is not so
        any more, while it rests, and while this process is at it already."""
        with self._site.database.read() as connection:
            issue = get_issue(connection, issue_id)
            stopped = stopped_by(connection)
            now = shared_now(connection, self._clock())
        if stopped is not None or not _is_due(issue, now) or not self._begin(issue):
            return
        state, accepted, why = issue.state, -1, ""
        try:
            if issue.state in ("scheduled", "freezing"):
                why = self._freeze(issue)
            else:
                ended = self._deliver(issue_id)
                state, accepted = ended.issue.state, ended.books.accepted
                why = self._tell(ended)
        except SyndicateError as error:
            why = f"Issue {issue_id}: {error}"
            self._warn_once(issue_id, why)
        except BaseException:
            why = "It failed."
            raise
        finally:
            self._end(issue_id, state, accepted, unfinished=bool(why))

    def forget_rests(self) -> None:
        """All go on at once: all sending was stopped meanwhile, and somebody let it go on."""
        with self._lock:
            self._rests.clear()

    def _begin(self, issue: Issue) -> bool:
        with self._lock:
            rest = self._rests.get(issue.id)
            resting = rest is not None and rest.state == issue.state and time.monotonic() < rest.until
            if resting or issue.id in self._at_work:
                return False
            self._at_work.add(issue.id)
            return True

    def _end(self, issue_id: int, state: str, accepted: int, *, unfinished: bool) -> None:
        with self._lock:
            self._at_work.discard(issue_id)
            if not unfinished:
                self._rests.pop(issue_id, None)
                return
            before = self._rests.get(issue_id)
            stuck = before is not None and before.accepted == accepted
            failures = before.failures + 1 if before is not None and stuck else 1
            # Doubling from two seconds; jitter keeps several workers from coming back together.
            pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 * wait_seconds(failures, random.random()))
            self._rests[issue_id] = _Rest(state, accepted, failures, time.monotonic() + pause)

    def _freeze(self, issue: Issue) -> str:
        if issue.state == "scheduled":
            self._log.say("delivery", f"Issue {issue.id}: its time has come.", issue=issue.id)
        freeze_issue(self._site, self._mail_api(), issue.id, stop=self._loops.stop, clock=self._clock)
        with self._site.database.read() as connection:
            issue = get_issue(connection, issue.id)
        if issue.state not in ("draft", "awaiting"):
            return ""
        why = f"Issue {issue.id} was not sent: {issue.why}"
        self._warn_once(issue.id, why)
        return why

    def _deliver(self, issue_id: int) -> Ended:
        return deliver_issue(
            self._site, self._mail_api(), issue_id, stop=self._loops.stop, role=ROLE, clock=self._clock
        )

    def _tell(self, ended: Ended) -> str:
        issue, balance = ended.issue, ended.books.as_dict()
        if self._loops.stop.is_set() or ended.stopped_by is not None:
            return ended.unfinished
        if ended.unfinished:
            self._warn_once(issue.id, ended.unfinished)
            return ended.unfinished
        parts = ("accepted", "refused", "suppressed", "withdrawn", "uncertain")
        told = ", ".join(f"{balance[part]:,} {part}" for part in parts if balance[part]) or "nobody was left in it"
        self._told.pop(issue.id, None)
        self._log.say("delivered", f"Issue {issue.id} is {issue.state}: {told}.", issue=issue.id, **balance)
        return ""

    def _warn_once(self, issue_id: int, sentence: str) -> None:
        """The same trouble at every try is told once."""
        if self._told.get(issue_id) != sentence:
            self._log.warn("delivery", sentence, issue=issue_id)
        self._told[issue_id] = sentence


def _is_due(issue: Issue, now: datetime) -> bool:
    if issue.state == "scheduled":
        return issue.send_at is not None and issue.send_at <= now
    return issue.state in UNDER_WAY
