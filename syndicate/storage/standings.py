"""Where articles stand: numbers, holds and releases in rows, by the rules of `core.release`.

Whoever changes articles takes the counter's row first and keeps it to commit. So numbers become visible in their order
(a sequence of PostgreSQL would not do that: it is not commit order), and no two such transactions ever lock rows in
different orders.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.feed import Feed
from syndicate.core.release import Standing, is_due, publish, wants_number
from syndicate.errors import NotFound
from syndicate.storage import tables
from syndicate.storage.articles import select_articles
from syndicate.storage.feed_entries import place_in_feeds

_articles = tables.articles
_numbers = tables.article_numbers

_STANDING = tuple(each.name for each in fields(Standing))
_TAKE = sa.text(
    "INSERT INTO counters (name, value) VALUES ('article', :count)"
    " ON CONFLICT (name) DO UPDATE SET value = counters.value + :count RETURNING value"
)


def take_numbers(connection: Connection, count: int) -> range:
    """The next `count` numbers. Takes the counter's row lock, held to commit."""
    highest = int(connection.execute(_TAKE, {"count": count}).scalar_one())
    return range(highest - count + 1, highest + 1)


def lock_articles(connection: Connection) -> int:
    """Takes the counter's row lock, held to commit, and returns the highest number given: the first statement of every
    transaction that changes articles."""
    return take_numbers(connection, 0).stop - 1


def get_standings(connection: Connection, article_ids: Sequence[str]) -> dict[str, Standing]:
    """Where these articles stand. Raises NotFound when one does not exist."""
    query = sa.select(_articles.c.id, *(_articles.c[name] for name in _STANDING)).where(_articles.c.id.in_(article_ids))
    found = {row.id: standing_of(row._mapping) for row in connection.execute(query)}
    for article_id in article_ids:
        if article_id not in found:
            raise NotFound(f"There is no article {article_id}.", cure="`syndicate articles list` shows them.")
    return found


def standing_of(values: Mapping[Any, Any]) -> Standing:
    """The standing in a row of `articles`."""
    return Standing(**{name: values[name] for name in _STANDING})


def standing_to_row(standing: Standing) -> dict[str, Any]:
    """The columns of `articles` that hold it."""
    return {name: getattr(standing, name) for name in _STANDING}


def change_standings(
    connection: Connection,
    steps: Mapping[str, tuple[Standing, Standing]],
    feeds: Sequence[Feed],
    now: datetime,
) -> None:
    """Writes each article's step from one standing to the next: its columns, the number that it got or that is burnt,
    and the feeds it is in. The caller holds `lock_articles`."""
    changed = {article_id: step for article_id, step in steps.items() if step[0] != step[1]}
    if not changed:
        return
    assignments: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in _STANDING}
    connection.execute(
        sa.update(_articles).where(_articles.c.id == sa.bindparam("which")).values(assignments),
        [
            {"which": article_id, **{f"new_{name}": value for name, value in standing_to_row(after).items()}}
            # In the order of ids, as everybody writes articles: those who publish pages do not take our lock.
            for article_id, (_, after) in sorted(changed.items())
        ],
    )
    record_numbers(connection, changed, now)
    shown = [article_id for article_id, (before, after) in changed.items() if before.published or after.published]
    if shown:
        place_in_feeds(connection, select_articles(connection, ids=shown), feeds)


def record_numbers(
    connection: Connection, steps: Mapping[str, tuple[Standing | None, Standing]], now: datetime
) -> None:
    """Keeps the book of every number: given, and burnt when the article loses it."""
    burnt = [b.number for b, a in steps.values() if b is not None and b.number is not None and b.number != a.number]
    given = [
        {"number": a.number, "article_id": article_id, "given_at": now}
        for article_id, (b, a) in steps.items()
        if a.number is not None and (b is None or b.number != a.number)
    ]
    if burnt:
        connection.execute(sa.update(_numbers).where(_numbers.c.number.in_(burnt)).values(burnt_at=now))
    if given:
        connection.execute(sa.insert(_numbers), given)


def publish_due(connection: Connection, feeds: Sequence[Feed], now: datetime, *, limit: int = 50) -> list[str]:
    """The numbering step: publishes at most `limit` articles that are due, in the order of their arrival, and returns
    their ids: call it, each time in a transaction of its own, until there are none."""
    lock_articles(connection)
    query = (
        sa.select(_articles.c.id, *(_articles.c[name] for name in _STANDING))
        .where(_articles.c.status == "waiting", sa.or_(_articles.c.not_before.is_(None), _articles.c.not_before <= now))
        .order_by(_articles.c.arrived_at, _articles.c.source, _articles.c.key)
        .limit(limit)
    )
    due = {row.id: standing_of(row._mapping) for row in connection.execute(query)}
    due = {article_id: standing for article_id, standing in due.items() if is_due(standing, now)}
    numbers = iter(take_numbers(connection, sum(map(wants_number, due.values()))))
    steps = {
        article_id: (standing, publish(standing, next(numbers) if wants_number(standing) else None, now))
        for article_id, standing in due.items()
    }
    change_standings(connection, steps, feeds, now)
    return list(steps)
