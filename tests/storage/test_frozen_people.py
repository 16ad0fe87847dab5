"""Frozen people come out as they went in, whatever their names hold."""

from __future__ import annotations

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.frozen_people import read_people
from tests.mailing import make_issue, make_newsroom

recipients = tables.issue_recipients
COLUMNS = ("ordinal", "subscriber_id", "email", "name", "variant_key")
# What divides values where they are read is likely here, and nothing at all.
names = st.text(st.sampled_from("\x1f,a é\"'\\{}"), max_size=3)
persons = st.lists(
    st.tuples(st.integers(1, 2**40), names, st.sampled_from(["", "en", "en\x1f"])),
    max_size=12,
    unique_by=lambda person: person[0],
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(persons=persons, first=st.integers(-1, 14), last=st.integers(-1, 14))
def test_they_come_out_as_they_went_in(
    database: Database, persons: list[tuple[int, str, str]], first: int, last: int
) -> None:
    rows = [
        (ordinal, subscriber, f"reader{ordinal}@example.org", name, variant)
        for ordinal, (subscriber, name, variant) in enumerate(persons, start=1)
    ]
    with database.read() as connection:
        issue_id = connection.execute(sa.select(sa.func.max(tables.issues.c.id))).scalar_one()
    issue_id = issue_id or make_issue(database, make_newsroom(database))
    with database.write() as connection:
        connection.execute(sa.delete(recipients))
        if rows:
            values = [
                dict(zip(COLUMNS, row, strict=True)) | {"issue_id": issue_id, "address": row[2]}
                # As they may lie after corrections: not in their order.
                for row in reversed(rows)
            ]
            connection.execute(sa.insert(recipients), values)
    with database.read() as connection:
        people = read_people(connection, issue_id, first, last)
    columns = (people.ordinals, people.subscriber_ids, people.emails, people.names, people.variant_keys)
    assert list(zip(*columns, strict=True)) == [row for row in rows if first <= row[0] <= last]


def test_one_name_that_holds_what_divides_them_mixes_up_nobody(database: Database) -> None:
    issue_id = make_issue(database, make_newsroom(database))
    rows = [(1, 7, "a@example.org", "\x1fAda", ""), (2, 8, "b@example.org", "Bo\x1fb\x1f", "")]
    with database.write() as connection:
        values = [dict(zip(COLUMNS, row, strict=True)) | {"issue_id": issue_id, "address": row[2]} for row in rows]
        connection.execute(sa.insert(recipients), values)
    with database.read() as connection:
        people = read_people(connection, issue_id, 1, 2)
    assert list(people.names) == ["\x1fAda", "Bo\x1fb\x1f"] and list(people.ordinals) == [1, 2]
