"""Finding articles among very many: a page at a time, newest arrivals first, by key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import Status
from syndicate.storage import tables

_articles = tables.articles


@dataclass(frozen=True, slots=True)
class Found:
    """One article as a list shows it. `left_out` and `suspects` count lines."""

    id: str
    title: str
    status: Status
    number: int | None
    backlog: bool
    section: str
    source: str
    language: str
    hold_reason: str
    not_before: datetime | None
    arrived_at: datetime
    published_at: datetime | None
    missing: bool
    left_out: int
    suspects: int
    corrected: bool


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for: everything that is given must fit. `words` are in title, summary, section or tags, and with
    `in_text` in the text too, each of them anywhere, whatever their case (on SQLite: of ASCII letters). `without_lots`
    leaves out what the tripwire of a source holds."""

    words: str = ""
    in_text: bool = False
    status: str = ""
    section: str = ""
    source: str = ""
    tag: str = ""
    without_lots: bool = False


def find_articles(connection: Connection, wanted: Wanted, *, after: str = "", limit: int = 50) -> list[Found]:
    """At most `limit` articles, the newest arrivals first, those behind the article with the id `after`."""
    # As ix_articles_arrived_at_number_id has them, so that a page ends where its rows do.
    order = (_articles.c.arrived_at.desc(), _articles.c.number.desc(), _articles.c.id.desc())
    query = sa.select(*_COLUMNS).where(*_conditions(wanted)).order_by(*order).limit(limit)
    if after:
        last = connection.execute(
            sa.select(_articles.c.arrived_at, _articles.c.number, _articles.c.id).where(_articles.c.id == after)
        ).one_or_none()
        if last is None:
            return []
        query = query.where(_behind(connection, *last))
    return [_found(row) for row in connection.execute(query)]


_COLUMNS = tuple(
    _articles.c[name]
    for name in (
        *("id", "title", "status", "number", "backlog", "section", "source", "language", "hold_reason", "not_before"),
        *("arrived_at", "published_at", "missing_since", "left_out", "suspects", "corrections"),
    )
)


def _conditions(wanted: Wanted) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    # Nearly all are released: not by the index of states, which would have to sort them.
    status = _articles.c.status + "" if wanted.status == "released" else _articles.c.status
    for column, value in (
        (status, wanted.status),
        (_articles.c.section, wanted.section),
        (_articles.c.source, wanted.source),
    ):
        if value:
            found.append(column == value)
    if wanted.without_lots:
        found.append(sa.or_(_articles.c.status != "held", _articles.c.held_by != "tripwire"))
    if wanted.tag:
        found.append(_has(sa.cast(_articles.c.tags, sa.Text), f'"{wanted.tag}"'))
    places: Sequence[sa.ColumnElement[Any]] = (
        _articles.c.title,
        _articles.c.summary,
        _articles.c.section,
        sa.cast(_articles.c.tags, sa.Text),
        *((_articles.c.html,) if wanted.in_text else ()),
    )
    for word in wanted.words.split()[:8]:
        found.append(sa.or_(*(_has(place, word) for place in places)))
    return found


def _has(place: sa.ColumnElement[Any], word: str) -> sa.ColumnElement[bool]:
    return place.icontains(word, autoescape=True)


def _behind(
    connection: Connection, arrived_at: datetime, number: int | None, article_id: str
) -> sa.ColumnElement[bool]:
    """Behind that one in the order of the index; where an article without a number stands is each database's own."""
    same_moment: sa.ColumnElement[bool]
    if number is None:
        same_moment = sa.and_(_articles.c.number.is_(None), _articles.c.id < article_id)
        if connection.dialect.name != "sqlite":
            same_moment = sa.or_(same_moment, _articles.c.number.is_not(None))
    else:
        same_moment = _articles.c.number < number
        if connection.dialect.name == "sqlite":
            same_moment = sa.or_(same_moment, _articles.c.number.is_(None))
    return sa.and_(
        _articles.c.arrived_at <= arrived_at, sa.or_(_articles.c.arrived_at < arrived_at, same_moment)
    )


def _found(row: sa.Row[Any]) -> Found:
    return Found(
        id=row.id,
        title=row.title,
        status=row.status,
        number=row.number,
        backlog=row.backlog,
        section=row.section,
        source=row.source,
        language=row.language,
        hold_reason=row.hold_reason,
        not_before=row.not_before,
        arrived_at=row.arrived_at,
        published_at=row.published_at,
        missing=row.missing_since is not None,
        left_out=len(row.left_out),
        suspects=len(row.suspects),
        corrected=bool(row.corrections),
    )
