"""The first wave, and the shares at which an issue stops by itself."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.first_wave import (
    FEWEST,
    MOST_PLACES,
    FirstWave,
    Standing,
    StopAt,
    parse_share,
    past_limits,
    wave_spans,
)


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.3 %", 0.003), ("100%", 1.0)])
def test_a_share_is_written_in_per_cent(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "1", "0%", "101%", "-1%", "one%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_share(text)


def in_wave(planned: int, share: float, size: int, issue_id: int = 1) -> list[range]:
    """The requests of the first wave, where each holds `size` readers, as their ordinals."""
    spans = wave_spans(planned, FirstWave(share, timedelta(minutes=15)), size, issue_id)
    starts = range(1, planned + 1, size)
    return [
        range(start, min(start + size, planned + 1))
        for start in starts
        if any(first <= start <= last for first, last in spans)
    ]


@given(st.integers(0, 10_000_000), st.floats(0.001, 1), st.integers(1, 1_000), st.integers(1, 10_000))
def test_the_spans_of_a_first_wave_lie_within_and_apart_and_none_is_shorter_than_a_request(
    planned: int, share: float, size: int, issue_id: int
) -> None:
    spans = wave_spans(planned, FirstWave(share, timedelta(minutes=15)), size, issue_id)
    assert bool(spans) == bool(planned)
    flat = [each for span in spans for each in span]
    assert flat == sorted(flat) and all(1 <= each <= planned for each in flat)
    assert all(second[0] > first[1] for first, second in pairwise(spans))
    assert all(last - first + 1 >= min(size, planned) for first, last in spans)


@given(st.integers(1, 20_000), st.floats(0.001, 1), st.integers(1, 500), st.integers(1, 1_000))
def test_a_first_wave_has_as_many_as_it_should_in_whole_requests(
    planned: int, share: float, size: int, issue_id: int
) -> None:
    requests = in_wave(planned, share, size, issue_id)
    people = sum(map(len, requests))
    assert requests
    # One request more or less at each place, where its borders cut through one, and what is left over at the end.
    assert abs(people - planned * share) <= (MOST_PLACES + 1) * (size + 1)


def test_a_first_wave_has_those_who_came_early_and_late() -> None:
    ordinals = [ordinal for request in in_wave(100_000, 0.01, 50) for ordinal in request]
    assert len(ordinals) == 1_000
    for tenth in range(10):
        assert sum(tenth * 10_000 < each <= (tenth + 1) * 10_000 for each in ordinals) == 100


def test_another_issue_begins_with_other_people_and_the_same_one_with_the_same() -> None:
    first, same, other = (in_wave(100_000, 0.01, 50, issue_id)[0] for issue_id in (1, 1, 2))
    assert first == same != other


def test_what_fits_one_request_is_one_request() -> None:
    assert sum(map(len, in_wave(20_000, 0.01, 1_000))) == 1_000
    assert sum(map(len, in_wave(7, 0.01, 1_000))) == 7
    assert sum(map(len, in_wave(100, 0.05, 1))) == 5


@given(st.integers(0, 100_000), st.integers(0, 1_000), st.integers(0, 1_000), st.integers(0, 1_000))
def test_it_stops_when_a_share_is_passed_by_enough_people(
    accepted: int, refused: int, bounced: int, complained: int
) -> None:
    limits, mailed = StopAt(), accepted + refused
    why = past_limits(Standing(accepted, refused, bounced, complained), limits)
    past = [
        refused >= FEWEST["refused"] and refused > mailed * limits.refused,
        bounced >= FEWEST["bounced"] and bounced > mailed * limits.bounced,
        complained >= FEWEST["complained"] and complained > mailed * limits.complained,
    ]
    assert bool(why) == any(past)


def test_it_says_what_was_too_much() -> None:
    said = past_limits(Standing(1_000, 0, 0, 7), StopAt())
    assert said.startswith("It stopped by itself: 7 of 1,000 said that it is spam, which is more than 0.3 %.")


def test_what_somebody_has_seen_stops_it_no_more() -> None:
    seen = Standing(1_000, 0, 0, 7)
    assert past_limits(Standing(2_000, 10, 0, 9).since(seen), StopAt()) == ""
