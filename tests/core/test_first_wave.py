"""The first wave, and the shares at which an issue stops by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.first_wave import FEWEST, FirstWave, Standing, StopAt, parse_share, past_limits, wave_end


@pytest.mark.parametrize(("text", "share"), [("1%", 0.01), ("0.3 %", 0.003), ("100%", 1.0)])
def test_a_share_is_written_in_per_cent(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["", "1", "0%", "101%", "-1%", "one%"])
def test_what_is_no_share_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_share(text)


@given(st.integers(0, 10_000_000), st.floats(0.001, 1))
def test_a_first_wave_has_somebody_and_nobody_who_is_not_there(planned: int, share: float) -> None:
    end = wave_end(planned, FirstWave(share, timedelta(minutes=15)))
    assert min(planned, 1) <= end <= planned
    assert planned * share <= end < planned * share + 1 or end == planned


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
