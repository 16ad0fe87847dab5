"""Reads everybody out, page by page, without holding a snapshot for long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.reader_steps import OWN_SUPPRESSION
from syndicate.storage.database import Database
from syndicate.storage.tables import consents, subscribers, subscriptions

PAGE = 2_000
_OPEN = subscribers.c.suppressed.in_(["", OWN_SUPPRESSION])


def subscriptions_of(database: Database, newsletter: str, status: str) -> Iterator[Any]:
    """Everybody with that status in the newsletter whose address is not closed, by id, with what is known of their
    consent: `basis`, `origin` and `wording_version` of its last step, or None."""
    after = 0
    while True:
        query = (
            sa.select(
                subscribers.c.id,
                subscribers.c.email,
                subscribers.c.name,
                subscribers.c.language,
                subscribers.c.timezone,
                subscriptions.c.cadence,
                subscriptions.c.since,
            )
            .join(subscriptions, subscriptions.c.subscriber_id == subscribers.c.id)
            .where(
                subscriptions.c.newsletter == newsletter,
                subscriptions.c.status == status,
                subscriptions.c.subscriber_id > after,
                subscribers.c.erased_at.is_(None),
                _OPEN,
            )
            .order_by(subscriptions.c.subscriber_id)
            .limit(PAGE)
        )
        with database.read() as connection:
            page = connection.execute(query).all()
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].id


def sources_of(database: Database, newsletter: str, ids: Sequence[int]) -> dict[int, str]:
    """What is kept as the basis of each person's consent to the newsletter, in words."""
    table = consents
    query = (
        sa.select(table.c.subscriber_id, table.c.basis, table.c.origin, table.c.wording_version)
        .where(
            table.c.subscriber_id.in_(list(ids)),
            table.c.newsletter == newsletter,
            table.c.action.in_(["imported", "confirmed", "rejoined", "asked"]),
        )
        .order_by(table.c.id)
    )
    with database.read() as connection:
        rows = connection.execute(query).all()
    return {row.subscriber_id: row.basis or _in_words(row.origin, row.wording_version) for row in rows}


def closed_people(database: Database) -> Iterator[tuple[Any, dict[str, str]]]:
    """Everybody whose address is closed, by id, with the cadence of each of their newsletters."""
    after = 0
    while True:
        query = (
            sa.select(subscribers)
            .where(subscribers.c.id > after, subscribers.c.erased_at.is_(None), ~_OPEN)
            .order_by(subscribers.c.id)
            .limit(PAGE)
        )
        with database.read() as connection:
            page = connection.execute(query).all()
            theirs = _cadences_of(connection, [row.id for row in page])
        for row in page:
            yield row, theirs.get(row.id, {})
        if len(page) < PAGE:
            return
        after = page[-1].id


def _cadences_of(connection: Connection, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {}
    query = sa.select(subscriptions).where(subscriptions.c.subscriber_id.in_(list(ids)))
    for row in connection.execute(query.order_by(subscriptions.c.newsletter)):
        found.setdefault(row.subscriber_id, {})[row.newsletter] = row.cadence
    return found


def _in_words(origin: str, wording: str) -> str:
    return f"{origin}, wording {wording}" if wording else origin
