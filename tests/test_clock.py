"""Slots are wall times: the same hour all year, once each, through every change of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.clock import next_slots, slots_between
from syndicate.core.schedule import parse_cadence


def named(text: str, after: str, count: int, zone: str = "Europe/Paris") -> list[tuple[str, str]]:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    return [
        (slot.wall_time, f"{slot.due_at:%dT%H:%MZ}")
        for slot in next_slots(parse_cadence("c", text), zone, moment, count)
    ]


def test_seven_in_the_morning_is_seven_in_summer_and_in_winter() -> None:
    assert named("daily 07:00", "2026-10-23T12:00", 3) == [
        ("2026-10-24T07:00", "24T05:00Z"),
        ("2026-10-25T07:00", "25T06:00Z"),
        ("2026-10-26T07:00", "26T06:00Z"),
    ]


def test_a_wall_time_that_comes_twice_is_one_slot_at_the_first() -> None:
    assert named("daily 02:30", "2026-10-24T12:00", 2) == [
        ("2026-10-25T02:30", "25T00:30Z"),
        ("2026-10-26T02:30", "26T01:30Z"),
    ]
    # Asked between the two, the next is tomorrow's.
    assert named("daily 02:30", "2026-10-25T00:45", 1) == [("2026-10-26T02:30", "26T01:30Z")]


def test_a_wall_time_that_is_skipped_is_still_one_slot() -> None:
    assert named("daily 02:30", "2027-03-27T12:00", 2) == [
        ("2027-03-28T02:30", "28T01:30Z"),
        ("2027-03-29T02:30", "29T00:30Z"),
    ]


def test_the_day_after_a_change_keeps_its_slot_after_midnight() -> None:
    assert named("daily 00:30", "2027-03-27T12:00", 3) == [
        ("2027-03-28T00:30", "27T23:30Z"),
        ("2027-03-29T00:30", "28T22:30Z"),
        ("2027-03-30T00:30", "29T22:30Z"),
    ]


def test_days_and_several_times() -> None:
    assert named("fri,mon 18:15,07:00", "2026-11-20T09:30", 3, "UTC") == [
        ("2026-11-20T18:15", "20T18:15Z"),
        ("2026-11-23T07:00", "23T07:00Z"),
        ("2026-11-23T18:15", "23T18:15Z"),
    ]


def test_a_slot_is_due_in_an_interval_open_at_its_start() -> None:
    cadence = parse_cadence("c", "daily 07:00")
    slot = datetime(2026, 11, 20, 7, tzinfo=UTC)
    assert len(slots_between(cadence, "UTC", slot - timedelta(1), slot)) == 1
    assert slots_between(cadence, "UTC", slot, slot) == []
    assert [each.due_at for each in slots_between(cadence, "UTC", slot, slot + timedelta(1))] == [slot + timedelta(1)]


@pytest.mark.parametrize(
    "zone", ["Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Asia/Kolkata"]
)
@given(
    start=st.datetimes(datetime(2025, 1, 1), datetime(2029, 1, 1)),
    hour=st.integers(0, 23),
    minute=st.sampled_from([0, 15, 30]),
)
def test_every_day_has_its_slot_exactly_once(zone: str, start: datetime, hour: int, minute: int) -> None:
    cadence = parse_cadence("c", f"daily {hour:02}:{minute:02}")
    found = next_slots(cadence, zone, start.replace(tzinfo=UTC), 40)
    assert [each.due_at for each in found] == sorted(each.due_at for each in found)
    days = [datetime.fromisoformat(each.wall_time) for each in found]
    assert {each.strftime("%H:%M") for each in days} == {f"{hour:02}:{minute:02}"}
    assert [right - left for left, right in pairwise(days)] == [timedelta(1)] * 39
    for slot, day in zip(found, days, strict=True):
        local = slot.due_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert timedelta(0) <= local - day <= timedelta(hours=1)
