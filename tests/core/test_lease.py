"""A request under a claim has ended before the claim is anybody else's."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from syndicate.core.lease import SLACK_SECONDS, Lease

SECONDS = st.floats(min_value=0.1, max_value=1000)


@given(SECONDS, SECONDS, SECONDS)
def test_what_may_begin_has_ended_before_another_may_take_over(seconds: float, deadline: float, since: float) -> None:
    assume(seconds > deadline + SLACK_SECONDS)
    lease = Lease(seconds, deadline)
    begun = timedelta(seconds=since)
    if lease.may_begin(begun):
        assert not lease.is_over(begun + timedelta(seconds=deadline))
    assert lease.may_begin(timedelta(0)) and not lease.may_begin(timedelta(microseconds=-1))


@pytest.mark.parametrize("seconds", [30.0, 35.0])
def test_a_lease_is_longer_than_a_request(seconds: float) -> None:
    with pytest.raises(ValueError, match="longer than the deadline"):
        Lease(seconds, 30.0)
