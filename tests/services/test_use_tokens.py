"""Tokens of requests whose signature leaves the body out: another body under the same token is not believed."""

from __future__ import annotations

from datetime import timedelta

from syndicate.services.use_tokens import use_tokens
from syndicate.storage.database import Database
from syndicate.storage.rate_limits import forget_passed, passed_keys
from tests.mailing import NOW
from tests.services.site_rows import start

LASTS = timedelta(hours=9)


def test_a_token_is_good_for_one_body(database: Database) -> None:
    start(database, NOW)
    for minutes in (0, 10, 20):
        now = NOW + timedelta(minutes=minutes)
        assert use_tokens(database, [("t1", b"body")], lasts=LASTS, now=now) == [True]
    late = NOW + timedelta(hours=8)
    for _ in range(2):
        forged = [("t1", b"other"), ("t1", b""), ("t1", b"body ")]
        assert use_tokens(database, forged, lasts=LASTS, now=late) == [False] * 3
    assert use_tokens(database, [("t1", b"body"), ("t2", b"other")], lasts=LASTS, now=late) == [True, True]


def test_of_two_bodies_that_come_together_the_first_is_believed(database: Database) -> None:
    start(database, NOW)
    together = [("t1", b"a"), ("t1", b"b"), ("t2", b"b"), ("t1", b"a")]
    assert use_tokens(database, together, lasts=LASTS, now=NOW) == [True, False, True, True]
    assert use_tokens(database, together, lasts=LASTS, now=NOW) == [True, False, True, True]
    assert use_tokens(database, [], lasts=LASTS, now=NOW) == []


def test_it_is_remembered_as_long_as_it_is_believed_and_then_forgotten(database: Database) -> None:
    start(database, NOW)
    use_tokens(database, [("t1", b"body")], lasts=LASTS, now=NOW)
    for hours, believed in ((8.9, False), (9.1, True)):
        now = NOW + timedelta(hours=hours)
        with database.write() as connection:
            forget_passed(connection, passed_keys(connection, now), now)
        assert use_tokens(database, [("t1", b"other")], lasts=LASTS, now=now) == [believed]
