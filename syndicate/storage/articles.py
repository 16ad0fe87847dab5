"""Rows of articles and their revisions, read as `core.article.Article`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from syndicate.core.article import Article, Content, Correction, Image
from syndicate.core.identity import PREFIX, page_url
from syndicate.errors import NotFound
from syndicate.storage import tables

_articles = tables.articles
_items = tables.source_items

article_columns: tuple[sa.Column[Any], ...] = tuple(_articles.c)
"""What `to_article` reads."""

_UUID_START = re.compile(r"[0-9a-f][0-9a-f-]{0,35}")
_LISTS = ("tags", "authors", "left_out", "suspects")
_CONTENT = tuple(name for name in Content.__dataclass_fields__ if name not in (*_LISTS, "image"))
_STATE = (
    *("id", "source", "key", "status", "revision", "number", "backlog", "hold_reason", "not_before", "arrived_at"),
    *("published_at", "updated_at", "missing_since", "text_hash", "retracted_at", "retraction"),
)


def to_article(row: Row[Any], web_url: str = "") -> Article:
    """An article from a row of `article_columns`. `web_url` is the publication's: without it, the link of an article
    that has its own page is only the path `/feeds/articles/UUID.html`."""
    return article_of(row._mapping, web_url)


def article_of(values: Mapping[Any, Any], web_url: str = "") -> Article:
    """An article from its columns by name; otherwise as `to_article`."""
    given: dict[str, Any] = {name: values[name] for name in _CONTENT}
    given.update({name: tuple(values[name]) for name in _LISTS})
    given["image"] = Image(**values["image"]) if values["image"] else None
    content = Content(**given)
    return Article(
        **{name: values[name] for name in _STATE},
        content=content,
        corrections=tuple(map(correction_from_json, values["corrections"])),
        link=content.url or page_url(values["id"], web_url),
        own_page=content.url is None,
    )


def content_to_row(content: Content) -> dict[str, Any]:
    """The columns of `articles` that hold the content."""
    return {
        **{name: getattr(content, name) for name in _CONTENT},
        **{name: list(getattr(content, name)) for name in _LISTS},
        "image": asdict(content.image) if content.image else None,
    }


def content_to_json(content: Content) -> dict[str, Any]:
    """The content as `article_revisions` and `source_items.carried` keep it: what equals its default is left out."""
    row = content_to_row(content)
    if content.date:
        row["date"] = content.date.isoformat()
    empty = content_to_row(Content(title="", html=""))
    return {name: value for name, value in row.items() if value != empty[name] or name in ("title", "html", "language")}


def content_from_json(values: Mapping[str, Any]) -> Content:
    """What `content_to_json` wrote."""
    given = dict(values)
    given.update({name: tuple(given[name]) for name in _LISTS if name in given})
    if given.get("image"):
        given["image"] = Image(**given["image"])
    if given.get("date"):
        given["date"] = datetime.fromisoformat(given["date"])
    return Content(**given)


def correction_to_json(correction: Correction) -> dict[str, Any]:
    """A correction as `articles.corrections` keeps it."""
    return {"at": correction.at.isoformat(), "note": correction.note, "in_feeds": correction.in_feeds}


def correction_from_json(values: Mapping[str, Any]) -> Correction:
    """What `correction_to_json` wrote."""
    return Correction(datetime.fromisoformat(values["at"]), values["note"], values["in_feeds"])


def get_article(connection: Connection, article_id: str, web_url: str = "") -> Article:
    """Raises NotFound."""
    row = connection.execute(sa.select(*article_columns).where(_articles.c.id == article_id)).one_or_none()
    if row is None:
        raise NotFound(f"There is no article {article_id}.", cure="`syndicate articles list` shows them.")
    return to_article(row, web_url)


def find_article(connection: Connection, name: str, web_url: str = "") -> Article:
    """The article that an editor names by its urn, the start of its urn (with or without `urn:uuid:`), or the path of
    its file (with or without the source's name before it). Raises NotFound, also when several fit."""
    # With every source's name before it: the index of items starts with the source.
    places = [(source, name) for source in connection.execute(sa.select(tables.sources.c.name)).scalars()]
    by_path = (
        sa.select(_items.c.article_id)
        .where(sa.tuple_(_items.c.source, _items.c.key).in_([*places, _source_and_key(name)]))
        .where(_items.c.article_id.is_not(None))
        .distinct()
        .limit(3)
    )
    found = list(connection.execute(by_path).scalars())
    if not found:
        found = _ids_that_start(connection, name.lower().removeprefix(PREFIX))
    if not found:
        raise NotFound(
            f"No article is called {name!r}.", cure="Give an id, its start, or a path: see `syndicate articles list`."
        )
    if len(found) > 1:
        raise NotFound(f"{name!r} fits several articles: {', '.join(found[:2])}, …", cure="Give more of the id.")
    return get_article(connection, found[0], web_url)


def _ids_that_start(connection: Connection, digits: str) -> list[str]:
    if not _UUID_START.fullmatch(digits):
        return []
    start = PREFIX + digits
    # "g" follows every hexadecimal digit in every collation, so this is a range of the primary key's index.
    query = sa.select(_articles.c.id).where(_articles.c.id >= start, _articles.c.id < start + "g")
    return list(connection.execute(query.order_by(_articles.c.id).limit(3)).scalars())


def _source_and_key(name: str) -> tuple[str, str]:
    source, _, key = name.partition("/")
    return source, key


def select_articles(
    connection: Connection,
    *,
    ids: Sequence[str] | None = None,
    status: str | None = None,
    section: str | None = None,
    source: str | None = None,
    limit: int | None = None,
    web_url: str = "",
) -> list[Article]:
    """Articles that fit all that is given: those of `ids` in no order, else the newest arrivals first."""
    query = sa.select(*article_columns)
    for column, wanted in ((_articles.c.status, status), (_articles.c.section, section), (_articles.c.source, source)):
        if wanted is not None:
            query = query.where(column == wanted)
    if ids is not None:
        query = query.where(_articles.c.id.in_(ids))
    else:
        query = query.order_by(_articles.c.arrived_at.desc(), _articles.c.number.desc(), _articles.c.id.desc())
    return [to_article(row, web_url) for row in connection.execute(query.limit(limit))]


def paths(connection: Connection, article_ids: Iterable[str]) -> dict[str, list[str]]:
    """Where each article's files are now, as `source/key`; files that are gone last."""
    query = (
        sa.select(_items.c.article_id, _items.c.source, _items.c.key)
        .where(_items.c.article_id.in_(list(article_ids)))
        .order_by(_items.c.gone_at.is_not(None), _items.c.carried.is_not(None), _items.c.source, _items.c.key)
    )
    found: dict[str, list[str]] = {}
    for row in connection.execute(query):
        found.setdefault(row.article_id, []).append(f"{row.source}/{row.key}")
    return found
