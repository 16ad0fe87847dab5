"""Whoever stops what others claim waits for those under way, and for none that come after."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from syndicate.services.pause_issue import pause
from syndicate.services.stop_sending import stop_sending
from syndicate.storage import instance
from syndicate.storage.claims import hold_to_post
from syndicate.storage.database import Database, open_database
from syndicate.storage.users import hold_users
from tests.mailing import NOW, clock, frozen_issue
from tests.process.waiting import until


def under_a_lock(database: Database) -> None:
    with database.write() as connection:
        hold_users(connection)


@pytest.mark.parametrize("what", ["pause", "stop", "users"])
def test_claims_that_follow_one_another_without_a_gap_let_in_who_stops_them(
    database_url: str, database: Database, what: str
) -> None:
    """A claim is begun before the one before it ends, for as long as somebody waits: on PostgreSQL the row alone would
    be shared for ever."""
    if database.is_sqlite:
        pytest.skip("one writer at a time")
    issue_id = frozen_issue(database, 10)
    with database.write() as connection:
        instance.start(connection, secret=b"k" * 32, place="", web_url="https://news.post.example", now=NOW)
    steps: dict[str, Callable[[], object]] = {
        "pause": lambda: pause(database, issue_id, why="a look", actor="ann", now=clock()),
        "stop": lambda: stop_sending(database, actor="ann", now=clock()),
        "users": lambda: under_a_lock(database),
    }
    over = threading.Event()
    others = open_database(database_url)

    def stop_them() -> None:
        steps[what]()
        over.set()

    waits = threading.Thread(target=stop_them)
    try:
        with ExitStack() as last:
            assert hold_to_post(last.enter_context(others.write()), issue_id)
            waits.start()
            until(lambda: waiting(others) == 1)
            # It comes after the one who waits: so it waits too, and the first claim is the last that is shared.
            later = threading.Thread(target=claim, args=(others, issue_id))
            later.start()
            until(lambda: waiting(others) == 2)
        until(over.is_set)
        later.join()
    finally:
        waits.join()
        others.dispose()


def claim(database: Database, issue_id: int) -> None:
    with database.write() as connection:
        hold_to_post(connection, issue_id)


def waiting(database: Database) -> int:
    """How many connections wait for a lock."""
    with database.read() as connection:
        query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return int(connection.exec_driver_sql(query).scalar_one())
