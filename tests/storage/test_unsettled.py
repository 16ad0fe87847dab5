"""What is not accepted, by state and reason, adds up to the books; who was refused is listed once, in order."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
import sqlalchemy as sa

from syndicate.storage import books as books_module
from syndicate.storage import tables, unsettled
from syndicate.storage.books import books, parked
from syndicate.storage.database import Database
from syndicate.storage.unsettled import Reason, reasons, refused_readers
from tests.mailing import NOW, address, batches_of, books_now, clock, frozen_issue

LATER = NOW + timedelta(minutes=5)


def put(database: Database, batch_id: int, state: str, why: str = "", **changes: object) -> None:
    with database.write() as connection:
        connection.execute(
            sa.update(tables.batches).where(tables.batches.c.id == batch_id).values(state=state, why=why, **changes)
        )


def single_out(database: Database, issue_id: int, batch_id: int, outcome: str, people: dict[int, str]) -> None:
    with database.write() as connection:
        for ordinal, why in people.items():
            connection.execute(
                sa.insert(tables.recipient_outcomes).values(
                    issue_id=issue_id, ordinal=ordinal, batch_id=batch_id, outcome=outcome, why=why, at=NOW
                )
            )


def a_bad_day(database: Database) -> int:
    """Six requests of ten; of the first two are refused and one has left, of the second one is proven to have it."""
    issue_id = frozen_issue(database, 60)
    first, second, third, fourth, fifth, sixth = (batch.id for batch in batches_of(database, issue_id))
    put(database, first, "accepted")
    single_out(database, issue_id, first, "refused", {3: f"550 <{address(3)}>: gone", 7: f"550 <{address(7)}>: gone"})
    single_out(database, issue_id, first, "suppressed", {5: "they left"})
    put(database, second, "uncertain", "the answer was lost")
    single_out(database, issue_id, second, "accepted", {12: ""})
    put(database, third, "uncertain", "not in the mail API's record yet", retry_at=LATER)
    put(database, fourth, "retry", "429: too many", retry_at=LATER)
    put(database, fifth, "refused", "550: no such domain")
    single_out(database, issue_id, fifth, "suppressed", {44: "they left"})
    put(database, sixth, "planned")
    return issue_id


def test_the_reasons_are_told_with_counts_and_the_next_time(database: Database) -> None:
    issue_id = a_bad_day(database)
    with database.read() as connection:
        found = reasons(connection, issue_id)
        assert parked(connection, issue_id) == 9
    assert found == [
        Reason("uncertain", "not in the mail API's record yet", 10, LATER),
        Reason("uncertain", "the answer was lost", 9),
        Reason("retry", "429: too many", 10, LATER),
        Reason("refused", "550: no such domain", 9),
        Reason("refused", "550 <…>: gone", 2),
        Reason("suppressed", "they left", 2),
    ]
    told: Counter[str] = Counter()
    for each in found:
        told[each.state] += each.people
    balance = books_now(database, issue_id)
    assert (told["uncertain"], told["refused"], told["suppressed"]) == (balance.uncertain, balance.refused, 2)
    assert told["retry"] + 10 == balance.waiting


def test_what_nobody_is_sending_any_more_has_its_line_too(database: Database) -> None:
    issue_id = a_bad_day(database)
    sixth = batches_of(database, issue_id)[5].id
    for lease, gone in ((timedelta(hours=-1), []), (timedelta(hours=1), ["work-gone"]), (timedelta(hours=1), [])):
        put(database, sixth, "sending", lease_until=clock() + lease, worker_id="work-gone")
        with database.read() as connection:
            found = reasons(connection, issue_id, gone=gone)
            uncertain = books(connection, issue_id, gone).uncertain
        left = [each.people for each in found if each.why == unsettled.LEFT_ALONE]
        assert left == ([] if lease > timedelta(0) and not gone else [10])
        assert sum(each.people for each in found if each.state == "uncertain") == uncertain


def test_each_who_was_refused_is_listed_once_in_order(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    issue_id = a_bad_day(database)
    monkeypatch.setattr(unsettled, "AT_ONCE", 1)
    with database.read() as connection:
        listed = [(each.ordinal, each.email) for each in refused_readers(connection, issue_id)]
    ordinals = [3, 7, *(number for number in range(41, 51) if number != 44)]
    assert [ordinal for ordinal, _ in listed] == ordinals
    with database.read() as connection:
        people = tables.issue_recipients
        rows = connection.execute(sa.select(people.c.ordinal, people.c.email))
        kept = {row.ordinal: row.email for row in rows}
    assert listed == [(ordinal, kept[ordinal]) for ordinal in ordinals]


def test_however_many_there_are_only_so_many_are_looked_at(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_id = a_bad_day(database)
    monkeypatch.setattr(unsettled, "MOST_ROWS", 1)
    with database.read() as connection:
        found = reasons(connection, issue_id)
    assert [each for each in found if each.state == "uncertain"] == [
        Reason("uncertain", "the answer was lost", 9, more=True)
    ]
    monkeypatch.setattr(books_module, "MOST_ROWS", 1)
    with database.read() as connection:
        assert parked(connection, issue_id) is None
    with database.read() as connection:
        assert reasons(connection, issue_id + 1) == [] and list(refused_readers(connection, issue_id + 1)) == []
