"""Rate limits in rows: shared, counted once, and forgotten when they limit nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from syndicate.core.rate import Rate
from syndicate.storage.database import Database
from syndicate.storage.rate_limits import forget_passed, passed_keys, rate_key, take

RATE = Rate(3, timedelta(minutes=1))


def test_many_who_take_at_once_get_no_more_than_the_burst(database: Database, now: datetime) -> None:
    def one(_: int) -> timedelta:
        with database.write() as connection:
            return take(connection, "k", RATE, now)

    with ThreadPoolExecutor(8) as pool:
        waits = list(pool.map(one, range(16)))
    assert sorted(waits)[:3] == [timedelta(0)] * 3
    assert all(wait == timedelta(minutes=1) for wait in sorted(waits)[3:])


def test_a_key_is_forgotten_when_it_limits_nothing(database: Database, now: datetime) -> None:
    with database.write() as connection:
        take(connection, "k", RATE, now)
        assert passed_keys(connection, now) == []
        forget_passed(connection, ["k"], now)
        assert passed_keys(connection, now + timedelta(minutes=2)) == ["k"]
        forget_passed(connection, ["k"], now + timedelta(minutes=2))
        assert passed_keys(connection, now + timedelta(minutes=2)) == []


def test_a_key_tells_nothing_of_the_address() -> None:
    assert rate_key("mail", "ann@example.org", b"s" * 32) != rate_key("mail", "ann@example.org", b"t" * 32)
    assert "ann" not in rate_key("mail", "ann@example.org", b"s" * 32)
