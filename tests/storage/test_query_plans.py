"""What runs often, or while people wait, finds its rows by an index: no look at all articles, readers or batches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection

from syndicate.core.history import History
from syndicate.core.issue import Audience, Issue
from syndicate.core.mail_event import MailEvent
from syndicate.core.subscriber import Subscriber, Subscription
from syndicate.errors import NotFound
from syndicate.storage import (
    arrivals,
    article_search,
    articles,
    audience,
    audience_counts,
    audit_search,
    books,
    compositions,
    figures,
    freezing,
    issues,
    ledger,
    mail_finding,
    mailed,
    mailings,
    people,
    reach,
    reader_search,
    renames,
    standings,
    starts,
    tables,
    unsettled,
    windows,
)
from syndicate.storage.audit import record
from syndicate.storage.database import Database, open_database
from tests.mailing import MORNING, make_issue, make_newsroom

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ID = "urn:uuid:00000000-0000-4000-8000-000000000001"
DAILY = Issue(1, "morning", "daily", "cadence", "freezing", 0, 5, 1, Audience("daily"), NOW)
EVERYBODY = Issue(2, "morning", "", "manual", "freezing", 0, 0, 1, Audience(), NOW)
A_FEW = replace(EVERYBODY, audience=Audience(to=("ann@example.org", "bob@example.org")))
ANN = "ann@example.org"
REPORT = MailEvent("mailgun", "1", "delivered", "vendor", (ANN,), NOW, {}, label="0" * 32)


def _log_of_one_kind(connection: Connection) -> None:
    record(connection, at=NOW, action="issue.hold")
    record(connection, at=NOW, action="issue.pause")
    assert len(audit_search.log_entries(connection, action="issue.p", before=900)) == 1


def freeze_next(connection: Connection, issue: Issue) -> None:
    freezing.freeze_chunk(connection, issue, History(), size=10_000, base=0, stored_keys={}, nothing_left=())


def label_of(_first: int | str, _last: int) -> str:
    return ""


ACTIONS: dict[str, Callable[[Connection], object]] = {
    "the next batches": lambda c: ledger.claimable(c, 1, NOW, start=0, limit=8),
    "the next batches from a place on": lambda c: ledger.claimable(c, 1, NOW, start=500, limit=8),
    "what is uncertain": lambda c: ledger.due_uncertain(c, 1, NOW, 8),
    "why what of an issue is not accepted": lambda c: unsettled.reasons(c, 1),
    "who was refused": lambda c: list(unsettled.refused_readers(c, 1)),
    "whether an issue is open": lambda c: ledger.is_open(c, 1, unresolved=True),
    "who owns batches": lambda c: ledger.owners(c, 1),
    "what became due": lambda c: standings.publish_due(c, [], NOW),
    "the newest articles": lambda c: articles.select_articles(c, limit=50),
    "an article by its path": lambda c: _missing(lambda: articles.find_article(c, "desk/world/one.md")),
    "an article by the start of its id": lambda c: _missing(lambda: articles.find_article(c, "0000")),
    "the articles of a window": lambda c: windows.numbered_articles(c, MORNING, 3, 9),
    "the open issue of a cadence": lambda c: windows.open_issue(c, "morning", "daily"),
    "issues that are due": lambda c: issues.due_issues(c, NOW),
    "issues with an article": lambda c: mailed.issues_with(c, ID),
    "issues with a held article": lambda c: compositions.take_back_carriers(c, [ID]),
    "the end of a chunk": lambda c: freezing.end_of_chunk(c, DAILY, 500, 10_000),
    "the end of a chunk of everybody": lambda c: freezing.end_of_chunk(c, EVERYBODY, 500, 10_000),
    "the end of a chunk of a few": lambda c: freezing.end_of_chunk(c, A_FEW, 500, 10_000),
    "all the rest of a chunk": lambda c: freezing.end_of_chunk(c, EVERYBODY, 500, None),
    "the next people of everybody": lambda c: freeze_next(c, EVERYBODY),
    "the next people of a few": lambda c: freeze_next(c, A_FEW),
    "who starts elsewhere": lambda c: starts.somebody_starts_elsewhere(c, "morning"),
    "the earliest start": lambda c: freezing.earliest_start(c, DAILY),
    "how many are in the audience": lambda c: audience.count_audience(c, "morning", DAILY.audience, now=NOW),
    "what came just before": lambda c: arrivals.dates_since(c, "desk", NOW),
    "what the tripwire holds": lambda c: arrivals.held_lots(c),
    "a lot that is held": lambda c: arrivals.held_ids(c, "desk", 100),
    "when articles came": lambda c: arrivals.arrivals(c, "desk", before=NOW),
    "one reader": lambda c: people.find_people(c, {"ann@example.org": "hash"}),
    "a page of readers": lambda c: people.list_subscribers(c, newsletter="morning", after=500),
    "how far a reader was sent": lambda c: starts.accepted_through(c, "morning", [7]),
    "what passed a reader over": lambda c: starts.passed_over_above(
        c, 7, Subscription("morning", "daily", "active", NOW)
    ),
    "what names a reader who is erased": lambda c: people.erase(c, 7, NOW),
    "what newsletters were called": lambda c: renames.list_renames(c),
    "what a reader was sent": lambda c: mailings.mailings_of(c, 7, article_id=ID),
    "what a reader was sent last": lambda c: mailings.mailings_of(c, 7),
    "how an issue stands": lambda c: books.books(c, 1, gone=["worker"]),
    "figures for whoever watches": lambda c: figures.figures(c),
    "sample readers of an issue to come": lambda c: audience.count_sample_readers(c, DAILY, NOW),
    "sample readers of a send to a few": lambda c: audience.count_sample_readers(c, A_FEW, NOW),
    "sample readers of an issue": lambda c: audience.count_sample_readers(c, replace(DAILY, planned=7), NOW),
    "suppressed addresses": lambda c: people.suppressed_reasons(c, ["hash"]),
    "how many may be mailed": lambda c: audience_counts.active_readers(c),
    "whom an issue reaches": lambda c: reach.count_reach(c, DAILY, [(ID, 4)], now=NOW),
    "whom a send to everybody reaches": lambda c: reach.count_reach(c, EVERYBODY, [(ID, 4)], now=NOW),
    "whom a send to a few reaches": lambda c: reach.count_reach(c, A_FEW, [(ID, 4)], now=NOW),
    "who is not mailed": lambda c: reach.count_not_mailed(c, DAILY, NOW),
    "who of a few is not mailed": lambda c: reach.count_not_mailed(c, A_FEW, NOW),
    "readers by the start of an address": lambda c: reader_search.find_readers(c, "ann", limit=50),
    "the newest readers": lambda c: reader_search.newest_readers(c, before=900, limit=50),
    "a reader's timeline": lambda c: reader_search.timeline(c, Subscriber(7, "", ""), "hash", limit=100),
    "the newest released articles": lambda c: article_search.find_articles(c, article_search.Wanted(status="released")),
    "the log of one thing": lambda c: audit_search.log_entries(c, subject="1"),
    "the log of one kind": lambda c: _log_of_one_kind(c),
    "the log of somebody": lambda c: audit_search.log_entries(c, actor="Ed"),
    "the mails of reports": lambda c: mail_finding.find_by_label(c, [1, 2], [(0, (REPORT, ANN))], label_of),
    "the mails of reports of requests": lambda c: mail_finding.find_by_request(
        c, [1, 2], [(0, (REPORT, ANN))], label_of
    ),
}
LARGE = (
    *("articles", "article_numbers", "audit_log", "batches", "consents", "events", "issue_recipients"),
    *("recipient_outcomes", "source_items", "subscribers", "subscriptions", "suppressions"),
)
READ_IN_ORDER = {
    "when articles came",
    "the newest articles",
    "what became due",
    "the end of a chunk",
    "the end of a chunk of everybody",
    "the newest readers",
    "the newest released articles",
}
OF_ONE_PERSON = {"the mails of reports", "the mails of reports of requests"}
"""An issue may have gone to millions."""
ONE_IN_AN_ISSUE = "issue_recipients_subscriber_id_issue_id (subscriber_id=? AND issue_id=?)"
IN_ORDER = "USING INDEX ix_articles_arrived_at_number_id"
OF_FEW = "ix_subscribers_samples"
"""An index of a few rows only: the whole of it may be read."""


@pytest.fixture
def sqlite(_migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "syndicate.db"
    shutil.copyfile(_migrated_sqlite, path)
    database = open_database(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.fixture(scope="module")
def postgresql(_cloned_postgresql: Callable[[], tuple[str, Callable[[], None]]]) -> Iterator[Database]:
    url, drop = _cloned_postgresql()
    database = open_database(url)
    yield database
    database.dispose()
    drop()


def statements_of(database: Database, name: str) -> list[tuple[str, Any]]:
    """What an action asks, as it asks it."""
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")) and not many:
            seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.write() as connection:
        ACTIONS[name](connection)
    event.remove(database.engine, "before_cursor_execute", note)
    assert seen
    return seen


@pytest.mark.parametrize("name", ACTIONS)
def test_no_large_table_is_read_from_end_to_end(sqlite: Database, name: str) -> None:
    seen = statements_of(sqlite, name)
    with sqlite.read() as connection:
        for statement, parameters in seen:
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            scans = [line for line in plan if line.startswith(tuple(f"SCAN {table}" for table in LARGE))]
            in_order = IN_ORDER if name != "the newest readers" else "SCAN subscribers"
            scans = [line for line in scans if in_order not in line and OF_FEW not in line]
            assert scans == [], (statement, plan)
            if name in READ_IN_ORDER:
                assert not any("TEMP B-TREE" in line for line in plan), (statement, plan)
            if name in OF_ONE_PERSON and "issue_recipients" in statement:
                assert any(ONE_IN_AN_ISSUE in line for line in plan), (statement, plan)
            if name == "the end of a chunk of a few":
                assert any("SEARCH subscribers USING INDEX" in line for line in plan), (statement, plan)


@pytest.mark.parametrize("name", ACTIONS)
def test_nor_on_postgresql(postgresql: Database, name: str) -> None:
    """Where an index serves it is taken, once no table is small enough to be read whole."""
    seen = statements_of(postgresql, name)
    with postgresql.read() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for statement, parameters in seen:
            found = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
            plan = found if isinstance(found, list) else json.loads(found)
            assert list(_whole_reads(plan[0]["Plan"], in_order=name in READ_IN_ORDER)) == [], statement


def _whole_reads(node: dict[str, Any], *, in_order: bool) -> Iterator[str]:
    """Large tables that a plan reads from end to end. By an index without a condition counts too, but for the start of
    it, as a limit takes it."""
    table, kind = node.get("Relation Name"), node["Node Type"]
    if table in LARGE:
        if kind == "Seq Scan":
            yield f"{kind} {table}"
        elif node.get("Index Name") == OF_FEW:
            pass
        elif kind.startswith("Index") and "Index Cond" not in node and not in_order:
            yield f"{kind} {table} {node.get('Index Name')}"
    for child in node.get("Plans", ()):
        yield from _whole_reads(child, in_order=in_order)


def _missing(look: Callable[[], object]) -> None:
    with pytest.raises(NotFound):
        look()


def test_the_next_batches_are_in_order_from_the_place_on(sqlite: Database) -> None:
    issue_id = make_issue(sqlite, make_newsroom(sqlite))
    states = {1: "accepted", 11: "retry", 21: "planned", 31: "retry", 41: "planned", 51: "refused", 61: "planned"}
    with sqlite.write() as connection:
        for first, state in states.items():
            retry_at = NOW.replace(hour=8 if first == 11 else 23) if state == "retry" else None
            values = {"issue_id": issue_id, "first": first, "last": first + 9, "state": state, "retry_at": retry_at}
            connection.execute(sa.insert(tables.batches).values(values))
    with sqlite.read() as connection:
        looks = ((0, 9, [11, 21, 41, 61]), (0, 2, [11, 21]), (41, 3, [41, 61, 11]), (41, 1, [41]))
        for start, limit, expected in looks:
            found = ledger.claimable(connection, issue_id, NOW, start=start, limit=limit)
            assert [batch.first for batch in found] == expected
