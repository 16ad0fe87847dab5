"""A report proves that the mail API has the mail: whatever became of its request here, in whatever order they come."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.address import address_hash
from syndicate.core.batch import BatchState, Step
from syndicate.core.books import Books
from syndicate.core.mail_event import MailEvent
from syndicate.services.deliver_transactional import deliver_transactional
from syndicate.services.explain_subscriber import explain_subscriber
from syndicate.services.record_event import record_events
from syndicate.services.resolve_issue import resolve
from syndicate.storage import instance, people, tables
from syndicate.storage.batches import Claim, lock_batch, select_batches
from syndicate.storage.database import Database, database_now
from syndicate.storage.ledger import settle
from syndicate.storage.taking_over import take_over
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import MailApiServer, doubled, read_journal
from tests.mailing import MORNING, NOW, PUBLICATION, SENDER, address, batches_of, books_now, clock, frozen_issue
from tests.services.reading_room import ask, queued
from tests.services.reports import mails_in, reported
from tests.services.site_rows import start
from tests.services.test_deliver_issue import deliver_it, log_of, plan

READERS = 25


@dataclass
class Sent:
    """An issue in requests of ten whose second request was taken, while its answer was lost."""

    issue_id: int
    api: Resized
    server: MailApiServer
    name: str
    mails: dict[str, dict[str, Any]]

    def report(self, number: int, kind: str = "delivered", event_id: str = "") -> MailEvent:
        return reported(self.mails[address(number)], kind, event_id or f"msg_{number}_{kind}")


@pytest.fixture
def sent(database: Database, tmp_path: Path) -> Any:
    """The API keeps no request keys here, so that only a report can tell."""
    with MailApiServer("resend", tmp_path / "journal", plan=plan("2:drop_after_accept")) as server:
        api = Resized(mail_api("resend", server.url, recipients=10), idempotency_seconds=None)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        with database.write() as connection:
            instance.start(connection, secret=b"k" * 32, place="", web_url=PUBLICATION.web_url, now=NOW)
            name = instance.instance_id(connection)
        balance = deliver_it(database, issue_id, api, tmp_path, threads=1, instance=name)
        assert balance == Books(READERS, accepted=15, uncertain=10)
        yield Sent(issue_id, api, server, name, mails_in(server.seen))


def record(database: Database, *told: MailEvent, whole: bool = True) -> list[str]:
    return list(record_events(database, told, all_or_nothing=whole, now=NOW))


def outcomes(database: Database) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(tables.recipient_outcomes)))


def put(database: Database, batch_id: int, **values: Any) -> None:
    with database.write() as connection:
        connection.execute(sa.update(tables.batches).where(tables.batches.c.id == batch_id).values(**values))


def state_of(database: Database, batch_id: int) -> str:
    batches = tables.batches
    with database.read() as connection:
        return str(connection.execute(sa.select(batches.c.state).where(batches.c.id == batch_id)).scalar())


@pytest.mark.parametrize("kind", ["sent", "delivered", "delivery_delayed", "bounced", "complained", "opened"])
def test_any_report_of_one_mail_proves_the_whole_request_of_an_api_that_takes_all_or_nothing(
    database: Database, sent: Sent, kind: str
) -> None:
    _, second, _ = batches_of(database, sent.issue_id)
    record(database, sent.report(13, kind, "msg_1"))
    assert books_now(database, sent.issue_id) == Books(READERS, accepted=READERS)
    assert log_of(database, second.id)[-1][0] == "accepted"
    assert "msg_1" in log_of(database, second.id)[-1][1]
    assert outcomes(database) == []
    assert record(database, sent.report(13, kind, "msg_1")) == ["again"]


def test_where_mails_are_taken_one_by_one_it_proves_that_one(database: Database, sent: Sent) -> None:
    record(database, sent.report(13), whole=False)
    assert books_now(database, sent.issue_id) == Books(READERS, accepted=16, uncertain=9)

    def explained(number: int) -> str:
        found = explain_subscriber(
            database, email=address(number), newsletters=(MORNING,), issue_id=sent.issue_id, now=NOW
        )
        return " ".join(found.lines)

    assert "was accepted" in explained(13)
    assert "nothing proves" in explained(14)
    record(database, *(sent.report(number) for number in range(20, 10, -1)), whole=False)
    assert books_now(database, sent.issue_id) == Books(READERS, accepted=READERS)
    assert (outcomes(database), [each.state for each in batches_of(database, sent.issue_id)]) == ([], ["accepted"] * 3)


def test_who_has_it_gets_it_no_second_time_when_the_rest_is_sent_again(
    database: Database, sent: Sent, tmp_path: Path
) -> None:
    record(database, sent.report(13), sent.report(14, "complained"), whole=False)
    resolve(database, sent.issue_id, "resend", actor="desk", now=clock())
    balance = deliver_it(database, sent.issue_id, sent.api, tmp_path, threads=1, instance=sent.name)
    assert balance == Books(READERS, accepted=READERS)
    twice = {address(number) for number in (11, 12, 15, 16, 17, 18, 19, 20)}
    assert set(doubled(read_journal(sent.server.journal))) == twice
    # Their places among the answered ids are those of the request that they were in.
    _, second, _ = batches_of(database, sent.issue_id)
    batches = tables.batches
    with database.read() as connection:
        ids = connection.execute(sa.select(batches.c.vendor_ids).where(batches.c.id == second.id)).scalar_one()
    told = MailEvent("resend", "msg_late", "soft bounce", ids[2], (address(15),), NOW, {})
    assert record(database, told) == ["recorded"]
    assert record(database, told._replace(event_id="msg_x", addresses=(address(16),))) == ["unknown"]


def test_a_request_that_is_halved_keeps_who_has_it(database: Database, sent: Sent, tmp_path: Path) -> None:
    record(database, sent.report(13), sent.report(18), whole=False)
    _, second, _ = batches_of(database, sent.issue_id)
    with database.write() as connection:
        connection.execute(sa.update(tables.batches).where(tables.batches.c.id == second.id).values(state="sending"))
        held = lock_batch(connection, second.id)
        claim = Claim(held, tuple(number for number in range(11, 21) if number not in (13, 18)))
        settle(connection, sent.issue_id, [(claim, Step("split", "one of them is at fault"))], database_now(connection))
    assert books_now(database, sent.issue_id) == Books(READERS, accepted=17, waiting=8)
    with database.write() as connection:
        connection.execute(sa.update(tables.issues).values(state="sending", ended_at=None))
    balance = deliver_it(database, sent.issue_id, sent.api, tmp_path, threads=1, instance=sent.name)
    assert balance == Books(READERS, accepted=READERS)
    assert not {address(13), address(18)} & set(doubled(read_journal(sent.server.journal)))


STATES: Sequence[BatchState] = ("planned", "retry", "uncertain", "refused", "withdrawn")


@pytest.mark.parametrize("state", STATES)
def test_acceptance_is_monotone_whatever_the_batch_has_become(database: Database, sent: Sent, state: str) -> None:
    _, second, _ = batches_of(database, sent.issue_id)
    # As in a database that was put back from a backup of before.
    new = {"api": "", "account": "", "generation": 0, "recipients": 0} if state == "planned" else {}
    put(database, second.id, state=state, **new)
    record(database, sent.report(20))
    if state == "planned":
        # What posted it may have halved it: then one report proves one.
        assert books_now(database, sent.issue_id) == Books(READERS, accepted=READERS - 9, waiting=9)
        record(database, *(sent.report(number) for number in range(11, 20)))
    _, second, _ = batches_of(database, sent.issue_id)
    assert (second.state, second.api, second.recipients) == ("accepted", "resend", 10)
    assert books_now(database, sent.issue_id) == Books(READERS, accepted=READERS)


@pytest.mark.parametrize("to", ["uncertain", "retry", "refused", "split", "planned"])
def test_a_report_that_comes_before_the_answer_outranks_it(database: Database, sent: Sent, to: BatchState) -> None:
    _, second, _ = batches_of(database, sent.issue_id)
    put(database, second.id, state="sending", worker_id="w")
    record(database, sent.report(11))
    assert state_of(database, second.id) == "sending"
    with database.write() as connection:
        claim = Claim(lock_batch(connection, second.id), tuple(range(11, 21)))
        assert settle(connection, sent.issue_id, [(claim, Step(to, "500"))], database_now(connection)) == [True]
    assert books_now(database, sent.issue_id) == Books(READERS, accepted=READERS)
    with database.read() as connection:
        assert len(select_batches(connection, sent.issue_id)) == 3


def test_a_report_stands_for_the_answer_of_a_process_that_is_gone(database: Database, sent: Sent) -> None:
    _, second, _ = batches_of(database, sent.issue_id)
    put(database, second.id, state="sending", worker_id="w")
    record(database, sent.report(11))
    with database.write() as connection:
        take_over(connection, database_now(connection), {"w": "gone"}, issue_id=sent.issue_id)
    assert books_now(database, sent.issue_id) == Books(READERS, accepted=READERS)


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("seed", [1, 2])
def test_neither_order_nor_repetition_changes_the_end(
    database: Database, sent: Sent, whole: bool, seed: int
) -> None:
    told = [sent.report(number, kind) for number in range(1, READERS + 1) for kind in ("sent", "delivered")]
    told += random.Random(seed).choices(told, k=20)
    random.Random(seed).shuffle(told)
    for start_at in range(0, len(told), 7):
        record(database, *told[start_at : start_at + 7], whole=whole)
        assert books_now(database, sent.issue_id).balanced
    assert books_now(database, sent.issue_id) == Books(READERS, accepted=READERS)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.events)).scalar_one() == 2 * READERS


def test_a_mail_to_one_person_is_proven_too(database: Database, tmp_path: Path) -> None:
    start(database, NOW)
    ask(database, NOW)
    with (
        MailApiServer("resend", tmp_path / "journal", plan=plan("1:drop_after_accept")) as server,
        worker_lock(database, tmp_path, "test", NOW) as worker,
    ):
        api = Resized(mail_api("resend", server.url, recipients=10), idempotency_seconds=None)
        deliver_transactional(database, api, SENDER, PUBLICATION, worker, clock=clock)
        (mail,) = mails_in(server.seen).values()
    assert queued(database)[0].state == "uncertain"
    assert record(database, reported(mail, "delivered", "msg_1")) == ["recorded"]
    (row,) = queued(database)
    assert (row.state, row.retry_at, row.html) == ("accepted", None, "")


def test_of_somebody_who_was_erased_nothing_is_kept_that_names_them(database: Database, sent: Sent) -> None:
    with database.write() as connection:
        keyed = address_hash(address(12), instance.address_key(connection))
        people.add_suppressions(connection, [{"address_hash": keyed, "reason": "erased", "at": NOW}])
    record(database, sent.report(12), sent.report(13))
    with database.read() as connection:
        rows = connection.execute(sa.select(tables.events).order_by(tables.events.c.id)).all()
    assert [bool(row.raw) for row in rows] == [False, True]
