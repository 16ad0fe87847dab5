"""Removals: which feeds have shown an article that is retracted, so that they can say it is gone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.removal import Removal
from syndicate.storage import tables

_removals = tables.feed_removals

MOST_SHOWN = 50
"""Removals that a feed tells, the newest: whoever looks at it less often than that keeps an old copy at worst."""


def record_removals(connection: Connection, article_id: str, feeds: Collection[str], now: datetime) -> None:
    """Notes that these feeds have shown the article; those noted before keep their moment."""
    query = sa.select(_removals.c.feed).where(_removals.c.article_id == article_id)
    known = set(connection.execute(query).scalars())
    rows = [{"feed": feed, "article_id": article_id, "at": now} for feed in sorted(set(feeds) - known)]
    if rows:
        connection.execute(sa.insert(_removals), rows)


def take_back_retraction(connection: Connection, article_id: str) -> None:
    """The article is to be published again: no feed tells it as gone any more, and its file, whose edits counted for
    nothing, is read anew by the next look."""
    articles, items = tables.articles, tables.source_items
    connection.execute(sa.delete(_removals).where(_removals.c.article_id == article_id))
    connection.execute(sa.update(articles).where(articles.c.id == article_id).values(retracted_at=None, retraction=""))
    connection.execute(sa.update(items).where(items.c.article_id == article_id).values(fingerprint=""))


def shown_removals(connection: Connection, feeds: Iterable[str]) -> dict[str, tuple[Removal, ...]]:
    """What each of these feeds tells as gone, the newest first."""
    found = {}
    for feed in feeds:
        query = (
            sa.select(_removals.c.article_id, _removals.c.at)
            .where(_removals.c.feed == feed)
            .order_by(_removals.c.at.desc(), _removals.c.article_id)
            .limit(MOST_SHOWN)
        )
        found[feed] = tuple(Removal(*row) for row in connection.execute(query))
    return found
