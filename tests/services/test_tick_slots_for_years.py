"""Slots over two years, through every change of the clocks, with absences, kills and jumps: each once, none lost.

The plan is walked through in memory for whole years, and the rows of a database for what may stop it half-way.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from syndicate.clock import slots_between
from syndicate.core.newsletter import Cadence
from syndicate.core.schedule import parse_cadence
from syndicate.core.slot import Slot, SlotState, latest_for, plan_slots
from syndicate.services.trust_clock import trust_clock
from syndicate.storage.database import Database, open_database
from tests.services.clockwork import Clockwork, utc
from tests.services.composing_room import MORNING

LEAD = timedelta(hours=1)
CADENCES = ("daily 02:30", "daily 00:15,23:45", "mon-fri 07:00", "sat 09:00", "daily 01:00,02:00,03:00")
SPANS = {
    # Where the rules are odd: half an hour, a whole day left out, twice a year around Ramadan, at midnight.
    "Europe/Lisbon": 2026,
    "Europe/Paris": 2026,
    "America/New_York": 2026,
    "Australia/Lord_Howe": 2026,
    "Pacific/Apia": 2011,
    "Africa/Casablanca": 2026,
    "America/Asuncion": 2023,
    "America/Santiago": 2026,
    "Africa/Cairo": 2026,
    "Pacific/Chatham": 2026,
    "Antarctica/Troll": 2026,
    "Asia/Kolkata": 2026,
}


def planned(text: str, zone: str, start: datetime, end: datetime) -> list[str]:
    """The wall times that a calendar has in (start, end], without any rule of clocks."""
    cadence = parse_cadence("c", text)
    first = start.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    last = end.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    day, found = first.date(), []
    while day <= last.date():
        if day.weekday() in cadence.days:
            found += [moment for each in cadence.times if first < (moment := datetime.combine(day, each)) <= last]
        day += timedelta(days=1)
    return [f"{each:%Y-%m-%dT%H:%M}" for each in found]


class Plan:
    """The clock's decisions in memory: what the rows would say, and when each slot was fired."""

    def __init__(self, cadence: Cadence, zone: str, horizon: datetime) -> None:
        self.cadence, self.zone, self.horizon = cadence, zone, horizon
        self.known: dict[str, SlotState] = {}
        self.fired: dict[str, datetime] = {}
        self.slots: list[Slot] = []
        self.dues: list[datetime] = []

    def until(self, end: datetime) -> None:
        self.slots = slots_between(self.cadence, self.zone, self.horizon, end + LEAD)
        self.dues = [each.due_at for each in self.slots]

    def moments(self, start: datetime, end: datetime, step: timedelta) -> list[datetime]:
        """Of all ticks from `start` on, one each `step`, those at which a slot comes into sight or is due, and the two
        after each, which find nothing to do or what was left. At any other the clock decides by the same slots and
        states as at the one before."""
        acts = {-((start - moment) // step) for due in self.dues for moment in (due - LEAD, due)}
        places = {place + more for place in acts for more in range(3)}
        return [start + place * step for place in sorted(places) if place >= 0 and start + place * step <= end]

    def tick(self, now: datetime, open_from: datetime) -> None:
        low, high = bisect_right(self.dues, open_from), bisect_right(self.dues, now + LEAD)
        plan = plan_slots(self.slots[low:high], self.known, now, lead=LEAD, late=latest_for(self.cadence))
        for slot in plan.merged:
            self._settle(slot, "merged", now)
        if plan.due:
            self._settle(plan.due, "missed" if plan.missed else "going", now)
        elif plan.coming:
            self.known[plan.coming.wall_time] = "drafted"

    def _settle(self, slot: Slot, state: SlotState, now: datetime) -> None:
        assert self.known.get(slot.wall_time) in (None, "drafting", "drafted"), slot
        self.known[slot.wall_time] = state
        self.fired[slot.wall_time] = now


@pytest.mark.parametrize("zone", ["Europe/Lisbon", "Pacific/Apia", "Antarctica/Troll", "Australia/Lord_Howe"])
def test_each_planned_slot_goes_exactly_once_in_two_years(zone: str) -> None:
    start = datetime(SPANS[zone], 1, 1, tzinfo=UTC)
    end = start + timedelta(days=730)
    # That every rule of clocks gives every slot is tried where slots are counted; here what becomes of them.
    for text in CADENCES:
        plan = Plan(parse_cadence("c", text), zone, start)
        plan.until(end)
        for now in plan.moments(start, end, timedelta(minutes=15)):
            plan.tick(now, now - timedelta(days=3))
        settled = {wall: state for wall, state in plan.known.items() if state != "drafted"}
        assert sorted(settled) == planned(text, zone, start, end), text
        went = [wall for wall, state in settled.items() if state == "going"]
        # Only where a day is left out, or an hour with a slot, do two slots come so near that one tick sees both.
        assert len(settled) - len(went) <= 8 and set(settled.values()) <= {"going", "merged"}
        late = [plan.fired[slot.wall_time] - slot.due_at for slot in plan.slots if slot.wall_time in settled]
        assert max(late) < timedelta(minutes=15)


@pytest.mark.parametrize("text", CADENCES)
def test_no_other_tick_does_anything(text: str) -> None:
    """What the years above are walked by: every tick of two months with a change of the clocks says the same."""
    start, step = datetime(2026, 3, 1, tzinfo=UTC), timedelta(minutes=15)
    end = start + timedelta(days=60)
    walked = []
    for every in (True, False):
        plan = Plan(parse_cadence("c", text), "Europe/Paris", start)
        plan.until(end)
        all_of_them = [start + place * step for place in range((end - start) // step + 1)]
        for now in all_of_them if every else plan.moments(start, end, step):
            plan.tick(now, now - timedelta(days=3))
        walked.append((plan.known, plan.fired))
    assert walked[0] == walked[1]


@given(
    st.sampled_from([*SPANS]),
    st.sampled_from(CADENCES),
    st.lists(st.tuples(st.integers(0, 60 * 24 * 9), st.integers(0, 90)), min_size=1, max_size=40),
    st.integers(0, 700),
)
@settings(max_examples=150)
def test_after_any_absence_every_slot_is_accounted_for_once(
    zone: str, text: str, steps: list[tuple[int, int]], day: int
) -> None:
    start = datetime(SPANS[zone], 1, 1, tzinfo=UTC) + timedelta(days=day)
    plan = Plan(parse_cadence("c", text), zone, start)
    plan.until(start + timedelta(days=9 * len(steps) + 9))
    now = start
    for absent, minutes in steps:
        now += timedelta(minutes=absent)
        for _ in range(minutes):
            plan.tick(now, start)
            now += timedelta(minutes=1)
    plan.tick(now, start)
    due = [slot.wall_time for slot in plan.slots if slot.due_at <= now]
    assert sorted(wall for wall, state in plan.known.items() if state not in ("drafted", "drafting")) == sorted(due)
    for slot in plan.slots:
        if plan.known.get(slot.wall_time) == "going":
            assert timedelta(0) <= plan.fired[slot.wall_time] - slot.due_at <= latest_for(plan.cadence)


# --- in a database ----------------------------------------------------------------------------------------------

ZONED = [
    replace(MORNING, name=name, timezone=zone, approval="automatic", cadences={"daily": parse_cadence("daily", text)})
    for name, zone, text in (
        ("lisbon", "Europe/Lisbon", "daily 01:30"),
        ("paris", "Europe/Paris", "daily 02:30"),
        ("york", "America/New_York", "daily 02:15"),
        ("howe", "Australia/Lord_Howe", "daily 02:10"),
    )
]


@pytest.mark.parametrize("change", ["2027-03-13", "2027-03-27", "2027-04-03", "2027-10-02", "2027-10-30", "2027-11-06"])
def test_the_rows_say_the_same_around_every_change_of_the_clocks(database: Database, change: str) -> None:
    start = utc(f"{change}T12:00")
    end = start + timedelta(days=2)
    clock = Clockwork(database, ZONED, light=True).open(start)
    now = start
    while now <= end:
        clock.tick(now)
        if now.minute == 0:
            clock.sent()
        now += timedelta(minutes=30)
    for newsletter in ZONED:
        text = newsletter.cadences["daily"].text
        rows = {wall: state for wall, state in clock.states(newsletter.name).items() if state != "drafted"}
        assert [*rows] == planned(text, newsletter.timezone, start, end)
        assert set(rows.values()) == {"going"}
    assert len({number for each in clock.ticks for number in each.sent}) == sum(len(each.sent) for each in clock.ticks)


@given(st.lists(st.tuples(st.sampled_from(["on", "off", "back", "ahead"]), st.integers(1, 60 * 30)), max_size=8))
@example([("back", 1), ("ahead", 1), ("off", 1)])
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_absences_and_jumps_lose_nothing_and_double_nothing(database: Database, steps: list[tuple[str, int]]) -> None:
    start = utc("2026-11-20T12:00")
    name = "twice"
    newsletter = replace(ZONED[0], name=name, cadences={"daily": parse_cadence("daily", "daily 07:00,15:00")})
    clock = Clockwork(database, [newsletter], light=True)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE instance SET clock_at = NULL, clock_seen_at = NULL, clock_held = ''")
        for table in ("slots", "issues", "cadences", "newsletters"):
            connection.exec_driver_sql(f"DELETE FROM {table}")  # the example before
    clock.open(start)
    true, sent = start, []
    clock.tick(true)
    for kind, minutes in [*steps, ("on", 60 * 30)]:
        if kind == "off":
            true += timedelta(minutes=minutes)
            clock.believed = None
        elif kind == "on":
            end = true + timedelta(minutes=minutes)
            while true < end:
                true = min(end, true + timedelta(minutes=60))
                done = clock.tick(true)
                if done.held:
                    # Only what stood ahead when a process ended is held, until a person says that it is right.
                    assert "ahead" in done.held and not done.sent
                    trust_clock(database, actor="editor", now=true)
                    done = clock.tick(true)
                sent += done.sent
                clock.sent()
        else:
            wrong = true + timedelta(minutes=minutes + 6) * (1 if kind == "ahead" else -1)
            is_new = clock.believed is None
            done = clock.tick(wrong, steady=true.timestamp())
            if is_new and not done.held:
                return  # a new process cannot tell that it began with a clock that stands ahead
            assert done.held and not done.sent
    due = planned("daily 07:00,15:00", "Europe/Lisbon", start, true)
    rows = {wall: state for wall, state in clock.states(name).items() if state != "drafted"}
    assert [*rows] == due
    assert len(sent) == len(set(sent)) == sum(state == "going" for state in rows.values())


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_any_commit_the_next_clock_goes_on(database: Database, database_url: str, when: str) -> None:
    """Killed with -9 at its first commit, then at its second, and so on, until one tick comes to its end."""
    newsletter = replace(ZONED[0], name="morning")
    start = utc("2026-11-20T05:00")
    for number in range(1, 40):
        day = start + timedelta(days=number)
        Clockwork(database, [newsletter], light=True).open(day).tick(day, fresh=True)
        ends = []
        for hour in (19.6, 20.6):
            moment = day + timedelta(hours=hour)
            ends.append(_tick_elsewhere(database_url, moment, number, when))
            clock = Clockwork(database, [newsletter], light=True)
            sent = clock.tick(moment + timedelta(minutes=2), fresh=True).sent
            clock.tick(moment + timedelta(minutes=3))
            assert not sent or hour > 20
        state = clock.states()[f"{day + timedelta(days=1):%Y-%m-%d}T01:30"]
        assert state == "going"
        issues = [clock.issue(each.issue_id) for each in clock.slots().values() if each.issue_id is not None]
        assert len({issue.id for issue in issues}) == len(issues)
        assert issues[-1].state == "scheduled"
        clock.sent()
        if ends == [0, 0]:
            break
    else:
        raise AssertionError("No tick ever came to its end.")


def _tick_elsewhere(database_url: str, moment: datetime, number: int, when: str) -> int:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        # A connection of its own: nothing of the parent's is used on this side.
        from tests.end_to_end.sender import die_at_commit

        database = open_database(database_url)
        die_at_commit(database, number, when)
        Clockwork(database, [replace(ZONED[0], name="morning")], light=True).tick(moment, fresh=True)
        status = 0
    finally:
        os._exit(status)
