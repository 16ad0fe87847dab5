"""A newsroom at work: `syndicate run` in processes of its own, a sandbox that takes what a test lets it, and what
people see of it."""

from __future__ import annotations

import email
import email.policy
import json
import re
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from syndicate.services.approve_issue import schedule
from syndicate.storage import tables
from syndicate.storage.database import Database, open_database
from syndicate.storage.issues import get_issue
from syndicate.storage.people import find_subscriber
from tests.end_to_end.running import Running
from tests.end_to_end.site import SiteFolder, make_site
from tests.end_to_end.valve import Valve, sandbox_with_valve
from tests.process.waiting import until

if TYPE_CHECKING:
    from playwright.sync_api import Page

AT_ONCE = 4
"""Requests under way for an issue."""
HEEDED_SECONDS = 3.0
"""A stop holds within a second: what was claimed ahead is not posted after it. On a machine that is busy with other
tests besides, within these."""
GUARD_MS = 600
"""As in web/static/live.js."""
COUNTING = re.compile(r"Starts (in \d+ s|now)|Choosing who gets it|Being sent")
"""What the page of an issue says once it is to be sent, until it is."""
PASSWORD = "a long enough password"


class Newsroom:
    """`site` with its processes in `run`, at `url`. Its sandbox takes what the `valve` lets through."""

    def __init__(self, site: SiteFolder, run: Running, valve: Valve) -> None:
        self.site = site
        self.run = run
        self.valve = valve
        self.url = run.address

    def story(self, number: int) -> None:
        """A new article that everybody may read."""
        self.site.story(number)
        until(lambda: f"Story number {number}<" in self.rss())

    def rss(self) -> str:
        """The feed as feed readers get it now."""
        return self.run.get("/feeds/rss.xml").decode()

    def outbox(self, subject: str) -> Counter[str]:
        """How many mails of that subject the sandbox took for each address: the other side's own record."""
        return Counter(to["Address"] for each in self._taken() if each["Subject"] == subject for to in each["To"])

    def subjects(self, address: str) -> list[str]:
        """Of the mails that the sandbox took for it."""
        return [each["Subject"] for each in self._taken() if any(to["Address"] == address for to in each["To"])]

    def texts(self, subject: str) -> list[str]:
        """What those mails say."""
        found = []
        for path in self.site.mails:
            message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            body = message.get_body(("plain",))
            if str(message["Subject"]) == subject and body is not None:
                found.append(str(body.get_content()))
        return found

    def send(self, number: int) -> None:
        """An approved issue begins at once, as if its time had come."""
        now = datetime.now(UTC)
        with self.database() as database:
            schedule(database, number, send_at=now, now=now, actor="the clock")

    def log(self, action: str) -> list[str]:
        """Who did that, in order."""
        log = tables.audit_log
        with self.database() as database, database.read() as connection:
            return list(
                connection.execute(sa.select(log.c.actor).where(log.c.action == action).order_by(log.c.id)).scalars()
            )

    def standing(self, email: str) -> dict[str, str]:
        """Newsletter → what the reader is in it."""
        with self.database() as database, database.read() as connection:
            found = find_subscriber(connection, email)
        assert found is not None
        return {each.newsletter: each.status for each in found.subscriptions}

    def under_way(self) -> int:
        """Requests to the sandbox that have begun and have not ended, as the ledger has them."""
        batches = tables.batches
        with self.database() as database, database.read() as connection:
            sending = sa.select(sa.func.count()).select_from(batches).where(batches.c.state == "sending")
            return int(connection.execute(sending).scalar_one())

    def state(self, number: int) -> str:
        """Of that issue."""
        with self.database() as database, database.read() as connection:
            return str(get_issue(connection, number).state)

    def waited(self, number: int) -> timedelta:
        """Between the decision to send that issue and its beginning."""
        log, issues = tables.audit_log, tables.issues
        with self.database() as database, database.read() as connection:
            decided = connection.execute(
                sa.select(log.c.at).where(log.c.action == "issue.schedule", log.c.subject == str(number))
            ).scalar_one()
            begun = connection.execute(sa.select(issues.c.started_at).where(issues.c.id == number)).scalar_one()
        return begun - decided  # type: ignore[no-any-return]

    def _taken(self) -> list[dict[str, Any]]:
        index = self.site.folder / "outbox" / "index"
        whole, _, _ = index.read_text(encoding="utf-8").rpartition("\n") if index.exists() else ("", "", "")
        return [json.loads(line) for line in whole.splitlines()]

    @contextmanager
    def database(self) -> Iterator[Database]:
        """The site's."""
        opened = open_database(f"sqlite:///{self.site.folder / 'syndicate.db'}")
        try:
            yield opened
        finally:
            opened.dispose()

    @property
    def inbox(self) -> str:
        """The address of the sandbox's inbox."""
        return f"http://127.0.0.1:{(self.site.folder / 'outbox' / 'port').read_text().strip()}"

    def call(self, *arguments: str) -> str:
        """A command in this process, which must succeed."""
        done = self.site.call(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def invite(self, page: Page, name: str, role: str) -> None:
        """Somebody new, who follows the link that an admin gave them."""
        shown = self.call("users", "add", name, "--role", role)
        link = re.search(r"/console/welcome/\S+", shown)
        assert link, shown
        page.goto(self.url + link[0])
        begin(page)


@contextmanager
def newsroom(folder: Path, *, readers: int) -> Iterator[Newsroom]:
    """It is up and has so many readers; all of it has ended afterwards."""
    site = make_site(folder, at_hand=True)
    settings = site.folder / "syndicate.toml"
    text = settings.read_text(encoding="utf-8")
    text = text.replace("[mail]\n", f"[mail]\nconcurrency = {AT_ONCE}\ndeadline_seconds = 300\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    text = text.replace('url = "https://news.example.com"', f'url = "http://127.0.0.1:{port}"')
    settings.write_text(text, encoding="utf-8")
    _readers(site, readers)
    with sandbox_with_valve(site.folder / "outbox") as valve:
        run = Running(site, "--port", port)
        try:
            yield Newsroom(site, run.up(), valve)
            valve.open()
            assert run.end() == 0, run.lines
            assert run.stray == []
        finally:
            run.close()


def _readers(site: SiteFolder, count: int) -> None:
    path = site.folder / "readers.csv"
    rows = [f"reader{number}@example.com,Reader {number},morning,active" for number in range(1, count + 1)]
    path.write_text("\n".join(["email,name,newsletters,status", *rows]) + "\n", encoding="utf-8")
    done = site.call("subscribers", "import", str(path), "--yes", "--basis", "Test readers")
    assert done.returncode == 0, done.stderr


def begin(page: Page, name: str = "") -> None:
    """Chooses a password, and as the first user a name."""
    if name:
        page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("heading", name="Today", level=1).wait_for()


def press(page: Page, button: str) -> None:
    """The one button of that name that is to be seen, as somebody does who has looked at it: where figures move, a
    click on a button that has only just come is not taken (web/static/live.js)."""
    if page.locator("[data-live]").count():
        page.wait_for_timeout(GUARD_MS + 100)
    page.get_by_role("button", name=button, exact=True).filter(visible=True).click()


def figure(page: Page, name: str) -> int:
    """Of an issue's count, as its page shows it now; 0 before there is one."""
    from playwright.sync_api import Error

    try:
        shown = page.locator(f"#standing dd[data-text={name}]").all_inner_texts()
    except Error as error:
        if "Execution context was destroyed" not in str(error):
            raise
        return figure(page, name)  # the page came again just then
    return int(shown[0].replace(",", "")) if shown else 0


def wait_for_figure(page: Page, name: str, least: int) -> None:
    """Until the page shows that many, by itself."""
    until(lambda: figure(page, name) >= least)
