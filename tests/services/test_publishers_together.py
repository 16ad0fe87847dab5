"""Two publishers at once, and publishers that are killed: never older bytes over newer ones, nothing lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.article import Article
from syndicate.core.feed import Feed
from syndicate.core.selection import Selection
from syndicate.errors import Refused
from syndicate.storage import feeds, tables
from syndicate.storage.database import Database, open_database
from syndicate.storage.feed_entries import place_in_feeds
from syndicate.storage.feeds import feed_states, record_published
from syndicate.storage.publishing_lock import publishing_lock
from syndicate.storage.standings import lock_articles
from tests.services.press import Press, an_article

PUBLISHER = """
import sys
from pathlib import Path
from syndicate.storage.database import open_database
from tests.services.press import Press
press = Press(open_database(sys.argv[1]), Path(sys.argv[2]))
print("ready", flush=True)
while True:
    press.publish(force="force" in sys.argv)
"""


def publisher(url: str, folder: Path, *words: str) -> subprocess.Popen[str]:
    """A process that publishes without end."""
    child = subprocess.Popen(
        [sys.executable, "-c", PUBLISHER, url, str(folder), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parents[2],
    )
    assert child.stdout and child.stdout.readline() == "ready\n", child.stderr and child.stderr.read()
    return child


@pytest.fixture
def press(database: Database, tmp_path: Path) -> Press:
    return Press(database, tmp_path / "feeds").open()


def what_it_should_be(press: Press, elsewhere: Path) -> dict[str, str]:
    fresh = replace(press, folder=elsewhere)
    fresh.publish(force=True)
    return fresh.files()


def test_two_publishers_and_an_editor(press: Press, database_url: str, tmp_path: Path) -> None:
    children = [publisher(database_url, press.folder) for _ in range(2)]
    try:
        for number in range(12):
            press.add(an_article(f"a{number}", hours=number))
            press.change(f"a{number}", title=f"Edited {number}")
            if number % 3 == 2:
                press.change(f"a{number - 1}", status="held")
        press.publish()
    finally:
        for child in children:
            child.kill()
            child.communicate()
    assert press.files() == what_it_should_be(press, tmp_path / "fresh")


def test_killed_at_any_instant_and_started_again(press: Press, database_url: str, tmp_path: Path) -> None:
    chance = random.Random(20261122)
    for number in range(6):
        press.add(an_article(f"a{number}", hours=number))
        child = publisher(database_url, press.folder, "force")
        time.sleep(chance.uniform(0, 0.15))
        press.change(f"a{number}", title=f"Edited {number}")
        time.sleep(chance.uniform(0, 0.15))
        child.send_signal(signal.SIGKILL)
        child.communicate()
    press.publish()
    left = {path: digest for path, digest in press.files().items() if not path.endswith(".part")}
    assert left == what_it_should_be(press, tmp_path / "fresh")


def test_one_at_a_time_and_the_others_wait(press: Press) -> None:
    press.add(an_article("one"))
    order: list[str] = []
    entered = threading.Event()

    def hold() -> None:
        with publishing_lock(press.database):
            entered.set()
            time.sleep(0.2)
            order.append("held")

    with ThreadPoolExecutor(2) as threads:
        held = threads.submit(hold)
        entered.wait(10)
        press.publish()
        order.append("published")
        held.result()
    assert order == ["held", "published"]


def test_waiting_has_an_end(press: Press, database_url: str) -> None:
    other = open_database(database_url)
    with publishing_lock(press.database), pytest.raises(Refused, match="Another process publishes"):
        with publishing_lock(other, patience=0.1):
            raise AssertionError("two at once")
    with publishing_lock(other, patience=0.1):
        pass
    other.dispose()


def test_a_later_generation_is_never_taken_back(press: Press) -> None:
    press.add(an_article("one"))
    press.add(an_article("two", hours=1))
    press.publish()
    with press.database.write() as connection:
        before = feed_states(connection)["world"]
        assert not record_published(
            connection, "world", generation=before.generation - 1, definition_hash="old", problem="", now=press.now
        )
        assert feed_states(connection)["world"] == before


def test_what_arrives_while_it_publishes_is_published_by_the_next(press: Press) -> None:
    press.add(an_article("one"))
    press.publish()
    with press.database.read() as connection:
        published = feed_states(connection)[""].published_generation
    press.add(an_article("two", hours=1))
    with press.database.read() as connection:
        state = feed_states(connection)[""]
        assert state.is_behind and state.published_generation == published
    assert press.publish().changed_anything
    with press.database.read() as connection:
        assert not any(state.is_behind for state in feed_states(connection).values())
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.published_files)).scalar_one() > 0


def test_an_article_edited_while_a_new_feed_is_filled_is_where_it_belongs(
    press: Press, monkeypatch: pytest.MonkeyPatch
) -> None:
    press.add(an_article("one"), an_article("two"))
    press.publish()
    press.feeds = (*press.feeds, Feed("abroad", "Abroad", Selection({"section": "world"})))
    next_articles = feeds.next_articles
    collectors: list[threading.Thread] = []

    def collect() -> None:
        with press.database.write() as connection:
            lock_articles(connection)
            moved = replace(press.articles["one"], content=replace(press.articles["one"].content, section="sport"))
            connection.execute(
                sa.update(tables.articles).where(tables.articles.c.id == moved.id).values(section="sport")
            )
            place_in_feeds(connection, moved, press.feeds)

    def edited_meanwhile(*arguments: Any) -> list[Article]:
        found = next_articles(*arguments)
        if not collectors:
            collectors.append(threading.Thread(target=collect))
            collectors[0].start()
            collectors[0].join(0.5)
        return found

    monkeypatch.setattr(feeds, "next_articles", edited_meanwhile)
    press.publish()
    collectors[0].join()
    table = tables.feed_entries
    with press.database.read() as connection:
        entries = connection.execute(sa.select(table.c.article_id).where(table.c.feed == "abroad")).scalars().all()
    assert list(entries) == [press.articles["two"].id]
