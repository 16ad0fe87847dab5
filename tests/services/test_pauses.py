"""Readers who pause: no issue is frozen for them, what is frozen already leaves them out, and nothing is lost."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa

from syndicate.core.issue import Audience
from syndicate.storage import tables
from syndicate.storage.audience import count_audience, not_in_audience
from syndicate.storage.claims import planned_recipients
from syndicate.storage.database import Database
from syndicate.storage.ledger import select_batches
from tests.mailing import NOW, add_readers, address, freeze_it, make_issue, make_newsroom


def pause(database: Database, reader: int, until: datetime | None) -> None:
    table = tables.subscriptions
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.subscriber_id == reader).values(paused_until=until))


def frozen(database: Database, issue_id: int) -> list[int]:
    table = tables.issue_recipients
    with database.read() as connection:
        return list(
            connection.execute(
                sa.select(table.c.subscriber_id).where(table.c.issue_id == issue_id).order_by(table.c.ordinal)
            ).scalars()
        )


def test_an_issue_is_frozen_without_who_pauses_and_with_whose_pause_is_over(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 3)
    pause(database, 1, NOW + timedelta(seconds=1))
    pause(database, 2, NOW)
    with database.read() as connection:
        assert count_audience(connection, "morning", Audience("daily"), now=NOW) == 2
        assert count_audience(connection, "morning", Audience("daily"), now=NOW + timedelta(hours=1)) == 3
        named = (address(1), address(2))
        assert not_in_audience(connection, "morning", named, now=NOW) == [address(1)]
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id) == "sending"
    assert frozen(database, issue_id) == [2, 3]


def test_who_pauses_after_the_freeze_is_left_out_where_their_batch_is_not_claimed_yet(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 3)
    issue_id = make_issue(database, articles)
    freeze_it(database, issue_id)
    pause(database, 2, NOW + timedelta(days=7))
    with database.read() as connection:
        (batch,) = select_batches(connection, issue_id)
        people = planned_recipients(connection, "morning", [batch])[batch.id]
    assert list(people.everybody.subscriber_ids) == [1, 2, 3]
    assert (people.excluded, list(people.now.subscriber_ids)) == ({2: "paused"}, [1, 3])
    pause(database, 2, None)
    with database.read() as connection:
        people = planned_recipients(connection, "morning", [batch])[batch.id]
    assert not people.excluded
