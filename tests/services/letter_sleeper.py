"""Asleep at the worst moment: `python -m tests.services.letter_sleeper DATABASE FOLDER API URL WHEN`.

It posts the mails to one person that are due, and stops itself (SIGSTOP) once: with `claimed` when its first claim is
committed, with `answered` when the first answer has come and is not recorded. Woken, it goes on as if nothing had been.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from syndicate.core.lease import Lease
from syndicate.core.message import Answer
from syndicate.services.deliver_transactional import deliver_transactional
from syndicate.storage.database import Database, open_database
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import Resized, mail_api
from tests.mailing import PUBLICATION, SENDER, clock

SHORT = Lease(7.0, 1.9)
"""What is claimed is to be posted within a tenth of a second."""


class SleepsOnAnswer(Resized):
    """Takes the answer, and falls asleep over it."""

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        answer = super().post(body, key=key, count=count)
        os.kill(os.getpid(), signal.SIGSTOP)
        return answer


def sleep_on_claim(database: Database) -> None:
    """Falls asleep in the first commit after which a mail is being sent."""
    commit = database.engine.dialect.do_commit

    def watched(connection: Any) -> None:
        commit(connection)
        cursor = connection.cursor()
        cursor.execute("SELECT count(*) FROM transactional_mails WHERE state = 'sending'")
        claimed = cursor.fetchone()[0]
        cursor.close()
        connection.rollback()
        if claimed:
            database.engine.dialect.do_commit = commit  # type: ignore[method-assign]
            os.kill(os.getpid(), signal.SIGSTOP)

    database.engine.dialect.do_commit = watched  # type: ignore[method-assign, assignment]


def main(database_url: str, directory: str, name: str, url: str, when: str) -> None:
    """One pass."""
    database = open_database(database_url)
    api = mail_api(name, url, recipients=10)
    lease = Lease()
    if when == "answered":
        api = SleepsOnAnswer(api)
    else:
        lease = SHORT
        sleep_on_claim(database)
    with worker_lock(database, Path(directory), "sleeper", clock()) as worker:
        deliver_transactional(database, api, SENDER, PUBLICATION, worker, clock=clock, lease=lease)
    database.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
