"""The migrations give exactly the tables, on both databases, whoever runs them and however often."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from syndicate.errors import StorageError
from syndicate.storage.database import Database, open_database
from syndicate.storage.migrations import current_revision, require_current, revisions
from syndicate.storage.tables import metadata

UPGRADE = """
import sys
from syndicate.storage.database import open_database
sys.stdin.readline()
open_database(sys.argv[1]).upgrade()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    server = sa.make_url(request.getfixturevalue("postgresql_server")).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE DATABASE syndicate_empty")
    yield server.set(database="syndicate_empty").render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql("DROP DATABASE syndicate_empty WITH (FORCE)")


@pytest.fixture
def empty(empty_url: str) -> Iterator[Database]:
    database = open_database(empty_url)
    yield database
    database.dispose()


def differences(database: Database) -> list[object]:
    with database.read() as connection:
        options = {"compare_type": True, "compare_server_default": not database.is_sqlite, "include_object": is_ours}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def is_ours(thing: object, name: str | None, kind: str, reflected: bool, other: object) -> bool:
    """The queue has tables of its own."""
    return not (kind == "table" and name is not None and name.startswith("procrastinate_"))


def test_the_steps_equal_the_tables(database: Database) -> None:
    assert differences(database) == []


def test_the_comparison_sees_a_column_that_no_step_made(database: Database) -> None:
    with database.write() as connection:
        connection.exec_driver_sql("ALTER TABLE articles DROP COLUMN translated_by")
    assert [change[0] for change in differences(database) if isinstance(change, tuple)] == ["add_column"]


def test_upgrading_twice_changes_nothing_more(empty: Database) -> None:
    empty.upgrade()
    empty.upgrade()
    require_current(empty)
    with empty.read() as connection:
        assert current_revision(connection) == revisions()[-1]


def test_two_processes_and_two_threads_upgrade_at_once(empty_url: str) -> None:
    children = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, empty_url], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    database = open_database(empty_url)
    with ThreadPoolExecutor(2) as threads:
        for child in children:
            assert child.stdin
            child.stdin.write("go\n")
            child.stdin.flush()
        for each in [threads.submit(database.upgrade) for _ in range(2)]:
            each.result()
    for child in children:
        _, complaints = child.communicate(timeout=60)
        assert child.returncode == 0, complaints
    require_current(database)
    database.dispose()


def test_a_step_that_fails_leaves_nothing_behind(empty: Database) -> None:
    with empty.write() as connection:
        connection.exec_driver_sql("CREATE TABLE subscriptions (in_the_way INTEGER)")
    with pytest.raises(StorageError, match=r"tables of another program.*Name an empty database"):
        empty.upgrade()
    with empty.read() as connection:
        assert sa.inspect(connection).get_table_names() == ["subscriptions"]


def test_a_database_without_tables_says_what_to_do(empty: Database) -> None:
    with empty.write():
        pass
    with pytest.raises(StorageError, match=r"no tables yet.*syndicate db upgrade"):
        require_current(empty)


def test_a_missing_file_is_not_made_by_looking(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/none.db")
    with pytest.raises(StorageError, match="no database at"):
        require_current(database)
    assert not (tmp_path / "none.db").exists()


def test_a_file_that_is_no_database_says_so(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database at all, but long enough to be read as a header" * 20)
    with pytest.raises(StorageError, match="is no SQLite database"):
        require_current(open_database(f"sqlite:///{tmp_path}/text.db"))


def test_older_and_newer_tables_are_refused(database: Database) -> None:
    for revision, words in (("0000", "does not know"), ("9999", "newer Syndicate")):
        with database.write() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :it"), {"it": revision})
        with pytest.raises(StorageError, match=words):
            require_current(database)
        with pytest.raises(StorageError, match="does not know"):
            database.upgrade()


def test_looking_at_the_revision_does_not_import_alembic(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path}/site.db")
    database.upgrade()
    look = f"""
import sys
from syndicate.storage.database import open_database
open_database("sqlite:///{tmp_path}/site.db").require_current()
assert not [name for name in sys.modules if name.partition(".")[0] == "alembic"]
"""
    subprocess.run([sys.executable, "-c", look], check=True)
