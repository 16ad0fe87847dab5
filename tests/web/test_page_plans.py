"""Every page of the console finds what it shows by an index, and counts nobody: whatever there are many of is never
read from end to end. Asked of a site as the benchmarks make it, with issues that have a batch for each reader."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa
from sqlalchemy import event

from syndicate.storage import reach
from syndicate.storage.database import Database, open_database
from syndicate.web.app import make_app
from tests.benchmarks.console import acts, pages, sign_in
from tests.benchmarks.large_site import NOW, LargeSite, fill, opened
from tests.web.serving import serving

MANY = frozenset(
    {
        *("audit_log", "batches", "consents", "events", "issue_recipients", "recipient_outcomes"),
        *("subscribers", "subscriptions", "suppressions"),
    }
)

READERS, A_PAGE = 600, 150
"""A statement reads so many rows of these at the most, a fourth of what there are."""


def test_no_page_reads_all_of_what_there_are_many_of(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of more people than these none is looked at alone.
    monkeypatch.setattr(reach, "LOOKED_AT", 10)
    seen: dict[str, Any] = {}
    with opened(tmp_path / "site", database_url.replace("+psycopg", "")) as site:
        large = LargeSite(site, fill(site, READERS, articles=10_000, lines=1_000))
        token = sign_in(site)

        def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
            if statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")) and not many:
                seen[statement] = parameters

        event.listen(site.database.engine, "before_cursor_execute", note)
        with serving(make_app(site, clock=lambda: NOW)) as url, requests.Session() as session:
            session.cookies.set("syndicate", token, domain="127.0.0.1", path="/")
            for name, path in pages(large):
                assert session.get(url + path, timeout=60).status_code == 200, name
            assert len(list(acts(session, url, large))) == len(large.awaiting)
        event.remove(site.database.engine, "before_cursor_execute", note)
    assert len(seen) > 60
    database = open_database(database_url)
    found = [f"{each}: {statement}" for statement, each in _whole_reads(database, seen)]
    database.dispose()
    assert not found, "\n\n".join(found)


def _whole_reads(database: Database, seen: dict[str, Any]) -> Iterator[tuple[str, str]]:
    with database.write() as connection:  # for those that lock what they read
        for statement, parameters in seen.items():
            if database.is_sqlite:
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
                plan = [row[-1] for row in rows]
                # The start of an index is read in its order, as far as a limit goes.
                some = "LIMIT" in statement and not any("TEMP B-TREE FOR ORDER" in line for line in plan)
                for line in plan:
                    words = line.split()
                    if words[0] == "SCAN" and words[1] in MANY and not some:
                        yield statement, line
            else:
                # Where an index serves it is taken, once no table is small enough to be read whole.
                connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
                how = "ANALYZE, FORMAT JSON" if statement.startswith(("SELECT", "WITH")) else "FORMAT JSON"
                answer = connection.exec_driver_sql(f"EXPLAIN ({how}) {statement}", parameters).scalar_one()
                plan = answer if isinstance(answer, list) else json.loads(answer)
                for each in _in_plan(plan[0]["Plan"], limited=False):
                    yield statement, each


def _in_plan(node: dict[str, Any], *, limited: bool) -> Iterator[str]:
    kind, table = node["Node Type"], node.get("Relation Name")
    if table in MANY:
        read = (node.get("Actual Rows", 0) + node.get("Rows Removed by Filter", 0)) * node.get("Actual Loops", 0)
        if kind == "Seq Scan":
            yield f"{kind} of {table}"
        elif kind.startswith("Index") and "Index Cond" not in node and not limited:
            yield f"{kind} of all of {table} by {node.get('Index Name')}"
        elif read > A_PAGE:
            yield f"{read:g} rows of {table} by {node.get('Index Name')}"
    # What sorts or counts reads all that is below it, whatever the limit.
    below = (limited or kind == "Limit") and kind not in ("Sort", "Aggregate", "HashAggregate", "Hash")
    for child in node.get("Plans", ()):
        yield from _in_plan(child, limited=below)
