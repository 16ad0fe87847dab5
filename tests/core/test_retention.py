"""Months back from any day, and what is kept how long."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.retention import Keep, horizon, months_before

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("day", "months", "before"),
    [
        ("2026-11-20", 13, "2025-10-20"),
        ("2027-01-31", 1, "2026-12-31"),
        ("2027-03-31", 1, "2027-02-28"),
        ("2028-03-30", 1, "2028-02-29"),
        ("2026-12-01", 12, "2025-12-01"),
    ],
)
def test_a_month_back_is_the_same_day_or_the_last_one(day: str, months: int, before: str) -> None:
    found = months_before(datetime.fromisoformat(f"{day}T09:30:00+00:00"), months)
    assert f"{found:%Y-%m-%dT%H:%M}" == f"{before}T09:30"


@given(MOMENTS, st.integers(1, 120))
def test_never_shorter_than_so_many_months_of_28_days_nor_longer_than_31(moment: datetime, months: int) -> None:
    days = (moment - months_before(moment, months)).days
    assert 28 * months <= days <= 31 * months
    assert months_before(moment, months) < months_before(moment, months - 1)


def test_each_kind_has_its_own_time() -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC)
    found = horizon(Keep(unconfirmed_days=7, mails_days=30, events_days=90, ledger_months=13), now)
    assert [f"{each:%m-%d}" for each in (found.sign_ups, found.mails, found.events)] == ["11-13", "10-21", "08-22"]
    assert found.ledger == datetime(2025, 10, 20, tzinfo=UTC)
