"""What runs often, or while people wait, finds its rows by an index: no look at all articles, readers or batches."""

from __future__ import annotations

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

from syndicate.core.issue import Audience, Issue
from syndicate.errors import NotFound
from syndicate.storage import (
    arrivals,
    articles,
    audience,
    compositions,
    freezing,
    issues,
    ledger,
    mailed,
    mailings,
    people,
    standings,
    starts,
    tables,
    windows,
)
from syndicate.storage.database import Database, open_database
from tests.mailing import MORNING, make_issue, make_newsroom

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ID = "urn:uuid:00000000-0000-4000-8000-000000000001"
DAILY = Issue(1, "morning", "daily", "cadence", "freezing", 0, 5, 1, Audience("daily"), NOW)
EVERYBODY = Issue(2, "morning", "", "manual", "freezing", 0, 0, 1, Audience(), NOW)
A_FEW = replace(EVERYBODY, audience=Audience(to=("ann@example.org", "bob@example.org")))
ACTIONS: dict[str, Callable[[Connection], object]] = {
    "the next batches": lambda c: ledger.claimable(c, 1, NOW, start=0, limit=8),
    "the next batches from a place on": lambda c: ledger.claimable(c, 1, NOW, start=500, limit=8),
    "what is uncertain": lambda c: ledger.due_uncertain(c, 1, NOW, 8),
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
    "who starts elsewhere": lambda c: starts.somebody_starts_elsewhere(c, "morning"),
    "the earliest start": lambda c: freezing.earliest_start(c, DAILY),
    "how many are in the audience": lambda c: audience.count_audience(c, "morning", DAILY.audience, now=NOW),
    "what came just before": lambda c: arrivals.dates_since(c, "desk", NOW),
    "what the tripwire holds": lambda c: arrivals.held_lots(c),
    "a lot that is held": lambda c: arrivals.held_ids(c, "desk", 100),
    "when articles came": lambda c: arrivals.arrivals(c, "desk", before=NOW),
    "one reader": lambda c: people.find_people(c, {"ann@example.org": "hash"}),
    "a page of readers": lambda c: people.list_subscribers(c, newsletter="morning", after=500),
    "what a reader was sent": lambda c: mailings.mailings_of(c, 7, article_id=ID),
    "suppressed addresses": lambda c: people.suppressed_reasons(c, ["hash"]),
}
LARGE = ("articles", "article_numbers", "batches", "issue_recipients", "source_items", "subscribers", "subscriptions")
READ_IN_ORDER = {
    "when articles came",
    "the newest articles",
    "what became due",
    "the end of a chunk",
    "the end of a chunk of everybody",
}
IN_ORDER = "USING INDEX ix_articles_arrived_at_number_id"


@pytest.fixture
def sqlite(_migrated_sqlite: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "syndicate.db"
    shutil.copyfile(_migrated_sqlite, path)
    database = open_database(f"sqlite:///{path}")
    yield database
    database.dispose()


@pytest.mark.parametrize("name", ACTIONS)
def test_no_large_table_is_read_from_end_to_end(sqlite: Database, name: str) -> None:
    seen: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")) and not many:
            seen.append((statement, parameters))

    event.listen(sqlite.engine, "before_cursor_execute", note)
    with sqlite.write() as connection:
        ACTIONS[name](connection)
    event.remove(sqlite.engine, "before_cursor_execute", note)
    assert seen
    with sqlite.read() as connection:
        for statement, parameters in seen:
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            scans = [line for line in plan if line.startswith(tuple(f"SCAN {table}" for table in LARGE))]
            assert [line for line in scans if IN_ORDER not in line] == [], (statement, plan)
            if name in READ_IN_ORDER:
                assert not any("TEMP B-TREE" in line for line in plan), (statement, plan)
            if name == "the end of a chunk of a few":
                assert any("SEARCH subscribers USING INDEX" in line for line in plan), (statement, plan)


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
