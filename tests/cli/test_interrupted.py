"""Ctrl-C at any moment of a command that sends: what it says is what becomes of the issue."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from syndicate.storage.database import open_database
from syndicate.storage.workers import worker_lock
from tests.end_to_end.site import SiteFolder, make_site

SCHEDULE = "syndicate.services.approve_issue.schedule"
UP = "Issue 1 is not finished, and the worker that is up goes on with it. `syndicate issues pause 1` stops it."
ALONE = "Stopped. Issue 1 is not finished; what was done is kept. `syndicate issues send 1` goes on."
APPROVED = "Stopped. Issue 1 is not sent. `syndicate issues send 1` sends it."


@pytest.fixture
def site(tmp_path: Path) -> Iterator[SiteFolder]:
    """A site with three readers and an article to send, in a process that heeds Ctrl-C however it was started."""
    site = make_site(tmp_path / "site", at_hand=True)
    site.story(1)
    site.ok("collect")
    site.readers(3)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield site
    signal.signal(signal.SIGINT, before)


def press(monkeypatch: pytest.MonkeyPatch, function: str, *, before: bool = False, after: bool = False) -> None:
    """Ctrl-C just before that function is called, or just after it has returned."""
    module, _, name = function.rpartition(".")
    real: Callable[..., Any] = getattr(import_module(module), name)

    def called(*arguments: Any, **named: Any) -> Any:
        if before:
            signal.raise_signal(signal.SIGINT)
            if "stop" in named:
                named["stop"].wait(60)  # beside the thread that minds signals
        result = real(*arguments, **named)
        if after:
            signal.raise_signal(signal.SIGINT)
        return result

    monkeypatch.setattr(function, called)


def interrupted(site: SiteFolder, *arguments: str, worker: bool = False) -> str:
    """What the command said last, beside a worker that has not looked yet."""
    database = open_database(f"sqlite:///{site.folder / 'syndicate.db'}")
    beside = worker_lock(database, site.folder, "work", datetime.now(UTC)) if worker else nullcontext()
    with beside:
        done = site.call(*arguments, "--yes")
    database.dispose()
    assert done.returncode == 130, (done.stdout, done.stderr)
    return done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("function", "moment", "worker", "alone"),
    [
        (SCHEDULE, "before", APPROVED, APPROVED),
        (SCHEDULE, "after", UP, ALONE),
        ("syndicate.process.posting.posting", "before", UP, ALONE),
        ("syndicate.process.draining.drained", "before", UP, ALONE),
        ("syndicate.process.following.follow_issue", "before", UP, ALONE),
    ],
)
def test_it_says_who_goes_on_with_it(
    site: SiteFolder, monkeypatch: pytest.MonkeyPatch, function: str, moment: str, worker: str, alone: str
) -> None:
    press(monkeypatch, function, before=moment == "before", after=moment == "after")
    assert interrupted(site, "send", "morning", worker=True) == worker
    assert interrupted(site, "issues", "send", "1") == alone
    monkeypatch.undo()
    site.ok("issues", "send", "1", "--yes")
    assert len(site.mails) == 3


def test_what_is_over_is_not_said_to_be_unfinished(site: SiteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    press(monkeypatch, "syndicate.process.draining.drained", after=True)
    assert interrupted(site, "send", "morning") == "Issue 1 is sent: 3 planned, 3 accepted."


def test_what_goes_later_is_said_to_go_then(site: SiteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    press(monkeypatch, SCHEDULE, after=True)
    said = interrupted(site, "send", "morning", "--at", "2099-01-31T07:00", worker=True)
    assert said.startswith("Issue 1 goes out at 2099-01-31 07:00")
    assert said.endswith("`syndicate issues cancel 1` stops it.")


def test_what_waits_for_all_sending_is_said_to_wait(site: SiteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    site.ok("stop")
    press(monkeypatch, SCHEDULE, after=True)
    said = interrupted(site, "send", "morning", worker=True)
    assert said.startswith("Issue 1 waits: all sending is stopped") and said.endswith("`syndicate resume` goes on.")


def test_a_pause_is_said_to_last_until_it_is_over(site: SiteFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as once:
        press(once, "syndicate.process.delivering.deliver", before=True)
        assert interrupted(site, "send", "morning") == ALONE
    site.ok("issues", "pause", "1")
    with monkeypatch.context() as once:
        press(once, "syndicate.services.pause_issue.resume", before=True)
        said = interrupted(site, "issues", "resume", "1", worker=True)
        assert said == "Issue 1 is paused: by an editor. `syndicate issues resume 1` goes on."
    with monkeypatch.context() as once:
        press(once, "syndicate.services.pause_issue.resume", after=True)
        assert interrupted(site, "issues", "resume", "1", worker=True) == UP
