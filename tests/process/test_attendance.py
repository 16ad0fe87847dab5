"""A process among the workers: seen while it lives, under another name after its connection was lost."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from syndicate.errors import StorageError
from syndicate.process import attendance
from syndicate.process.attendance import Attendance
from syndicate.process.log import Log
from syndicate.process.loops import Loops
from syndicate.process.presence import worker_is_up
from syndicate.services.forget_workers import forget_dead_workers
from syndicate.site import Site
from syndicate.storage.database import database_now
from syndicate.storage.pulse import pulse
from syndicate.storage.tables import workers
from syndicate.storage.workers import life_of, live_workers
from tests.process.waiting import until

POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""A file, as SQLite's lock is, is not lost with a connection."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attendance, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(attendance, "SQLITE_BEAT_SECONDS", 0.05)


def test_it_is_seen_while_it_lives_and_gone_when_it_left(site: Site) -> None:
    loops = Loops(Log("work"))
    mine = Attendance(site, "worker", loops)
    with site.database.read() as connection:
        assert pulse(connection).roles == {}
        begun = database_now(connection)
    mine.begin()
    assert mine.worker is not None and mine.worker.id.startswith("worker-")
    assert worker_is_up(site)
    loops.keep("attendance", mine.step)

    def seen() -> bool:
        with site.database.read() as connection:
            return connection.execute(sa.select(workers.c.seen_at > begun)).scalar_one() is True

    until(seen)
    with site.database.read() as connection:
        assert pulse(connection).roles == {"worker": 1}
    loops.leave()
    assert loops.join(60) == []
    assert worker_is_up(site)  # it has not left yet: requests may be under way
    mine.close()
    assert not worker_is_up(site)
    with site.database.read() as connection:
        assert pulse(connection).roles == {}


def test_a_clock_alone_sends_nothing(site: Site) -> None:
    mine = Attendance(site, "clock", Loops(Log("clock")))
    mine.begin()
    assert live_workers(site.database, site.directory)
    assert not worker_is_up(site)
    mine.close()


@POSTGRESQL
def test_a_lock_that_is_lost_is_followed_by_another(site: Site) -> None:
    loops = Loops(Log("work"))
    mine = Attendance(site, "worker", loops)
    mine.begin()
    assert mine.worker is not None
    before = mine.worker.id
    cut = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
    with site.database.engine.connect() as connection:
        assert connection.exec_driver_sql(cut).all()
    with pytest.raises(StorageError, match="lock is lost"):
        until(mine.step)
    assert not worker_is_up(site)
    # This very process knows that whatever that worker had under way has ended.
    assert life_of(site.database, site.directory, before) == "gone"
    mine.step()
    assert mine.worker is not None and mine.worker.id != before
    mine.close()


@POSTGRESQL
def test_an_end_that_could_not_be_told_is_told_by_the_next_sweep(site: Site) -> None:
    mine = Attendance(site, "worker", Loops(Log("work")))
    mine.begin()
    assert mine.worker is not None
    worker_id = mine.worker.id

    def away(connection: object) -> None:
        raise StorageError("The database is away.")

    site.database.fence = away
    mine.close()
    site.database.fence = None
    with site.database.read() as connection:
        row = connection.execute(sa.select(workers.c.gone_at).where(workers.c.id == worker_id)).one()
        assert row.gone_at is None
        now = database_now(connection)
    assert forget_dead_workers(site.database, site.directory, now) == 1
