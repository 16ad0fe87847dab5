"""What the queue of many processes does besides: for those that are killed, asleep or cut off, and for its tables."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.job import Job
from syndicate.errors import StorageError
from syndicate.queues import procrastinate
from syndicate.queues.procrastinate import ProcrastinateQueue
from syndicate.storage.database import Database, open_database
from syndicate.storage.migrations import require_current
from tests.process.waiting import until


@pytest.fixture
def database(postgresql_server: str) -> Iterator[Database]:
    """One without tables on PostgreSQL; other processes may open it too."""
    server = sa.make_url(postgresql_server).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    name = f"syndicate_queue_{os.getpid()}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
    opened = open_database(server.set(database=name).render_as_string(hide_password=False))
    opened.queue = ProcrastinateQueue(opened.engine)
    yield opened
    opened.dispose()
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def queue(database: Database, monkeypatch: pytest.MonkeyPatch) -> ProcrastinateQueue:
    """Impatient, so that a test need not wait for long."""
    monkeypatch.setattr(procrastinate, "STALLED_SECONDS", 3.0)
    monkeypatch.setattr(procrastinate, "BEAT_SECONDS", 0.3)
    monkeypatch.setattr(procrastinate, "POLL_SECONDS", 0.3)
    assert isinstance(database.queue, ProcrastinateQueue)
    with database.write() as connection:
        database.queue.upgrade(connection)
    return database.queue


def job(subject: str) -> Job:
    return Job("publish", subject, "publish")


@contextmanager
def waiter(database: Database, file: Path) -> Iterator[subprocess.Popen[bytes]]:
    url = database.engine.url.render_as_string(hide_password=False)
    process = subprocess.Popen([sys.executable, "-m", "tests.queues.waiter", url, str(file)])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").split() if file.exists() else []


def test_what_a_killed_process_had_taken_is_done_by_another(
    database: Database, queue: ProcrastinateQueue, tmp_path: Path
) -> None:
    queue.put([job("slow 1"), job("slow 2")])
    with waiter(database, tmp_path / "taken") as victim:
        until(lambda: len(lines(tmp_path / "taken")) == 4)
        queue.put([job("slow 1")])  # its like waits already when it is put again
        victim.kill()
    done: list[str] = []
    hands = queue.work(lambda job: done.append(job.subject), {"publish": 1})
    until(lambda: set(done) == {"slow 1", "slow 2"})
    until(lambda: not queue.standing())
    assert list(hands.leave(10)) == []
    assert sorted(done) == ["slow 1", "slow 2"]


def test_one_that_sleeps_is_stood_in_for_and_goes_on_when_it_wakes(
    database: Database, queue: ProcrastinateQueue, tmp_path: Path
) -> None:
    queue.put([job("slow")])
    with waiter(database, tmp_path / "taken") as sleeper:
        until(lambda: lines(tmp_path / "taken") == ["slow"])
        sleeper.send_signal(signal.SIGSTOP)
        done: list[str] = []
        hands = queue.work(lambda job: done.append(job.subject), {"publish": 1})
        until(lambda: done == ["slow"])
        assert list(hands.leave(10)) == []
        sleeper.send_signal(signal.SIGCONT)
        queue.put([job("next")])
        until(lambda: lines(tmp_path / "taken") == ["slow", "next"])
        until(lambda: not queue.standing())


def test_one_that_is_cut_off_comes_back(
    database: Database, queue: ProcrastinateQueue, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[str] = []
    hands = queue.work(lambda job: done.append(job.subject), {"publish": 1, "collect": 1})
    queue.put([job("before")])
    until(lambda: done == ["before"])
    cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
    with database.engine.connect() as connection:
        ended = connection.exec_driver_sql(f"{cut} AND pid <> pg_backend_pid()").scalar_one()
    assert ended >= 3
    queue.put([job("after")])
    until(lambda: done == ["before", "after"])
    assert list(hands.leave(10)) == []
    assert [record.message for record in caplog.records if record.name != "syndicate.queue"] == []


def test_leaving_while_the_database_is_gone_takes_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = sa.create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nowhere?connect_timeout=1")
    hands = ProcrastinateQueue(engine).work(lambda job: None, {"publish": 1})
    assert list(hands.leave(40)) == []


# --- its tables -----------------------------------------------------------------------------------------------------


def made(connection: Connection) -> list[tuple[object, ...]]:
    """All that Procrastinate made, in words of the database."""
    queries = (
        "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
        " WHERE table_name LIKE 'procrastinate%' AND table_schema = 'public'",
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename LIKE 'procrastinate%'",
        "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'procrastinate%'",
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE 'procrastinate%'",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid::regclass::text LIKE 'procrast%'",
        "SELECT typname, enumlabel FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid",
    )
    rows = (row for query in queries for row in connection.exec_driver_sql(query.replace("%", "%%")))
    return sorted(map(tuple, rows), key=str)


def test_an_upgrade_makes_what_procrastinate_asks_for_and_twice_is_once(database: Database) -> None:
    from procrastinate.schema import SchemaManager

    database.upgrade()
    database.upgrade()
    require_current(database)
    with database.read() as connection:
        upgraded = made(connection)
    with database.write() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        connection.connection.driver_connection.execute(SchemaManager.get_schema())  # type: ignore[union-attr]
        assert made(connection) == upgraded
    assert len(upgraded) > 50


def test_an_older_schema_is_brought_up_to_the_one_that_is_installed(database: Database) -> None:
    from procrastinate.schema import SchemaManager

    database.upgrade()
    with database.read() as connection:
        newest = made(connection)
    steps = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    older = [path for path in steps if path.stem < "03.03"]
    with database.write() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        for path in older:
            connection.connection.driver_connection.execute(path.read_text())  # type: ignore[union-attr]
        connection.exec_driver_sql(f"COMMENT ON TABLE procrastinate_jobs IS '{procrastinate._WHOSE}{older[-1].stem}'")
    database.upgrade()
    require_current(database)
    with database.read() as connection:
        names = {row[0] for row in made(connection)}
    assert {row[0] for row in newest} <= names


def test_a_database_without_the_tables_of_the_queue_says_what_to_do(database: Database) -> None:
    queue, database.queue = database.queue, None
    database.upgrade()
    database.queue = queue
    with pytest.raises(StorageError, match=r"queue in the database has no tables yet.*syndicate db upgrade"):
        require_current(database)
    database.upgrade()
    require_current(database)


def test_jobs_of_another_program_are_left_alone(database: Database) -> None:
    from procrastinate.schema import SchemaManager

    with database.write() as connection:
        connection.connection.driver_connection.execute(SchemaManager.get_schema())  # type: ignore[union-attr]
    with pytest.raises(StorageError, match="of another program"):
        database.upgrade()


def test_a_program_without_procrastinate_says_what_to_install(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(procrastinate, "find_spec", lambda name: None)
    with pytest.raises(StorageError, match=r"syndicate\[postgres\]"):
        database.upgrade()


def test_looking_at_the_queue_does_not_import_procrastinate(database: Database) -> None:
    database.upgrade()
    url = database.engine.url.render_as_string(hide_password=False)
    look = f"""
import sys
from syndicate.queues.procrastinate import ProcrastinateQueue
from syndicate.storage.database import open_database
database = open_database({url!r})
database.queue = ProcrastinateQueue(database.engine)
database.require_current()
assert not [name for name in sys.modules if name.partition(".")[0] == "procrastinate"]
"""
    subprocess.run([sys.executable, "-c", look], check=True)
