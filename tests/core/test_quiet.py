"""Quiet hours, over midnight and over every change of the clocks."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.quiet import parse_quiet, quiet_until

MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))
ZONES = st.sampled_from(["Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "Asia/Kathmandu"])


@pytest.mark.parametrize("text", ["", "22-7", "22:00", "22:00-22:00", "25:00-07:00", "22:00–07:00"])
def test_what_are_no_quiet_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_quiet(text)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        ("2026-11-20T21:59:59", None),
        ("2026-11-20T22:00:00", "2026-11-21T07:00:00"),
        ("2026-11-21T03:00:00", "2026-11-21T07:00:00"),
        ("2026-11-21T07:00:00", None),
    ],
)
def test_they_last_over_midnight(now: str, ends: str | None) -> None:
    zone = ZoneInfo("America/New_York")
    moment = datetime.fromisoformat(now).replace(tzinfo=zone).astimezone(UTC)
    found = quiet_until(parse_quiet("22:00-07:00"), moment, "America/New_York")
    assert found == (datetime.fromisoformat(ends).replace(tzinfo=zone).astimezone(UTC) if ends else None)


@pytest.mark.parametrize(
    ("now", "ends"),
    [
        # On 28 March 2027 the clocks of Berlin go from 2:00 to 3:00, at 1:00 UTC.
        ("2027-03-28T00:29:00", "2027-03-28T01:30:00"),
        ("2027-03-28T00:45:00", "2027-03-28T01:30:00"),
        ("2027-03-28T01:00:00", None),
    ],
)
def test_an_end_that_the_clocks_leave_out_is_not_before_they_do(now: str, ends: str | None) -> None:
    moment, until = (datetime.fromisoformat(f"{each}+00:00") if each else None for each in (now, ends))
    assert moment is not None
    assert quiet_until(parse_quiet("23:30-02:30"), moment, "Europe/Berlin") == until


@given(MOMENTS, ZONES, st.sampled_from(["22:00-07:00", "12:30-14:00", "01:15-01:45", "23:30-02:30", "02:15-03:15"]))
def test_they_end_within_a_day_and_then_it_is_quiet_no_more(moment: datetime, zone: str, text: str) -> None:
    quiet = parse_quiet(text)
    until = quiet_until(quiet, moment, zone)
    shown = moment.astimezone(ZoneInfo(zone)).time()
    over_midnight = quiet.ends < quiet.begins
    late, early = shown >= quiet.begins, shown < quiet.ends
    assert (until is not None) == (late or early if over_midnight else late and early)
    if until is None:
        return
    assert moment < until <= moment + timedelta(hours=25)
    # Only where clocks go back over the end itself is it the same hours once more, and then they end.
    again = quiet_until(quiet, until, zone)
    assert again is None or again - until <= timedelta(hours=2)
