"""The instrument itself: a test that relies on it must not be fooled by it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.mail_api_server import (
    KINDS,
    Acceptance,
    Fault,
    MailApiProcess,
    MailApiServer,
    Plan,
    doubled,
    lost,
    read_journal,
)


def email(to: str = "ann@example.org", **changes: Any) -> dict[str, Any]:
    whole = {"from": "a@post.example", "to": [to], "subject": "s", "text": "t", "headers": {"Message-ID": "<1@x>"}}
    return {**whole, **changes}


def batch(server: MailApiServer | MailApiProcess, *emails: dict[str, Any], key: str = "") -> requests.Response:
    headers = {"Authorization": "Bearer re_x", **({"Idempotency-Key": key} if key else {})}
    return requests.post(f"{server.url}/emails/batch", json=emails or (email(),), headers=headers, timeout=10)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("resend", tmp_path / "journal") as running:
        yield running


def test_the_same_key_and_body_are_accepted_once_and_answered_alike(server: MailApiServer) -> None:
    answers = [batch(server, email("ann@example.org"), email("bob@example.org"), key="k").json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert [taken.to for taken in read_journal(server.journal)] == ["ann@example.org", "bob@example.org"]


def test_the_same_key_with_another_body_is_refused(server: MailApiServer) -> None:
    batch(server, email("ann@example.org"), key="k")
    answer = batch(server, email("bob@example.org"), key="k")
    assert (answer.status_code, answer.json()["name"]) == (409, "invalid_idempotent_request")
    assert len(read_journal(server.journal)) == 1


def test_without_a_key_each_is_accepted(server: MailApiServer) -> None:
    batch(server)
    batch(server)
    assert doubled(read_journal(server.journal)) == {"ann@example.org": 2}


def test_a_key_is_forgotten_when_its_time_is_over(tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", key_seconds=0.0) as server:
        batch(server, key="k")
        batch(server, key="k")
    assert doubled(read_journal(tmp_path / "journal")) == {"ann@example.org": 2}


def test_a_refused_request_does_not_use_up_its_key(server: MailApiServer) -> None:
    assert batch(server, email(subject="s", extra="field"), key="k").status_code == 422
    assert batch(server, key="k").status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        email(to="nobody"),
        email(**{"from": "nobody"}),
        email(text=""),
        email(headers={"a": 1}),
        {"to": "ann@example.org"},
    ],
)
def test_a_batch_with_one_wrong_message_is_refused_whole(server: MailApiServer, wrong: dict[str, Any]) -> None:
    assert batch(server, email(), wrong).status_code == 422
    assert read_journal(server.journal) == []


def test_the_journal_tells_lost_and_doubled(tmp_path: Path) -> None:
    taken = [Acceptance(1, "k", "<1@x>", to, "id") for to in ("ann@example.org", "bob@example.org", "bob@example.org")]
    assert lost(taken, ["ann@example.org", "cat@example.org"]) == {"cat@example.org"}
    assert doubled(taken) == {"bob@example.org": 2}
    assert read_journal(tmp_path / "none") == []


def test_chance_depends_on_seed_and_number_alone() -> None:
    plan = Plan(chances={"drop_after_accept": 0.3, "server_error": 0.2}, seed=7)
    drawn = [plan.fault(number) for number in range(2000)]
    assert drawn == [plan.fault(number) for number in range(2000)]
    assert drawn != [Plan(chances=plan.chances, seed=8).fault(number) for number in range(2000)]
    assert 500 < drawn.count(Fault("drop_after_accept")) < 700
    assert 300 < drawn.count(Fault("server_error")) < 500


def test_a_fault_that_does_not_exist_is_said_to_be() -> None:
    with pytest.raises(ValueError, match="drop_after_accept"):
        Plan.parse(["1:explode"])


def test_faults_come_at_their_numbers(server: MailApiServer) -> None:
    server.plan = Plan.parse(["2:server_error", "3:rate_limited=9"])
    answers = [batch(server) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 500, 429, 200]
    assert answers[2].headers["Retry-After"] == "9"
    assert [seen.fault for seen in server.seen] == ["", "server_error", "rate_limited", ""]
    assert [taken.request for taken in read_journal(server.journal)] == [1, 4]


POSTING = """
import sys, requests
input()
email = {"from": "a@post.example", "to": "ann@example.org", "subject": "s", "text": "t" * 200_000}
requests.post(sys.argv[1], json=[email], headers={"Authorization": "Bearer re_x"})
"""


@contextmanager
def victim(url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", POSTING, f"{url}/emails/batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process


@pytest.mark.parametrize("kind", sorted(kind for kind in KINDS if kind.startswith("kill")))
def test_a_kill_comes_at_its_instant(tmp_path: Path, kind: str) -> None:
    with MailApiProcess("resend", tmp_path / "journal", faults=[f"1:{kind}"]) as server, victim(server.url) as process:
        server.control(pid=process.pid)
        process.communicate("go\n", timeout=30)
        if kind != "kill_after_answer":
            assert process.returncode == -signal.SIGKILL
        accepted = kind in ("kill_after_accept", "kill_after_answer")
        assert len(read_journal(server.journal)) == accepted
        assert batch(server).status_code == 200


def test_a_plan_may_be_changed_while_it_runs(tmp_path: Path) -> None:
    with MailApiProcess("mailpit", tmp_path / "journal") as server:
        mail = json.dumps({"From": {"Email": "a@post.example"}, "To": [{"Email": "ann@example.org"}]})
        assert requests.post(f"{server.url}/api/v1/send", data=mail, timeout=10).status_code == 200
        server.control(plan={"faults": ["1:server_error"]})
        assert requests.post(f"{server.url}/api/v1/send", data=mail, timeout=10).status_code == 500
        assert requests.post(f"{server.url}/api/v1/send", data=mail, timeout=10).status_code == 200
