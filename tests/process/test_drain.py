"""Leaving takes longer than any request, and being ended comes after that."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.process import delivering
from syndicate.process.drain import drain_seconds, kill_seconds
from syndicate.settings import read_settings

ALLOWED = st.floats(min_value=1, max_value=300)
"""What `[mail] deadline_seconds` may be."""


@given(ALLOWED)
def test_a_request_ends_before_the_drain_and_the_drain_before_the_kill(deadline: float) -> None:
    assert deadline < drain_seconds(deadline) < kill_seconds(deadline)
    # With room: an answer is recorded in a write that may wait for others.
    assert drain_seconds(deadline) - deadline >= 5
    assert kill_seconds(deadline) - drain_seconds(deadline) >= 5


@given(ALLOWED)
def test_a_claim_outlives_its_request(deadline: float) -> None:
    # It raises where the lease would be too short. A request may begin at once, and in time for its answer to come.
    lease = delivering.lease_of(deadline)
    assert lease.may_begin(timedelta(0)) and not lease.may_begin(timedelta(seconds=lease.seconds - deadline))


@pytest.mark.parametrize(("deadline", "fits"), [(1, True), (300, True), (0.5, False), (301, False)])
def test_those_are_the_deadlines_that_settings_allow(tmp_path: Path, deadline: float, fits: bool) -> None:
    from syndicate.errors import SettingsError
    from syndicate.services.write_site import write_site

    write_site(tmp_path)
    settings = tmp_path / "syndicate.toml"
    text = settings.read_text(encoding="utf-8").replace("[mail]\n", f"[mail]\ndeadline_seconds = {deadline}\n")
    settings.write_text(text, encoding="utf-8")
    if fits:
        read_settings(tmp_path, {}, kinds=("folder",), apis=("sandbox",))
    else:
        with pytest.raises(SettingsError, match="1 to 300 seconds"):
            read_settings(tmp_path, {}, kinds=("folder",), apis=("sandbox",))
