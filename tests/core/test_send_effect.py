"""What a sending means for readers' clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.send_effect import in_words, is_past, send_effect

NIGHT = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)
ZONES = ["", "Europe/Lisbon", "America/New_York", "Asia/Tokyo", "Asia/Kolkata", "Pacific/Auckland", "Nowhere/At_All"]


def test_the_question_is_asked_in_readers_own_time() -> None:
    effect = send_effect({"Europe/Lisbon": 60_000, "": 1_000, "Asia/Tokyo": 19_000}, NIGHT, "Europe/Lisbon")
    assert effect.at_night == 61_000
    assert in_words(effect, "Europe/Lisbon") == "03:12 at night for 61,000 of 80,000: now, or at 06:30?"
    assert effect.better == datetime(2026, 11, 20, 6, 30, tzinfo=UTC)


def test_a_moment_that_was_chosen_is_not_called_now() -> None:
    effect = send_effect({"": 5}, NIGHT, "Europe/Lisbon")
    assert in_words(effect, "Europe/Lisbon", chosen=True) == "03:12 at night for 5 of 5: then, or at 06:30?"


MANY = [({"": 9, "Asia/Tokyo": 1}, True), ({"Asia/Tokyo": 9, "": 1}, False), ({}, False)]


@pytest.mark.parametrize(("zones", "many"), MANY)
def test_many_are_more_than_a_tenth(zones: dict[str, int], many: bool) -> None:
    assert send_effect(zones, NIGHT, "Europe/Lisbon").wakes_many is many


@pytest.mark.parametrize(("seconds", "past"), [(-3600, False), (0, False), (60, False), (61, True), (10**8, True)])
def test_a_time_is_past_when_its_minute_is_over(seconds: int, past: bool) -> None:
    assert is_past(NIGHT - timedelta(seconds=seconds), NIGHT) is past


def test_by_day_there_is_nothing_to_ask() -> None:
    noon = NIGHT.replace(hour=12)
    effect = send_effect({"Europe/Lisbon": 5}, noon, "Europe/Lisbon")
    assert (effect.at_night, effect.better) == (0, None)
    assert in_words(effect, "Europe/Lisbon") == "12:12 for all 5."


def test_a_few_who_sleep_are_told_of_and_nothing_is_suggested() -> None:
    noon = NIGHT.replace(hour=14)
    effect = send_effect({"Europe/Lisbon": 95, "Asia/Tokyo": 5}, noon, "Europe/Lisbon")
    assert (effect.at_night, effect.better) == (5, None)
    assert in_words(effect, "Europe/Lisbon") == "23:12 at night for 5 of 100."


def test_zones_whose_clocks_agree_are_one_group() -> None:
    effect = send_effect({"Europe/Lisbon": 3, "Europe/London": 4, "Nowhere/At_All": 2}, NIGHT, "Europe/Lisbon")
    assert [each.people for each in effect.hours] == [9]


def test_nobody_is_no_error() -> None:
    effect = send_effect({}, NIGHT, "Europe/Lisbon")
    assert effect.better is None
    assert in_words(effect, "Europe/Lisbon") == "Nobody would get it."


def test_a_morning_on_another_day_says_so() -> None:
    late = datetime(2026, 11, 20, 23, 5, tzinfo=UTC)
    effect = send_effect({"": 10}, late, "Europe/Lisbon")
    assert in_words(effect, "Europe/Lisbon") == "23:05 at night for 10 of 10: now, or at 06:30 on Saturday?"


@given(
    st.dictionaries(st.sampled_from(ZONES), st.integers(1, 1_000_000), min_size=1),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC)),
)
def test_everybody_is_counted_and_a_suggestion_is_always_better(zones: dict[str, int], at: datetime) -> None:
    effect = send_effect(zones, at, "Europe/Lisbon")
    assert effect.people == sum(zones.values())
    if effect.better is not None:
        assert at < effect.better <= at + timedelta(hours=26)
        assert send_effect(zones, effect.better, "Europe/Lisbon").at_night < effect.at_night
    for hour in effect.hours:
        assert hour.at.astimezone(UTC) == at
        assert isinstance(hour.at.tzinfo, ZoneInfo)
    assert in_words(effect, "Europe/Lisbon")
