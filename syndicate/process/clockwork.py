"""What goes by the clock: slots, second by second, and alerts for what should have happened and did not. It calls
others to draft, and never waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.clock import Triggers
from syndicate.core.clock_guard import Reading
from syndicate.core.job import draft
from syndicate.process.alerting import Alerting
from syndicate.process.log import Log
from syndicate.process.loops import Bell, Loops
from syndicate.process.ticking import tick_site
from syndicate.queues.base import Queue

if TYPE_CHECKING:
    from syndicate.site import Site

STALLED_SECONDS = 5.0
"""Without a tick for so long, the machine's clock was set back: the triggers count anew."""
HEALTHY_SECONDS = 60.0
"""A clock that has not ticked for so long gives no sign of life."""
ROUND_SECONDS = 5.0


class Clock:
    """Ticks once a second: has drafted what is due to be drafted, and sends off what is due to go. `leads` raises when
    another process keeps the clock by now."""

    def __init__(
        self,
        site: Site,
        queue: Queue,
        bell: Bell,
        triggers: Triggers,
        loops: Loops,
        log: Log,
        *,
        leads: Callable[[], None],
    ) -> None:
        self._site, self._queue, self._bell, self._triggers = site, queue, bell, triggers
        self._loops, self._log, self._leads = loops, log, leads
        self._believed: Reading | None = None
        self._told: list[str] = []
        self._held = False
        self._ticked_at = 0.0

    @property
    def is_healthy(self) -> bool:
        """Whether it ticks, by a clock that can be believed."""
        return not self._held and time.monotonic() - self._ticked_at < HEALTHY_SECONDS

    def step(self) -> None:
        """Waits for the next tick."""
        if not self._bell.heard(STALLED_SECONDS):
            self._loops.leave_if_told()
            sentence = "The machine's clock was set back, or the machine slept: everything is looked at anew."
            self._log.warn("clock", sentence)
            self._triggers.realign()
        self._loops.leave_if_told()
        self._leads()
        ticked = tick_site(self._site, datetime.now(UTC), drafts=False, believed=self._believed)
        self._believed = ticked.believed
        self._held, self._ticked_at = bool(ticked.held), time.monotonic()
        if ticked.to_draft:
            standing = self._queue.standing()
            jobs = [draft(*names) for names in ticked.to_draft]
            self._queue.put(job for job in jobs if job.key not in standing)
        for sentence in ticked.settled:
            self._log.say("slot", sentence)
        # The same trouble at every tick is told once.
        wrong = [*filter(None, [ticked.held]), *ticked.problems]
        for sentence in wrong:
            if sentence not in self._told:
                self._log.warn("slot", sentence)
        self._told = wrong


class Alarm:
    """Looks for what is wrong every few seconds and tells of it; a sign of life goes out while the clock is healthy."""

    def __init__(self, site: Site, clock: Clock, loops: Loops, log: Log, *, leads: Callable[[], None]) -> None:
        self._alerting, self._clock, self._loops, self._log = Alerting(site), clock, loops, log
        self._leads = leads
        self._told: list[str] = []

    def step(self) -> None:
        """One round, after a pause."""
        self._loops.stop.wait(ROUND_SECONDS)
        self._loops.leave_if_told()
        self._leads()
        problems = self._alerting.round(datetime.now(UTC), healthy=self._clock.is_healthy)
        for sentence in self._alerting.raised.began:
            self._log.warn("alert", sentence)
        for key in self._alerting.raised.ended:
            self._log.say("alert over", f"Over: {key}.", alert=key)
        # The same trouble at every round is told once.
        for sentence in problems:
            if sentence not in self._told:
                self._log.warn("alert", sentence)
        self._told = problems
