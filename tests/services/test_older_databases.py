"""A database of each older version, brought up while mail was under way: nobody is lost, nobody is mailed twice."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from syndicate.core.books import Books
from syndicate.services import freeze_issue
from syndicate.services.deliver_transactional import deliver_transactional
from syndicate.services.recover_batches import recover
from syndicate.services.resolve_issue import resolve
from syndicate.storage import tables
from syndicate.storage.database import Database, open_database
from syndicate.storage.letters import open_letters
from syndicate.storage.migrations import revisions
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import MailApiServer, Plan, doubled, lost, read_journal
from tests.mailing import (
    NOW,
    PUBLICATION,
    SENDER,
    add_readers,
    address,
    batches_of,
    books_now,
    clock,
    freeze_it,
    make_issue,
    make_newsroom,
)
from tests.services.test_deliver_issue import deliver_it, everybody, issue_of

READERS = 70
OLDER = revisions()[:-1]


@pytest.fixture
def head(_migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    """Where it was under way."""
    shutil.copyfile(_migrated_sqlite, tmp_path / "head.db")
    database = open_database(f"sqlite:///{tmp_path / 'head.db'}")
    yield database
    database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database without tables."""
    if request.param == "sqlite":
        database = open_database(f"sqlite:///{tmp_path / 'older.db'}")
        yield database
        database.dispose()
        return
    url, drop = request.getfixturevalue("_cloned_postgresql")()
    database = open_database(url)
    with database.write() as connection:
        connection.exec_driver_sql("DROP SCHEMA public CASCADE")
        connection.exec_driver_sql("CREATE SCHEMA public")
    yield database
    database.dispose()
    drop()


def bring_to(database: Database, revision: str) -> None:
    with database.write() as connection:
        config = Config()
        config.set_main_option("script_location", "syndicate.storage:migrations")
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


def copy_into(older: Database, head: Database) -> None:
    """All that the older tables have room for."""
    with head.read() as source, older.write() as target:
        inspector = sa.inspect(target)
        # An audience was once tied to its issue.
        for table in sorted(tables.metadata.sorted_tables, key=lambda each: each.name == "issue_recipients"):
            if not inspector.has_table(table.name) or table.name == "audience_counts":
                continue
            there = {column["name"] for column in inspector.get_columns(table.name)}
            columns = [column for column in table.c if column.name in there]
            rows = [dict(row._mapping) for row in source.execute(sa.select(*columns))]
            bare = sa.table(table.name, *(sa.column(column.name, column.type) for column in columns))
            if rows:
                target.execute(sa.insert(bare), rows)
            counted = table.autoincrement_column
            if not older.is_sqlite and rows and counted is not None:
                last = f"SELECT setval(pg_get_serial_sequence('{table.name}', '{counted.name}'), max({counted.name}))"
                target.exec_driver_sql(f"{last} FROM {table.name}")


@pytest.mark.parametrize("revision", OLDER)
def test_an_issue_that_was_half_sent_goes_on(
    head: Database, empty: Database, tmp_path: Path, revision: str
) -> None:
    faults = Plan.parse(["2:drop_after_accept"], [], seed=7)
    with MailApiServer("resend", tmp_path / "journal", plan=faults) as server:
        api = Resized(mail_api("resend", server.url, recipients=10), idempotency_seconds=None)
        articles = make_newsroom(head)
        add_readers(head, READERS)
        issue_id = make_issue(head, articles)
        freeze_it(head, issue_id, sheet=api.sheet)
        stop = threading.Event()

        def after_three(done: int, of: int) -> None:
            if done >= 20:
                stop.set()

        deliver_it(head, issue_id, api, tmp_path, threads=1, stop=stop, progress=after_three)
        batches = tables.batches
        with head.write() as connection:
            # One that a process had claimed which is no more, one that is to wait, one whose reader must not be mailed.
            claimed = sa.select(sa.func.min(batches.c.id)).where(batches.c.state == "planned").scalar_subquery()
            connection.execute(
                sa.update(batches)
                .where(batches.c.id == claimed)
                .values(state="sending", worker_id="gone", fence=1, recipients=10, lease_until=clock())
            )
            people = tables.subscribers
            connection.execute(sa.update(people).where(people.c.id == 65).values(suppressed="manual"))
        states = [batch.state for batch in batches_of(head, issue_id)]
        assert {"accepted", "uncertain", "sending", "planned"} == set(states), states
        bring_to(empty, revision)
        copy_into(empty, head)
        empty.upgrade()
        assert books_now(empty, issue_id) == books_now(head, issue_id)
        recover(empty, tmp_path)
        balance = deliver_it(empty, issue_id, api, tmp_path)
        unsure = sum(10 for state in states if state in ("sending", "uncertain"))
        assert balance == Books(READERS, accepted=READERS - unsure - 1, uncertain=unsure, suppressed=1)
        journal = read_journal(server.journal)
        # Of whom nobody can tell, a person decides: here that they got it, and those of the second request did.
        assert doubled(journal) == {}
        first = 1 + 10 * states.index("sending")
        assert lost(journal, everybody(READERS)) == {address(n) for n in (65, *range(first, first + 10))}
        assert resolve(empty, issue_id, "count-as-sent", actor="desk", now=NOW) == unsure
        assert issue_of(empty, issue_id).state == "sent"
        assert books_now(empty, issue_id).balanced


@pytest.mark.parametrize("revision", OLDER)
def test_one_that_was_half_frozen_goes_on(
    head: Database, empty: Database, tmp_path: Path, revision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freeze_issue, "CHUNK", 20)
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        articles = make_newsroom(head)
        add_readers(head, READERS)
        issue_id = make_issue(head, articles)
        stop = threading.Event()
        seen: list[Any] = []

        def after_two(*told: Any) -> None:
            seen.append(told)
            if len(seen) == 2:
                stop.set()

        assert freeze_it(head, issue_id, sheet=api.sheet, progress=after_two, stop=stop) == "stopped"
        assert issue_of(head, issue_id).frozen_through > 0
        bring_to(empty, revision)
        copy_into(empty, head)
        empty.upgrade()
        people = tables.subscribers
        with empty.write() as connection:
            connection.execute(sa.update(people).where(people.c.id.in_([3, 65])).values(suppressed="manual"))
        assert freeze_it(empty, issue_id, sheet=api.sheet) == "sending"
        assert deliver_it(empty, issue_id, api, tmp_path).accepted == READERS - 2
        journal = read_journal(server.journal)
        assert (lost(journal, everybody(READERS)), doubled(journal)) == ({address(3), address(65)}, {})


@pytest.mark.parametrize("revision", OLDER[1:])
def test_a_letter_that_nobody_can_tell_of_waits_for_somebody(
    head: Database, empty: Database, tmp_path: Path, revision: str
) -> None:
    from tests.services.reading_room import ask
    from tests.services.site_rows import start

    faults = Plan.parse(["1:drop_after_accept"], [], seed=7)
    start(head, NOW)
    for email in ("ann@post.example", "bea@post.example"):
        ask(head, NOW, email)
    with MailApiServer("resend", tmp_path / "journal", plan=faults) as server:
        api = Resized(mail_api("resend", server.url, recipients=10), idempotency_seconds=None)

        def deliver(database: Database) -> None:
            with worker_lock(database, tmp_path, "test", NOW) as worker:
                deliver_transactional(database, api, SENDER, PUBLICATION, worker, clock=clock)

        deliver(head)
        mails = tables.transactional_mails
        with head.read() as connection:
            before = [(row.id, row.state) for row in connection.execute(sa.select(mails).order_by(mails.c.id))]
        assert {state for _, state in before} == {"uncertain", "accepted"}
        bring_to(empty, revision)
        copy_into(empty, head)
        empty.upgrade()
        deliver(empty)
        with empty.read() as connection:
            after = [(row.id, row.state) for row in connection.execute(sa.select(mails).order_by(mails.c.id))]
            assert len(open_letters(connection)) == 1
        assert after == before
        assert doubled(read_journal(server.journal)) == {}
