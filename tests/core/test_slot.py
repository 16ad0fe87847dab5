"""What the clock plans: the latest of what is due, the next to be drafted, and never the same slot twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.schedule import parse_cadence, rhythm_of
from syndicate.core.slot import LATE, OPEN, Plan, Slot, SlotState, latest_for, plan_slots

START = datetime(2026, 11, 20, tzinfo=UTC)
LEAD = timedelta(hours=1)
SETTLED: tuple[SlotState, ...] = ("going", "awaiting", "skipped", "empty", "missed", "merged", "superseded")


def at(hours: float) -> Slot:
    due = START + timedelta(hours=hours)
    return Slot(due, f"{due:%Y-%m-%dT%H:%M}")


def plan(slots: list[Slot], known: dict[Slot, SlotState], hours: float) -> Plan:
    states = {slot.wall_time: state for slot, state in known.items()}
    return plan_slots(slots, states, START + timedelta(hours=hours), lead=LEAD, late=LATE)


@given(
    st.sets(st.integers(0, 60), max_size=12),
    st.dictionaries(st.integers(0, 60), st.sampled_from([*SETTLED, *OPEN])),
    st.integers(0, 60),
)
def test_the_plan_has_every_open_slot_that_is_due_and_no_other(
    hours: set[int], states: dict[int, SlotState], now: int
) -> None:
    slots = [at(hour) for hour in sorted(hours) if hour <= now + 1]
    found = plan(slots, {at(hour): state for hour, state in states.items()}, now)
    due = [at(hour) for hour in sorted(hours) if hour <= now and states.get(hour) not in SETTLED]
    assert [*found.merged, *([found.due] if found.due else [])] == due
    assert found.missed == bool(due and due[-1].due_at < START + timedelta(hours=now) - LATE)
    if found.coming is not None:
        assert found.due is None and found.coming == at(now + 1)


def test_the_next_is_not_drafted_while_one_before_it_is_open() -> None:
    assert plan([at(1)], {}, 0).coming == at(1)
    assert plan([at(0.5), at(1)], {at(0.5): "drafted"}, 0).coming is None
    assert plan([at(0.5), at(1)], {at(0.5): "skipped"}, 0).coming == at(1)
    assert plan([at(0), at(1)], {}, 0) == Plan(due=at(0))
    assert plan([at(1)], {at(1): "drafting"}, 0.5).coming == at(1)


@pytest.mark.parametrize(
    ("text", "hours"), [("sat 09:00", 24), ("sat 09:00,18:00", 3), ("mon,thu 09:00", 3), ("daily 07:00", 3)]
)
def test_how_late_a_slot_may_go(text: str, hours: int) -> None:
    assert latest_for(parse_cadence("c", text)) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["mon-fri 07:00", "sat 9:00", "daily 18:00, 07:00", "fri-mon 00:30"])
def test_a_rhythm_is_written_in_one_way(text: str) -> None:
    cadence = parse_cadence("c", text)
    again = parse_cadence("c", rhythm_of(cadence))
    assert (again.days, again.times) == (cadence.days, cadence.times)
    assert rhythm_of(again) == rhythm_of(cadence)
