"""One leads, others stand by: whoever is killed is followed at once, and whoever sleeps wakes to do nothing more."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.storage.database import Database, open_database
from syndicate.storage.leadership import Led, leading
from syndicate.storage.tables import counters
from tests.process.waiting import until
from tests.storage.leader import count


@pytest.fixture
def shared(_cloned_postgresql: Callable[[], tuple[str, Callable[[], None]]]) -> Iterator[Database]:
    """On PostgreSQL, where only one leads."""
    url, drop = _cloned_postgresql()
    database = open_database(url)
    with database.write() as connection:
        connection.execute(sa.insert(counters).values(name="ticks", value=0))
    yield database
    database.dispose()
    drop()


def ticks(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute(sa.select(counters.c.value).where(counters.c.name == "ticks")).scalar_one())


@contextmanager
def leader(database: Database, *options: str) -> Iterator[subprocess.Popen[str]]:
    url = database.engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.storage.leader", url, *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdin is not None
    try:
        assert process.stdout.readline() == "leads\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        with suppress(BrokenPipeError):
            process.stdin.close()


def leads(database: Database, silent_seconds: float = 60.0) -> bool:
    """Whether another process may lead at this moment."""
    other = open_database(database.engine.url.render_as_string(hide_password=False))
    with leading(other, silent_seconds=silent_seconds) as lead:
        other.dispose()
        return lead is not None


def test_on_one_machine_everybody_leads(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/one.db")
    database.upgrade()
    with leading(database) as first, leading(database) as second:
        assert first is not None and second is not None
        for each in (first, second):
            each.beat()
            with database.write() as connection:
                each.fence(connection)


def test_one_leads_at_a_time_and_each_has_a_term_of_its_own(shared: Database) -> None:
    terms = []
    for _ in range(2):
        with leading(shared) as lead:
            assert lead is not None
            terms.append(lead.term)
            lead.beat()
            assert not leads(shared)
    assert terms == [1, 2]


def test_one_that_is_killed_is_followed_at_once(shared: Database) -> None:
    with leader(shared) as process:
        until(lambda: ticks(shared) > 2)
        assert not leads(shared)
        process.kill()
        took = until(lambda: leads(shared))
    assert took < 5.0


def test_one_that_lives_is_never_put_out(shared: Database) -> None:
    with leader(shared):
        begun = time.monotonic()
        while time.monotonic() - begun < 2.0:
            assert not leads(shared, silent_seconds=1.0)


def test_one_that_sleeps_is_followed_and_wakes_to_do_nothing(shared: Database) -> None:
    with leader(shared) as sleeper:
        until(lambda: ticks(shared) > 2)
        sleeper.send_signal(signal.SIGSTOP)
        until(lambda: leads(shared, silent_seconds=1.0))
        done = ticks(shared)
        sleeper.send_signal(signal.SIGCONT)
        assert sleeper.stdout is not None
        assert sleeper.stdout.readline().startswith("lost")
        assert ticks(shared) == done


def test_what_a_sleeper_had_begun_comes_to_nothing(shared: Database) -> None:
    """Put to sleep between its last look and its commit: nothing that it could look at then would help."""
    with leader(shared, "hold") as sleeper:
        assert sleeper.stdout is not None and sleeper.stdin is not None
        assert sleeper.stdout.readline() == "holds\n"
        sleeper.send_signal(signal.SIGSTOP)
        until(lambda: leads(shared, silent_seconds=1.0))
        sleeper.send_signal(signal.SIGCONT)
        sleeper.stdin.write("go on\n")
        sleeper.stdin.flush()
        assert sleeper.stdout.readline().startswith("lost")
    assert ticks(shared) == 0


def test_a_transaction_of_an_earlier_term_is_refused(shared: Database) -> None:
    url = shared.engine.url.render_as_string(hide_password=False)
    with leading(shared) as first:
        assert first is not None
        shared.fence = first.fence
        count(shared)
    with leading(open_database(url)) as second:
        assert second is not None and second.term > first.term
        with pytest.raises(Led):
            count(shared)
        shared.fence = None
        assert ticks(shared) == 1
