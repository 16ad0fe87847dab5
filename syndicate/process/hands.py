"""The hands of a site in one process: they do the jobs of its queue, and write to single persons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from syndicate.process.attendance import Attendance
from syndicate.process.collecting import Collector
from syndicate.process.deliveries import Deliveries
from syndicate.process.drafting import Drafter
from syndicate.process.handling import Handler
from syndicate.process.later import Later
from syndicate.process.log import Log
from syndicate.process.looking import ALONE_SECONDS, SHARED_SECONDS, Looker
from syndicate.process.loops import Loops
from syndicate.process.post_office import Letters, PostOffice
from syndicate.process.publishing import Publisher

if TYPE_CHECKING:
    from syndicate.site import Site

LANES = {"folders": 2, "collect": 3, "publish": 1, "prepare": 2}
"""How many jobs of each a process does at the same time, beside the issues that it sends."""
ISSUES_AT_ONCE = 4


class Hands:
    """`start` begins; nothing is taken after `leave`."""

    def __init__(
        self,
        site: Site,
        later: Later,
        attendance: Attendance,
        loops: Loops,
        log: Log,
        *,
        issues_at_once: int = ISSUES_AT_ONCE,
    ) -> None:
        self._queue, self._loops = site.queue, loops
        self._post = PostOffice(site, loops)
        self._letters = Letters(site, self._post, attendance, loops, log)
        deliveries = Deliveries(site, self._post.mail_api, loops, log)
        collector, publisher = Collector(site, later, loops, log), Publisher(site, loops, log)
        self._handler = Handler(site.queue, log, collector, publisher, Drafter(site, log), deliveries)
        self._looker = Looker(
            site,
            site.queue,
            loops,
            log,
            seconds=SHARED_SECONDS if site.queue.is_shared else ALONE_SECONDS,
            goes_on=deliveries.forget_rests,
        )
        self._lanes = {**LANES, "deliver": issues_at_once}

    def start(self) -> None:
        """From now on this process does jobs."""
        self._loops.keep("letters", self._letters.step)
        self._loops.keep("mail API", self._post.keep_open)
        self._loops.keep("look", self._looker.step)
        self._working = self._queue.work(self._handler, self._lanes)

    def leave(self, seconds: float) -> Sequence[str]:
        """Takes nothing more, waits for what is under way, and returns the keys of what still is after that."""
        return self._working.leave(seconds)

    def close(self) -> None:
        """Lets go of the mail API."""
        self._post.close()
