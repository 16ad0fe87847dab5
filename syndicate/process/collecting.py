"""Collect a source, and tell what came of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.core import job
from syndicate.process.later import Later
from syndicate.process.log import Log
from syndicate.process.loops import Loops
from syndicate.services.collect_articles import CollectReport, collect
from syndicate.storage.database import shared_now
from syndicate.storage.sources import get_source

if TYPE_CHECKING:
    from syndicate.site import Site
    from syndicate.sources.base import SourceSettings

USUAL_EVERY_SECONDS = 15 * 60
FULL_SCAN_SECONDS = 3 * 60
"""A folder is looked through this often even when nobody saw a change: network disks tell of none."""
STILL_WRITTEN_SECONDS = 1.0


def collect_job(source: SourceSettings) -> job.Job:
    """The job of looking at that source."""
    return job.collect(source.name, folder=source.kind == "folder")


def every_seconds(source: SourceSettings) -> float:
    """How often it is looked at."""
    return source.every_seconds or (FULL_SCAN_SECONDS if source.kind == "folder" else USUAL_EVERY_SECONDS)


class Collector:
    """Collects, in any thread. A source that was still being written is looked at again a little later."""

    def __init__(
        self,
        site: Site,
        later: Later,
        loops: Loops,
        log: Log,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._site, self._later, self._loops, self._log, self._clock = site, later, loops, log, clock
        self._told: dict[str, str] = {}

    def collect(self, name: str) -> None:
        """Looks at the source of that name, unless it is paused, or no longer in the settings. Raises Leaving."""
        site = self._site
        declared = next((each for each in site.sources if each.name == name), None)
        if declared is None:
            return
        with site.database.read() as connection:
            if get_source(connection, name).paused:
                return
            now = shared_now(connection, self._clock())
        report = collect(
            site.database,
            site.source(name),
            feeds=site.feeds,
            newsletters=site.newsletters,
            now=now,
            sleep=self._sleep,
            precedence=[each.name for each in site.sources],
            progress=self._loops.leave_if_told,
        )
        if report.unsettled:
            self._later.put(collect_job(declared), in_seconds=STILL_WRITTEN_SECONDS)
        self._tell(report)

    def _sleep(self, seconds: float) -> None:
        self._loops.stop.wait(seconds)
        self._loops.leave_if_told()

    def _tell(self, report: CollectReport) -> None:
        counts = {kind: len(report.of(kind)) for kind in ("new", "changed", "renamed", "back", "missing", "broken")}
        counts = {kind: count for kind, count in counts.items() if count}
        counts |= {"backlog": report.backlog} if report.backlog else {}
        counts |= {"released": len(report.published)} if report.published else {}
        if counts:
            told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
            self._log.say("collected", f"{report.source}: {told}.", source=report.source, **counts)
        wrong = [f"{each.path}: {each.note}" for each in (*report.of("broken"), *report.still_broken)]
        wrong += [f"{report.source}: {each}" for each in (*report.warnings, report.problem) if each]
        # The same trouble at every look is told once.
        text = "\n".join(wrong)
        if text != self._told.get(report.source, ""):
            for sentence in wrong:
                self._log.warn("source", sentence, source=report.source)
            if not wrong:
                self._log.say("recovered", f"{report.source}: all is well again.", source=report.source)
        self._told[report.source] = text
        for article_id, newsletters in report.missed.items():
            names = ", ".join(newsletters)
            sentence = f"{article_id} came too late for {names}, whose issues have passed it."
            self._log.warn("missed", f"{sentence} Send it by hand if it should go.", article=article_id)
