"""One round: a site is set up and scheduled, its processes send the issue under fire, and everybody is counted."""

from __future__ import annotations

import json
import random
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from syndicate.core.issue import FINISHED
from syndicate.errors import StorageError
from syndicate.storage.database import Database, open_database
from syndicate.storage.issues import get_issue
from tests.chaos.apis import ACTIVITY, adapter_of, can_know
from tests.chaos.counting import Count, count, faults_in, uncertain_readers
from tests.chaos.crew import ROLES, Crew
from tests.chaos.postgresql import PostgreSQLServer
from tests.chaos.program import DEADLINE_SECONDS, MINUTE_SECONDS
from tests.end_to_end.site import SiteFolder
from tests.end_to_end.watch import Watch
from tests.mail_api_server import MailApiProcess, doubled, read_journal
from tests.mailing import books_now

FAULTS = (
    "drop_before_body=0.01",
    "drop_mid_body=0.01",
    "drop_after_body=0.01",
    "drop_after_accept=0.02",
    "drop_in_answer=0.01",
    "garbage=0.01",
    "server_error=0.01",
    "gateway_timeout=0.01",
    "rate_limited=0.01",
    "delay=0.02",
)
LONGEST_SECONDS = 600.0
BEGIN_SECONDS = 2.0
"""From the command to the minute at which the issue is due."""
FIRST_PART, AHEAD_PART = 0.6, 0.25
"""Of the readers: those over whose mails the blows fall, and of how many the mails may be accepted before the next."""
TICK_SECONDS, LOOK_SECONDS = 0.02, 0.2
"""How often the processes are seen to, and the books looked at: what watches is not to take the machine's time."""
DRY_SECONDS = 4.0
"""A blow that waits for mails to be accepted waits no longer than this."""
SETTINGS = """
[site]
title = "The Harbour Post"
url = "https://post.example"
language = "en"
timezone = "Europe/Lisbon"
[web]
url = "https://news.post.example"
[database]
url = "{database}"
[mail]
api = "{api}"
activity = {activity}
url = "{url}"
deadline_seconds = {deadline}
concurrency = {concurrency}
from = "The Harbour Post <news@post.example>"
reply_to = "desk@post.example"
legal_name = "Harbour Post Ltd"
postal_address = "1 Quay Street, Lisbon"
privacy_url = "https://post.example/privacy"
[[sources]]
name = "desk"
kind = "folder"
path = "articles"
[[newsletters]]
name = "morning"
title = "Morning Briefing"
cadences = {{ daily = "{day} 07:00" }}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done to the processes of each round. `restarts` are of the database, where it is a server."""

    recipients: int = 3000
    kills: int = 15
    sleeps: int = 1
    restarts: int = 2
    roles: Mapping[str, Sequence[str]] = field(default_factory=lambda: ROLES)
    """The processes of a round, by database."""
    concurrency: int = 4
    """Requests that each process has under way."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one round came to. `unbalanced` counts looks at the books that were off; `faults` is what the processes
    logged that nobody foresaw; `is_over` whether the issue was closed."""

    api: str
    database: str
    recipients: int
    count: Count
    seconds: float = 0.0
    kills: int = 0
    sleeps: int = 0
    restarts: int = 0
    looks: int = 0
    unbalanced: int = 0
    faults: tuple[str, ...] = ()
    is_over: bool = True

    @property
    def is_good(self) -> bool:
        """Nobody lost, nobody doubled, the books balanced, and nobody uncertain where the mail API can tell."""
        known = self.count.uncertain == 0 or not can_know(self.api)
        return known and not (self.count.lost or self.count.doubled or self.unbalanced)

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        told = asdict(self)
        return {**told, **told.pop("count")}


Progress = Callable[[str], None]
"""Called with a line that says how far a round is."""


class ChaosSite(SiteFolder):
    """A site whose commands run in this process, and whose mail API wants a key."""

    def __init__(self, folder: Path, api: str) -> None:
        super().__init__(folder)
        self.api = api

    def ok(self, *arguments: str) -> str:
        done = self.call(*arguments)
        if done.returncode:
            raise RuntimeError(f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def environment(self) -> dict[str, str]:  # type: ignore[override]
        key = "" if self.api == "mailpit" else "key:secret"
        return {**SiteFolder.environment(), "SYNDICATE_MAIL__API_KEY": key}


def run(
    folder: Path,
    api: str,
    url: str,
    plan: Plan,
    rng: random.Random,
    *,
    server: PostgreSQLServer | None = None,
    progress: Progress = lambda line: None,
) -> Round:
    """One round through that dialect, in an empty `folder`, on the database at `url`, which is on the `server` where
    that is to be killed. Interrupted by Ctrl-C it ends what it started, and returns what it has counted so far. Raises
    RuntimeError when the issue is not closed in a very long time."""
    with ExitStack() as stack:
        seed = rng.randrange(1_000_000)
        dialect = adapter_of(api)
        mails = stack.enter_context(
            MailApiProcess(dialect, folder / "journal", chances=FAULTS, seed=seed, minute=MINUTE_SECONDS)
        )
        site = _site(folder, api, url, mails.url, plan)
        database = open_database(url)
        stack.callback(database.dispose)
        return _Storm(site, database, mails, plan, rng, server, progress).rage()


def _site(folder: Path, api: str, database: str, url: str, plan: Plan) -> ChaosSite:
    site = ChaosSite(folder, api)
    # No slot is near.
    day = f"{datetime.now(UTC) + timedelta(days=3):%a}".lower()
    text = SETTINGS.format(
        database=database,
        api=adapter_of(api),
        activity="true" if api == ACTIVITY else "false",
        url=url,
        deadline=DEADLINE_SECONDS,
        concurrency=plan.concurrency,
        day=day,
    )
    (folder / "syndicate.toml").write_text(text, encoding="utf-8")
    (folder / "articles").mkdir()
    site.ok("db", "upgrade")
    site.ok("collect")
    site.readers(plan.recipients)
    site.story(1)
    site.ok("collect")
    return site


class _Storm:
    def __init__(
        self,
        site: ChaosSite,
        database: Database,
        mails: MailApiProcess,
        plan: Plan,
        rng: random.Random,
        server: PostgreSQLServer | None,
        progress: Progress,
    ) -> None:
        self.site, self.database, self.mails, self.plan, self.rng = site, database, mails, plan, rng
        self.server, self.progress = server, progress
        self.kind = "sqlite" if database.is_sqlite else "postgresql"
        self.journal = site.folder / "journal"
        self.restarts = 0

    def rage(self) -> Round:
        """Sends the issue under fire, and counts."""
        began = time.monotonic()
        is_over = False
        self.mails.control(until=0)
        with Crew(self.site.folder, self.site.environment(), self.plan.roles[self.kind], self.rng) as crew:
            self.crew = crew
            self.issue = self._schedule()
            url = self.database.engine.url.render_as_string(hide_password=False)
            with Watch(url, self.issue, every=LOOK_SECONDS) as watch:
                with suppress(KeyboardInterrupt):
                    self._blow()
                    crew.leave()
                    is_over = True
            faults = faults_in(_lines(crew.logs()))
        return Round(
            self.site.api,
            self.kind,
            self.plan.recipients,
            self._count(is_over),
            round(time.monotonic() - began, 1),
            crew.kills,
            crew.sleeps,
            self.restarts,
            watch.looks,
            len(watch.unbalanced),
            tuple(faults),
            is_over,
        )

    def _schedule(self) -> int:
        drafted = str(json.loads(self.site.ok("issues", "draft", "morning", "--json"))["id"])
        self.site.ok("issues", "approve", drafted)
        moment = datetime.now(UTC) + timedelta(seconds=BEGIN_SECONDS)
        self.site.ok("issues", "send", drafted, "--yes", "--at", f"{moment:%Y-%m-%dT%H:%M:%S+00:00}")
        return int(drafted)

    def _blow(self) -> None:
        """Until the issue is closed."""
        blows = ["kill"] * self.plan.kills + ["sleep"] * self.plan.sleeps
        blows += ["restart"] * (self.plan.restarts if self.server is not None else 0)
        self.rng.shuffle(blows)
        end = time.monotonic() + LONGEST_SECONDS
        falls = self._next(len(blows))
        looked = 0.0
        while time.monotonic() < end:
            self.crew.tend()
            if blows and falls():
                if self._strike(blows[-1]):
                    blows.pop()
                falls = self._next(len(blows))
            if time.monotonic() - looked > 0.3:
                looked = time.monotonic()
                if self._is_closed():
                    return
                self._tell()
            time.sleep(TICK_SECONDS)
        raise RuntimeError(f"the issue was not closed in {LONGEST_SECONDS:g} s: {self._told()}")

    def _next(self, left: int) -> Callable[[], bool]:
        """When the next of so many blows falls. Every fourth comes by the clock, so that starting and freezing are hit
        too; the others fall all over what is to be accepted first. The mail API turns away what would be accepted long
        before the blow, so that all fall, however little time this process has beside the others."""
        readers = self.plan.recipients
        taken = _accepted(self.journal)
        wanted = taken + self.rng.uniform(0, 2 * max(0, readers * FIRST_PART - taken) / (left + 1))
        self.mails.control(until=round(wanted + readers * AHEAD_PART) if left else None)
        if left % 4 == 0:
            at = time.monotonic() + self.rng.uniform(0.05, 1.0)
            return lambda: time.monotonic() >= at
        dry = time.monotonic() + DRY_SECONDS
        return lambda: _accepted(self.journal) >= wanted or time.monotonic() >= dry

    def _strike(self, blow: str) -> bool:
        if blow == "kill":
            return self.crew.kill()
        if blow == "sleep":
            return self.crew.put_to_sleep()
        assert self.server is not None
        self.server.kill(self.rng.choice([signal.SIGKILL, signal.SIGQUIT]))
        time.sleep(self.rng.uniform(0, 0.5))
        self.server.start()
        self.restarts += 1
        return True

    def _is_closed(self) -> bool:
        try:
            with self.database.read() as connection:
                state = get_issue(connection, self.issue).state
        except StorageError:
            return False
        if state == "paused":
            # Twelve in a row of which nothing tells what became, as where no process has time: an editor has looked.
            self.site.call("issues", "resume", str(self.issue))
        return state in FINISHED

    def _count(self, is_over: bool) -> Count:
        accepted = read_journal(self.journal)
        if not is_over:
            return Count(0, len(doubled(accepted)), 0)
        readers = [f"reader{number}@example.com" for number in range(1, self.plan.recipients + 1)]
        with self.database.read() as connection:
            uncertain = uncertain_readers(connection, self.issue)
        assert books_now(self.database, self.issue).uncertain == len(uncertain)
        return count(readers, accepted, uncertain)

    def _tell(self) -> None:
        plan, crew = self.plan, self.crew
        parts = [f"{_accepted(self.journal):,} of {plan.recipients:,} accepted", f"{crew.kills} killed"]
        parts += [f"{crew.sleeps} put to sleep"]
        if self.server is not None:
            parts += [f"{self.restarts} restarts of the database"]
        self.progress(f"{self.site.api} on {self.kind}: {', '.join(parts)}")

    def _told(self) -> str:
        return "\n".join([*_lines(self.crew.logs())][-60:])


def _accepted(journal: Path) -> int:
    """Roughly, and without reading it all again and again: each line is one mail."""
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def _lines(logs: Iterable[Path]) -> list[str]:
    return [line for log in logs for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
