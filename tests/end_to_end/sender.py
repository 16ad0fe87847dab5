"""A process that brings one issue to its end, made to be killed: `python -m tests.end_to_end.sender --help`.

It freezes, delivers and sweeps as the program does, and ends with 0 when the issue is closed, 1 when something is left.
`--die-at-commit N` kills it with -9 at its N-th commit, just before or just after; nothing in the program knows of it.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.process
import os
import random
import signal
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from syndicate.core.issue import FINISHED
from syndicate.core.lease import Lease
from syndicate.core.message import Answer, CapabilitySheet, Message
from syndicate.mail import ADAPTERS, open_mail_api
from syndicate.mail.base import Connection, MailAPI
from syndicate.services.deliver_issue import deliver
from syndicate.services.recover_batches import recover
from syndicate.services.sweep_issues import sweep
from syndicate.storage.database import Database, open_database
from syndicate.storage.issues import get_issue
from syndicate.storage.workers import worker_lock
from tests.mail_api_server.process import control
from tests.mailing import clock, delivery_of, freeze_it


class Resized:
    """A mail API with another sheet: fewer recipients a request make more instants to be killed at."""

    def __init__(self, api: MailAPI, **changes: Any) -> None:
        self._api = api
        self.sheet: CapabilitySheet = replace(api.sheet, **changes)
        self.account = api.account
        self.url = api.url

    def build(self, messages: Sequence[Message]) -> bytes:
        return self._api.build(messages)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        return self._api.post(body, key=key, count=count)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return self._api.lookup(message_ids, key=key)


def mail_api(name: str, url: str, *, recipients: int, deadline_seconds: float = 10.0) -> MailAPI:
    """An adapter of the program, pointed at a test server; its record shows what it took at once."""
    api_key = "" if name == "mailpit" else "key:secret"
    api = open_mail_api(name, Connection(url, api_key, deadline_seconds, domain="post.example"))
    changes: dict[str, Any] = {"recipients_per_request": min(recipients, api.sheet.recipients_per_request)}
    if api.sheet.lookup:
        changes["lookup_lag_seconds"] = 0.3
    return Resized(api, **changes)


def die_at_commit(database: Database, number: int, when: str) -> None:
    """Kills this process at its commit of that number."""
    commit = database.engine.dialect.do_commit
    numbers = count(1)

    def counted(connection: Any) -> None:
        mine = next(numbers)
        if mine == number and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(connection)
        if mine == number:
            os.kill(os.getpid(), signal.SIGKILL)

    database.engine.dialect.do_commit = counted  # type: ignore[method-assign, assignment]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser("python -m tests.end_to_end.sender", description="Sends one issue.")
    parser.add_argument("--database", required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--issue", type=int, required=True)
    parser.add_argument("--api", choices=sorted(ADAPTERS), required=True)
    parser.add_argument("--url", required=True)
    parser.add_argument("--recipients", type=int, default=20, help="a request")
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--lease", type=float, default=20.0)
    parser.add_argument("--deadline", type=float, default=10.0)
    parser.add_argument("--victim", action="store_true", help="the mail API's kill faults are for this process")
    parser.add_argument("--die-at-commit", type=int, default=0)
    parser.add_argument("--when", choices=["before", "after"], default="after")
    chosen = parser.parse_args(arguments)
    database = open_database(chosen.database)
    if chosen.die_at_commit:
        die_at_commit(database, chosen.die_at_commit, chosen.when)
    if chosen.victim:
        control(chosen.url, pid=os.getpid())
    api = mail_api(chosen.api, chosen.url, recipients=chosen.recipients, deadline_seconds=chosen.deadline)
    with worker_lock(database, chosen.directory, "test", clock()) as worker:
        recover(database, chosen.directory)
        freeze_it(database, chosen.issue, sheet=api.sheet)
        delivery = delivery_of(
            database,
            api,
            chosen.directory,
            lease=Lease(chosen.lease, chosen.deadline),
            patience_seconds=20.0,
            rng=random.Random(os.getpid()),
        )
        deliver(delivery, chosen.issue, worker, stop=threading.Event(), threads=chosen.threads, clock=clock)
        sweep(database, clock())
        with database.read() as connection:
            issue = get_issue(connection, chosen.issue)
    database.dispose()
    return 0 if issue.state in FINISHED else 1


def start(
    database_url: str, directory: Path, issue_id: int, api: str, url: str, *options: str
) -> multiprocessing.process.BaseProcess:
    """That process, started: a process of its own, forked from one that has read the program already."""
    arguments = ["--database", database_url, "--directory", str(directory), "--issue", str(issue_id)]
    process = FORKS.Process(target=_run, args=([*arguments, "--api", api, "--url", url, *options],))
    process.start()
    return process


def _run(arguments: list[str]) -> None:
    sys.exit(main(arguments))


FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["tests.end_to_end.sender", "tests.chaos.program"])

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
