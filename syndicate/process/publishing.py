"""Keep the files of the feeds up to date: whoever changed something, this process or another."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.core.retry import wait_seconds
from syndicate.process.log import Log
from syndicate.process.loops import Loops
from syndicate.services.publish_feeds import Published, publish
from syndicate.services.release_due import release_due
from syndicate.storage.database import shared_now
from syndicate.storage.due import publishing_is_due, release_is_due

if TYPE_CHECKING:
    from syndicate.site import Site

VERIFY_SECONDS = 5 * 60
"""How often files that went missing are looked for."""
LONGEST_PAUSE_SECONDS = 60.0


class Publisher:
    """Releases what is due and publishes what changed, in one thread at a time."""

    def __init__(
        self, site: Site, loops: Loops, log: Log, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._site, self._loops, self._log, self._clock = site, loops, log, clock
        self._names = [each.name for each in site.feeds]
        self._stuck: frozenset[tuple[str, int]] = frozenset()
        self._stuck_until, self._failures = 0.0, 0
        self._told: tuple[str, ...] = ()

    def publish(self, *, everything: bool) -> None:
        """Does what is due now; with `everything` also looks for files that went missing. Raises Leaving."""
        database = self._site.database
        with database.read() as connection:
            now = shared_now(connection, self._clock())
            release = release_is_due(connection, now)
        if release and (released := release_due(database, self._site.feeds, now)):
            self._log.say("released", f"{len(released)} released whose time has come.", released=len(released))
        with database.read() as connection:
            due = publishing_is_due(connection, self._names)
        # What could not be published the last time is not tried every second.
        if everything or (due and (due != self._stuck or time.monotonic() >= self._stuck_until)):
            self._publish(now)

    def _publish(self, now: datetime) -> None:
        site = self._site
        begun = time.monotonic()
        done = publish(
            site.database,
            site.feeds,
            site.publication,
            site.target,
            site.templates,
            now,
            progress=self._loops.leave_if_told,
        )
        with site.database.read() as connection:
            left = publishing_is_due(connection, self._names)
        self._failures = self._failures + 1 if left and left == self._stuck else int(bool(left))
        self._stuck = left
        pause = wait_seconds(self._failures, random.random()) if left else 0.0
        self._stuck_until = time.monotonic() + min(LONGEST_PAUSE_SECONDS, pause)
        self._tell(done, time.monotonic() - begun)

    def _tell(self, done: Published, seconds: float) -> None:
        changed = [each.name or "the site's own" for each in done.feeds if each.changed]
        if done.changed_anything:
            counts = {"feed": len(changed), "page": done.pages_written, "removed page": done.pages_removed}
            parts = [f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items() if count]
            sentence = f"Published {', '.join(parts) or 'the lists of feeds'} in {seconds * 1000:.0f} ms."
            self._log.say(
                "published", sentence, feeds=changed, pages=done.pages_written, milliseconds=round(seconds * 1000)
            )
        if done.problems != self._told:
            for problem in done.problems:
                self._log.warn("feeds", problem)
        self._told = tuple(done.problems)
