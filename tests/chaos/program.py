"""The program in a process of its own, in little: claims that are lent for seconds, small requests, a record that
shows soon what it has. So a round of seconds has the instants of a mailing of hours."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess, parent_process
from pathlib import Path

from syndicate import site
from syndicate.cli import main
from syndicate.mail import ADAPTERS, open_mail_api, sendgrid_activity, sheet_of
from syndicate.mail.base import Connection, MailAPI
from syndicate.process import delivering
from syndicate.storage import database
from tests.end_to_end.sender import FORKS, Resized

LEASE_SECONDS = 9.0
"""Longer than the deadline of a request and what a claim needs beside it."""
DEADLINE_SECONDS = 2
PER_REQUEST = 20
RECORD_SECONDS = 5.0
"""What a request that was cut off needs at most until the record shows it, on a machine that has no time."""
MINUTE_SECONDS = 1.0
"""In which a record that may be asked so often a minute may be asked so often."""
READ_BEFORE = ("syndicate.cli.run", "syndicate.process.work", "syndicate.process.health", "procrastinate.app")
"""Modules that every process needs: read once, for all."""
for _name in READ_BEFORE:
    import_module(_name)
for _name in ADAPTERS:
    sheet_of(_name)


def start(folder: Path, log: Path, environment: Mapping[str, str], arguments: Sequence[str]) -> BaseProcess:
    """`syndicate …` in the folder of a site, forked from a process that has read the program already. What it says goes
    to the end of `log`; it ends with the process that started it."""
    process = FORKS.Process(target=_run, args=(str(folder), str(log), dict(environment), list(arguments)))
    process.start()
    return process


def _run(folder: str, log: str, environment: dict[str, str], arguments: list[str]) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    delivering.LEASE_SECONDS = LEASE_SECONDS
    database.WRITER_IDLE_SECONDS = LEASE_SECONDS
    sendgrid_activity.MINUTE_SECONDS = MINUTE_SECONDS
    vars(site)["open_mail_api"] = _in_little
    sys.argv = ["syndicate", *arguments]
    main()


def _in_little(name: str, connection: Connection) -> MailAPI:
    api = open_mail_api(name, connection)
    most = min(PER_REQUEST, api.sheet.recipients_per_request)
    lag = RECORD_SECONDS if api.sheet.lookup else api.sheet.lookup_lag_seconds
    every = min(MINUTE_SECONDS, api.sheet.lookup_every_seconds)
    return Resized(api, recipients_per_request=most, lookup_lag_seconds=lag, lookup_every_seconds=every)


def _end_with_the_parent() -> None:
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
