"""Loops that fail and go on, bells that are heard once, and an end that wakes everybody."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syndicate.clock import Triggers
from syndicate.errors import Refused
from syndicate.process.log import Log
from syndicate.process.loops import Loops
from syndicate.process.watching import Watcher
from tests.process.waiting import until


@pytest.fixture
def loops() -> Loops:
    return Loops(Log("work"))


def test_what_fails_is_told_and_tried_again_and_stops_no_other(loops: Loops, caplog: pytest.LogCaptureFixture) -> None:
    failures = iter([Refused("The quay is closed.", cure="Open it."), ValueError("odd")])
    fine, mended = threading.Event(), threading.Event()

    def ill() -> None:
        if (error := next(failures, None)) is not None:
            raise error
        mended.set()
        loops.stop.wait()

    def well() -> None:
        fine.set()
        loops.stop.wait()

    with caplog.at_level("INFO", logger="syndicate"):
        loops.keep("quay", ill)
        loops.keep("tide", well)
        assert fine.wait(60) and mended.wait(60)
        loops.leave()
        assert loops.join(60) == []
    told = [record.getMessage() for record in caplog.records]
    assert told[:2] == ["quay: The quay is closed. Open it.", "quay: ValueError: odd"]


def test_the_end_wakes_whoever_listens(loops: Loops) -> None:
    bell = loops.bell()
    loops.keep("listener", lambda: bell.heard(60) and None)
    loops.leave()
    assert loops.join(60) == []


def test_a_bell_is_heard_once_and_not_missed(loops: Loops) -> None:
    bell = loops.bell()
    bell.ring()
    bell.ring()
    assert bell.heard(0)
    assert not bell.heard(0)


def test_triggers_call_at_once_and_again_and_count_anew_when_told() -> None:
    triggers, rare, often = Triggers(), threading.Semaphore(0), threading.Semaphore(0)
    triggers.every(3600, "rare", rare.release)
    triggers.every(0.05, "often", often.release)
    triggers.start()
    try:
        assert rare.acquire(timeout=60)
        assert all(often.acquire(timeout=60) for _ in range(3))
        assert not rare.acquire(blocking=False)
        triggers.realign()
        assert rare.acquire(timeout=60)
    finally:
        triggers.stop()


def test_a_clock_set_forward_by_decades_makes_one_call() -> None:
    """A machine may start without the time, and get it later."""
    triggers = Triggers()
    triggers.every(1, "tick", lambda: None)
    (job,) = triggers._scheduler.get_jobs()
    trigger, long_ago, today = job.trigger, datetime(1970, 1, 1, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)
    assert trigger.get_next_fire_time(long_ago, today) == today + timedelta(seconds=1)


@pytest.mark.parametrize("polling", [False, True])
def test_a_saved_file_is_told_under_the_name_of_its_source(loops: Loops, tmp_path: Path, polling: bool) -> None:
    told: list[str] = []
    folders = {"desk": tmp_path / "desk", "wire": tmp_path / "wire"}
    for folder in folders.values():
        folder.mkdir()
    loops.keep("watcher", Watcher(folders, told.append, loops, Log("work"), polling=polling).step)
    until(lambda: sorted(told) == ["desk", "wire"])  # once at the beginning, for what came before
    told.clear()
    (folders["wire"] / "world").mkdir()
    (folders["wire"] / "world" / "story.md").write_text("A story.", encoding="utf-8")
    until(lambda: "wire" in told)
    assert "desk" not in told
    loops.leave()
    assert loops.join(60) == []


def test_a_folder_that_comes_later_or_is_replaced_is_watched(loops: Loops, tmp_path: Path) -> None:
    told: list[str] = []
    folder = tmp_path / "desk"
    loops.keep("watcher", Watcher({"desk": folder}, told.append, loops, Log("work")).step)
    for _ in range(2):
        told.clear()
        folder.mkdir()
        until(lambda: bool(told))
        told.clear()
        (folder / "story.md").write_text("A story.", encoding="utf-8")
        until(lambda: bool(told))
        folder.rename(tmp_path / f"old-{time.monotonic_ns()}")
    loops.leave()
    assert loops.join(60) == []
