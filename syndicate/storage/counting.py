"""Triggers that count subscriptions as they change, so that no page has to look at ten million people for a number.

They stand in the database: whatever changes a subscription or a subscriber, by whatever way, counts in the same
transaction. What a subscription counts as depends on two rows, its own and its subscriber's. On PostgreSQL two
transactions that change one each would not see each other; so the triggers take the lock of whoever changes people
(`people.lock_people`, usually held already), and the counts are nobody's bottleneck that is not one anyway.
"""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage.people import LOCK_KEY, lock_people
from syndicate.storage.tables import audience_counts
from syndicate.storage.triggers import (
    BY_INDEX,
    postgresql_function,
    postgresql_trigger,
    postgresql_triggers,
    sqlite_triggers,
)

_KEY = "newsletter, cadence, status, suppressed, timezone, pause_ends"
_INTO = f"INSERT INTO audience_counts ({_KEY}, people)"
_ADD = f"ON CONFLICT ({_KEY}) DO UPDATE SET people = audience_counts.people + excluded.people"

Kind = tuple[str, str, str, bool, str, str]
"""Newsletter, cadence, status, whether suppressed, time zone, and "" for all of these, or when a pause ends for those
of them who have one: the day in UTC (`d2026-11-20`), and the hour (`h2026-11-20T09`)."""


def install(connection: Connection) -> None:
    """Puts the triggers in their place and counts everything anew. After every migration: one that makes a table anew,
    as SQLite's do, loses its triggers. Does nothing before the migration that makes the counts."""
    if not sa.inspect(connection).has_table(audience_counts.name):
        return
    for statement in _sqlite_triggers() if connection.dialect.name == "sqlite" else _postgresql_triggers():
        connection.exec_driver_sql(statement)
    recount(connection)


def recount(connection: Connection) -> None:
    """Counts everybody anew. Whoever changes people waits meanwhile."""
    lock_people(connection)
    connection.execute(sa.delete(audience_counts))
    connection.exec_driver_sql(f"{_INTO} {_counted(connection)}")


def wrong_counts(connection: Connection) -> dict[Kind, tuple[int, int]]:
    """Where the counts are off, as (counted, there are). Looks at everybody."""
    kept = _by_kind(connection, f"SELECT {_KEY}, people FROM audience_counts")
    there = _by_kind(connection, _counted(connection))
    pairs = {kind: (kept.get(kind, 0), there.get(kind, 0)) for kind in sorted({*kept, *there})}
    return {kind: pair for kind, pair in pairs.items() if pair[0] != pair[1]}


def _counted(connection: Connection) -> str:
    kind = _kind("s", "p", _SQLITE_ENDS if connection.dialect.name == "sqlite" else _POSTGRESQL_ENDS)
    return (
        f"SELECT {kind}, count(*) FROM subscriptions s JOIN subscribers p ON p.id = s.subscriber_id {_each('s')}"
        " WHERE p.erased_at IS NULL GROUP BY 1, 2, 3, 4, 5, 6"
    )


def _by_kind(connection: Connection, query: str) -> Mapping[Kind, int]:
    rows = connection.exec_driver_sql(query)
    return {(row[0], row[1], row[2], bool(row[3]), row[4], row[5]): int(row[6]) for row in rows}


# `d` and the day, `h` and the hour, so that each is a range of its own.
_SQLITE_ENDS = ("'d' || substr({0}.paused_until, 1, 10)", "'h' || substr({0}.paused_until, 1, 13)")
_POSTGRESQL_ENDS = (
    "to_char({0}.paused_until AT TIME ZONE 'UTC', '\"d\"YYYY-MM-DD')",
    "to_char({0}.paused_until AT TIME ZONE 'UTC', '\"h\"YYYY-MM-DD\"T\"HH24')",
)


def _kind(subscription: str, person: str, ends: tuple[str, str]) -> str:
    s, p = subscription, person
    day, hour = (each.format(s) for each in ends)
    pause = f"CASE counted.how WHEN 1 THEN {day} WHEN 2 THEN {hour} ELSE '' END"
    return f"{s}.newsletter, {s}.cadence, {s}.status, {p}.suppressed <> '', {p}.timezone, {pause}"


def _each(subscription: str) -> str:
    """Joined, it gives each subscription once, and those with a pause twice more: for its day and its hour."""
    ways = "(SELECT 0 AS how UNION ALL SELECT 1 UNION ALL SELECT 2) counted"
    return f"JOIN {ways} ON counted.how = 0 OR {subscription}.paused_until IS NOT NULL"


# --- SQLite: row by row -----------------------------------------------------------------------------------------


def _sqlite_triggers() -> list[str]:
    def subscription(row: str, by: int) -> str:
        kind = _kind(row, "p", _SQLITE_ENDS)
        found = f"FROM subscribers p {_each(row)} WHERE p.id = {row}.subscriber_id AND p.erased_at IS NULL"
        return f"{_INTO} SELECT {kind}, {by} {found} {_ADD};"

    def person(row: str, by: int) -> str:
        kind = _kind("s", row, _SQLITE_ENDS)
        found = f"FROM subscriptions s {_each('s')} WHERE s.subscriber_id = {row}.id AND {row}.erased_at IS NULL"
        return f"{_INTO} SELECT {kind}, {by} {found} {_ADD};"

    counted = ("subscriber_id", "newsletter", "cadence", "status", "paused_until")
    differs = " OR ".join(f"OLD.{each} IS NOT NEW.{each}" for each in counted)
    person_differs = (
        "(OLD.suppressed <> '') <> (NEW.suppressed <> '') OR OLD.timezone <> NEW.timezone"
        " OR (OLD.erased_at IS NULL) <> (NEW.erased_at IS NULL)"
    )
    return sqlite_triggers(
        {
            "count_subscription_added": f"AFTER INSERT ON subscriptions BEGIN {subscription('NEW', 1)} END",
            "count_subscription_removed": f"AFTER DELETE ON subscriptions BEGIN {subscription('OLD', -1)} END",
            "count_subscription_changed": f"AFTER UPDATE OF {', '.join(counted)} ON subscriptions WHEN {differs}"
            f" BEGIN {subscription('OLD', -1)} {subscription('NEW', 1)} END",
            "count_subscriber_changed": "AFTER UPDATE OF suppressed, timezone, erased_at ON subscribers"
            f" WHEN {person_differs} BEGIN {person('OLD', -1)} {person('NEW', 1)} END",
        }
    )


# --- PostgreSQL: once for all rows of a statement ---------------------------------------------------------------


def _postgresql_triggers() -> list[str]:
    def count(changed: str, by: str) -> str:
        kind = _kind("s", "p", _POSTGRESQL_ENDS)
        found = f"FROM {changed} {_each('s')} WHERE p.erased_at IS NULL"
        return f"{_INTO} SELECT {kind}, sum({by}) {found} GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum({by}) <> 0 {_ADD}"

    def subscriptions(rows: str) -> str:
        return f"{rows} s CROSS JOIN LATERAL (SELECT * FROM subscribers WHERE id = s.subscriber_id OFFSET 0) p"

    def people(rows: str) -> str:
        return f"{rows} p CROSS JOIN LATERAL (SELECT * FROM subscriptions WHERE subscriber_id = p.id OFFSET 0) s"

    both = "(SELECT *, -1 AS by FROM removed UNION ALL SELECT *, 1 FROM added)"
    of_subscriptions = {
        "added": count(subscriptions("added"), "1"),
        "removed": count(subscriptions("removed"), "-1"),
        # What counts as before adds up to nothing.
        "changed": count(subscriptions(both), "s.by"),
    }
    return [
        postgresql_function("hold_people", f"PERFORM pg_advisory_xact_lock({LOCK_KEY})"),
        *postgresql_trigger(
            "hold_people",
            "BEFORE INSERT OR DELETE OR UPDATE OF subscriber_id, newsletter, cadence, status, paused_until",
            "subscriptions",
            "hold_people",
        ),
        *postgresql_trigger(
            "hold_people", "BEFORE UPDATE OF suppressed, timezone, erased_at", "subscribers", "hold_people"
        ),
        *postgresql_triggers("count", "subscriptions", of_subscriptions, by=BY_INDEX),
        *postgresql_triggers("count", "subscribers", {"changed": count(people(both), "p.by")}, by=BY_INDEX),
    ]
