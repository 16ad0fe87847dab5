"""A short `python3 -m tests.chaos`: through every mail API and on both databases the processes of a site are killed,
put to sleep and woken, and the database is killed too."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from syndicate.mail import sheet_of
from tests.chaos.apis import APIS, adapter_of, can_know
from tests.chaos.postgresql import PostgreSQLServer
from tests.chaos.round import Plan, Round, run
from tests.end_to_end.sender import FORKS
from tests.end_to_end.site import ROOT, SiteFolder
from tests.process.waiting import until

# They share what they wait for.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chaos")]

ROLES = {"sqlite": ("work",) * 2, "postgresql": ("work", "worker")}
EACH = [(api, database) for api in APIS for database in ROLES]
AT_ONCE = 5
"""Rounds. Most of one is waiting until what a sleeper had claimed is others'."""


def check(done: Round, plan: Plan) -> None:
    assert done.is_over
    assert done.count.lost == done.count.doubled == 0
    assert done.count.uncertain == 0 or not can_know(done.api)
    assert done.count.uncertain < plan.recipients
    assert done.looks > 10
    assert done.unbalanced == 0
    assert done.faults == ()
    assert (done.kills, done.sleeps, done.restarts) == (plan.kills, plan.sleeps, plan.restarts)


def plan_of(api: str) -> Plan:
    """A small one: some twelve requests, or sixty where each mail is one."""
    readers = 240 if sheet_of(adapter_of(api)).recipients_per_request > 1 else 60
    return Plan(recipients=readers, kills=2, sleeps=1, restarts=0, roles=ROLES, concurrency=2)


def round_of(api: str, url: str, plan: Plan) -> Round:
    """That round, in a process that does nothing else."""
    with TemporaryDirectory(prefix="syndicate-chaos-") as folder:
        rng = random.Random(f"{api} {url[:6]}")
        return run(Path(folder), api, url or f"sqlite:///{folder}/syndicate.db", plan, rng)


Rounds = Mapping[tuple[str, str], Future[Round]]


@pytest.fixture(scope="module")
def rounds(request: pytest.FixtureRequest) -> Iterator[Rounds]:
    """Those that are asked for, several at the same time. The PostgreSQL server is nobody else's."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    with PostgreSQLServer() as server, ProcessPoolExecutor(AT_ONCE, mp_context=FORKS) as pool:
        started = {}
        for item in items:
            if item.originalname == "test_through_each_mail_api":
                api, database = EACH[item.callspec.indices["each"]]
                url = server.new_database() if database == "postgresql" else ""
                started[api, database] = pool.submit(round_of, api, url, plan_of(api))
        yield started
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("each", EACH, ids="-".join)
def test_through_each_mail_api(rounds: Rounds, each: tuple[str, str]) -> None:
    check(rounds[each].result(), plan_of(each[0]))


def test_clocks_and_workers_and_the_postgresql_server_itself(tmp_path: Path) -> None:
    plan = Plan(240, kills=3, sleeps=0, restarts=1, roles={"postgresql": ("clock", "clock", "worker", "worker")})
    with PostgreSQLServer() as server:
        check(run(tmp_path, "mailgun", server.new_database(), plan, random.Random(2), server=server), plan)


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
