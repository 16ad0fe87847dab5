"""Whether the database is whole: its pages, its references, and what numbers and feeds promise."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage import counting, ledger_counting, tables

MOST = 20
"""How many complaints are enough."""


def find_damage(connection: Connection) -> list[str]:
    """One sentence for each thing that is off, at most MOST; empty when all is well. Reads the whole database."""
    return [*_find_broken_pages(connection), *_find_broken_promises(connection)][:MOST]


def _find_broken_pages(connection: Connection) -> list[str]:
    if connection.dialect.name != "sqlite":
        # PostgreSQL checks its pages itself, and its references are never off.
        return []
    found = [
        f"SQLite: {row[0]}. Restore a backup."
        for row in connection.exec_driver_sql(f"PRAGMA integrity_check({MOST})")
        if row[0] != "ok"
    ]
    for row in connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST):
        found.append(f"A row of {row[0]} refers to a row of {row[2]} that is not there. Restore a backup.")
    return found


def find_wrong_counts(connection: Connection) -> list[str]:
    """One sentence for each count of readers or of an issue's books that is off, at most MOST. Looks at everybody."""
    readers = [
        f"{kind[0]} counts {counted:,} {'suppressed' if kind[3] else kind[2]} subscriptions ({kind[1] or 'no cadence'},"
        f" {kind[4] or 'no time zone'}{f', paused until {kind[5][1:]}' if kind[5] else ''}), but has {there:,}."
        for kind, (counted, there) in counting.wrong_counts(connection).items()
    ]
    books = [
        f"Issue {issue} counts {counted[1]:,} readers in {counted[0]:,} batches that are {state}, but has {there[1]:,}"
        f" in {there[0]:,}."
        for (issue, state), (counted, there) in ledger_counting.wrong_counts(connection).items()
    ]
    return [f"{each} `syndicate db check --repair` counts anew." for each in (readers + books)[:MOST]]


def _find_broken_promises(connection: Connection) -> list[str]:
    articles, numbers, counters = tables.articles, tables.article_numbers, tables.counters
    entries = tables.feed_entries
    found = []
    highest = connection.execute(sa.select(sa.func.max(numbers.c.number))).scalar() or 0
    counter = connection.execute(sa.select(counters.c.value).where(counters.c.name == "article")).scalar() or 0
    if highest > counter:
        found.append(f"The counter of article numbers is at {counter}, but number {highest} was given.")
    unnumbered = sa.select(articles.c.id).where(
        articles.c.status == "released", articles.c.number.is_(None), articles.c.backlog.is_(False)
    )
    live = sa.select(articles.c.id).where(articles.c.status != "released", articles.c.number.is_not(None))
    unbooked = (
        sa.select(articles.c.id)
        .outerjoin(
            numbers,
            sa.and_(
                numbers.c.number == articles.c.number,
                numbers.c.article_id == articles.c.id,
                numbers.c.burnt_at.is_(None),
            ),
        )
        .where(articles.c.number.is_not(None), numbers.c.number.is_(None))
    )
    shown = (
        sa.select(entries.c.article_id)
        .join(articles, articles.c.id == entries.c.article_id)
        .where(articles.c.status != "released")
    )
    for query, sentence in (
        (unnumbered, "{} is released without a number and is not backlog."),
        (live, "{} has a number, but is not released."),
        (unbooked, "{} has a number that the book of numbers gave to nobody or to another."),
        (shown, "{} is in a feed, but is not released."),
    ):
        found += [sentence.format(each) for each in connection.execute(query.distinct().limit(MOST)).scalars()]
    return found
