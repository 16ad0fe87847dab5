"""The roles that work for a site by themselves: `clock` says when, `worker` does it, `work` is both in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.errors import UsageError
from syndicate.process.attendance import Attendance
from syndicate.process.collecting import collect_job
from syndicate.process.drain import RECORD_SECONDS, drain_seconds
from syndicate.process.hands import ISSUES_AT_ONCE, Hands
from syndicate.process.later import Later
from syndicate.process.log import Log
from syndicate.process.loops import Loops
from syndicate.process.roles import leave_at_once
from syndicate.process.sweeping import sweep_site
from syndicate.process.timekeeping import Timekeeper
from syndicate.process.watching import Watcher
from syndicate.sources.folder import SETTLED_SECONDS

if TYPE_CHECKING:
    from syndicate.site import Site

SWEEP_SECONDS = 5.0


def require_possible(site: Site, role: str) -> None:
    """Raises UsageError where the role is of no use alone."""
    if role != "work" and site.database.is_sqlite:
        raise UsageError(
            f"On SQLite the clock and the worker are one process, which `run --role work` starts; --role {role} alone"
            " needs PostgreSQL."
        )


def work(
    site: Site,
    stop: threading.Event,
    ready: Callable[[], None],
    log: Log,
    *,
    role: str = "work",
    issues_at_once: int = ISSUES_AT_ONCE,
) -> int:
    """As `work`: watches, collects, releases, publishes, keeps the clock and delivers, until `stop`; as `clock` or
    `worker` its part of that. Then claims nothing new, finishes the requests under way, and returns 0; 1 when something
    did not end in time, which the next start or another worker recovers."""
    site.database.require_current()
    site.sync(datetime.now(UTC))
    site.signer()  # with the database and the templates: opened once, before several threads ask
    assert site.templates and site.target and site.instance
    loops = Loops(log)
    with ExitStack() as undo:
        attendance = Attendance(site, role, loops)
        undo.callback(attendance.close)
        attendance.begin()
        loops.keep("attendance", attendance.step)
        later = Later(site.queue, loops)
        loops.keep("later", later.step)
        _watch(site, later, loops, log)
        loops.keep("sweeper", lambda: _sweep(site, loops, log))
        hands: Hands | None = None
        if role != "worker":
            timekeeper = Timekeeper(site, loops, log)
            undo.callback(timekeeper.close)
            loops.keep("timekeeper", timekeeper.step)
        if role != "clock":
            hands = Hands(site, later, attendance, loops, log, issues_at_once=issues_at_once)
            undo.callback(hands.close)
            hands.start()
        log.say("working", f"Works for {site.publication.title}: {_told(site)}.")
        ready()
        stop.wait()
        loops.leave()
        late = _drained(site, hands, loops)
        if late:
            log.warn("late", f"Not waited for: {', '.join(late)}. The next start goes on from there.")
            leave_at_once(1 if any(each.startswith("deliver") for each in late) else 0)
    log.say("left", "Left. Nothing is under way here.")
    return 0


def _drained(site: Site, hands: Hands | None, loops: Loops) -> list[str]:
    """Waits for what is under way; the names of what still is when leaving may take no longer."""
    patience = time.monotonic() + drain_seconds(site.mail.deadline_seconds)
    late = [*hands.leave(patience - time.monotonic())] if hands is not None else []
    return late + loops.join(min(RECORD_SECONDS, patience - time.monotonic()))


def _watch(site: Site, later: Later, loops: Loops, log: Log) -> None:
    jobs = {each.name: collect_job(each) for each in site.sources if each.kind == "folder"}
    folders = {each.name: site.directory / each.path for each in site.sources if each.kind == "folder"}
    if folders:
        # A file counts once it has rested for a moment: one look then, instead of several before.
        watcher = Watcher(folders, lambda name: later.put(jobs[name], in_seconds=SETTLED_SECONDS), loops, log)
        loops.keep("watcher", watcher.step)


def _sweep(site: Site, loops: Loops, log: Log) -> None:
    sweep_site(site, log)
    loops.stop.wait(SWEEP_SECONDS)


def _told(site: Site) -> str:
    counts = ((len(site.sources), "source"), (len(site.feeds), "feed"), (len(site.newsletters), "newsletter"))
    return ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts)
