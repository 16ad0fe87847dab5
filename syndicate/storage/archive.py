"""Issues that went out, as anybody may look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.issue import Issue
from syndicate.core.placeholders import fill
from syndicate.core.window import Role
from syndicate.storage import tables
from syndicate.storage.articles import select_articles
from syndicate.storage.issues import get_composition, to_issue
from syndicate.storage.renames import list_renames, name_now

_issues, _variants, _batches = tables.issues, tables.variants, tables.batches


@dataclass(frozen=True, slots=True)
class PastIssue:
    """One line of the archive: number, subject and the moment it began to go out."""

    id: int
    subject: str
    at: datetime


def past_issues(connection: Connection, newsletter: str, *, below: int | None = None, limit: int) -> list[PastIssue]:
    """The newsletter's issues that went to everybody, newest first; those with a number under `below`."""
    query = _listed(newsletter)
    if below is not None:
        query = query.where(_issues.c.id < below)
    return _lines(connection, query.order_by(_issues.c.id.desc()).limit(limit))


def neighbours(connection: Connection, newsletter: str, issue_id: int) -> tuple[PastIssue | None, PastIssue | None]:
    """The issues before and after that one."""
    listed, number = _listed(newsletter), _issues.c.id
    before = _lines(connection, listed.where(number < issue_id).order_by(number.desc()).limit(1))
    after = _lines(connection, listed.where(number > issue_id).order_by(number).limit(1))
    return (before[0] if before else None, after[0] if after else None)


def find_past_issue(connection: Connection, newsletter: str, issue_id: int) -> tuple[Issue, str] | None:
    """That issue of the newsletter, by the name that it has or had then, with its subject, if it went out; one that
    went to named readers only, too: they have its address."""
    query = (
        sa.select(_issues, _variants.c.subject.label("said"))
        .join(_variants, _own_variant())
        .where(_issues.c.id == issue_id, _went_out())
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.newsletter not in (newsletter, name_now(list_renames(connection), newsletter, row.drafted_at)):
        return None
    return to_issue(row), _plain(row.said)


def shown_articles(connection: Connection, issue_id: int, web_url: str) -> tuple[list[tuple[Article, Role]], int]:
    """The issue's articles in its order, with what corrections made of them since, and how many are not shown because
    they were taken back (DESIGN §3.4), or are held or gone."""
    composed = [each for each in get_composition(connection, issue_id) if each.role != "skipped"]
    ids = [each.article_id for each in composed]
    found = {article.id: article for article in select_articles(connection, ids=ids, web_url=web_url)}
    retracted = set(
        connection.execute(
            sa.select(tables.articles.c.id).where(
                tables.articles.c.id.in_(ids), tables.articles.c.retracted_at.is_not(None)
            )
        ).scalars()
    )
    shown: list[tuple[Article, Role]] = []
    for each in composed:
        article = found.get(each.article_id)
        if article is not None and article.status == "released" and article.id not in retracted:
            shown.append((article, each.role))
    return shown, len(composed) - len(shown)


def _listed(newsletter: str) -> sa.Select[Any]:
    return (
        sa.select(_issues.c.id, _issues.c.started_at, _variants.c.subject)
        .join(_variants, _own_variant())
        .where(
            _issues.c.newsletter == newsletter,
            _went_out(),
            # Not those to a few who were named.
            sa.cast(_issues.c.audience, sa.Text).like('%"to": null%'),
        )
    )


def _own_variant() -> sa.ColumnElement[bool]:
    return sa.and_(
        _variants.c.issue_id == _issues.c.id, _variants.c.revision == _issues.c.revision, _variants.c.key == ""
    )


def _went_out() -> sa.ColumnElement[bool]:
    accepted = sa.exists().where(_batches.c.issue_id == _issues.c.id, _batches.c.state == "accepted")
    under_way = _issues.c.state.in_(["sending", "paused", "sent"])
    return sa.and_(
        _issues.c.started_at.is_not(None),
        _issues.c.planned > 0,
        sa.or_(under_way, sa.and_(_issues.c.state.in_(["cancelling", "cancelled"]), accepted)),
    )


def _lines(connection: Connection, query: sa.Select[Any]) -> list[PastIssue]:
    rows: Sequence[Any] = connection.execute(query).all()
    return [PastIssue(row.id, _plain(row.subject), row.started_at) for row in rows]


def _plain(subject: str) -> str:
    """The subject as nobody in particular gets it."""
    return fill(subject, unsubscribe="", preferences="", name="").strip(" ,")
