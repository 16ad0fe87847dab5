"""Who posts, the first mail API or its standby."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.standby import STALE, StandbyRule, StandbyState, who_posts

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
RULE = StandbyRule(timedelta(minutes=2), timedelta(hours=1))


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


@pytest.mark.parametrize(
    ("state", "post"),
    [
        (StandbyState(), "first"),
        (StandbyState(ago(seconds=119), ago(seconds=1)), "first"),
        (StandbyState(ago(seconds=120), ago(seconds=1)), "standby"),
        # It failed long ago, and nothing was asked of it since.
        (StandbyState(ago(days=1), ago(hours=20)), "first"),
        (StandbyState(stands_in_since=ago(minutes=59)), "standby"),
        (StandbyState(stands_in_since=ago(minutes=60)), "first"),
    ],
)
def test_it_stands_in_when_the_first_took_nothing_for_long_enough(state: StandbyState, post: str) -> None:
    assert who_posts(state, RULE, NOW) == post


@given(st.floats(0, 10_000), st.floats(0, 10_000))
def test_without_a_recent_failure_the_first_posts(since: float, seen: float) -> None:
    state = StandbyState(ago(seconds=max(since, seen)), ago(seconds=seen))
    if seen > STALE.total_seconds() or max(since, seen) < 120:
        assert who_posts(state, RULE, NOW) == "first"
