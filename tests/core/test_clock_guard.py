"""A clock is believed while two witnesses agree with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.clock_guard import AHEAD, BACK, ClockMemory, Reading, why_held

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
LAST = Reading(NOON, 1000.0)


@pytest.mark.parametrize(
    ("wall", "steady", "held"),
    [
        (1, 1, False),
        (3600, 3600, False),
        (3600, 3540, False),
        (3600, 1, True),
        (301, 0, True),
        (-59, 0, False),
        (-61, 0, True),
        (0, 61, True),
        (3000, 3100, True),
    ],
)
def test_wall_time_goes_as_the_steady_clock_does(wall: int, steady: int, held: bool) -> None:
    memory = ClockMemory(believed_at=NOON, seen_at=NOON)
    assert bool(why_held(memory, LAST, NOON + timedelta(seconds=wall), 1000.0 + steady)) is held


@given(st.integers(0, 10**8))
def test_a_new_process_believes_any_clock_that_has_moved_on(seconds: int) -> None:
    memory = ClockMemory(believed_at=NOON, seen_at=NOON)
    assert why_held(memory, None, NOON + timedelta(seconds=seconds), 0.0) == ""


@given(st.integers(61, 10**8), st.floats(0, 10**9))
def test_no_process_believes_one_that_went_back(seconds: int, steady: float) -> None:
    memory = ClockMemory(believed_at=NOON, seen_at=NOON)
    for believed in (None, LAST):
        assert "before" in why_held(memory, believed, NOON - timedelta(seconds=seconds), steady)


def test_a_new_start_alone_does_not_make_right_what_stood_ahead() -> None:
    memory = ClockMemory(NOON, NOON + timedelta(days=1), "The clock shows nonsense.")
    assert why_held(memory, None, NOON + timedelta(days=1, hours=1), 0.0) == "The clock shows nonsense."
    assert why_held(memory, None, NOON + timedelta(hours=1), 0.0) == ""


def test_a_person_who_says_that_it_is_right_is_believed() -> None:
    said = NOON + timedelta(days=1)
    memory = ClockMemory(said, said, "", said)
    assert why_held(memory, LAST, said + timedelta(seconds=1), 1001.0) == ""


@given(st.lists(st.tuples(st.floats(0, 10**6), st.floats(-1, 1)), max_size=30))
def test_small_corrections_never_hold_it(steps: list[tuple[float, float]]) -> None:
    wall, steady, believed = NOON, 0.0, Reading(NOON, 0.0)
    for passed, correction in steps:
        steady += passed
        wall += timedelta(seconds=passed + correction * min(BACK, AHEAD).total_seconds() * 0.9)
        memory = ClockMemory(believed_at=believed.wall - timedelta(seconds=15))
        assert why_held(memory, believed, wall, steady) == ""
        believed = Reading(wall, steady)
