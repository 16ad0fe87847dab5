"""Limits of a mail API: no span of time ever holds more than was allowed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.allowance import (
    SPANS,
    Allowance,
    Charge,
    Limits,
    WarmUp,
    afford,
    domain_counts,
    in_force,
    largest_request,
    of_domains,
    parse_allowance,
    spend,
    take,
)

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ZONE = "Europe/Lisbon"


@pytest.mark.parametrize(
    ("text", "count", "seconds"),
    [("5/s", 5, 1), ("600/min", 600, 60), ("2,000 / h", 2000, 3600), ("9_000/hour", 9000, 3600), ("1/day", 1, 86400)],
)
def test_an_allowance_is_a_count_and_a_span(text: str, count: int, seconds: int) -> None:
    found = parse_allowance(text)
    assert (found.count, found.span) == (count, timedelta(seconds=seconds))
    assert parse_allowance(str(found)) == found


@pytest.mark.parametrize("text", ["", "5", "5/week", "0/s", "-1/s", "five/s", "5/s/s", "9" * 20 + "/s"])
def test_what_is_no_allowance_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_allowance(text)


def gone(limits: Limits, moments: Sequence[float], sizes: Sequence[int]) -> list[tuple[datetime, int]]:
    """What went out when requests of these sizes were tried at these moments, each as soon as it was allowed."""
    tats: dict[str, datetime] = {}
    sent: list[tuple[datetime, int]] = []
    now = NOW
    for seconds, size in zip(moments, sizes, strict=True):
        now += timedelta(seconds=seconds)
        in_force_now = in_force(limits, "tests:1", now, ZONE)
        room, wait = afford(in_force_now, tats, [Charge(size)], now)
        assert (room == 1) == (wait is None)
        if wait is not None:
            assert wait.until > now
            now = wait.until
            in_force_now = in_force(limits, "tests:1", now, ZONE)
            room, wait = afford(in_force_now, tats, [Charge(size)], now)
            assert (room, wait) == (1, None), "it may go when it was told to come back"
        tats |= spend(in_force_now, tats, [Charge(size)], now)
        sent.append((now, size))
    return sent


@given(
    st.integers(1, 5_000),
    st.sampled_from(sorted(SPANS)),
    st.lists(st.tuples(st.floats(0, 4_000), st.integers(1, 2_000)), min_size=1, max_size=60),
)
def test_no_span_holds_more_than_the_allowance_and_nobody_waits_for_ever(
    count: int, span: str, tries: list[tuple[float, int]]
) -> None:
    allowance = Allowance(count, SPANS[span])
    limits = Limits(recipients=(allowance,))
    largest = largest_request(limits, NOW, ZONE)
    assert largest is not None
    sent = gone(limits, [seconds for seconds, _ in tries], [min(size, largest) for _, size in tries])
    for place, (began, _) in enumerate(sent):
        inside = sum(size for moment, size in sent[place:] if moment < began + allowance.span)
        assert inside <= count


@given(st.lists(st.tuples(st.floats(0, 20_000), st.integers(1, 30)), min_size=1, max_size=60))
def test_a_warm_up_lets_so_many_through_each_day(tries: list[tuple[float, int]]) -> None:
    days = (200, 500, 1_000)
    limits = Limits(warm_up=WarmUp(date(2026, 11, 20), days))
    sent = gone(limits, [seconds for seconds, _ in tries], [size for _, size in tries])
    for place, allowed in enumerate(days):
        day = date(2026, 11, 20) + timedelta(days=place)
        # Lisbon has UTC in November.
        assert sum(size for moment, size in sent if moment.date() == day) <= allowed


def test_a_warm_up_ends_and_before_it_each_day_is_as_its_first() -> None:
    limits = Limits(warm_up=WarmUp(date(2026, 11, 20), (100,)))
    assert in_force(limits, "a", NOW + timedelta(days=1), ZONE) == []
    [limit] = in_force(limits, "a", NOW - timedelta(days=3), ZONE)
    assert limit.words == "100 on its day of the warm-up"


def test_a_request_larger_than_the_burst_goes_when_all_is_left_and_is_paid_for_later() -> None:
    [limit] = in_force(Limits(recipients=(Allowance(100, timedelta(minutes=1)),)), "a", NOW, ZONE)
    after, allowed_at = take(limit, None, NOW, 50)
    assert allowed_at <= NOW
    _, allowed_at = take(limit, after, NOW, 1)
    assert allowed_at > NOW + timedelta(seconds=25)


def test_a_digest_leaves_a_tenth_to_single_mails() -> None:
    [limit] = in_force(Limits(recipients=(Allowance(1_000, timedelta(hours=1)),)), "a", NOW, ZONE)
    charges = [Charge(1)] * 2_000
    tats: dict[str, datetime] = {}
    sent, now = 0, NOW
    while now < NOW + timedelta(hours=1):
        room, wait = afford([limit], tats, charges, now)
        tats |= spend([limit], tats, charges[:room], now)
        sent += room
        now = wait.until if wait else now
    assert 850 <= sent <= 901


def test_of_several_limits_the_tightest_holds() -> None:
    limits = Limits((Allowance(2, timedelta(seconds=1)),), (Allowance(100_000, timedelta(days=1)),))
    room, wait = afford(in_force(limits, "a", NOW, ZONE), {}, [Charge(100)] * 5, NOW)
    assert room == 1
    assert wait is not None
    assert wait.limit.counts == "requests"
    assert wait.until == NOW + timedelta(seconds=1)


def test_accounts_and_limits_have_memories_of_their_own() -> None:
    limits = Limits((Allowance(2, timedelta(seconds=1)),), domains={"post.example": Allowance(5, timedelta(hours=1))})
    keys = {
        each.key for account in "ab" for each in (*in_force(limits, account, NOW, ZONE), *of_domains(limits, account))
    }
    assert len(keys) == 4
    assert all(len(key) <= 120 and "post.example" not in key for key in keys)


def test_domains_are_counted_whatever_their_case() -> None:
    limited = {"post.example": Allowance(5, timedelta(hours=1))}
    assert domain_counts(["a@Post.example", "b@post.example", "c@other.example"], limited) == {"post.example": 2}
