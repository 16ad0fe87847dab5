"""A short `python3 -m tests.chaos`: the processes of a site, killed, asleep and woken, and its database killed too."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.counting import can_know
from tests.chaos.postgresql import PostgreSQLServer
from tests.chaos.round import Plan, Round, run
from tests.end_to_end.site import ROOT, SiteFolder
from tests.process.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[PostgreSQLServer]:
    """One that nobody else uses: it is killed."""
    with PostgreSQLServer() as started:
        yield started


def check(done: Round, plan: Plan) -> None:
    assert done.is_over
    assert done.count.lost == done.count.doubled == 0
    assert done.count.uncertain == 0 or not can_know(done.api)
    assert done.count.uncertain < plan.recipients
    assert done.looks > 10
    assert done.unbalanced == 0
    assert done.faults == ()


def test_on_sqlite_three_processes_are_killed_and_put_to_sleep(tmp_path: Path) -> None:
    plan = Plan(recipients=240, kills=4, sleeps=1)
    check(run(tmp_path, "resend", f"sqlite:///{tmp_path}/syndicate.db", plan, random.Random(1)), plan)


@pytest.mark.parametrize(("api", "sleeps"), [("mailgun", 1), ("sendgrid", 0)])
def test_on_postgresql_clocks_and_workers_and_the_server_itself(
    tmp_path: Path, server: PostgreSQLServer, api: str, sleeps: int
) -> None:
    plan = Plan(recipients=240, kills=4, sleeps=sleeps, restarts=1)
    url = server.new_database()
    check(run(tmp_path, api, url, plan, random.Random(2), server=server), plan)
    server.drop(url)


def test_ctrl_c_ends_it_with_what_was_counted_and_leaves_nothing_behind() -> None:
    words = ["--api", "mailpit", "--database", "sqlite", "--recipients", "1000", "--kills", "1", "--json"]
    # The name of a socket is short: it has no room for the folder of a test.
    with TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos", *words],
            cwd=ROOT,
            env={**SiteFolder.environment(), "TMPDIR": folder},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            until(lambda: process.poll() is not None or has_begun(Path(folder)), 240)
            process.send_signal(signal.SIGINT)
            told, said = process.communicate(timeout=120)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode == 130, said
        assert "what was counted until now" in said
        (done,) = json.loads(told)["rounds"]
        assert (done["is_over"], done["lost"], done["doubled"]) == (False, 0, 0)
        assert not [*Path(folder).glob("syndicate-chaos-*")]


def has_begun(folder: Path) -> bool:
    """Whether a mail was accepted."""
    return any(each.stat().st_size for each in folder.glob("*/journal"))
