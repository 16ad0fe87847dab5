"""When mail that comes back closes an address: by the reports together, in whatever order they came."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.mail_event import SOFT_BOUNCES, SOFT_SPAN, Sign, came_back, is_unreachable

START = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def bounces(*days: float, issues: int = 9) -> list[Sign]:
    return [Sign(day(number), place % issues + 1, delivered=False) for place, number in enumerate(days)]


SIGNS = st.lists(
    st.builds(
        Sign,
        at=st.integers(0, 60).map(day),
        issue_id=st.one_of(st.none(), st.integers(1, 5)),
        delivered=st.booleans(),
    ),
    max_size=12,
)


@pytest.mark.parametrize(
    ("signs", "closed"),
    [
        ([], False),
        (bounces(0, 5, 10, 14), True),
        (bounces(0, 5, 10, 13.9), False),  # not long enough
        (bounces(0, 7, 20), False),  # not often enough
        (bounces(0, 5, 10, 14, issues=1), False),  # one mailing that was tried again and again
        ([*bounces(0, 5, 10, 14), Sign(day(12), 7, delivered=True)], False),
        ([*bounces(1, 5, 10, 15), Sign(day(0), 7, delivered=True)], True),
        ([Sign(day(number), None, delivered=False) for number in (0, 5, 10, 14)], True),
    ],
)
def test_an_address_is_closed_after_four_of_two_mailings_over_two_weeks(signs: list[Sign], closed: bool) -> None:
    assert is_unreachable(signs) is closed


@given(SIGNS, st.randoms(use_true_random=False))
def test_the_order_in_which_reports_come_changes_nothing(signs: list[Sign], random: object) -> None:
    shuffled = list(signs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert is_unreachable(shuffled) == is_unreachable(signs)


@given(SIGNS)
def test_a_mail_that_arrived_last_keeps_it_open(signs: list[Sign]) -> None:
    assert not is_unreachable([*signs, Sign(day(61), 9, delivered=True)])
    assert came_back([*signs, Sign(day(61), 9, delivered=True)]) == []


@given(SIGNS)
def test_one_more_that_came_back_never_opens_it(signs: list[Sign]) -> None:
    if is_unreachable(signs):
        assert is_unreachable([*signs, Sign(day(62), 3, delivered=False)])


@given(SIGNS, st.integers(0, 60))
def test_what_was_before_somebody_opened_it_again_does_not_count(signs: list[Sign], number: int) -> None:
    since = day(number)
    assert is_unreachable(signs, since=since) == is_unreachable([sign for sign in signs if sign.at > since])
    assert not is_unreachable(signs, since=day(60))
    # So it need be asked only of those that are unreachable without.
    assert is_unreachable(signs) or not is_unreachable(signs, since=since)


@given(SIGNS)
def test_never_by_a_few_or_within_a_short_time(signs: list[Sign]) -> None:
    if is_unreachable(signs):
        counted = came_back(signs)
        assert len(counted) >= SOFT_BOUNCES
        assert max(each.at for each in counted) - min(each.at for each in counted) >= SOFT_SPAN
