"""A database that cannot go on says so in one sentence, with the next step."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.errors import StorageError
from syndicate.storage import database as module
from syndicate.storage.database import Database, open_database
from syndicate.storage.leadership import leading
from syndicate.storage.publishing_lock import publishing_lock


def opened(path: Path) -> Database:
    return open_database(f"sqlite:///{path}")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "letters.db"
    path.write_text("A letter to the editor. " * 50)
    for use in (opened(path).upgrade, opened(path).require_current):
        with pytest.raises(StorageError, match=rf"{path} is no SQLite database .*Put a backup in its place") as caught:
            use()
        assert not caught.value.try_again


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "torn.db"
    database = opened(path)
    database.upgrade()
    database.dispose()
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(StorageError, match=r"torn\.db is damaged"):
        opened(path).require_current()


def test_a_folder_in_the_place_of_the_database_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"cannot be opened .*Make the file and its folder readable"):
        opened(tmp_path).upgrade()


def test_a_database_that_another_program_keeps_locked_is_worth_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BUSY_SECONDS", 0.05)
    path = tmp_path / "busy.db"
    opened(path).upgrade()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    database = opened(path)
    with pytest.raises(StorageError, match=r"is locked by another program .*Try again") as caught, database.write():
        pass
    assert caught.value.try_again
    holder.execute("ROLLBACK")
    with database.write():
        pass


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    database = opened(tmp_path / "full.db")
    database.upgrade()
    with database.read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
    with (
        pytest.raises(StorageError, match=r"the disk is full .*nothing is lost") as caught,
        database.write() as connection,
    ):
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
        connection.exec_driver_sql("CREATE TABLE filler (text TEXT)")
        connection.execute(sa.text("INSERT INTO filler VALUES (:text)"), {"text": "x" * 1_000_000})
    assert caught.value.try_again
    with database.read() as connection:
        assert not sa.inspect(connection).has_table("filler")


def test_a_wrong_statement_stays_a_defect_of_ours(database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError), database.read() as connection:
        connection.exec_driver_sql("SELECT nothing FROM nowhere")
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.exec_driver_sql("INSERT INTO counters (name, value) VALUES ('twice', 1)")
        connection.exec_driver_sql("INSERT INTO counters (name, value) VALUES ('twice', 1)")


def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    database = open_database("postgresql://desk:very-secret@127.0.0.1:1/news")
    with pytest.raises(StorageError, match=r"desk:\*\*\*@127.0.0.1:1/news cannot be used") as caught, database.read():
        pass
    assert "very-secret" not in str(caught.value)
    assert caught.value.try_again


def test_a_connection_that_the_server_ended_is_worth_another_try(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has no server.")
    with pytest.raises(StorageError, match="cannot be used") as caught, database.read() as connection:
        mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with database.write() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({mine})")
        connection.exec_driver_sql("SELECT 1")
    assert caught.value.try_again


def test_a_writer_that_falls_asleep_keeps_nobody_waiting_for_ever(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite ends nobody's transaction: its lock goes with the process.")
    monkeypatch.setattr(module, "WRITER_IDLE_SECONDS", 0.3)
    put = sa.text(
        "INSERT INTO counters (name, value) VALUES ('kept', :by) ON CONFLICT (name) DO UPDATE SET value = :by"
    )
    with pytest.raises(StorageError, match="cannot be used") as caught, database.write() as sleeper:
        sleeper.execute(put, {"by": 1})
        with database.write() as other:
            other.execute(put, {"by": 2})  # waits until the server has ended the sleeper's
        sleeper.execute(put, {"by": 3})
    assert caught.value.try_again
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT value FROM counters WHERE name = 'kept'").scalar_one() == 2


def end_session(database: Database, pid: int) -> None:
    with database.write() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")


def test_every_further_statement_on_a_lost_connection_says_so(database: Database) -> None:
    """SQLAlchemy words the second one as a mistake in the program."""
    if database.is_sqlite:
        pytest.skip("SQLite has no server.")
    with pytest.raises(StorageError, match="connection is lost") as caught, database.read() as connection:
        end_session(database, connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        for _ in range(2):
            with suppress(sa.exc.OperationalError):
                connection.exec_driver_sql("SELECT 1")
    assert caught.value.try_again


def test_a_leader_whose_connection_is_lost_is_told_at_every_beat(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("On SQLite everybody leads.")
    with leading(database) as lead:
        assert lead is not None and lead._session is not None
        end_session(database, lead._session.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
        for _ in range(2):  # the clock and the alarm each give a sign of life
            with pytest.raises(StorageError, match="cannot be used"):
                lead.beat()


def test_a_publisher_whose_connection_is_lost_has_let_go(database: Database) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has no server.")
    held = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database ="
    mine = f"{held} (SELECT oid FROM pg_database WHERE datname = current_database())"
    with publishing_lock(database):
        with database.read() as connection:
            pid = connection.exec_driver_sql(mine).scalar_one()
        end_session(database, pid)
    with publishing_lock(database, patience=5.0):
        pass


@pytest.mark.parametrize(("set_to", "held"), [("off", "local"), ("on", "on"), ("remote_apply", "remote_apply")])
def test_a_commit_waits_until_it_outlives_the_server(database: Database, set_to: str, held: str) -> None:
    """Else a crash takes claims back whose requests went out."""
    if database.is_sqlite:
        pytest.skip("SQLite has no server.")
    with database.engine.begin() as connection:
        name = connection.engine.url.database
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" SET synchronous_commit = {set_to}')
    database.dispose()
    with database.write() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == held
    with database.read() as connection:
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == set_to
