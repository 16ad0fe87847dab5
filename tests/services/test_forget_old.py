"""What is old is forgotten, bit by bit; what proves something stays, and the books still balance."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.retention import Keep
from syndicate.errors import Refused
from syndicate.services import forget_old as forgetting
from syndicate.services.explain_subscriber import explain_subscriber
from syndicate.services.forget_old import Forgotten, forget_old
from syndicate.services.resolve_issue import resolve
from syndicate.services.sweep_issues import sweep
from syndicate.storage import instance, people, tables
from syndicate.storage.database import Database
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import MailApiServer
from tests.mailing import MORNING, NOW, add_readers, address, books_now, clock, freeze_it, make_issue, make_newsroom
from tests.services.test_deliver_issue import deliver_it

READERS = 25
KEEP = Keep(unconfirmed_days=7, mails_days=30, events_days=90, ledger_months=13)


class Stopped(Exception):
    """As a process that leaves raises it."""


def rows(database: Database, table: sa.Table) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(table)))


@pytest.fixture
def sent(database: Database, tmp_path: Path) -> int:
    """An issue to 25 readers in requests of ten: one of them suppressed, one refused in words that name them, and the
    second request uncertain."""
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        articles = make_newsroom(database, mark=1)
        add_readers(database, READERS)
        issue_id = make_issue(database, articles)
        assert freeze_it(database, issue_id, sheet=api.sheet) == "sending"
        with database.write() as connection:
            instance.start(connection, secret=b"k" * 32, place="", web_url="", now=NOW)
            people.add_suppressions(connection, [{"address_hash": f"{3:064}", "reason": "manual", "at": NOW}])
        deliver_it(database, issue_id, api, tmp_path)
    with database.write() as connection:
        first, second, _ = connection.execute(sa.select(tables.batches.c.id).order_by(tables.batches.c.first)).scalars()
        outcome = {"issue_id": issue_id, "ordinal": 5, "batch_id": first, "outcome": "refused", "at": NOW}
        connection.execute(sa.insert(tables.recipient_outcomes).values(**outcome, why=f"no <{address(5)}> here"))
        table = tables.batches
        connection.execute(
            sa.update(table).where(table.c.id == second).values(state="uncertain", why=f"lost: {address(12)}")
        )
        log = {"batch_id": second, "at": NOW, "state": "uncertain", "generation": 1, "revision": 1}
        connection.execute(sa.insert(tables.batch_log).values(**log, why=f"lost: {address(12)}"))
    sweep(database, clock())
    return issue_id


def ended_at(database: Database) -> datetime:
    moment: datetime = rows(database, tables.issues)[0].ended_at
    return moment


def test_who_was_sent_an_old_issue_is_forgotten_and_its_books_stay(database: Database, sent: int) -> None:
    before, ended = books_now(database, sent), ended_at(database)
    assert (before.suppressed, before.refused, before.uncertain) == (1, 1, 10)
    assert before.balanced
    assert forget_old(database, KEEP, now=ended + timedelta(days=390)).recipients == 0
    later = ended + timedelta(days=400)
    assert forget_old(database, KEEP, now=later) == Forgotten(recipients=READERS)
    assert rows(database, tables.issue_recipients) == []
    assert books_now(database, sent) == before
    kept = [tables.batches, tables.batch_log, tables.recipient_outcomes, tables.issues]
    assert "@" not in "".join(str(row) for table in kept for row in rows(database, table))
    assert all(row.vendor_ids == [] for row in rows(database, tables.batches))
    # The proof, and who they are, are none of the ledger's.
    assert len(rows(database, tables.subscribers)) == READERS
    assert [row.reason for row in rows(database, tables.suppressions)] == ["manual"]
    assert forget_old(database, KEEP, now=later) == Forgotten()


def test_nobody_is_told_that_they_did_not_get_what_is_forgotten(database: Database, sent: int) -> None:
    now = ended_at(database) + timedelta(days=400)

    def told(**what: Any) -> str:
        return " ".join(
            explain_subscriber(database, email=address(1), newsletters=(MORNING,), now=now, **what).lines
        )

    article = rows(database, tables.articles)[0].id
    assert "was accepted" in told(issue_id=sent)
    forget_old(database, KEEP, now=now)
    assert "no longer kept" in told(issue_id=sent)
    assert "no longer kept" in told(article=article)


def test_what_is_uncertain_can_then_only_be_counted(database: Database, sent: int) -> None:
    forget_old(database, KEEP, now=ended_at(database) + timedelta(days=400))
    with pytest.raises(Refused, match="no longer kept"):
        resolve(database, sent, "resend", actor="desk", now=NOW)
    assert resolve(database, sent, "count-as-sent", actor="desk", now=NOW) == 10
    assert (books_now(database, sent).uncertain, books_now(database, sent).balanced) == (0, True)


def test_it_goes_in_short_steps_and_one_that_is_broken_off_is_gone_on_with(
    database: Database, sent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forgetting, "CHUNK", 10)
    now = ended_at(database) + timedelta(days=400)
    left = [READERS]

    def stop() -> None:
        count = len(rows(database, tables.issue_recipients))
        if count < left[-1]:
            left.append(count)
            raise Stopped

    while left[-1]:
        with pytest.raises(Stopped):
            forget_old(database, KEEP, now=now, between=stop)
        assert books_now(database, sent).balanced
    assert left == [READERS, 15, 5, 0]
    assert rows(database, tables.issues)[0].forgotten_at is None
    forget_old(database, KEEP, now=now)
    assert rows(database, tables.issues)[0].forgotten_at == now


def test_an_issue_that_is_not_over_keeps_its_readers(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 3)
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id) == "sending"
    assert forget_old(database, KEEP, now=NOW + timedelta(days=4000)).recipients == 0
    assert len(rows(database, tables.issue_recipients)) == 3


def test_who_was_named_one_by_one_is_forgotten_too(database: Database) -> None:
    articles = make_newsroom(database)
    named = [address(1), address(2)]
    issue_id = make_issue(database, articles, kind="manual", to=named)
    with database.write() as connection:
        connection.execute(sa.update(tables.issues).values(state="cancelled", ended_at=NOW))
    forget_old(database, KEEP, now=NOW + timedelta(days=400))
    (row,) = rows(database, tables.issues)
    assert (row.id, row.audience["to"]) == (issue_id, ["forgotten:1", "forgotten:2"])


def test_rate_limits_go_when_they_limit_nothing_any_more(database: Database) -> None:
    with database.write() as connection:
        limits = [{"key": f"k{number}", "tat": NOW + timedelta(minutes=number)} for number in range(5)]
        connection.execute(sa.insert(tables.rate_limits), limits)
    forget_old(database, KEEP, now=NOW + timedelta(minutes=2, seconds=30))
    assert sorted(row.key for row in rows(database, tables.rate_limits)) == ["k3", "k4"]
