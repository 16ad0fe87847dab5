"""Rows of pushed articles: what was brought to each source of kind push, as it was sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.holding import Holding
from syndicate.storage import tables
from syndicate.storage.database import Database

_pushed = tables.pushed_articles


class PushedArticles:
    """What one source holds (`sources.base.Holdings`), read when it is asked for."""

    def __init__(self, database: Database, source: str) -> None:
        self._database = database
        self._source = source

    def stamps(self) -> Mapping[str, str]:
        """The SHA-256 of each article by its key, in the order in which they were last brought."""
        query = (
            sa.select(_pushed.c.key, _pushed.c.sha256)
            .where(_pushed.c.source == self._source, _pushed.c.removed_at.is_(None))
            .order_by(_pushed.c.pushed_at, _pushed.c.key)
        )
        with self._database.read() as connection:
            return {row.key: row.sha256 for row in connection.execute(query)}

    def get(self, key: str) -> Holding | None:
        """One article, or None."""
        with self._database.read() as connection:
            return get_pushed(connection, self._source, key)


def get_pushed(connection: Connection, source: str, key: str) -> Holding | None:
    """The article that was brought to the source under that key and not removed since."""
    query = sa.select(_pushed).where(_pushed.c.source == source, _pushed.c.key == key, _pushed.c.removed_at.is_(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else Holding(row.content, row.sha256, row.pushed_at)


def put_pushed(
    connection: Connection, source: str, key: str, content: Mapping[str, Any], sha256: str, now: datetime
) -> None:
    """Keeps what was brought, in place of what the source held under that key. The caller holds `lock_articles`, so
    that two who bring the same key take turns."""
    values = {"content": dict(content), "sha256": sha256, "pushed_at": now, "removed_at": None}
    here = (_pushed.c.source == source, _pushed.c.key == key)
    if connection.execute(sa.update(_pushed).where(*here).values(values)).rowcount == 0:
        connection.execute(sa.insert(_pushed).values(source=source, key=key, **values))


def remove_pushed(connection: Connection, source: str, key: str, now: datetime) -> bool:
    """The source no longer holds it; False when it held nothing under that key."""
    here = (_pushed.c.source == source, _pushed.c.key == key, _pushed.c.removed_at.is_(None))
    return connection.execute(sa.update(_pushed).where(*here).values(removed_at=now)).rowcount > 0
