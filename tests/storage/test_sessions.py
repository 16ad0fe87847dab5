"""A worker's lock is its own: a pool that gives sessions away is refused, with the cure."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from syndicate.errors import StorageError
from syndicate.storage.database import open_database
from syndicate.storage.leadership import leading
from syndicate.storage.workers import is_alive, worker_lock
from tests.storage.session_pool import SessionPool

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture
def on_postgresql(database_url: str) -> str:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has no sessions")
    return database_url


def test_who_has_a_session_for_good_may_work(on_postgresql: str, tmp_path: Path) -> None:
    with SessionPool(on_postgresql, by_transaction=False) as pool:
        database = open_database(pool.url)
        with worker_lock(database, tmp_path, "test", NOW) as worker, leading(database) as lead:
            assert is_alive(database, tmp_path, worker.id)
            assert lead is not None
        database.dispose()


def test_who_shares_sessions_may_not_and_is_told_what_to_do(on_postgresql: str, tmp_path: Path) -> None:
    with SessionPool(on_postgresql, by_transaction=True) as pool:
        database = open_database(pool.url)
        for begin in (lambda: worker_lock(database, tmp_path, "test", NOW), lambda: leading(database)):
            with pytest.raises(StorageError, match="gives each transaction another session") as refused, begin():
                raise AssertionError("not reached")
            assert "pool_mode = session" in str(refused.value)
        database.dispose()
