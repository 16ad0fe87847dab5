"""Triggers that add up an issue's batches as they change, so that nothing has to read all of them for its books: by a
mail API that takes one mail in each request ten million readers are as many batches.

Counted are batches and people by where they stand, a batch's state or somebody's own outcome; those of a split batch
are in its children. Many workers settle batches of one issue at once, and none must wait for another: on PostgreSQL
each counts in rows of its own, by the number of its server process, which no other that runs has. So a row may well be
below zero; their sum is what there is.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage.tables import ledger_counts
from syndicate.storage.triggers import BY_INDEX, postgresql_triggers, sqlite_triggers

_INTO = "INSERT INTO ledger_counts (issue_id, state, slot, batches, people)"
_ADD = (
    "ON CONFLICT (issue_id, state, slot) DO UPDATE"
    " SET batches = ledger_counts.batches + excluded.batches, people = ledger_counts.people + excluded.people"
)
_SIZE = "({0}.last - {0}.first + 1)"

Place = tuple[int, str]
"""An issue, and the state of a batch or the outcome of one person."""
Counted = tuple[int, int]
"""Batches, and people."""


def install(connection: Connection) -> None:
    """Puts the triggers in their place and sets right what was changed without them. After every migration, as
    `counting.install`. Does nothing before the migration that makes the counts."""
    if not sa.inspect(connection).has_table(ledger_counts.name):
        return
    for statement in _sqlite_triggers() if connection.dialect.name == "sqlite" else _postgresql_triggers():
        connection.exec_driver_sql(statement)
    correct(connection)


def correct(connection: Connection) -> None:
    """Adds what the counts are off by. In one statement, so that whatever is sent meanwhile counts beside it. Reads
    all batches."""
    if connection.dialect.name != "sqlite":
        # Twice at once would add it twice.
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CORRECTING)))
    off = (
        "SELECT issue_id, state, sum(batches) AS batches, sum(people) AS people"
        f" FROM ({_THERE} UNION ALL SELECT issue_id, state, -batches, -people FROM ledger_counts) each_one"
        " GROUP BY issue_id, state HAVING sum(batches) <> 0 OR sum(people) <> 0"
    )
    slot = "0" if connection.dialect.name == "sqlite" else "pg_backend_pid()"
    select = f"SELECT issue_id, state, {slot}, batches, people FROM ({off}) off WHERE true"
    connection.exec_driver_sql(f"{_INTO} {select} {_ADD}")


def wrong_counts(connection: Connection) -> dict[Place, tuple[Counted, Counted]]:
    """Where the counts are off, as (counted, there are). Reads all batches, in one statement."""
    both = (
        "SELECT issue_id, state, sum(kept_batches), sum(kept_people), sum(batches), sum(people) FROM ("
        f"SELECT issue_id, state, 0 AS kept_batches, 0 AS kept_people, batches, people FROM ({_THERE}) there"
        " UNION ALL SELECT issue_id, state, batches, people, 0, 0 FROM ledger_counts) each_one"
        " GROUP BY issue_id, state HAVING sum(kept_batches) <> sum(batches) OR sum(kept_people) <> sum(people)"
    )
    return {
        (row[0], row[1]): ((int(row[2]), int(row[3])), (int(row[4]), int(row[5])))
        for row in connection.exec_driver_sql(f"{both} ORDER BY issue_id, state")
    }


_CORRECTING = 5_020_477_862
"""Any number that no other advisory lock of this program uses."""

_THERE = (
    f"SELECT b.issue_id, b.state, 1 AS batches, {_SIZE.format('b')} AS people FROM batches b WHERE b.state <> 'split'"
    " UNION ALL SELECT b.issue_id, b.state, 0, -1"
    " FROM recipient_outcomes o JOIN batches b ON b.id = o.batch_id WHERE b.state <> 'split'"
    " UNION ALL SELECT b.issue_id, o.outcome, 0, 1"
    " FROM recipient_outcomes o JOIN batches b ON b.id = o.batch_id WHERE b.state <> 'split'"
)


# --- SQLite: row by row -----------------------------------------------------------------------------------------


def _sqlite_triggers() -> list[str]:
    def count(issue: str, state: str, batches: str, people: str, found: str) -> str:
        return f"{_INTO} SELECT {issue}, {state}, 0, {batches}, {people} {found} {_ADD};"

    def batch(row: str, sign: str) -> str:
        own = f"(SELECT count(*) FROM recipient_outcomes WHERE batch_id = {row}.id)"
        size = f"{sign}({_SIZE.format(row)} - {own})"
        return count(f"{row}.issue_id", f"{row}.state", f"{sign}1", size, f"WHERE {row}.state <> 'split'")

    def outcome(row: str, sign: str) -> str:
        found = f"FROM batches b WHERE b.id = {row}.batch_id AND b.state <> 'split'"
        of_batch = count("b.issue_id", "b.state", "0", "-1" if sign == "+" else "1", found)
        return of_batch + count("b.issue_id", f"{row}.outcome", "0", f"{sign}1", found)

    # Who has an outcome of their own goes with their batch when it is split, and comes back should it ever.
    crossing = count(
        *("NEW.issue_id", "o.outcome", "0", "((NEW.state <> 'split') - (OLD.state <> 'split')) * count(*)"),
        "FROM recipient_outcomes o WHERE o.batch_id = NEW.id AND 'split' IN (OLD.state, NEW.state) GROUP BY o.outcome",
    )
    outcome_differs = "OLD.batch_id <> NEW.batch_id OR OLD.outcome <> NEW.outcome"
    return sqlite_triggers(
        {
            "count_batch_added": f"AFTER INSERT ON batches BEGIN {batch('NEW', '+')} END",
            "count_batch_removed": f"AFTER DELETE ON batches BEGIN {batch('OLD', '-')} END",
            "count_batch_moved": "AFTER UPDATE OF state ON batches WHEN OLD.state <> NEW.state"
            f" BEGIN {batch('OLD', '-')} {batch('NEW', '+')} {crossing} END",
            "count_outcome_added": f"AFTER INSERT ON recipient_outcomes BEGIN {outcome('NEW', '+')} END",
            "count_outcome_removed": f"AFTER DELETE ON recipient_outcomes BEGIN {outcome('OLD', '-')} END",
            "count_outcome_changed": "AFTER UPDATE OF batch_id, outcome ON recipient_outcomes"
            f" WHEN {outcome_differs} BEGIN {outcome('OLD', '-')} {outcome('NEW', '+')} END",
        }
    )


# --- PostgreSQL: once for all rows of a statement ---------------------------------------------------------------


def _postgresql_triggers() -> list[str]:
    def add(lines: str) -> str:
        total = "SELECT issue_id, state, pg_backend_pid(), sum(batches), sum(people)"
        off = "HAVING sum(batches) <> 0 OR sum(people) <> 0"
        return f"{_INTO} {total} FROM ({lines}) each_one GROUP BY issue_id, state {off} {_ADD}"

    def batches(rows: str, by: str) -> str:
        size = f"{by} * {_SIZE.format('b')}"
        return f"SELECT b.issue_id, b.state, {by} AS batches, {size} AS people FROM {rows} b WHERE b.state <> 'split'"

    def outcomes(found: str, by: str) -> str:
        where = "(VALUES (b.state, -1), (o.outcome, 1)) place(state, people)"
        rows = f"FROM {found} CROSS JOIN LATERAL {where} WHERE b.state <> 'split'"
        return f"SELECT b.issue_id, place.state, 0 AS batches, {by} * place.people AS people {rows}"

    # The batch is held until the end, if it was not already: nobody moves it between this look and the commit.
    hold = "PERFORM FROM batches WHERE id IN (SELECT batch_id FROM {}) ORDER BY id FOR SHARE"
    of_outcome = "{} o CROSS JOIN LATERAL (SELECT * FROM batches WHERE id = o.batch_id OFFSET 0) b"
    of_batch = "moved b CROSS JOIN LATERAL (SELECT * FROM recipient_outcomes WHERE batch_id = b.id OFFSET 0) o"
    # What stays in its state needs no look at the outcomes.
    moved = (
        "(SELECT before.*, -1 AS by FROM removed before JOIN added ON added.id = before.id"
        " AND added.state <> before.state UNION ALL"
        " SELECT after.*, 1 FROM added after JOIN removed ON removed.id = after.id AND removed.state <> after.state)"
    )
    changed = "(SELECT *, -1 AS by FROM removed UNION ALL SELECT *, 1 FROM added)"
    of_moved = f"{batches('moved', 'b.by')} UNION ALL {outcomes(of_batch, 'b.by')}"
    of_batches = {
        "added": add(batches("added", "1")),
        "removed": add(batches("removed", "-1")),
        "moved": add(f"WITH moved AS MATERIALIZED {moved} {of_moved}"),
    }
    of_outcomes = {
        "added": f"{hold.format('added')}; {add(outcomes(of_outcome.format('added'), '1'))}",
        "removed": f"{hold.format('removed')}; {add(outcomes(of_outcome.format('removed'), '-1'))}",
        "changed": f"{hold.format(changed + ' o')}; {add(outcomes(of_outcome.format(changed), 'o.by'))}",
    }
    return [
        *postgresql_triggers("count", "batches", of_batches, by=BY_INDEX),
        *postgresql_triggers("count", "recipient_outcomes", of_outcomes, noun="outcomes", by=BY_INDEX),
    ]
