"""How a mail API's record is asked about a request whose answer was lost: by one process at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.services.deliver_transactional import Delivered, deliver_transactional
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import MailApiServer, doubled, read_journal
from tests.mailing import PUBLICATION, SENDER, address, clock, frozen_issue
from tests.process.waiting import until
from tests.services.model_api import ModelAPI
from tests.services.reading_room import queued
from tests.services.site_rows import start
from tests.services.test_deliver_issue import deliver_it, plan
from tests.services.test_deliver_transactional import NOW, queue, working


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


class Seldom(ModelAPI):
    """A record that may be asked once an hour, and shows a request as soon as it was taken."""

    def __init__(self) -> None:
        super().__init__("record", 2)
        self.sheet = replace(self.sheet, lookup_every_seconds=3600.0)
        self.asked: list[Sequence[str]] = []

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        self.asked.append(message_ids)
        return super().lookup(message_ids, key=key)


def test_a_record_that_may_be_asked_seldom_is_asked_about_one_after_the_other(
    database: Database, tmp_path: Path
) -> None:
    api = Seldom()
    api.outcomes = ["taken, unheard"] * 2
    issue_id = frozen_issue(database, 4, sheet=api.sheet)
    for _ in range(3):
        # Whichever process delivers: they share one turn.
        left = deliver_it(database, issue_id, api, tmp_path, patience_seconds=3.0)
    assert (len(api.asked), left) == (1, Books(4, accepted=2, uncertain=2))
    with database.write() as connection:
        waits = sa.select(tables.batches.c.retry_at).where(tables.batches.c.state == "uncertain")
        (until_then,) = connection.execute(waits).scalars()
        assert clock() + timedelta(minutes=50) < until_then < clock() + timedelta(minutes=61)
        # The hour is over.
        connection.execute(sa.update(tables.rate_limits).values(tat=clock() - timedelta(seconds=1)))
        connection.execute(sa.update(tables.batches).values(retry_at=clock() - timedelta(seconds=1)))
    assert deliver_it(database, issue_id, api, tmp_path, patience_seconds=3.0) == Books(4, accepted=4)
    assert (len(api.asked), len(api.taken)) == (2, 4)


def test_letters_wait_for_the_same_turn(database: Database, tmp_path: Path) -> None:
    api = Seldom()
    start(database, NOW)
    queue(database, "ann@post.example", "bob@post.example")
    with working(database, tmp_path, api) as run:
        api.outcomes = ["taken, unheard"] * 2
        assert run() == Delivered(uncertain=2)
        with database.write() as connection:
            due = sa.update(tables.transactional_mails).values(retry_at=clock() - timedelta(seconds=1))
            connection.execute(due)
        run()
    first, second = queued(database)
    assert (first.state, second.state, len(api.asked)) == ("accepted", "uncertain", 1)
    assert second.why == "waits until the mail API's record may be asked again"
    assert second.retry_at > clock() + timedelta(minutes=50)


class Behind(ModelAPI):
    """A record that shows only what was taken before the last request but one, for longer than its sheet says."""

    def __init__(self) -> None:
        super().__init__("record", 2)
        self.is_behind = True
        self.asked = 0

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        self.asked += 1
        return frozenset() if self.is_behind else super().lookup(message_ids, key=key)


def test_a_record_that_does_not_show_what_was_accepted_later_proves_nothing(
    database: Database, tmp_path: Path
) -> None:
    api = Behind()
    api.outcomes = ["taken, unheard"]
    issue_id = frozen_issue(database, 4, sheet=api.sheet)
    left = deliver_it(database, issue_id, api, tmp_path, threads=1, patience_seconds=3.0)
    assert left == Books(4, accepted=2, uncertain=2), "its lag is over by its sheet, and it shows neither"
    assert api.asked >= 2
    api.is_behind = False
    with database.write() as connection:
        connection.execute(sa.update(tables.batches).values(retry_at=clock() - timedelta(seconds=1)))
    assert deliver_it(database, issue_id, api, tmp_path) == Books(4, accepted=4)
    assert sorted(api.taken) == sorted(map(address, range(1, 5)))


def test_what_a_record_in_step_does_not_show_is_sent_again(database: Database, tmp_path: Path) -> None:
    api = ModelAPI("record", 2)
    api.outcomes = ["lost"]
    issue_id = frozen_issue(database, 4, sheet=api.sheet)
    assert deliver_it(database, issue_id, api, tmp_path, threads=1) == Books(4, accepted=4)
    assert sorted(api.taken) == sorted(map(address, range(1, 5)))


MOVED = replace(PUBLICATION, web_url="https://moved.post.example")


class Deaf(Resized):
    """A mail API whose record does not answer."""

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return None


@pytest.mark.parametrize("name", ["postmark", "mailjet"])
def test_a_record_that_is_asked_for_other_names_frees_nobody(database: Database, tmp_path: Path, name: str) -> None:
    """Message-IDs have the host of `[web] url`: once that is another, the record shows nothing under the new ones."""
    with MailApiServer(name, tmp_path / "journal", plan=plan("2:drop_after_accept")) as server:
        api = mail_api(name, server.url, recipients=10)
        issue_id = frozen_issue(database, 20, sheet=api.sheet)
        before = deliver_it(database, issue_id, Deaf(api), tmp_path, threads=1, patience_seconds=0.0)
        assert before == Books(20, accepted=10, uncertain=10)
        with database.write() as connection:
            connection.execute(sa.update(tables.batches).values(retry_at=clock(), settled_at=NOW))
        after = deliver_it(database, issue_id, api, tmp_path, threads=1, patience_seconds=0.0, publication=MOVED)
        assert after == before
        assert doubled(read_journal(server.journal)) == {}
        with database.write() as connection:
            connection.execute(sa.update(tables.batches).values(retry_at=clock()))
        assert deliver_it(database, issue_id, api, tmp_path) == Books(20, accepted=20)


def test_nor_one_that_is_asked_for_another_name_of_a_letter(database: Database, tmp_path: Path) -> None:
    start(database, NOW)
    queue(database, "desk@post.example")
    with MailApiServer("mailpit", tmp_path / "journal", plan=plan("1:drop_after_accept")) as server:
        api = mail_api("mailpit", server.url, recipients=10)
        with working(database, tmp_path, Deaf(api)) as run:
            assert run().uncertain == 1
        with database.write() as connection:
            connection.execute(sa.update(tables.transactional_mails).values(retry_at=NOW, posted_at=NOW))
        with worker_lock(database, tmp_path, "test", NOW) as worker:
            deliver_transactional(database, api, SENDER, MOVED, worker, clock=clock)
        assert queued(database)[0].state == "uncertain"
        assert len(read_journal(server.journal)) == 1


class OneByOne(ModelAPI):
    """A record that is asked about each mail; this process is told to leave while it is asked about the first."""

    def __init__(self) -> None:
        super().__init__("record", 10)
        self.stop = threading.Event()
        self.asked: list[str] = []

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        for message_id in message_ids:
            self.asked.append(message_id)
            self.stop.set()
        return super().lookup(message_ids, key=key)


def test_who_leaves_asks_about_no_further_mail(database: Database, tmp_path: Path) -> None:
    api = OneByOne()
    api.outcomes = ["taken, unheard"]
    issue_id = frozen_issue(database, 4, sheet=api.sheet)
    assert deliver_it(database, issue_id, api, tmp_path, stop=api.stop) == Books(4, uncertain=4)
    assert len(api.asked) == 1
    with database.write() as connection:
        connection.execute(sa.update(tables.batches).values(retry_at=clock() - timedelta(seconds=1)))
    # Who comes next asks anew.
    assert deliver_it(database, issue_id, api, tmp_path) == Books(4, accepted=4)
    assert (len(api.asked), len(api.taken)) == (1 + 4, 4)
