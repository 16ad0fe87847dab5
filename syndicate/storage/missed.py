"""Articles that no issue of a newsletter will bring by itself, because its windows have passed their number."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.newsletter import Newsletter
from syndicate.storage import tables


def missed_newsletters(connection: Connection, article: Article, newsletters: Iterable[Newsletter]) -> list[str]:
    """The newsletters that select the article now, have passed its number in a cadence that was there when it was
    published, and never had it in an issue: it entered their selection too late. They never mail it by themselves."""
    if article.number is None or article.published_at is None:
        return []
    selected = {each.name for each in newsletters if each.selection.takes(article)}
    cadences, issues, used = tables.cadences, tables.issues, tables.issue_articles
    passed = (
        sa.select(cadences.c.newsletter)
        .where(
            cadences.c.newsletter.in_(selected),
            cadences.c.mark >= article.number,
            cadences.c.first_seen_at <= article.published_at,
        )
        .distinct()
    )
    had = (
        sa.select(issues.c.newsletter)
        .join(used, used.c.issue_id == issues.c.id)
        .where(used.c.article_id == article.id)
        .distinct()
    )
    return sorted(set(connection.execute(passed).scalars()) - set(connection.execute(had).scalars()))
