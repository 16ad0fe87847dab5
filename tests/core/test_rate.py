"""The rate: a burst, then evenly; waiting as long as it says is enough."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.rate import Rate, arrive, room

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@given(
    st.integers(1, 5), st.integers(1, 60), st.lists(st.integers(0, 100), min_size=1, max_size=60), st.integers(0, 300)
)
def test_never_more_than_a_burst_and_one_each_interval(burst: int, every: int, gaps: list[int], window: int) -> None:
    rate = Rate(burst, timedelta(seconds=every))
    now, tat, taken = START, None, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        tat, wait = arrive(rate, tat, now)
        if wait:
            assert not arrive(rate, tat, now + wait)[1]
            assert arrive(rate, tat, now + wait - timedelta(microseconds=1))[1]
        else:
            taken.append(now)
    for first in taken:
        within = [each for each in taken if first <= each < first + timedelta(seconds=window)]
        assert len(within) <= burst + window / every


def test_a_key_never_seen_may_have_its_whole_burst_at_once() -> None:
    rate, tat = Rate(3, timedelta(minutes=10)), None
    waits = []
    for _ in range(4):
        tat, wait = arrive(rate, tat, START)
        waits.append(wait)
    assert waits == [timedelta(0)] * 3 + [timedelta(minutes=10)]


@given(st.integers(1, 9), st.integers(1, 60), st.lists(st.integers(0, 40), max_size=30))
def test_as_many_may_follow_as_it_says(burst: int, every: int, gaps: list[int]) -> None:
    rate = Rate(burst, timedelta(seconds=every))
    now, tat = START, None
    for gap in gaps:
        now += timedelta(seconds=gap)
        tat, _ = arrive(rate, tat, now)
    said, full_in = room(rate, tat, now)
    assert room(rate, tat, now + full_in) == (burst, timedelta(0))
    taken = 0
    while not arrive(rate, tat, now)[1]:
        tat, _ = arrive(rate, tat, now)
        taken += 1
    assert taken == said
