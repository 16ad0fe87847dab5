"""Keep the clock of a site: one process at a time, and others stand by."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from syndicate.clock import Triggers
from syndicate.core.job import publish
from syndicate.errors import StorageError
from syndicate.process.clockwork import Alarm, Clock
from syndicate.process.collecting import collect_job, every_seconds
from syndicate.process.forgetting import FORGET_SECONDS, forgetting
from syndicate.process.later import Later
from syndicate.process.log import Log
from syndicate.process.looking import Looker
from syndicate.process.loops import Loops
from syndicate.process.publishing import VERIFY_SECONDS
from syndicate.storage.leadership import Lead, leading

if TYPE_CHECKING:
    from syndicate.site import Site

TICK_SECONDS = 1.0
STANDBY_SECONDS = 1.0
"""How often one that stands by tries to lead."""
BEAT_SECONDS = 1.0
JOIN_SECONDS = 10.0


class Timekeeper:
    """`step` stands by until this process leads, and keeps the clock as long as it does."""

    def __init__(self, site: Site, loops: Loops, log: Log) -> None:
        # The leader's connections are its own: they are ended when it falls asleep, and no others.
        self._site = site if site.database.is_sqlite else replace(site)
        self._loops, self._log = loops, log
        self._stands_by = False

    def step(self) -> None:
        """One attempt, and all that follows when it succeeds."""
        with leading(self._site.database) as lead:
            if lead is None:
                if not self._stands_by:
                    self._log.say("stands by", "Another process keeps the clock; stands by.")
                self._stands_by = True
                self._loops.stop.wait(STANDBY_SECONDS)
                return
            self._stands_by = False
            self._keep(lead)

    def close(self) -> None:
        """Lets go of the leader's connections."""
        if not self._site.database.is_sqlite:
            self._site.database.dispose()

    def _keep(self, lead: Lead) -> None:
        inner, triggers = Loops(self._log), Triggers()
        self._site.database.fence = None if self._site.database.is_sqlite else lead.fence
        self._start(lead, inner, triggers)
        triggers.start()
        self._log.say("leads", "Keeps the clock.")
        try:
            while not self._loops.stop.wait(BEAT_SECONDS):
                lead.beat()
        except StorageError as error:
            self._log.warn("lost", f"No longer keeps the clock: {error}")
        finally:
            triggers.stop()
            inner.leave()
            if late := inner.join(JOIN_SECONDS):
                self._log.warn("late", f"Not waited for: {', '.join(late)}.")

    def _start(self, lead: Lead, inner: Loops, triggers: Triggers) -> None:
        site, log, queue = self._site, self._log, self._site.queue
        later, tick, hourly = Later(queue, inner), inner.bell(), inner.bell()
        for each in site.sources:
            look = partial(later.put, collect_job(each), in_seconds=0.0)
            triggers.every(every_seconds(each), f"collect {each.name}", look)
        triggers.every(VERIFY_SECONDS, "publish", partial(later.put, publish(everything=True), in_seconds=0.0))
        triggers.every(TICK_SECONDS, "tick", tick.ring)
        triggers.every(FORGET_SECONDS, "forget", hourly.ring)
        clock = Clock(site, queue, tick, triggers, inner, log, leads=lead.beat)
        inner.keep("later", later.step)
        inner.keep("clock", clock.step)
        inner.keep("alerts", Alarm(site, clock, inner, log, leads=lead.beat).step)
        inner.keep("forgetting", lambda: forgetting(site, hourly, inner, log, lambda: datetime.now(UTC)))
        if queue.is_shared:
            # What is due at a time that was set before has nobody who calls when it comes, but the clock.
            inner.keep("look", Looker(site, queue, inner, log, seconds=TICK_SECONDS, tells=False).step)
