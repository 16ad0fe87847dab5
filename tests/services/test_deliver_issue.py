"""Delivery over real HTTP against a mail API that fails as planned: exactly once, or uncertain and shown."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.core.first_wave import StopAt
from syndicate.core.issue import Issue
from syndicate.core.message import Answer, Message
from syndicate.core.pace import REFUSALS_TO_PAUSE
from syndicate.errors import BadInput, Refused, StorageError
from syndicate.mail.base import MailAPI
from syndicate.services.cancel_issue import cancel
from syndicate.services.deliver_issue import deliver
from syndicate.services.deliver_issue.posting import Posting
from syndicate.services.pause_issue import pause, resume
from syndicate.services.recover_batches import recover
from syndicate.services.resolve_issue import resolve
from syndicate.services.sweep_issues import sweep
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue
from syndicate.storage.ledger import books, move_unresolved, settle
from syndicate.storage.workers import live_workers, worker_lock
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import MailApiServer, Plan, doubled, lost, read_journal
from tests.mailing import MORNING, NOW, address, batches_of, books_now, clock, delivery_of, frozen_issue

READERS = 60


def issue_of(database: Database, issue_id: int) -> Issue:
    with database.read() as connection:
        return get_issue(connection, issue_id)


def log_of(database: Database, batch_id: int) -> list[tuple[str, str]]:
    table = tables.batch_log
    with database.read() as connection:
        rows = connection.execute(sa.select(table).where(table.c.batch_id == batch_id).order_by(table.c.id))
        return [(row.state, row.why) for row in rows]


def deliver_it(
    database: Database,
    issue_id: int,
    api: MailAPI,
    directory: Path,
    *,
    stop: threading.Event | None = None,
    threads: int = 2,
    progress: Callable[[int, int], None] | None = None,
    **changes: object,
) -> Books:
    with worker_lock(database, directory, "test", NOW) as worker:
        delivery = delivery_of(database, api, directory, **changes)
        deliver(
            delivery,
            issue_id,
            worker,
            stop=stop or threading.Event(),
            threads=threads,
            clock=clock,
            progress=progress,
        )
    sweep(database, clock())
    balance = books_now(database, issue_id)
    assert balance.balanced
    return balance


def plan(*faults: str, **chances: float) -> Plan:
    return Plan.parse(faults, [f"{kind}={chance}" for kind, chance in chances.items()], seed=7)


def everybody(readers: int = READERS) -> list[str]:
    return [address(number) for number in range(1, readers + 1)]


def check(server: MailApiServer, readers: int = READERS) -> None:
    journal = read_journal(server.journal)
    assert (lost(journal, everybody(readers)), doubled(journal)) == (set(), {})


SAFE = "drop_before_body drop_mid_body drop_after_body drop_after_accept drop_in_answer server_error gateway_timeout"
ALL_FAULTS = f"{SAFE} garbage html short redirect rate_limited".split()


@pytest.mark.parametrize("dialect", ["resend", "mailpit"])
def test_the_plain_path(database: Database, tmp_path: Path, dialect: str) -> None:
    api_recipients = 10 if dialect == "resend" else 1
    seen: list[tuple[int, int]] = []
    with MailApiServer(dialect, tmp_path / "journal") as server:
        api = mail_api(dialect, server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, api, tmp_path, progress=lambda done, of: seen.append((done, of)))
        assert balance == Books(READERS, accepted=READERS)
        assert len(server.seen) == READERS // api_recipients
        check(server)
    assert issue_of(database, issue_id).state == "sent"
    assert seen[-1] == (READERS, READERS)
    assert all(batch.generation == 1 and log_of(database, batch.id) == [] for batch in batches_of(database, issue_id))


@pytest.mark.parametrize(
    ("dialect", "fault"),
    # A short answer is kept under the key: `resend` gives the same one for ever.
    [("resend", fault) for fault in ALL_FAULTS if fault != "short"]
    + [("mailpit", fault) for fault in ALL_FAULTS]
    + [("postmark", fault) for fault in ("drop_after_body", "drop_after_accept", "short")],
)
def test_whatever_goes_wrong_once_is_made_good(database: Database, tmp_path: Path, dialect: str, fault: str) -> None:
    wait = "=0.2" if fault == "rate_limited" else ""
    with MailApiServer(dialect, tmp_path / "journal", plan=plan(f"2:{fault}{wait}")) as server:
        api = mail_api(dialect, server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


def test_an_answer_that_names_too_few_stays_uncertain_and_shown(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan("2:short")) as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, api, tmp_path, patience_seconds=0.4)
        assert balance == Books(READERS, accepted=READERS - 10, uncertain=10)
        check(server)


@pytest.mark.parametrize("dialect", ["resend", "mailpit"])
def test_a_bad_day(database: Database, tmp_path: Path, dialect: str) -> None:
    chances = {"drop_after_accept": 0.15, "drop_mid_body": 0.15, "server_error": 0.1, "drop_in_answer": 0.1}
    with MailApiServer(dialect, tmp_path / "journal", plan=plan(**chances)) as server:
        api = mail_api(dialect, server.url, recipients=5)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


def test_a_replay_is_the_same_bytes_under_the_same_key(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:drop_after_accept")) as server:
        api = mail_api("resend", server.url, recipients=READERS)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        deliver_it(database, issue_id, api, tmp_path)
        first, second = server.seen
        assert first.body == second.body
        assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    [batch] = batches_of(database, issue_id)
    assert (batch.state, batch.generation, batch.attempts) == ("accepted", 1, 2)
    assert [state for state, _ in log_of(database, batch.id)] == ["uncertain"]


def test_surely_not_accepted_is_a_new_request(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:rate_limited=0.1")) as server:
        api = mail_api("resend", server.url, recipients=READERS)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        deliver_it(database, issue_id, api, tmp_path)
        first, second = server.seen
        assert first.headers["Idempotency-Key"] != second.headers["Idempotency-Key"]
    [batch] = batches_of(database, issue_id)
    assert (batch.state, batch.generation) == ("accepted", 2)


# --- exclusions -------------------------------------------------------------------------------------------------------


def leave(database: Database, *numbers: int) -> None:
    table = tables.subscriptions
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.subscriber_id.in_(numbers)).values(status="left"))


def test_who_left_was_suppressed_or_erased_since_the_freezing_gets_nothing(database: Database, tmp_path: Path) -> None:
    people = tables.subscribers
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, 30, sheet=api.sheet)
        leave(database, 3, *range(11, 21))
        with database.write() as connection:
            connection.execute(sa.update(people).where(people.c.id == 4).values(suppressed="complaint"))
            connection.execute(
                sa.update(people).where(people.c.id == 5).values(erased_at=NOW, email="", address=None, name="")
            )
        assert deliver_it(database, issue_id, api, tmp_path) == Books(30, accepted=17, suppressed=13)
        # A batch in which everybody has left posts nothing.
        assert len(server.seen) == 2
        mailed = {acceptance.to for acceptance in read_journal(server.journal)}
        assert mailed == {address(n) for n in [1, 2, *range(6, 11), *range(21, 31)]}
    table = tables.recipient_outcomes
    with database.read() as connection:
        reasons = dict(connection.execute(sa.select(table.c.ordinal, table.c.why)).all())
    assert (reasons[3], reasons[4], reasons[5]) == ("left", "complaint", "erased")


class LeavingMeanwhile:
    """A mail API whose reader leaves while the request is being built."""

    def __init__(self, api: MailAPI, action: Callable[[], None]) -> None:
        self._api, self._action = api, action
        self.sheet, self.account, self.url = api.sheet, api.account, api.url
        self.done = False

    def build(self, messages: Sequence[Message]) -> bytes:
        if len(messages) > 1 and not self.done:
            self.done = True
            self._action()
        return self._api.build(messages)

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        return self._api.post(body, key=key, count=count)

    def lookup(self, message_ids: Sequence[str], *, key: str = "") -> frozenset[str] | None:
        return self._api.lookup(message_ids, key=key)


def test_who_leaves_while_the_request_is_built_is_not_in_it(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, 10, sheet=api.sheet)
        leaving = LeavingMeanwhile(api, lambda: leave(database, 7))
        assert deliver_it(database, issue_id, leaving, tmp_path) == Books(10, accepted=9, suppressed=1)
        assert address(7) not in {acceptance.to for acceptance in read_journal(server.journal)}


def test_who_leaves_before_the_replay_keeps_the_batch_uncertain(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:drop_after_accept")) as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, 10, sheet=api.sheet)
        answered = Answering(api, lambda answer: leave(database, 7))
        assert deliver_it(database, issue_id, answered, tmp_path) == Books(10, uncertain=10)
        assert issue_of(database, issue_id).state == "sent"
        assert len(server.seen) == 1
        assert resolve(database, issue_id, "count-as-sent", actor="an editor", now=NOW) == 10
        assert books_now(database, issue_id) == Books(10, accepted=10)


class Answering(LeavingMeanwhile):
    """A mail API after whose answers something happens."""

    def __init__(self, api: MailAPI, then: Callable[[Answer], None]) -> None:
        super().__init__(api, lambda: None)
        self._then = then

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        answer = super().post(body, key=key, count=count)
        self._then(answer)
        return answer


class Keyless(Resized):
    """An API with neither keys nor a record."""

    def __init__(self, api: MailAPI) -> None:
        super().__init__(api, idempotency_seconds=None, lookup=False)


def test_without_key_and_record_it_is_asked_what_to_do(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:drop_after_body")) as server:
        api = Keyless(mail_api("resend", server.url, recipients=10))
        issue_id = frozen_issue(database, 20, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(20, accepted=10, uncertain=10)
        assert issue_of(database, issue_id).state == "sent"
        assert resolve(database, issue_id, "resend", actor="an editor", now=NOW) == 10
        assert issue_of(database, issue_id).state == "sending"
        assert deliver_it(database, issue_id, api, tmp_path) == Books(20, accepted=20)
        check(server, 20)
    assert issue_of(database, issue_id).state == "sent"
    with pytest.raises(Refused, match="Nothing of issue"):
        resolve(database, issue_id, "resend", actor="an editor", now=NOW)


def test_when_uncertain_resend(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:drop_after_body")) as server:
        api = Keyless(mail_api("resend", server.url, recipients=10))
        issue_id = frozen_issue(database, 20, sheet=api.sheet)
        resend = replace(MORNING, when_uncertain="resend")
        assert deliver_it(database, issue_id, api, tmp_path, newsletter=resend) == Books(20, accepted=20)
        check(server, 20)
    assert {batch.generation for batch in batches_of(database, issue_id)} == {1, 2}


def test_a_key_past_its_lifetime_is_not_trusted(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:drop_after_accept")) as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, 10, sheet=api.sheet)

        def a_day_passes(_answer: Answer) -> None:
            with database.write() as connection:
                connection.execute(sa.update(tables.batches).values(first_posted_at=clock() - timedelta(hours=22)))

        balance = deliver_it(database, issue_id, Answering(api, a_day_passes), tmp_path)
        assert balance == Books(10, uncertain=10)
        assert len(server.seen) == 1


def test_another_account_does_not_replay(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:drop_after_accept")) as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, 10, sheet=api.sheet)

        def moved(_answer: Answer) -> None:
            with database.write() as connection:
                connection.execute(sa.update(tables.batches).values(account="another"))

        assert deliver_it(database, issue_id, Answering(api, moved), tmp_path) == Books(10, uncertain=10)


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_one_bad_address_is_found_by_halving(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", refuse=[address(37)]) as server:
        api = mail_api("resend", server.url, recipients=30)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS - 1, refused=1)
        journal = read_journal(server.journal)
        assert lost(journal, everybody()) == {address(37)}
        assert doubled(journal) == {}
    [refused] = [batch for batch in batches_of(database, issue_id) if batch.state == "refused"]
    assert "reader37@example.org" in refused.why
    assert issue_of(database, issue_id).state == "sent"


class Unable(LeavingMeanwhile):
    """A mail API that cannot express the mail of some."""

    def __init__(self, api: MailAPI, *addresses: str) -> None:
        super().__init__(api, lambda: None)
        self._addresses = addresses

    def build(self, messages: Sequence[Message]) -> bytes:
        for message in messages:
            if message.to_email in self._addresses or not self._addresses:
                raise BadInput(f"{message.to_email} cannot be written.")
        return super().build(messages)


def test_what_cannot_be_built_is_refused_alone(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=30)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        unable = Unable(api, address(5))
        assert deliver_it(database, issue_id, unable, tmp_path) == Books(READERS, accepted=READERS - 1, refused=1)
        assert lost(read_journal(server.journal), everybody()) == {address(5)}


def test_a_sender_that_cannot_be_expressed_pauses_and_refuses_nobody(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = Unable(mail_api("resend", server.url, recipients=30))
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, waiting=READERS)
        assert server.seen == []
    issue = issue_of(database, issue_id)
    assert (issue.state, issue.why) == ("paused", "reader@reader.invalid cannot be written.")


def test_a_refused_key_pauses_and_refuses_nobody(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan("1:unauthorized", "2:unauthorized")) as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, api, tmp_path, threads=1)
        assert (balance.refused, balance.uncertain, balance.waiting + balance.accepted) == (0, 0, READERS)
        issue = issue_of(database, issue_id)
        assert issue.state == "paused"
        assert "401" in issue.why
        resume(database, issue_id, actor="an editor", now=NOW)
        server.plan = Plan()
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


def test_when_everything_is_refused_the_issue_pauses(database: Database, tmp_path: Path) -> None:
    readers = REFUSALS_TO_PAUSE * 3
    with MailApiServer("mailpit", tmp_path / "journal", plan=plan(invalid=1.0)) as server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, readers, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path, threads=1) == Books(readers, waiting=readers)
        assert REFUSALS_TO_PAUSE <= len(server.seen) < REFUSALS_TO_PAUSE + 10
        issue = issue_of(database, issue_id)
        assert issue.state == "paused"
        assert "20 requests in a row were refused for good" in issue.why
        server.plan = Plan()
        resume(database, issue_id, actor="an editor", now=NOW)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(readers, accepted=readers)
        check(server, readers)


def test_many_bad_addresses_in_a_row_are_refused_in_the_end(database: Database, tmp_path: Path) -> None:
    """They look as if something were wrong with the sender: they get three chances, and the others are settled."""
    readers = REFUSALS_TO_PAUSE + 10
    bad = [address(2), *(address(number) for number in range(5, 6 + REFUSALS_TO_PAUSE))]
    good = readers - len(bad)
    newsletter = replace(MORNING, stop_at=StopAt(refused=1.0))
    with MailApiServer("mailpit", tmp_path / "journal", refuse=bad) as server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, readers, sheet=api.sheet)
        turns = 0
        while issue_of(database, issue_id).state != "sent":
            turns += 1
            balance = deliver_it(database, issue_id, api, tmp_path, threads=1, newsletter=newsletter)
            if issue_of(database, issue_id).state == "paused":
                # The one before the last acceptance may be taken for the own fault of its reader.
                assert balance.refused <= (1 if turns < 3 else len(bad))
                resume(database, issue_id, actor="an editor", now=NOW)
            assert turns < 6
        assert balance == Books(readers, accepted=good, refused=len(bad))
        assert turns >= 4
        assert (len(lost(read_journal(server.journal), everybody(readers))), doubled(read_journal(server.journal))) == (
            len(bad),
            {},
        )


def test_an_api_that_is_down_makes_little_uncertain_and_is_left_alone(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal", plan=plan(server_error=1.0)) as server:
        api = mail_api("resend", server.url, recipients=1)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, api, tmp_path, threads=1, patience_seconds=1.0)
        assert balance.waiting >= READERS - 16
        assert len(server.seen) < 40
        assert issue_of(database, issue_id).state == "sending"
        server.plan = Plan()
        with database.write() as connection:
            connection.execute(sa.update(tables.batches).values(retry_at=clock()).where(tables.batches.c.retry_at >
            NOW))
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


def test_an_api_that_cannot_be_reached_waits(database: Database, tmp_path: Path) -> None:
    api = mail_api("resend", "http://127.0.0.1:9", recipients=10)
    issue_id = frozen_issue(database, READERS, sheet=api.sheet)
    balance = deliver_it(database, issue_id, api, tmp_path, patience_seconds=0.5)
    assert balance == Books(READERS, waiting=READERS)
    assert issue_of(database, issue_id).state == "sending"


# --- pause, cancel, stop ----------------------------------------------------------------------------------------------


def test_after_a_pause_returns_nothing_is_claimed(database: Database, tmp_path: Path) -> None:
    claimed_at_pause: list[int] = []

    def fences() -> int:
        return sum(batch.fence for batch in batches_of(database, issue_id))

    def pause_it(_answer: Answer) -> None:
        if not claimed_at_pause:
            pause(database, issue_id, why="a wrong name", actor="an editor", now=NOW)
            claimed_at_pause.append(fences())

    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=2)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, Answering(api, pause_it), tmp_path, threads=1)
        assert [fences()] == claimed_at_pause
        assert 0 < balance.accepted < READERS
        assert balance.waiting == READERS - balance.accepted
        assert len(server.seen) == balance.accepted / 2
        resume(database, issue_id, actor="an editor", now=NOW)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


def test_all_sending_stopped_claims_nothing(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        for column in ("sending_stopped", "quarantined"):
            with database.write() as connection:
                connection.execute(sa.delete(tables.instance))
                connection.execute(sa.insert(tables.instance).values(id=1, created_at=NOW, **{column: True}))
            assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, waiting=READERS)
        assert server.seen == []


def test_cancelled_in_the_middle(database: Database, tmp_path: Path) -> None:
    cancelled: list[bool] = []

    def cancel_it(_answer: Answer) -> None:
        if not cancelled:
            cancelled.append(True)
            cancel(database, issue_id, actor="an editor", now=NOW)

    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=2)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, Answering(api, cancel_it), tmp_path)
        assert 0 < balance.accepted < READERS
        assert (balance.withdrawn, balance.waiting) == (READERS - balance.accepted, 0)
        assert len(read_journal(server.journal)) == balance.accepted
    assert issue_of(database, issue_id).state == "cancelled"
    with database.read() as connection:
        # Some of it went out: its articles are used.
        assert connection.execute(sa.select(tables.cadences.c.mark)).scalars().all() == [0, 0]
    with pytest.raises(Refused):
        resume(database, issue_id, actor="an editor", now=NOW)


@pytest.mark.parametrize(("drop", "mark"), [(False, 0), (True, 1)])
def test_cancelled_before_any_request_the_window_goes_back_or_is_dropped(
    database: Database, drop: bool, mark: int
) -> None:
    issue_id = frozen_issue(database, 10)
    table = tables.cadences
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.name == "daily").values(mark=1))
    assert cancel(database, issue_id, actor="an editor", now=NOW, drop=drop).state == "cancelling"
    assert books_now(database, issue_id) == Books(10, withdrawn=10)
    assert sweep(database, NOW) == [issue_id]
    with database.read() as connection:
        assert connection.execute(sa.select(table.c.mark).where(table.c.name == "daily")).scalar_one() == mark
    assert issue_of(database, issue_id).used_articles == ("drop" if drop else "carry")
    assert cancel(database, issue_id, actor="an editor", now=NOW).state == "cancelled"


def test_a_window_with_a_later_one_behind_it_cannot_go_back(database: Database) -> None:
    issue_id = frozen_issue(database, 10)
    table = tables.cadences
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.name == "daily").values(mark=5))
    assert cancel(database, issue_id, actor="an editor", now=NOW).used_articles == "drop"
    with database.read() as connection:
        assert connection.execute(sa.select(table.c.mark).where(table.c.name == "daily")).scalar_one() == 5


def test_told_to_stop_it_finishes_what_is_open_and_leaves(database: Database, tmp_path: Path) -> None:
    stop = threading.Event()
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=2)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, Answering(api, lambda _: stop.set()), tmp_path, stop=stop)
        assert (balance.uncertain, balance.accepted) == (0, len(server.seen) * 2)
        assert balance.waiting > 0
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


# --- who died ---------------------------------------------------------------------------------------------------------


class Dying(Exception):
    """Stands for the end of the ledger's thread while requests are out."""


def test_a_live_owner_is_waited_for_and_a_dead_one_is_not(database: Database, tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, 10, sheet=api.sheet)
        with worker_lock(database, tmp_path, "other", NOW) as other:
            with database.write() as connection:
                connection.execute(
                    sa.update(tables.batches).values(
                        state="sending",
                        worker_id=other.id,
                        fence=1,
                        generation=1,
                        lease_until=clock() + timedelta(minutes=5),
                        first_posted_at=clock(),
                    )
                )
            assert live_workers(database, tmp_path) == {other.id}
            assert recover(database, tmp_path) == 0
            with database.read() as connection:
                assert books(connection, issue_id).waiting == 10
                assert books(connection, issue_id, gone={other.id}).uncertain == 10
        assert recover(database, tmp_path) == 1
        assert books_now(database, issue_id) == Books(10, uncertain=10)


def test_a_ledger_that_cannot_be_written_leaves_what_the_next_delivery_makes_good(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from syndicate.services.deliver_issue import answers

    def full(*_arguments: Any) -> list[bool]:
        raise Dying("disk full")

    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        with monkeypatch.context() as patch, pytest.raises(Dying):
            patch.setattr(answers, "settle", full)
            deliver_it(database, issue_id, api, tmp_path)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


@pytest.mark.parametrize("dialect", ["sendgrid", "resend"])
def test_answers_that_come_while_the_database_is_away_are_recorded_when_it_is_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    """Where nothing proves a request afterwards its readers would stay uncertain for ever."""
    from syndicate.services.deliver_issue import answers

    times = count(1)

    def away(*arguments: Any) -> list[bool]:
        if next(times) in (2, 3):
            raise StorageError("The database is away.")
        return settle(*arguments)

    with MailApiServer(dialect, tmp_path / "journal", plan=plan("2:delay=0.3", "3:delay=0.6")) as server:
        api = mail_api(dialect, server.url, recipients=10)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        with monkeypatch.context() as patch, pytest.raises(StorageError, match="away"):
            patch.setattr(answers, "settle", away)
            deliver_it(database, issue_id, api, tmp_path)
        now = books_now(database, issue_id)
        assert now.uncertain == 0
        assert now.accepted == len(read_journal(server.journal)) >= 20
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


def test_what_is_uncertain_once_more_is_not_decided_by_who_decided_before(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sent again by another process, and its answer lost again, while the rest of many is still being decided."""
    from syndicate.services import resolve_issue

    decided: list[int] = []

    def move(connection: Any, batch: Any, step: Any, moment: Any) -> bool:
        decided.append(batch.id)
        done = move_unresolved(connection, batch, step, moment)
        again = sa.update(tables.batches).where(tables.batches.c.id == batch.id)
        connection.execute(again.values(state="uncertain", retry_at=None, settled_at=moment + timedelta(seconds=1)))
        return done

    with MailApiServer("ses", tmp_path / "journal", plan=plan("1:drop_after_accept", "2:drop_after_accept")) as server:
        api = mail_api("ses", server.url, recipients=10)
        issue_id = frozen_issue(database, 20, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(20, uncertain=20)
        monkeypatch.setattr(resolve_issue, "CHUNK", 1)
        monkeypatch.setattr(resolve_issue, "move_unresolved", move)
        assert resolve(database, issue_id, "count-as-sent", actor="an editor", now=NOW) == 20
    assert decided == sorted(set(decided))


def test_what_the_record_says_is_settled_in_the_order_in_which_all_lock(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several processes ask for the same batches: in any other order each would hold what the other waits for."""
    from syndicate.services.deliver_issue import answers

    moved: dict[int, list[int]] = {}
    come = Posting.come

    class Steady(random.Random):
        """Has all wait for as long as each other."""

        def random(self) -> float:
            return 0.5

    def together(self: Posting, wait: float) -> list[Any]:
        come_by_now: list[Any] = []
        while len(come_by_now) < len(self.under_way):
            come_by_now += come(self, 10.0)
        return come_by_now[::-1]

    def move(connection: Any, batch: Any, *others: Any) -> bool:
        # A transaction has one time.
        moved.setdefault(hash(others[-1]), []).append(batch.id)
        return move_unresolved(connection, batch, *others)

    monkeypatch.setattr(Posting, "come", together)
    monkeypatch.setattr(answers, "move_unresolved", move)
    # Never so many in a row that one at a time is tried.
    faults = [f"{number}:drop_after_accept" for number in range(1, 16, 2)]
    with MailApiServer("mailpit", tmp_path / "journal", plan=plan(*faults)) as server:
        api = mail_api("mailpit", server.url, recipients=1)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        balance = deliver_it(database, issue_id, api, tmp_path, threads=8, rng=Steady())
        assert balance == Books(READERS, accepted=READERS)
        check(server)
    assert max(map(len, moved.values())) > 1
    assert all(ids == sorted(ids) for ids in moved.values())
