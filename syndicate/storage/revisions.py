"""Revisions of articles: every content an article ever had."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Content
from syndicate.core.feed import Feed
from syndicate.storage import tables
from syndicate.storage.articles import content_from_json, content_to_json, content_to_row, get_article
from syndicate.storage.feed_entries import place_in_feeds

_articles = tables.articles
_revisions = tables.article_revisions


@dataclass(frozen=True, slots=True)
class Revision:
    """One edit. `kind`: first, edit, correction, restore or retraction; `note` is what an editor said of it."""

    revision: int
    at: datetime
    kind: str
    actor: str
    note: str = ""


def revise(
    connection: Connection,
    article_id: str,
    content: Content,
    *,
    kind: str,
    actor: str,
    feeds: Sequence[Feed],
    now: datetime,
    note: str = "",
) -> int:
    """Gives the article another content under the next revision number, which is returned. Identity, number and dates
    stay. The caller holds `standings.lock_articles`. Raises NotFound."""
    revision = get_article(connection, article_id).revision + 1
    connection.execute(
        sa.update(_articles).where(_articles.c.id == article_id).values(revision=revision, **content_to_row(content))
    )
    connection.execute(
        sa.insert(_revisions).values(
            article_id=article_id,
            revision=revision,
            at=now,
            kind=kind,
            actor=actor,
            note=note,
            content=content_to_json(content),
        )
    )
    place_in_feeds(connection, get_article(connection, article_id), feeds)
    return revision


def list_revisions(connection: Connection, article_id: str) -> list[Revision]:
    """Every revision of the article, oldest first."""
    query = (
        sa.select(_revisions.c.revision, _revisions.c.at, _revisions.c.kind, _revisions.c.actor, _revisions.c.note)
        .where(_revisions.c.article_id == article_id)
        .order_by(_revisions.c.revision)
    )
    return [Revision(*row) for row in connection.execute(query)]


def revision_contents(connection: Connection, article_id: str) -> list[tuple[Revision, Content]]:
    """Every revision of the article with what it said, oldest first."""
    query = sa.select(_revisions).where(_revisions.c.article_id == article_id).order_by(_revisions.c.revision)
    return [
        (Revision(row.revision, row.at, row.kind, row.actor, row.note), content_from_json(row.content))
        for row in connection.execute(query)
    ]
