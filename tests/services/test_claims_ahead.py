"""How many requests are claimed at once: what a kill leaves uncertain where nothing proves a request."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.storage import tables
from syndicate.storage.database import Database
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import Fault, MailApiServer, Plan
from tests.mailing import frozen_issue
from tests.services.test_deliver_issue import deliver_it

THREADS = 2


@pytest.mark.parametrize(("name", "proves"), [("mailpit", True), ("ses", False), ("smtp", False)])
def test_nothing_is_claimed_ahead_where_nothing_proves_it(
    database: Database, tmp_path: Path, name: str, proves: bool
) -> None:
    plan = Plan(at={number: Fault("delay", 0.03) for number in range(1, 31)})
    sending = sa.select(sa.func.count()).where(tables.batches.c.state == "sending")
    most, over = 0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not over.wait(0.002):
            with database.read() as connection:
                most = max(most, connection.execute(sending).scalar_one())

    with MailApiServer(name, tmp_path / "journal", plan=plan) as server:
        api = mail_api(name, server.url, recipients=1)
        issue_id = frozen_issue(database, 24, sheet=api.sheet)
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            books = deliver_it(database, issue_id, api, tmp_path, threads=THREADS)
        finally:
            over.set()
            watcher.join()
    assert books.accepted == 24
    assert (most > THREADS) is proves
    assert most > 0
