"""Which feeds an article is in: kept in step with every change of the article, in the same transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.feed import Feed
from syndicate.core.job import publish
from syndicate.storage import tables
from syndicate.storage.signals import signal

_entries = tables.feed_entries
_feeds = tables.feeds


def place_in_feeds(
    connection: Connection, articles: Article | Sequence[Article], feeds: Iterable[Feed], *, changed: bool = True
) -> frozenset[str]:
    """Puts the articles into every feed whose selection takes them and out of all others (out of all, when they are not
    released), and moves the generation of each feed that now has something else to show.

    `changed` tells that the articles themselves changed, so that feeds they stay in are behind too. Returns the names
    of the feeds whose generation moved. Feeds that are not passed (retired ones) keep no entry."""
    moved = [articles] if isinstance(articles, Article) else list(articles)
    wanted: dict[tuple[str, str], Article] = {
        (feed.name, article.id): article
        for feed in feeds
        for article in moved
        if article.status == "released" and feed.selection.takes(article)
    }
    before = {
        (row.feed, row.article_id): row.published_at
        for row in connection.execute(
            sa.select(_entries.c.feed, _entries.c.article_id, _entries.c.published_at).where(
                _entries.c.article_id.in_([article.id for article in moved])
            )
        )
    }
    left = [pair for pair in before if pair not in wanted]
    entered = [pair for pair in wanted if pair not in before]
    stayed = [pair for pair in wanted if pair in before]
    behind = {feed for feed, _ in (*left, *entered, *(stayed if changed else ()))}
    # Before the entries: whoever moves the same feed at once waits here, and in one order.
    move_generations(connection, behind)
    if left:
        _remove(connection, left)
    if entered:
        rows = [{"feed": f, "article_id": a, "published_at": wanted[f, a].published_at} for f, a in entered]
        connection.execute(sa.insert(_entries), rows)
    for feed, article_id in stayed:
        moment = wanted[feed, article_id].published_at
        if moment != before[feed, article_id]:
            connection.execute(
                sa.update(_entries)
                .where(_entries.c.feed == feed, _entries.c.article_id == article_id)
                .values(published_at=moment)
            )
    return frozenset(behind)


def move_generations(connection: Connection, names: Collection[str]) -> None:
    """Marks the feeds as having something to publish."""
    for name in sorted(names):
        connection.execute(sa.update(_feeds).where(_feeds.c.name == name).values(generation=_feeds.c.generation + 1))
    if names:
        signal(connection, publish())


def feeds_of(connection: Connection, article_id: str) -> list[str]:
    """The names of the feeds that the article is in; "" is the site's own."""
    query = sa.select(_entries.c.feed).where(_entries.c.article_id == article_id).order_by(_entries.c.feed)
    return list(connection.execute(query).scalars())


def _remove(connection: Connection, pairs: Sequence[tuple[str, str]]) -> None:
    rows: list[dict[str, Any]] = [{"f": feed, "a": article_id} for feed, article_id in pairs]
    connection.execute(
        sa.delete(_entries).where(_entries.c.feed == sa.bindparam("f"), _entries.c.article_id == sa.bindparam("a")),
        rows,
    )
