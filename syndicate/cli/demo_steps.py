"""The steps of the demo, each with the line that it prints."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from syndicate.demo.content import readers_csv, write_articles, write_pictures
from syndicate.errors import NothingToSend
from syndicate.process.delivering import Ended, deliver_issue
from syndicate.process.once import Listener, Report, deliver_due
from syndicate.process.posting import posting
from syndicate.services.approve_issue import approve, schedule
from syndicate.services.cancel_issue import cancel
from syndicate.services.collect_articles import collect
from syndicate.services.draft_issue import draft_cadence_issue
from syndicate.services.import_subscribers import Consent, import_subscribers
from syndicate.services.publish_feeds import publish

if TYPE_CHECKING:
    from syndicate.site import Site

ACTOR = "demo"


@dataclass
class Steps:
    """The main job on the sample site. `say` takes one line for people."""

    site: Site
    now: datetime
    say: Callable[[str], None]
    unfinished: str = ""

    def take_in(self) -> None:
        """Writes the articles and collects them. The wire is collected only while it is served."""
        write_pictures(self.site.feeds_folder)
        write_articles(self.site.directory / "articles", self.site.publication.web_url)
        # On a slow machine the site took seconds to make: at the command's own instant these files are still to come.
        self.now = max(self.now, datetime.now(UTC))
        for settings in (each for each in self.site.sources if each.kind == "folder"):
            report = collect(
                self.site.database,
                self.site.source(settings.name),
                feeds=self.site.feeds,
                newsletters=self.site.newsletters,
                now=self.now,
                sleep=time.sleep,
                precedence=[each.name for each in self.site.sources],
            )
            new = len(report.of("new"))
            self.say(f"Collected  {new} new articles from {settings.path}/, {len(report.published)} released")

    def enrol(self) -> None:
        """Imports the sample readers."""
        with TemporaryDirectory() as folder:
            path = Path(folder) / "sample-readers.csv"
            path.write_text(readers_csv(), encoding="utf-8")
            report = import_subscribers(
                self.site.database,
                path=path,
                newsletters=self.site.newsletters,
                consent=Consent("Sample readers, who do not exist", ACTOR),
                now=self.now,
            )
        self.say(f"Readers    {report.rows}, of whom {report.new} are new")

    def publish(self) -> None:
        """Publishes the feeds."""
        site = self.site
        done = publish(site.database, site.feeds, site.publication, site.target, site.templates, self.now)
        changed = sum(len(each.changed) for each in done.feeds)
        self.say(
            f"Published  {changed} files of {len(site.feeds)} feeds (RSS, Atom, JSON) and {done.pages_written} pages"
            f" into {site.feeds_folder}"
        )
        self.unfinished = "\n".join(done.problems)

    def mail(self) -> None:
        """Finishes what an earlier run left, then drafts, approves and sends the daily issue. Raises NothingToSend."""
        site = self.site
        left = Report()
        deliver_due(site, self.now, Listener(delivered=self._say_ended), left)
        self.unfinished = "\n".join(filter(None, [self.unfinished, *left.unfinished]))
        newsletter = site.newsletters[0]
        cadence = next(iter(newsletter.cadences))
        sealed = draft_cadence_issue(site.database, newsletter, cadence, site.house, now=self.now, actor=ACTOR)
        issue = sealed.issue
        self.say(
            f"Composed   issue {issue.id} of {newsletter.title}: {len(sealed.articles)} articles,"
            f" {issue.expected} readers"
        )
        if not issue.expected:
            cancel(site.database, issue.id, actor=ACTOR, now=self.now, drop=True)
            raise NothingToSend(f"All readers have these by hand: issue {issue.id} is cancelled.")
        approve(site.database, issue.id, now=self.now, actor=ACTOR, seal=issue.seal)
        schedule(site.database, issue.id, send_at=self.now, now=self.now, actor=ACTOR)
        with posting(site, hurry=True) as mail_api:
            ended = deliver_issue(site, mail_api, issue.id)
        self._say_ended(ended)
        self.unfinished = "\n".join(filter(None, [self.unfinished, ended.unfinished]))

    def _say_ended(self, ended: Ended) -> None:
        balance = ended.books
        self.say(
            f"Mailed     {balance.accepted} of {balance.planned} accepted, {balance.uncertain} uncertain,"
            f" {balance.refused} refused"
        )
        self.say(f"Books      {'balanced' if balance.balanced else 'NOT balanced'}: nobody lost, nobody mailed twice")
