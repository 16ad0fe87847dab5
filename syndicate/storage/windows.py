"""Cadence rows, marks and the numbered articles that windows are cut from."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.issue import BEFORE_FREEZING, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.window import in_window
from syndicate.errors import NotFound
from syndicate.storage import tables
from syndicate.storage.articles import article_columns, to_article
from syndicate.storage.issues import to_issue


def lock_cadence(connection: Connection, newsletter: str, cadence: str) -> int:
    """Takes the cadence's row lock, held to commit, and returns its mark. Raises NotFound."""
    table = tables.cadences
    # A write rather than SELECT … FOR UPDATE, so that the lock is the same on both databases.
    mark = connection.execute(
        sa.update(table)
        .where(table.c.newsletter == newsletter, table.c.name == cadence)
        .values(mark=table.c.mark)
        .returning(table.c.mark)
    ).scalar_one_or_none()
    if mark is None:
        raise NotFound(f"The newsletter {newsletter!r} has no cadence {cadence!r}.")
    return int(mark)


def lock_newsletter(connection: Connection, newsletter: str) -> None:
    """Takes the newsletter's row lock, held to commit: manual sends of one newsletter are drafted one after another."""
    table = tables.newsletters
    locked = connection.execute(
        sa.update(table).where(table.c.name == newsletter).values(paused=table.c.paused).returning(table.c.name)
    )
    if locked.first() is None:
        raise NotFound(f"There is no newsletter {newsletter!r}.")


def set_mark(connection: Connection, newsletter: str, cadence: str, mark: int) -> None:
    """Moves the mark."""
    table = tables.cadences
    connection.execute(
        sa.update(table).where(table.c.newsletter == newsletter, table.c.name == cadence).values(mark=mark)
    )


def highest_number(connection: Connection) -> int:
    """The highest article number given so far: numbers commit in order, so all below it are visible."""
    table = tables.counters
    return connection.execute(sa.select(table.c.value).where(table.c.name == "article")).scalar_one_or_none() or 0


def released_by(connection: Connection, moment: datetime) -> int:
    """The highest article number that was given by then, or 0."""
    table = tables.article_numbers
    return connection.execute(sa.select(sa.func.max(table.c.number)).where(table.c.given_at <= moment)).scalar() or 0


def open_issue(connection: Connection, newsletter: str, cadence: str, *, lock: bool = True) -> Issue | None:
    """The one issue of the cadence that is before freezing, if any; its row is held to commit, unless it is only to be
    shown."""
    table = tables.issues
    query = (
        sa.select(table)
        .where(
            table.c.newsletter == newsletter,
            table.c.cadence == cadence,
            table.c.kind == "cadence",
            table.c.state.in_(sorted(BEFORE_FREEZING)),
        )
        .order_by(table.c.id)
        .limit(1)
    )
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    return to_issue(row) if row is not None else None


def numbered_articles(connection: Connection, newsletter: Newsletter, lo: int, hi: int) -> list[Article]:
    """The newsletter's released articles with a number in (lo, hi], newest first."""
    table = tables.articles
    query = sa.select(*article_columns).where(table.c.number > lo, table.c.number <= hi, table.c.status == "released")
    return in_window((to_article(row) for row in connection.execute(query)), newsletter, lo, hi)


def unused_articles(connection: Connection, newsletter: Newsletter) -> list[Article]:
    """Every numbered article of the newsletter's selection that no frozen issue of it has used, newest first."""
    articles, used, issues = tables.articles, tables.issue_articles, tables.issues
    already = (
        sa.select(used.c.article_id)
        .join(issues, issues.c.id == used.c.issue_id)
        .where(
            issues.c.newsletter == newsletter.name,
            issues.c.frozen_at.is_not(None),
            used.c.role != "skipped",
            used.c.article_id == articles.c.id,
        )
    )
    query = sa.select(*article_columns).where(
        articles.c.number.is_not(None), articles.c.status == "released", ~already.exists()
    )
    return in_window((to_article(row) for row in connection.execute(query)), newsletter, 0, highest_number(connection))
