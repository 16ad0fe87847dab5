"""A new site's database."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.errors import StorageError
from syndicate.services.start_site import begin_empty
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.instance import add_signing_key, address_key, instance_id, list_signing_keys
from tests.services.site_rows import start


def test_starting_twice_keeps_the_first_key(database: Database, now: datetime) -> None:
    start(database, now)
    with database.read() as connection:
        keys = list_signing_keys(connection)
    start(database, now + timedelta(1))
    with database.read() as connection:
        assert list_signing_keys(connection) == keys
        assert len(keys) == 1
        assert connection.execute(sa.select(tables.instance.c.created_at)).scalar_one() == now


def test_what_hashes_addresses_and_names_the_instance_survives_a_new_key(database: Database, now: datetime) -> None:
    start(database, now)
    with database.read() as connection:
        before = address_key(connection), instance_id(connection)
    with database.write() as connection:
        add_signing_key(connection, b"n" * 32, now)
    with database.read() as connection:
        assert (address_key(connection), instance_id(connection)) == before
        assert [secret for _, secret in list_signing_keys(connection)] == [b"k" * 32, b"n" * 32]


def test_a_database_that_is_no_site_says_so(database: Database) -> None:
    with database.read() as connection, pytest.raises(StorageError, match="never started"):
        address_key(connection)


def test_an_empty_beginning_is_remembered_once(database: Database, now: datetime) -> None:
    start(database, now)
    begin_empty(database, ["desk"], now)
    begin_empty(database, ["desk"], now + timedelta(1))
    with database.read() as connection:
        assert connection.execute(sa.select(tables.sources.c.first_look_at)).scalar_one() == now


def test_commands_that_find_a_new_site_at_the_same_moment_start_it_once(database: Database, now: datetime) -> None:
    barrier = threading.Barrier(6)

    def command() -> None:
        barrier.wait()
        start(database, now)

    with ThreadPoolExecutor(6) as pool:
        for each in [pool.submit(command) for _ in range(6)]:
            each.result()
    with database.read() as connection:
        assert len(list_signing_keys(connection)) == 1
        assert len(connection.execute(sa.select(tables.cadences)).all()) == 2
        actions = connection.execute(sa.select(tables.audit_log.c.action)).scalars().all()
    assert list(actions) == ["site.start"]
