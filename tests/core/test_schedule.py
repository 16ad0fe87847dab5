"""Cadences as people write them."""

from __future__ import annotations

from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.schedule import DAYS, parse_cadence, parse_every, parse_lead


@pytest.mark.parametrize(
    ("text", "days", "times"),
    [
        ("mon-fri 07:00", (0, 1, 2, 3, 4), (time(7),)),
        ("sat 09:00", (5,), (time(9),)),
        ("daily 18:00,07:00", tuple(range(7)), (time(7), time(18))),
        ("mon,thu 08:30", (0, 3), (time(8, 30),)),
        ("sat-mon 7:05", (0, 5, 6), (time(7, 5),)),
        ("  Mon-Fri   07:00,  18:15 ", (0, 1, 2, 3, 4), (time(7), time(18, 15))),
        ("mon-fri,sun 23:59", (0, 1, 2, 3, 4, 6), (time(23, 59),)),
    ],
)
def test_cadences(text: str, days: tuple[int, ...], times: tuple[time, ...]) -> None:
    cadence = parse_cadence("c", text)
    assert (cadence.days, cadence.times, cadence.text) == (days, times, text.strip())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "daily",
        "07:00",
        "0-4 07:00",
        "1 07:00",
        "mon-fry 07:00",
        "mon 24:00",
        "mon 7",
        "mon 07:60",
        "mon- 07:00",
        "-fri 07:00",
        "mon,, 07:00",
        "mon 07:00,",
        "0 7 * * 1-5",
        "mon 07:00 CET",
        "montag 07:00",
    ],
)
def test_what_is_no_cadence(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_cadence("c", text)


@given(st.sets(st.sampled_from(range(7)), min_size=1), st.sets(st.times(), min_size=1, max_size=4))
def test_every_set_of_days_and_minutes_can_be_written(days: set[int], times: set[time]) -> None:
    minutes = {each.replace(second=0, microsecond=0, tzinfo=None) for each in times}
    text = ",".join(DAYS[day] for day in days) + " " + ",".join(f"{each:%H:%M}" for each in minutes)
    cadence = parse_cadence("c", text)
    assert (set(cadence.days), set(cadence.times)) == (days, minutes)


@pytest.mark.parametrize(("text", "minutes"), [("-60m", 60), ("-2h", 120), ("-0m", 0), (" -24H ", 1440)])
def test_leads(text: str, minutes: int) -> None:
    assert parse_lead(text) == minutes


@pytest.mark.parametrize("text", ["60m", "+60m", "-60", "-25h", "-1d", "", "-99999999m", "-1.5h"])
def test_what_is_no_lead(text: str) -> None:
    with pytest.raises(ValueError, match="-60m"):
        parse_lead(text)


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("15m", 900), (" 2 H ", 7200), ("7d", 604_800)])
def test_how_often_is_said_in_one_unit(text: str, seconds: int) -> None:
    assert parse_every(text) == seconds


@pytest.mark.parametrize("text", ["", "15", "m", "9s", "8d", "-1m", "1.5h", "0m", "1w", "999999999d"])
def test_how_often_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time such as"):
        parse_every(text)
