"""A machine whose clock is an hour ahead: nothing goes early by it, and what is to go now goes now."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.issue import Issue
from syndicate.core.job import freeze
from syndicate.errors import Refused
from syndicate.mail.base import MailAPI
from syndicate.process.deliveries import Deliveries
from syndicate.process.delivering import deliver_issue, freeze_issue
from syndicate.process.log import Log
from syndicate.process.looking import Looker
from syndicate.process.loops import Loops
from syndicate.process.once import Listener, run_once
from syndicate.process.posting import posting
from syndicate.process.publishing import Publisher
from syndicate.queues.local import LocalQueue
from syndicate.services.approve_issue import schedule
from syndicate.services.send_soon import COUNTDOWN, send_soon, stop
from syndicate.site import Site, open_site
from syndicate.storage.issues import get_issue
from syndicate.storage.tables import articles, issues
from tests.end_to_end.site import make_site

HALF_AN_HOUR = timedelta(minutes=30)


def ahead() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


@pytest.fixture
def site(tmp_path: Path, database_url: str) -> Iterator[Site]:
    """A site with three readers, an embargoed article, and an issue that is to go in half an hour."""
    made = make_site(tmp_path / "site", at_hand=True)
    settings = made.folder / "syndicate.toml"
    url = database_url.replace("postgresql+psycopg://", "postgresql://")
    settings.write_text(f'{settings.read_text(encoding="utf-8")}\n[database]\nurl = "{url}"\n', encoding="utf-8")
    made.ok("collect")  # an empty first look: what follows is new
    over = datetime.now(UTC) + HALF_AN_HOUR
    made.story(1)
    made.write("world/secret.md", f"---\ntitle: The secret\nembargo: {over:%Y-%m-%dT%H:%M:%SZ}\n---\n\nNot before.\n")
    made.ok("collect")
    made.readers(3)
    made.ok("send", "morning", "--at", f"{over:%Y-%m-%dT%H:%M:%SZ}", "--yes")
    opened = open_site(made.folder, made.environment())
    yield opened
    opened.database.dispose()


def issue(site: Site) -> Issue:
    with site.database.read() as connection:
        return get_issue(connection, 1)


def mails(site: Site) -> int:
    return len(list(site.outbox.glob("*.eml")))


def no_mail_api() -> MailAPI:
    raise AssertionError("nothing is due")


def test_what_is_set_for_later_waits_for_the_databases_time(site: Site) -> None:
    queue, loops, log = LocalQueue(), Loops(Log("work")), Log("work")
    Looker(site, queue, loops, log, seconds=0.0, clock=ahead).step()
    assert freeze(1).key not in queue.standing()
    Deliveries(site, no_mail_api, loops, log, clock=ahead).go_on(1)
    Publisher(site, loops, log, clock=ahead).publish(everything=False)
    run_once(site, now=ahead(), listener=Listener())
    with posting(site) as mail_api, pytest.raises(Refused, match="not due before"):
        freeze_issue(site, mail_api, 1, stop=threading.Event(), clock=ahead)
    assert (issue(site).state, mails(site)) == ("scheduled", 0)
    with site.database.read() as connection:
        assert connection.execute(sa.select(articles.c.title).where(articles.c.status == "waiting")).all()
    with site.database.write() as connection:
        connection.execute(sa.update(issues).values(send_at=datetime.now(UTC) - timedelta(seconds=1)))
    run_once(site, now=ahead(), listener=Listener())
    assert (issue(site).state, mails(site)) == ("sent", 3)


def test_what_is_to_go_now_goes_now(site: Site) -> None:
    now = ahead()
    schedule(site.database, 1, send_at=now, now=now, actor="desk")
    with posting(site) as mail_api:
        assert deliver_issue(site, mail_api, 1, clock=ahead).books.accepted == 3


def test_an_editor_can_still_say_no_for_ten_seconds(site: Site) -> None:
    stop(site.database, 1, actor="desk", now=ahead())
    seal = issue(site).seal
    assert seal is not None
    set_for = send_soon(site.database, 1, seal=seal, now=ahead(), actor="desk").send_at
    assert set_for is not None
    assert COUNTDOWN / 2 < set_for - datetime.now(UTC) <= COUNTDOWN
