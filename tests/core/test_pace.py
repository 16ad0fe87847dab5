"""How fast requests follow one another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.pace import FAILURES_TO_BRAKE, Pace

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def test_failures_in_a_row_leave_room_for_one_at_a_time_with_pauses() -> None:
    pace = Pace()
    for _ in range(FAILURES_TO_BRAKE - 1):
        pace = pace.failed(NOW, 0.0, 0.0)
    assert pace.room(8, 3) == 5
    assert not pace.holds(NOW)
    pace = pace.failed(NOW, 0.0, 0.0)
    assert (pace.room(8, 0), pace.room(8, 1)) == (1, 0)
    assert pace.holds(NOW)
    assert pace.accepted().room(8, 1) == 7


def test_those_that_were_under_way_together_fail_as_one() -> None:
    braked = Pace()
    for _ in range(FAILURES_TO_BRAKE):
        braked = braked.failed(NOW, 0.0, 0.0)
    pace = braked
    for _ in range(40):
        pace = pace.failed(NOW + timedelta(seconds=0.1), 0.0, 0.0)
    assert pace == braked
    assert pace.hold_until is not None
    again = pace.failed(pace.hold_until, 0.0, 0.0)
    assert again.hold_until is not None
    assert again.hold_until - pace.hold_until == 2 * (pace.hold_until - NOW)


@given(st.lists(st.floats(0, 600), min_size=1, max_size=20), st.floats(0, 0.999))
def test_the_longest_pause_that_the_api_asked_for_holds(waits: list[float], jitter: float) -> None:
    pace = Pace()
    for seconds in waits:
        pace = pace.failed(NOW, seconds, jitter)
    assert pace.hold_until is not None
    assert pace.hold_until >= NOW + timedelta(seconds=max(waits))


def test_a_refusal_is_an_answer_but_no_success() -> None:
    pace = Pace().failed(NOW, 0.0, 0.0).answered().refused()
    assert (pace.failures, pace.refusals) == (0, 1)
    assert pace.accepted().refusals == 0


def test_doubts_are_counted_until_it_says_something_that_can_be_read() -> None:
    pace = Pace().failed(NOW, 0.0, 0.0).doubted().failed(NOW, 0.0, 0.0).doubted()
    assert pace.doubts == 2
    assert (pace.failed(NOW, 1.0, 0.0).doubts, pace.answered().doubts, pace.accepted().doubts) == (2, 0, 0)
