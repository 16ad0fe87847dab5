"""What each source held at its last look, as the next look needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Content
from syndicate.storage import tables
from syndicate.storage.articles import content_from_json

_items = tables.source_items


ItemRow = Sequence[Any]
"""One item that is still there: key, fingerprint, sha256, text_hash, declared_id, restored, problem."""
FINGERPRINT, PROBLEM = 1, 6


@dataclass(frozen=True, slots=True)
class Version:
    """One place that an article came from. `carried` is its content when another place's version is shown; `gone` when
    it is no longer there; `received` what its feed said of it, or ""."""

    source: str
    key: str
    gone: bool
    restored: bool
    warnings: tuple[str, ...]
    problem: str
    carried: Content | None
    received: str


def known_items(connection: Connection, source: str) -> dict[str, ItemRow]:
    """Every item of the source that was there at the last look, by key.

    The rows stay as they are read: a look at an archive needs all of them, most only to find that nothing changed."""
    query = sa.select(
        _items.c.key,
        _items.c.fingerprint,
        _items.c.sha256,
        _items.c.text_hash,
        _items.c.declared_id,
        sa.type_coerce(_items.c.restored, sa.Integer),
        _items.c.problem,
    ).where(_items.c.source == source, _items.c.gone_at.is_(None))
    return {row[0]: row for row in connection.execute(query).all()}


def known_fingerprint(connection: Connection, source: str, key: str) -> str | None:
    """The fingerprint of one item that was there at the last look; None when it was not."""
    query = sa.select(_items.c.fingerprint).where(
        _items.c.source == source, _items.c.key == key, _items.c.gone_at.is_(None)
    )
    return connection.execute(query).scalar_one_or_none()


def article_of_item(connection: Connection, source: str, key: str) -> str | None:
    """The id of the article that came from this item, also when the item is gone since."""
    query = sa.select(_items.c.article_id).where(_items.c.source == source, _items.c.key == key)
    return connection.execute(query).scalar_one_or_none()


def versions(connection: Connection, article_id: str) -> list[Version]:
    """Every place that the article came from, the one whose version is shown first."""
    rows = connection.execute(sa.select(_items).where(_items.c.article_id == article_id))
    found = [_version(row) for row in rows]
    return sorted(found, key=lambda each: (each.gone, each.carried is not None, each.source, each.key))


def mark_restored(connection: Connection, source: str, key: str) -> None:
    """From now on the item is read whole."""
    connection.execute(sa.update(_items).where(_items.c.source == source, _items.c.key == key).values(restored=True))


def _version(row: sa.Row[Any]) -> Version:
    return Version(
        source=row.source,
        key=row.key,
        gone=row.gone_at is not None,
        restored=row.restored,
        warnings=tuple(row.warnings),
        problem=row.problem,
        carried=content_from_json(row.carried) if row.carried else None,
        received=row.received,
    )
