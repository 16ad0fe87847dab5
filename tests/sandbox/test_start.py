"""One sandbox for one outbox: found, shared, inherited, and gone when it should be."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syndicate.errors import MailAPIError
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection
from syndicate.sandbox import start
from syndicate.sandbox.start import running_sandbox
from tests.mail.samples import message

ROOT = Path(__file__).resolve().parents[2]

RUNNING = """
import sys
from pathlib import Path
from syndicate.sandbox.start import running_sandbox
with running_sandbox(Path(sys.argv[1])) as sandbox:
    print(sandbox.url, sandbox.hosted_here, flush=True)
    sys.stdin.read()
print("stopped", flush=True)
"""


@contextmanager
def another(outbox: Path) -> Iterator[tuple[subprocess.Popen[str], str, bool]]:
    """Another process that runs the sandbox until its standard input ends."""
    command = [sys.executable, "-W", "error", "-c", RUNNING, str(outbox)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, hosted = process.stdout.readline().split()
        try:
            yield process, url, hosted == "True"
        finally:
            process.kill()


def accepted(url: str, number: int = 1) -> bool:
    api = open_mail_api("mailpit", Connection(url, "", 5.0))
    return api.post(api.build([message(number)]), key="", count=1).verdict == "accepted"


def eventually(condition: object, seconds: float = 60.0) -> bool:
    assert callable(condition)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_it_runs_while_the_block_does_and_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with running_sandbox(tmp_path / "outbox") as sandbox:
        assert sandbox.hosted_here
        assert accepted(sandbox.url)
        port = int((tmp_path / "outbox" / "port").read_text())
        assert sandbox.url == f"http://127.0.0.1:{port}"
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)

    def all_gone() -> bool:
        return {thread.name for thread in set(threading.enumerate()) - before} <= {"http-deadlines"}

    # The server's idle worker threads are told to end when its loop does, and end soon after.
    assert eventually(all_gone)


def test_the_next_run_listens_at_the_same_port_and_knows_the_mails(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as sandbox:
        first = sandbox.url
        assert accepted(first)
    with running_sandbox(tmp_path) as sandbox:
        assert sandbox.url == first
        assert open_mail_api("mailpit", Connection(first)).lookup([message().message_id]) == frozenset(
            [message().message_id]
        )


def test_a_port_that_is_taken_by_another_program_is_left_to_it(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as sandbox:
        first = sandbox.url
    with socket.create_server(("127.0.0.1", int(first.rpartition(":")[2]))), running_sandbox(tmp_path) as sandbox:
        assert sandbox.url != first
        assert accepted(sandbox.url)


@pytest.mark.parametrize("port", ["", "x", "0", "99999", "-1"])
def test_a_port_file_that_makes_no_sense_is_passed_over(tmp_path: Path, port: str) -> None:
    (tmp_path / "port").write_text(port)
    with running_sandbox(tmp_path) as sandbox:
        assert accepted(sandbox.url)


def test_two_in_one_process_share_one_server(tmp_path: Path) -> None:
    with running_sandbox(tmp_path) as first, running_sandbox(tmp_path) as second:
        assert (first.hosted_here, second.hosted_here) == (True, False)
        assert first.url == second.url


def test_two_outboxes_have_two_servers(tmp_path: Path) -> None:
    with running_sandbox(tmp_path / "a") as first, running_sandbox(tmp_path / "b") as second:
        assert first.url != second.url
        assert accepted(first.url)
    assert len(list((tmp_path / "a").glob("*.eml"))) == 1
    assert len(list((tmp_path / "b").glob("*.eml"))) == 0


def test_another_process_is_found_and_used(tmp_path: Path) -> None:
    with another(tmp_path) as (_, url, hosted):
        assert hosted
        with running_sandbox(tmp_path) as sandbox:
            assert not sandbox.hosted_here
            assert sandbox.url == url
            assert accepted(sandbox.url)


@pytest.mark.parametrize("how", ["killed", "ended"])
def test_when_the_first_goes_away_the_second_takes_over_at_the_same_address(tmp_path: Path, how: str) -> None:
    with another(tmp_path) as (process, url, _), running_sandbox(tmp_path) as sandbox:
        assert accepted(sandbox.url, 1)
        if how == "killed":
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        else:
            assert process.communicate(timeout=60)[0] == "stopped\n"
            assert process.returncode == 0
        assert eventually(lambda: accepted(url, 2))
        assert sandbox.hosted_here
        assert sandbox.url == url
        found = open_mail_api("mailpit", Connection(url)).lookup([message(1).message_id])
        assert found == frozenset([message(1).message_id])


def test_many_that_start_at_once_agree_on_one(tmp_path: Path) -> None:
    together = threading.Barrier(4, timeout=60)
    seen: list[tuple[str, bool]] = []

    def run() -> None:
        together.wait()
        with running_sandbox(tmp_path) as sandbox:
            seen.append((sandbox.url, sandbox.hosted_here))
            together.wait()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({url for url, _ in seen}) == 1
    assert sum(hosted for _, hosted in seen) == 1


def test_a_holder_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start, "PATIENCE", 0.3)
    with another(tmp_path) as (process, _, _):
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(MailAPIError, match="lock") as refused, running_sandbox(tmp_path):
            pass
        assert refused.value.cure
        os.kill(process.pid, signal.SIGCONT)


def test_a_server_of_another_outbox_at_the_port_is_not_taken_for_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start, "PATIENCE", 0.3)
    with running_sandbox(tmp_path / "a") as other, running_sandbox(tmp_path / "b"):
        (tmp_path / "b" / "port").write_text(other.url.rpartition(":")[2])
        with pytest.raises(MailAPIError, match="does not answer"), running_sandbox(tmp_path / "b"):
            pass
