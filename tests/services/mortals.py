"""Processes that die at a commit or fall asleep in a request, for properties over whatever order things happen in."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal, Protocol

import sqlalchemy as sa
from hypothesis import strategies as st

from syndicate.core.message import Answer, Message
from syndicate.services.deliver_issue import deliver
from syndicate.storage import tables
from syndicate.storage.database import Database, open_database
from syndicate.storage.workers import worker_lock
from tests.mailing import NOW, clock, delivery_of
from tests.services.model_api import ModelAPI

Death = tuple[int, Literal["before", "after"]]
"""At the commit of that number, which is lost or kept."""
DEATHS: st.SearchStrategy[Death | None] = st.none() | st.tuples(
    st.integers(1, 12), st.sampled_from(["before", "after"])
)
LONG_ASLEEP = timedelta(minutes=10)


class Died(BaseException):
    """The process was killed at this commit."""


class Mortal(Protocol):
    """A mail API that knows whether the process that posts to it is gone."""

    dead: bool


@contextmanager
def may_die(database: Database, at: Death | None, *apis: Mortal) -> Iterator[None]:
    """The process that has `database` dies at its commit of that number: that one is kept or lost, and none comes after
    it. What it does is to be done in this block, which raises Died."""
    dialect: Any = database.engine.dialect
    commit: Callable[[Any], None] = dialect.do_commit
    done, dead = 0, False

    def counted(connection: Any) -> None:
        nonlocal done, dead
        done += 1
        if dead:
            raise Died
        if at is not None and done == at[0]:
            if at[1] == "after":
                commit(connection)
            dead = True
            for each in apis:
                each.dead = True
            raise Died
        commit(connection)

    dialect.do_commit = counted
    try:
        yield
    finally:
        dialect.do_commit = commit


class Sleeper:
    """A worker that lives, and falls asleep in its first request; until it is woken nothing of it arrives."""

    def __init__(self, url: str, folder: Path, api: ModelAPI, issue_id: int) -> None:
        self.sheet, self.account, self.url = api.sheet, api.account, api.url
        self._api, self._database_url, self._folder, self._issue_id = api, url, folder, issue_id
        self._slept = timedelta()
        self._asleep, self._wake, self._stop = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._deliver)
        self._thread.start()
        while not self._asleep.wait(0.005) and self._thread.is_alive():
            pass

    def build(self, messages: Sequence[Message]) -> bytes:
        return self._api.build(messages)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        if not self._wake.is_set():
            self._asleep.set()
            self._wake.wait()
        return self._api.post(body, key=key, count=count)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return self._api.lookup(message_ids, key=key)

    def wake(self) -> None:
        """What it had begun to send leaves now; for anything else it is too late, by its own clock."""
        self._slept = LONG_ASLEEP
        self._stop.set()
        self._wake.set()
        self._thread.join()

    def _deliver(self) -> None:
        database = open_database(self._database_url)
        try:
            with worker_lock(database, self._folder, "sleeper", NOW) as worker:
                delivery = delivery_of(database, self, self._folder, patience_seconds=0.0)
                deliver(delivery, self._issue_id, worker, stop=self._stop, threads=1, clock=self._now)
        finally:
            database.dispose()

    def _now(self) -> datetime:
        return clock() + self._slept


def ordinal_of(database: Database, issue_id: int, to: str) -> int:
    """The place of a frozen reader."""
    people = tables.issue_recipients
    query = sa.select(people.c.ordinal).where(people.c.issue_id == issue_id, people.c.email == to)
    with database.read() as connection:
        return int(connection.execute(query).scalar_one())


def places(database: Database, issue_id: int) -> dict[str, str]:
    """Where each frozen reader stands: the outcome of their own, else that of their batch."""
    batches, people, outcomes = tables.batches, tables.issue_recipients, tables.recipient_outcomes
    with database.read() as connection:
        found = {
            row.ordinal: row.email for row in connection.execute(sa.select(people).where(people.c.issue_id == issue_id))
        }
        told: dict[str, str] = {}
        for row in connection.execute(sa.select(batches).where(batches.c.state != "split")):
            for ordinal in range(row.first, row.last + 1):
                told[found[ordinal]] = row.state
        for row in connection.execute(sa.select(outcomes)):
            told[found[row.ordinal]] = row.outcome
    return told


@cache
def _template() -> bytes:
    folder = Path(tempfile.mkdtemp(prefix="migrated-"))
    try:
        database = open_database(f"sqlite:///{folder / 'syndicate.db'}")
        database.upgrade()
        database.dispose()
        return (folder / "syndicate.db").read_bytes()
    finally:
        shutil.rmtree(folder)


def migrated_sqlite(folder: Path) -> str:
    """The URL of a new database in that folder: migrated once, copied for each example."""
    path = folder / "syndicate.db"
    path.write_bytes(_template())
    return f"sqlite:///{path}"
