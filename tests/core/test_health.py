"""Silence is not success."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from syndicate.core.health import feed_health, source_health, usual_quiet


@pytest.mark.parametrize(
    ("paused", "problem", "ok_hours", "new_hours", "word"),
    [
        (False, "", None, None, "not heard from"),
        (False, "", 1, 1, "ok"),
        (False, "", 1, 5, "nothing new"),
        (False, "", 1, None, "nothing new"),
        (False, "cannot be read", 1, 1, "broken"),
        (False, "cannot be read", None, None, "broken"),
        (True, "cannot be read", 1, 1, "paused"),
    ],
)
def test_sources(
    now: datetime, paused: bool, problem: str, ok_hours: int | None, new_hours: int | None, word: str
) -> None:
    ok_at, new_at = (None if hours is None else now - timedelta(hours=hours) for hours in (ok_hours, new_hours))
    assert source_health(paused=paused, problem=problem, last_ok_at=ok_at, last_new_at=new_at) == word


def test_a_source_that_is_silent_for_too_long_is_not_heard_from(now: datetime) -> None:
    def health(new_at: datetime | None, quiet: timedelta | None, began_at: datetime | None = None) -> str:
        return source_health(
            paused=False, problem="", last_ok_at=now, last_new_at=new_at, now=now, began_at=began_at, quiet_after=quiet
        )

    day = timedelta(days=1)
    assert health(now - 3 * day, 2 * day) == "not heard from"
    assert health(now - 2 * day, 2 * day) == "nothing new"
    assert health(now, 2 * day) == "ok"
    assert health(now - 300 * day, None) == "nothing new", "its rhythm is not known"
    assert health(None, 2 * day, began_at=now - 3 * day) == "not heard from"
    assert health(None, 2 * day, began_at=now - day) == "nothing new"
    assert health(None, 2 * day) == "nothing new"


def test_its_rhythm_is_told_by_its_history(now: datetime) -> None:
    def quiet(*hours: float) -> timedelta | None:
        at = [now - timedelta(hours=each) for each in hours]
        assert usual_quiet(at) == usual_quiet(at[::-1])
        return usual_quiet(at)

    assert quiet() is None
    assert quiet(1, 2, 3, 4) is None
    assert quiet(*[5.0] * 300) is None, "one lot is no rhythm"
    assert quiet(1, 2, 3, 4, 5) == timedelta(days=1), "never below a day"
    assert quiet(1, 2, 3, 63, 64) == timedelta(hours=120), "a weekend counts"
    assert quiet(*range(0, 20_000, 2_000)) == timedelta(days=45)


@pytest.mark.parametrize(
    ("paused", "problem", "published", "behind", "word"),
    [
        (False, "", False, True, "not published yet"),
        (False, "", True, False, "ok"),
        (False, "", True, True, "behind"),
        (False, "an entry is invalid", True, False, "broken"),
        (True, "", True, False, "paused"),
    ],
)
def test_feeds(now: datetime, paused: bool, problem: str, published: bool, behind: bool, word: str) -> None:
    at = now if published else None
    assert feed_health(paused=paused, problem=problem, published_at=at, behind=behind) == word
