"""Nobody is twice in an issue, and no address: the database itself refuses it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from syndicate.storage import tables
from syndicate.storage.batches import insert_batch
from syndicate.storage.database import Database, open_database
from syndicate.storage.people import erase
from tests.mailing import NOW, add_readers, address, frozen_issue, make_newsroom

people, recipients = tables.subscribers, tables.issue_recipients


def row(issue_id: int, ordinal: int, subscriber_id: int) -> dict[str, Any]:
    its = address(subscriber_id)
    return {
        **{"issue_id": issue_id, "ordinal": ordinal, "subscriber_id": subscriber_id},
        **{"address": its, "email": its, "variant_key": ""},
    }


def test_a_reader_is_in_an_issue_once(database: Database) -> None:
    first = frozen_issue(database, 3)
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(sa.insert(recipients), [row(first, 4, 2)])
    with database.write() as connection:
        connection.execute(sa.insert(recipients), [row(first + 1, 4, 2)])


def set_address(database: Database, subscriber_id: int, to: str | None) -> None:
    with database.write() as connection:
        connection.execute(sa.update(people).where(people.c.id == subscriber_id).values(address=to))


def test_an_address_is_its_readers_for_good(database: Database) -> None:
    make_newsroom(database)
    add_readers(database, 3)
    set_address(database, 1, address(1))
    for subscriber_id, to in ((1, "other@example.org"), (2, address(3))):
        with pytest.raises(sa.exc.IntegrityError):
            set_address(database, subscriber_id, to)
    with database.write() as connection:
        erase(connection, 1, NOW)
    with pytest.raises(sa.exc.IntegrityError, match="keeps their address"):
        set_address(database, 1, address(1))
    add_readers(database, 1, first=4, address_of=lambda _number: address(1))
    with database.read() as connection:
        kept = connection.execute(sa.select(people.c.address).order_by(people.c.id)).scalars().all()
    assert kept == [None, address(2), address(3), address(1)]


def test_no_chunk_is_of_no_issue(database: Database) -> None:
    make_newsroom(database)
    with pytest.raises(sa.exc.IntegrityError), database.write() as connection:
        connection.execute(sa.insert(recipients), [row(99, 1, 1)])
        insert_batch(connection, 99, 1, 1, revision=1)
    with database.read() as connection:
        assert connection.execute(sa.select(recipients)).all() == []


@pytest.fixture(params=["sqlite", "postgresql"])
def of_before(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database at the step before readers were in an issue by who they are, and not by their addresses."""
    url, server = f"sqlite:///{tmp_path}/before.db", None
    if request.param == "postgresql":
        base = sa.make_url(request.getfixturevalue("postgresql_server")).set(drivername="postgresql+psycopg")
        server = sa.create_engine(base, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with server.connect() as connection:
            connection.exec_driver_sql("CREATE DATABASE syndicate_before")
        url = base.set(database="syndicate_before").render_as_string(hide_password=False)
    database = open_database(url)
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", "syndicate.storage:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, "0004")
    yield database
    database.dispose()
    if server is not None:
        with server.connect() as connection:
            connection.exec_driver_sql("DROP DATABASE syndicate_before WITH (FORCE)")
        server.dispose()


def test_whom_issues_went_to_stays_as_the_index_of_addresses_goes(of_before: Database) -> None:
    make_newsroom(of_before)
    add_readers(of_before, 4)
    with of_before.write() as connection:
        issue = {"newsletter": "morning", "cadence": "daily", "kind": "cadence", "state": "sent"}
        audience = {"cadence": "daily", "to": None}
        connection.execute(
            sa.insert(tables.issues), [{**issue, "id": n, "audience": audience, "drafted_at": NOW} for n in (1, 2)]
        )
        rows = [row(issue_id, n, n) for issue_id in (1, 2) for n in (1, 2, 3)]
        connection.execute(sa.insert(recipients), rows)
        erase(connection, 3, NOW)
        before = connection.execute(sa.select(recipients)).all()
    of_before.upgrade()
    with of_before.write() as connection:
        in_order = sa.select(recipients).order_by(recipients.c.issue_id, recipients.c.ordinal)
        assert connection.execute(in_order).all() == sorted(before)
        look = sa.inspect(connection)
        assert look.get_foreign_keys("issue_recipients") == []
        assert [each["column_names"] for each in look.get_indexes("issue_recipients") if each["unique"]] == [
            ["subscriber_id", "issue_id"]
        ]
        if of_before.is_sqlite:
            made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'issue_recipients'")
            assert "WITHOUT ROWID" in made.scalar_one()
    with pytest.raises(sa.exc.IntegrityError):
        set_address(of_before, 4, "other@example.org")
