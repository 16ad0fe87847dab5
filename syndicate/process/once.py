"""Everything that is due or unfinished, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from syndicate.errors import SyndicateError
from syndicate.process.alerting import Alerting
from syndicate.process.delivering import UNDER_WAY, Ended, deliver_issue, paused_sentence
from syndicate.process.draining import drained
from syndicate.process.posting import posting
from syndicate.process.ticking import tick_site
from syndicate.services.collect_articles import CollectReport, collect
from syndicate.services.edit_issue import recompose_issues
from syndicate.services.forget_old import Forgotten, forget_old
from syndicate.services.publish_feeds import Published, publish
from syndicate.services.release_due import release_due
from syndicate.services.revise_issues import revise_issues
from syndicate.services.sweep_issues import sweep
from syndicate.storage.database import shared_now
from syndicate.storage.halt import stopped_by
from syndicate.storage.issues import due_issues, list_issues

if TYPE_CHECKING:
    from syndicate.site import Site


@dataclass(slots=True)
class Report:
    """What one run did. `slots` has a line for each that was settled, `unfinished` a sentence for each thing that is
    left."""

    released: list[str] = field(default_factory=list)
    collected: list[CollectReport] = field(default_factory=list)
    published: Published = field(default_factory=Published)
    slots: list[str] = field(default_factory=list)
    clock_held: bool = False
    issues: list[Ended] = field(default_factory=list)
    forgotten: Forgotten = field(default_factory=Forgotten)
    unfinished: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told of each step as it ends, shown how far the step under way has come, and told when the first signal to
    stop has come while an issue is delivered."""

    collected: Callable[[CollectReport], None] = lambda report: None
    published: Callable[[Published], None] = lambda published: None
    delivered: Callable[[Ended], None] = lambda ended: None
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None
    draining: Callable[[], None] = lambda: None


def run_once(site: Site, *, now: datetime, listener: Listener) -> Report:
    """Collects every source, releases what is due, publishes what changed, sends what is due, finishes what a
    stopped process left, and forgets what is old. One thing that fails keeps no other from going on."""
    report = Report()
    with site.database.read() as connection:
        now = shared_now(connection, now)
    site.sync(now)
    report.released = release_due(site.database, site.feeds, now)
    for settings in site.sources:
        with _named(report, settings.name):
            collected = collect(
                site.database,
                site.source(settings.name),
                feeds=site.feeds,
                newsletters=site.newsletters,
                now=now,
                sleep=time.sleep,
                precedence=[each.name for each in site.sources],
                progress=lambda done, total: listener.progress(f"Reading {settings.name}", done, total),  # noqa: B023
            )
            report.collected.append(collected)
            listener.collected(collected)
            if collected.problem:
                report.unfinished.append(f"{settings.name}: {collected.problem}")
    with _named(report, "Feeds"):
        report.published = publish(
            site.database, site.feeds, site.publication, site.target, site.templates, now, progress=listener.progress
        )
        listener.published(report.published)
        report.unfinished += report.published.problems
    with _named(report, "Issues"):
        recompose_issues(site.database, site.newsletter, site.house, now=now, actor="")
    with _named(report, "Clock"):
        ticked = tick_site(site, now)
        report.slots, report.clock_held = ticked.settled, bool(ticked.held)
        report.unfinished += [*ticked.problems, *filter(None, [ticked.held])]
    deliver_due(site, now, listener, report)
    with _named(report, "Forgetting"):
        report.forgotten = forget_old(site.database, site.settings.keep, now=now)
    with _named(report, "Alerts"):
        report.unfinished += Alerting(site).round(now, healthy=not report.clock_held, stays=False)
    return report


@contextmanager
def _named(report: Report, what: str) -> Iterator[None]:
    """What stops this step is told in the report, by its name, and the next step begins."""
    try:
        yield
    except SyndicateError as error:
        report.unfinished.append(f"{what}: {error}")


def deliver_due(site: Site, now: datetime, listener: Listener, report: Report) -> None:
    """Sends what is due and finishes what a stopped process left, into the report."""
    sweep(site.database, now)
    with _named(report, "Issues that stopped"):
        revise_issues(site.database, site.newsletter, site.house, now=now, actor="")
    with site.database.read() as connection:
        due = due_issues(connection, now)
        begun = [*reversed(list_issues(connection, states=UNDER_WAY))]
        paused = list_issues(connection, states=["paused"])
        stopped = stopped_by(connection)
    report.unfinished += map(paused_sentence, paused)
    if not due and not begun:
        return
    if stopped is not None:
        waiting = " and ".join(str(issue.id) for issue in (*begun, *due))
        report.unfinished.append(
            f"All sending is stopped, by {stopped}: issue {waiting} waits. `syndicate resume` goes on."
        )
        return
    with posting(site) as mail_api:
        for issue in (*begun, *due):
            with _named(report, f"Issue {issue.id}"):
                ended, told = drained(
                    lambda stop: deliver_issue(
                        site,
                        mail_api,
                        issue.id,  # noqa: B023
                        stop=stop,
                        progress=lambda done, total: listener.progress(f"Issue {issue.id}", done, total),  # noqa: B023
                    ),
                    listener.draining,
                )
                report.issues.append(ended)
                listener.delivered(ended)
                if told:
                    raise KeyboardInterrupt
                if ended.unfinished:
                    report.unfinished.append(ended.unfinished)
