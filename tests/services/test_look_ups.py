"""How a mail API's record is asked about a request whose answer was lost: by one process at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.storage import tables
from syndicate.storage.database import Database
from tests.mailing import address, clock, frozen_issue
from tests.process.waiting import until
from tests.services.model_api import ModelAPI
from tests.services.test_deliver_issue import deliver_it


class Slow(ModelAPI):
    """A record that does not answer before `gate` is set."""

    def __init__(self) -> None:
        super().__init__("record", 10)
        self.asked = 0
        self.gate = threading.Event()

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        self.asked += 1
        assert self.gate.wait(60)
        return super().lookup(message_ids, key=key)


@contextmanager
def asking(database: Database, issue_id: int, api: Slow, folder: Path) -> Iterator[None]:
    """A process that asks the record, and is not answered before the end."""
    thread = threading.Thread(target=deliver_it, args=(database, issue_id, api, folder))
    thread.start()
    try:
        until(lambda: api.asked)
        yield
    finally:
        api.gate.set()
        thread.join()


def test_one_process_at_a_time_asks_the_record_about_a_batch(database: Database, tmp_path: Path) -> None:
    api = Slow()
    api.outcomes = ["taken, unheard"]
    issue_id = frozen_issue(database, 4, sheet=api.sheet)
    with asking(database, issue_id, api, tmp_path):
        # Another worker finds nothing to do, and the ledger says what it said.
        assert deliver_it(database, issue_id, api, tmp_path, patience_seconds=0.0) == Books(4, uncertain=4)
        assert api.asked == 1
    assert sorted(api.taken) == sorted(map(address, range(1, 5)))
    assert deliver_it(database, issue_id, api, tmp_path) == Books(4, accepted=4)


def test_who_asked_and_died_is_followed_by_another_after_a_lease(database: Database, tmp_path: Path) -> None:
    api = Slow()
    api.outcomes = ["lost"]
    issue_id = frozen_issue(database, 4, sheet=api.sheet)
    with asking(database, issue_id, api, tmp_path):
        with database.write() as connection:
            later = connection.execute(sa.select(tables.batches.c.retry_at)).scalar_one()
            assert later > clock()
            connection.execute(sa.update(tables.batches).values(retry_at=clock()))
        other = ModelAPI("record", 10)
        assert deliver_it(database, issue_id, other, tmp_path) == Books(4, accepted=4)
    # What the first one hears at last changes nothing.
    assert (len(api.taken), len(other.taken)) == (0, 4)
