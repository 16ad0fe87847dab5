"""Slots are wall times: the same hour all year, once each, through every change of the clocks."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from syndicate.clock import next_slots, slots_after, slots_between
from syndicate.core.newsletter import Cadence
from syndicate.core.schedule import DAYS, parse_cadence
from tests.zones import changes, families, names, offset

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)


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


def promised(zone: str, wall: datetime) -> datetime:
    """When a slot is due: the first time that clocks show it, and where they step over it, as long after midnight as
    on a day without a change."""
    before, after = (offset(zone, wall.replace(tzinfo=UTC) + timedelta(hours=hours)) for hours in (-30, 30))
    moments = sorted((wall - each).replace(tzinfo=UTC) for each in {before, after})
    shown = [each for each in moments if each.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == wall]
    return shown[0] if shown else (wall - before).replace(tzinfo=UTC)


def calendar(cadence: Cadence, first: date, last: date) -> list[datetime]:
    """The wall times of those days, without any rule of clocks."""
    days = [first + timedelta(place) for place in range((last - first).days + 1)]
    return [datetime.combine(day, each) for day in days if day.weekday() in cadence.days for each in cadence.times]


def check(cadence: Cadence, zone: str, first: date, last: date) -> None:
    """Each wall time of those days is one slot, and due when it is promised."""
    walls = calendar(cadence, first, last)
    start, end = datetime.combine(first, time(), UTC) - 2 * DAY, datetime.combine(last, time(), UTC) + 3 * DAY
    due = takewhile(lambda slot: slot.due_at < end, slots_after(cadence, zone, start))
    found = [each for each in due if first <= datetime.fromisoformat(each.wall_time).date() <= last]
    assert [each.due_at for each in found] == sorted(each.due_at for each in found), zone
    wanted = {f"{wall:%Y-%m-%dT%H:%M}": promised(zone, wall) for wall in walls}
    assert {each.wall_time: each.due_at for each in found} == wanted, zone
    assert len(found) == len(wanted) == len(walls), zone


def test_every_rule_that_clocks_follow_keeps_every_slot_for_two_years() -> None:
    first, last = date(2026, 1, 1), date(2027, 12, 31)
    start, end = datetime.combine(first, time(), UTC), datetime.combine(last, time(), UTC)
    kinds = families(start, end)
    assert len(kinds) > 50
    for zone in kinds:
        # The hours that are left out or come twice there; where no clock changes, those of one day a week.
        times = {f"{change.odd:%H:%M}" for change in changes(zone, start, end)}
        check(parse_cadence("c", f"daily {','.join(sorted(times))}" if times else "sat 09:00"), zone, first, last)


def test_every_change_of_the_clocks_since_1970_keeps_the_slots_around_it() -> None:
    start, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)
    kinds = {
        (change.before, change.after, change.wall.time()): (zone, change)
        for zone in names()
        for change in changes(zone, start, end)
    }
    assert len(kinds) > 200
    for zone, change in kinds.values():
        low, high = sorted((change.wall, change.wall + (change.after - change.before)))
        times = {f"{each:%H:%M}" for each in (low - MINUTE, low, change.odd, high - MINUTE, high)}
        day = change.odd.date()
        daily = parse_cadence("c", f"daily {','.join(sorted(times))}")
        check(daily, zone, day - DAY, day + DAY)
        # Asked in the very moment, nothing that is still due is passed over.
        due = sorted(promised(zone, wall) for wall in calendar(daily, day - 2 * DAY, day + 2 * DAY))
        assert next_slots(daily, zone, change.at, 1)[0].due_at == next(each for each in due if each > change.at), zone
        check(parse_cadence("c", f"{DAYS[day.weekday()]} {change.odd:%H:%M}"), zone, day - DAY, day + DAY)


@given(
    zone=st.sampled_from(["Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"]),
    start=st.datetimes(datetime(2025, 1, 1), datetime(2029, 1, 1)),
    hour=st.integers(0, 23),
)
def test_whenever_it_is_asked_the_next_slots_are_those_after(zone: str, start: datetime, hour: int) -> None:
    cadence, after = parse_cadence("c", f"daily {hour:02}:15"), start.replace(tzinfo=UTC)
    walls = calendar(cadence, start.date() - timedelta(2), start.date() + timedelta(9))
    due = [each for wall in walls if (each := promised(zone, wall)) > after]
    assert [each.due_at for each in next_slots(cadence, zone, after, 7)] == due[:7]
