"""Two mail APIs: what the first surely did not take goes out by the other, and nobody gets anything twice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syndicate.core.books import Books
from syndicate.core.standby import StandbyRule, StandbyState
from syndicate.process.delivering import Ended, deliver_issue
from syndicate.services.approve_issue import schedule
from syndicate.services.sweep_issues import sweep
from syndicate.site import Site, open_site
from syndicate.storage.ledger import books
from syndicate.storage.standby import standby_state
from tests.end_to_end.sender import mail_api
from tests.end_to_end.site import SiteFolder, make_site
from tests.mail_api_server import MailApiServer, Plan, read_journal
from tests.process.waiting import until

READERS = 60
OUT = Plan.parse([], ["quota=1"], seed=1)
"""Every request is surely turned away, and told to come back in an hour."""
FINE = Plan.parse([], [], seed=1)
AT_ONCE = StandbyRule(timedelta(0), timedelta(hours=1))
"""No time passes between the first failure and the other one's turn: a delivery that finds nothing to do before it
would end."""


@pytest.fixture
def folder(tmp_path: Path, database_url: str) -> SiteFolder:
    """A site with readers and an approved issue; once on SQLite and once on PostgreSQL."""
    site = make_site(tmp_path / "site")
    url = database_url.replace("postgresql+psycopg://", "postgresql://")
    with (site.folder / "syndicate.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[database]\nurl = "{url}"\n')
    site.call("collect")  # an empty first look: what follows is new
    site.story(1)
    site.call("collect")
    site.readers(READERS)
    site.call("issues", "draft", "morning")
    site.call("issues", "approve", "1")
    return site


Opening = Callable[..., Site]


@pytest.fixture
def opened(folder: SiteFolder) -> Iterator[Opening]:
    """Opens the site with two mail APIs at this machine: a rehearsal."""
    sites: list[Site] = []

    def with_two(first: MailApiServer, standby: MailApiServer, rule: StandbyRule = AT_ONCE) -> Site:
        with (folder.folder / "syndicate.toml").open("a", encoding="utf-8") as file:
            file.write(f'\n[standby]\napi = "mailpit"\nurl = "{standby.url}"\n')
        environ = {
            "SYNDICATE_MAIL__API": "resend",
            "SYNDICATE_MAIL__URL": first.url,
            "SYNDICATE_MAIL__API_KEY": "re_key",
        }
        site = open_site(folder.folder, environ)
        sites.append(replace(site, settings=replace(site.settings, standby_rule=rule)))
        return sites[-1]

    yield with_two
    for each in sites:
        each.database.dispose()


class Sending(threading.Thread):
    """`deliver_issue` in a thread, through a first mail API that takes five in a request."""

    def __init__(self, site: Site, first: MailApiServer) -> None:
        super().__init__(daemon=True)
        self.site, self.first = site, first
        self.stop = threading.Event()
        self.ended: Ended | None = None

    def run(self) -> None:
        now = datetime.now(UTC)
        schedule(self.site.database, 1, send_at=now, now=now, actor="desk")
        api = mail_api("resend", self.first.url, recipients=5)
        self.ended = deliver_issue(self.site, api, 1, stop=self.stop)

    def leave(self) -> None:
        self.stop.set()
        self.join(timeout=120)
        assert not self.is_alive()


def balance(site: Site) -> Books:
    with site.database.read() as connection:
        return books(connection, 1)


def state(site: Site) -> StandbyState:
    with site.database.read() as connection:
        return standby_state(connection)


def got(*servers: MailApiServer) -> Counter[str]:
    return Counter(each.to for server in servers for each in read_journal(server.journal))


@pytest.fixture
def two(tmp_path: Path) -> tuple[MailApiServer, MailApiServer]:
    return MailApiServer("resend", tmp_path / "first"), MailApiServer("mailpit", tmp_path / "standby")


def test_the_standby_sends_what_the_first_turned_away(
    folder: SiteFolder, opened: Opening, two: tuple[MailApiServer, MailApiServer]
) -> None:
    first, standby = two
    with first, standby:
        site = opened(first, standby)
        first.plan = Plan.parse([f"{number}:quota" for number in range(4, 60)], [], seed=1)
        sending = Sending(site, first)
        sending.start()
        until(lambda: balance(site).accepted == READERS)
        sending.join(timeout=120)
        assert sending.ended is not None
        assert sending.ended.issue.state == "sent"
        assert set(got(first, standby).values()) == {1}
        assert (len(got(first)), len(got(standby))) == (15, 45)
        assert state(site).stands_in_since is not None
        folder.call("run", "--once")
        assert "Mail has gone out through the standby since" in folder.call("check").stdout


def test_what_may_have_been_taken_stays_with_the_first(
    opened: Opening, two: tuple[MailApiServer, MailApiServer]
) -> None:
    first, standby = two
    with first, standby:
        site = opened(first, standby)
        # Its second request is taken and not answered, the third neither; then it is out of order.
        lost = ["2:drop_after_accept", "3:drop_after_body"]
        first.plan = Plan.parse([*lost, *(f"{number}:quota=0.2" for number in range(4, 400))], [], seed=1)
        sending = Sending(site, first)
        sending.start()
        until(lambda: balance(site).accepted == READERS - 10)
        time.sleep(1.0)  # long enough for a look at what is uncertain
        assert balance(site) == Books(READERS, accepted=READERS - 10, uncertain=10)
        sending.leave()
        assert not set(got(standby)) & set(got(first)), "nobody in doubt was mailed by the other"
        # The hour is over and the first is well again: it is asked to repeat, under the same keys.
        first.plan = FINE
        over = replace(site, settings=replace(site.settings, standby_rule=replace(AT_ONCE, lasts=timedelta(0))))
        again = deliver_issue(over, mail_api("resend", first.url, recipients=5), 1)
        over.database.dispose()
        sweep(site.database, datetime.now(UTC))
        assert again.books == Books(READERS, accepted=READERS)
        assert set(got(first, standby).values()) == {1}
        assert len(got(first, standby)) == READERS
        assert state(site) == StandbyState()


def test_a_first_that_stumbles_keeps_its_turn(opened: Opening, two: tuple[MailApiServer, MailApiServer]) -> None:
    first, standby = two
    with first, standby:
        site = opened(first, standby, StandbyRule(timedelta(minutes=5), timedelta(hours=1)))
        first.plan = Plan.parse([f"{number}:rate_limited=0.1" for number in range(1, 12)], [], seed=1)
        sending = Sending(site, first)
        sending.start()
        until(lambda: balance(site).accepted == READERS)
        sending.join(timeout=120)
        assert len(got(first)) == READERS
        assert not got(standby)
        assert state(site) == StandbyState()


def test_a_standby_that_is_none_is_named(folder: SiteFolder) -> None:
    settings = folder.folder / "syndicate.toml"
    settings.write_text(settings.read_text() + '\n[standby]\napi = "sandbox"\nafter = "soon"\n')
    said = folder.call("check").stderr
    assert "'sandbox' is no mail API that can stand in" in said
    assert '"2m"' in said
