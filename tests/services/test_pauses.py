"""Readers who pause: no issue is frozen for them, what is frozen already leaves them out, and nothing is lost."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.issue import Audience
from syndicate.core.reader_steps import Choice, Circumstances
from syndicate.services.change_preferences import change_preferences
from syndicate.services.leave_newsletter import leave, undo_leave
from syndicate.storage import tables
from syndicate.storage.audience import count_audience, not_in_audience
from syndicate.storage.claims import planned_recipients
from syndicate.storage.database import Database
from syndicate.storage.issues import get_variants
from syndicate.storage.ledger import select_batches
from tests.mailing import MORNING, NOW, add_readers, address, freeze_it, make_issue, make_newsroom
from tests.services.model_api import ModelAPI
from tests.services.test_deliver_issue import deliver_it
from tests.services.test_freeze_issue import mark_accepted


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


def carried(database: Database, issue_id: int) -> dict[int, list[str]]:
    """The articles that each reader of the issue gets."""
    recipients = tables.issue_recipients
    with database.read() as connection:
        versions = get_variants(connection, issue_id, 1)
        rows = connection.execute(sa.select(recipients).where(recipients.c.issue_id == issue_id)).all()
    return {row.subscriber_id: sorted(versions[row.variant_key].article_ids) for row in rows}


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


@pytest.mark.parametrize("how", ["pauses", "pauses while it is frozen", "leaves and is back when it is sent", "has it"])
def test_a_joiner_who_is_away_while_their_first_issue_goes_has_it_with_the_next(
    database: Database, tmp_path: Path, how: str
) -> None:
    articles = make_newsroom(database, articles=2, mark=1)  # the mark is where the first issue ends
    add_readers(database, 2)
    first, later = make_issue(database, articles[:1]), NOW + timedelta(minutes=1)
    wish = Choice({"morning": None}, later + timedelta(days=1))

    def pauses() -> None:
        change_preferences(
            database, subscriber_id=2, choice=wish, newsletters=[MORNING], proof=Circumstances("form"), now=later
        )

    if how == "pauses while it is frozen":
        with database.write() as connection:
            begun = {"state": "freezing", "frozen_at": NOW, "frozen_through": 0}
            connection.execute(sa.update(tables.issues).values(begun))
        pauses()
    freeze_it(database, first)
    if how == "pauses":
        pauses()
    elif how == "leaves and is back when it is sent":
        leave(database, subscriber_id=2, newsletter="morning", proof=Circumstances("form"), now=later)
    deliver_it(database, first, ModelAPI("keys", 10), tmp_path)
    if how == "leaves and is back when it is sent":
        undo_leave(database, subscriber_id=2, newsletter="morning", proof=Circumstances("form"), now=later)
    elif how == "has it":
        pauses()
    second = make_issue(database, articles[1:])
    assert freeze_it(database, second, now=NOW + timedelta(days=3)) == "sending"
    assert carried(database, second) == {1: articles[1:], 2: articles[1:] if how == "has it" else articles}


def test_who_comes_back_after_a_year_and_pauses_at_once_gets_nothing_of_that_year(database: Database) -> None:
    articles = make_newsroom(database, articles=30, mark=28)
    add_readers(database, 2)
    form, back = Circumstances("form"), NOW + timedelta(days=365)

    def goes(some: list[str], now: datetime) -> int:
        issue_id = make_issue(database, some)
        assert freeze_it(database, issue_id, now=now) == "sending"
        return issue_id

    mark_accepted(database, goes(articles[:1], NOW))
    leave(database, subscriber_id=2, newsletter="morning", proof=form, now=NOW + timedelta(days=1))
    mark_accepted(database, goes(articles[1:28], NOW + timedelta(days=300)))
    for until in (None, back + timedelta(days=7)):
        wish = Choice({"morning": None}, until)
        change_preferences(database, subscriber_id=2, choice=wish, newsletters=[MORNING], proof=form, now=back)
    third = goes(articles[28:], back + timedelta(days=8))
    assert carried(database, third) == {1: articles[28:], 2: articles[28:]}
