"""The articles of an issue as they were when it was sealed, and what happens to it when one may not go out any more."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.issue import BEFORE_FREEZING, Composed, Issue
from syndicate.storage import tables
from syndicate.storage.articles import article_columns, content_from_json, to_article
from syndicate.storage.issues import get_composition, take_back, to_issue


def composed_articles(connection: Connection, issue_id: int) -> list[tuple[Article, Composed]]:
    """The issue's articles in order, each with the content of the revision it was composed from."""
    composed = get_composition(connection, issue_id)
    table, revisions = tables.articles, tables.article_revisions
    query = sa.select(*article_columns).where(table.c.id.in_([each.article_id for each in composed]))
    articles = {article.id: article for article in map(to_article, connection.execute(query))}
    result = []
    for each in composed:
        article = articles[each.article_id]
        if article.revision != each.revision:
            content = connection.execute(
                sa.select(revisions.c.content).where(
                    revisions.c.article_id == each.article_id, revisions.c.revision == each.revision
                )
            ).scalar_one()
            article = replace(article, content=content_from_json(content), revision=each.revision)
        result.append((article, each))
    return result


def not_released(connection: Connection, issue_id: int) -> list[str]:
    """Titles of articles in the issue that have been held, withdrawn or corrected since it was composed."""
    used, articles, revisions = tables.issue_articles, tables.articles, tables.article_revisions
    is_corrected = sa.exists().where(
        revisions.c.article_id == used.c.article_id,
        revisions.c.revision > used.c.revision,
        revisions.c.kind == "correction",
    )
    query = (
        sa.select(articles.c.title)
        .join(used, used.c.article_id == articles.c.id)
        .where(
            used.c.issue_id == issue_id,
            used.c.role != "skipped",
            sa.or_(articles.c.status != "released", is_corrected),
        )
        .order_by(used.c.position)
    )
    return list(connection.execute(query).scalars())


def corrected_articles(connection: Connection, issue_id: int) -> set[str]:
    """The ids of articles in the issue that were corrected since it was composed."""
    used, revisions = tables.issue_articles, tables.article_revisions
    query = (
        sa.select(used.c.article_id)
        .join(revisions, revisions.c.article_id == used.c.article_id)
        .where(
            used.c.issue_id == issue_id, revisions.c.revision > used.c.revision, revisions.c.kind == "correction"
        )
    )
    return set(connection.execute(query).scalars())


def take_back_if_held(connection: Connection, issue: Issue) -> list[str]:
    """Returns the issue to draft, which says why, when something in it may not go out any more; the titles of that. The
    caller holds its row, as it was read."""
    if held := not_released(connection, issue.id):
        take_back(connection, issue, why=f"It carries what may not go out any more: {'; '.join(held[:3])}.")
    return held


def take_back_carriers(connection: Connection, article_ids: Collection[str]) -> None:
    """Returns every issue before freezing that carries one of these articles, which are held now, to draft. The caller
    holds `standings.lock_articles`."""
    used, issues = tables.issue_articles, tables.issues
    carrying = sa.select(used.c.issue_id).where(used.c.article_id.in_(list(article_ids)))
    query = sa.select(issues).where(issues.c.id.in_(carrying), issues.c.state.in_(sorted(BEFORE_FREEZING)))
    for row in connection.execute(query.order_by(issues.c.id).with_for_update()).all():
        take_back_if_held(connection, to_issue(row))
