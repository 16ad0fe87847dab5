"""Tokens of requests whose signature leaves the body out: another body under the same token is not believed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from syndicate.storage.database import Database
from syndicate.storage.people import lock_people
from syndicate.storage.request_tokens import Use, believe, forget_tokens
from tests.mailing import NOW

LASTS = timedelta(hours=9)


def used(database: Database, uses: Sequence[Use], now: datetime = NOW) -> list[bool]:
    with database.write() as connection:
        lock_people(connection)
        return believe(connection, uses, b"k" * 32, lasts=LASTS, now=now)


def test_a_token_is_good_for_one_body(database: Database) -> None:
    for minutes in (0, 10, 20):
        now = NOW + timedelta(minutes=minutes)
        assert used(database, [("t1", b"body")], now) == [True]
    late = NOW + timedelta(hours=8)
    for _ in range(2):
        forged = [("t1", b"other"), ("t1", b""), ("t1", b"body ")]
        assert used(database, forged, late) == [False] * 3
    assert used(database, [("t1", b"body"), ("t2", b"other")], late) == [True, True]


def test_of_two_bodies_that_come_together_the_first_is_believed(database: Database) -> None:
    together = [("t1", b"a"), ("t1", b"b"), ("t2", b"b"), ("t1", b"a")]
    assert used(database, together) == [True, False, True, True]
    assert used(database, together) == [True, False, True, True]
    assert used(database, []) == []


def test_it_is_remembered_as_long_as_it_is_believed_and_then_forgotten(database: Database) -> None:
    used(database, [("t1", b"body")])
    for hours, believed in ((8.9, False), (9.1, True)):
        now = NOW + timedelta(hours=hours)
        with database.write() as connection:
            assert forget_tokens(connection, now, 10) == believed
        assert used(database, [("t1", b"other")], now) == [believed]


def test_a_few_are_forgotten_at_a_time(database: Database) -> None:
    used(database, [(f"t{number}", b"body") for number in range(5)])
    used(database, [("t1 later", b"body")], NOW + timedelta(hours=1))
    late = NOW + timedelta(hours=9, minutes=1)
    with database.write() as connection:
        assert [forget_tokens(connection, late, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert used(database, [("t1 later", b"other"), ("t1", b"other")], late) == [False, True]
