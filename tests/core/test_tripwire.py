"""When far more than usual looks new."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.tripwire import TOGETHER, Tripwire, Watch, lots, most


def watch(usual: list[int], *, wire: Tripwire | None = None, ok_at: datetime | None = None) -> Watch:
    return Watch(wire or Tripwire(), last_ok_at=ok_at, usual=lambda: usual)


def see(watching: Watch, count: int, date: datetime | None = None) -> bool:
    for _ in range(count):
        watching.see(date)
    return watching.tripped


@pytest.mark.parametrize(
    ("usual", "found", "trips"),
    [
        ([], 20, False),
        ([], 21, True),
        ([2] * 9, 20, False),
        ([2] * 9, 37, True),
        ([10] * 9, 50, False),
        ([10] * 9, 51, True),
        ([1] * 9 + [40], 60, False),  # so many were let through before
        ([1] * 9 + [40], 61, True),
    ],
)
def test_it_trips_by_the_sources_own_history(usual: list[int], found: int, trips: bool) -> None:
    assert see(watch(usual), found) is trips


def test_its_reason_is_told_in_figures() -> None:
    tripped = watch([2, 1, 3])
    see(tripped, 37)
    assert tripped.reason == "37 articles look new at once, usually 2"
    first = watch([])
    see(first, 1_200)
    assert first.reason == "1,200 articles look new at once, and none came before"


def test_what_is_old_by_its_date_trips_sooner(now: datetime) -> None:
    """A feed that gives its items new ids."""
    old = now - timedelta(days=30)
    assert not see(watch([1], ok_at=now), 5, old)
    tripped = watch([1], ok_at=now)
    assert see(tripped, 6, old)
    assert tripped.reason.endswith("; 6 are old by their date")
    assert not see(watch([1], ok_at=now), 15, now - timedelta(hours=30))
    assert not see(watch([1], ok_at=now), 15, None)
    assert not see(watch([1], ok_at=None), 15, old), "nothing was looked at before: nobody knows what is old"
    assert not see(watch([1], ok_at=old), 15, old + timedelta(days=1)), "it was down for a month"


def test_what_came_just_before_counts_too() -> None:
    slow = Watch(Tripwire(), last_ok_at=None, recent=[None] * 20, usual=lambda: [1])
    assert see(slow, 1)


def test_zero_never_trips_and_asks_for_no_history() -> None:
    def usual() -> list[int]:
        raise AssertionError("asked")

    off = Watch(Tripwire(at_least=0), last_ok_at=None, usual=usual)
    assert not see(off, 100_000)
    few = Watch(Tripwire(), last_ok_at=None, usual=usual)
    assert not see(few, 20)


@given(st.lists(st.integers(0, 3_000)))
def test_lots_hold_every_arrival_once_in_either_order(minutes: list[int]) -> None:
    start = datetime(2026, 11, 20)
    up = sorted(start + timedelta(seconds=7 * each) for each in minutes)
    for order in (up, up[::-1]):
        found = lots(order)
        assert sum(found) == len(order)
        assert all(each > 0 for each in found)
    if up and up[-1] - up[0] <= TOGETHER:
        assert lots(up) == [len(up)]


@given(st.lists(st.integers(1, 1_000)), st.integers(1, 100), st.integers(1, 20))
def test_the_limit_is_never_below_what_was_let_through(usual: list[int], at_least: int, times: int) -> None:
    limit = most(Tripwire(at_least, times), usual)
    assert limit >= at_least
    assert all(limit >= each for each in usual)
