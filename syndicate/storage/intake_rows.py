"""The rows that a handful of items touches, read at once, changed in memory and written at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.article import ArticleDraft
from syndicate.core.identity import mint
from syndicate.core.matching import Candidate
from syndicate.storage import tables

_articles = tables.articles
_items = tables.source_items

# All but what the publisher of pages writes without the lock that collectors take.
_COLUMNS = [each for each in _articles.c if each.name != "page_revision"]

Item = dict[str, Any]
"""The columns of a row of `source_items`."""
ArticleRow = dict[str, Any]
"""The columns of a row of `articles`."""


def lives(item: Mapping[str, Any] | None) -> bool:
    """Whether the item was there at the last look."""
    return item is not None and item["gone_at"] is None


class IntakeRows:
    """Rows of articles by id and of items by (source, key). Whoever changes one names it in `changed_…`."""

    def __init__(self, connection: Connection, source: str) -> None:
        self._connection = connection
        self._source = source
        self.items: dict[tuple[str, str], Item] = {}
        self.articles: dict[str, ArticleRow] = {}
        self.changed_items: set[tuple[str, str]] = set()
        self.changed_articles: set[str] = set()
        self._stored_items: set[tuple[str, str]] = set()
        self._stored_articles: set[str] = set()

    def load(
        self, keys: Iterable[str], *, declared_ids: set[str], canonical_urls: set[str], text_hashes: set[str]
    ) -> None:
        """The source's items of these keys, their articles, the articles that may be the same, all items of those."""
        wanted_keys = set(keys)
        query = sa.select(_items).where(_items.c.source == self._source, _items.c.key.in_(wanted_keys))
        self._keep_items(self._connection.execute(query))
        ids = {each["article_id"] for each in self.items.values() if each["article_id"]}
        ids |= {mint(self._source, key) for key in wanted_keys}
        # One index each: an OR over four columns is planned as a scan while the tables are young.
        for column, values in (
            (_articles.c.id, ids),
            (_articles.c.declared_id, declared_ids - {""}),
            (_articles.c.canonical_url, canonical_urls - {""}),
            (_articles.c.text_hash, text_hashes - {""}),
        ):
            if values:
                for row in self._connection.execute(sa.select(*_COLUMNS).where(column.in_(values))):
                    self._stored_articles.add(row.id)
                    self.articles.setdefault(row.id, dict(row._mapping))
        if self.articles:
            self._keep_items(self._connection.execute(sa.select(_items).where(_items.c.article_id.in_(self.articles))))

    def mint(self, key: str) -> str:
        """An id that no article has, for one first seen under this key, which was among the keys loaded."""
        occurrence, article_id = 0, mint(self._source, key)
        while article_id in self.articles or (occurrence and self._exists(article_id)):
            occurrence += 1
            article_id = mint(self._source, key, occurrence)
        return article_id

    def _exists(self, article_id: str) -> bool:
        query = sa.select(_articles.c.id).where(_articles.c.id == article_id)
        return self._connection.execute(query).first() is not None

    def forget_item(self, key: str) -> None:
        """The item has another key now."""
        place = (self._source, key)
        del self.items[place]
        self.changed_items.discard(place)
        self._stored_items.discard(place)
        self._connection.execute(sa.delete(_items).where(_items.c.source == self._source, _items.c.key == key))

    def holders(self, article_id: str) -> Iterator[Item]:
        """Every item that carries the article."""
        return (each for each in self.items.values() if each["article_id"] == article_id)

    def rival(self, article_id: str, mine: Mapping[str, Any] | None) -> Item | None:
        """The item, other than mine, whose version is shown and which is still there."""
        others = (each for each in self.holders(article_id) if each is not mine)
        return next((each for each in others if lives(each) and each["carried"] is None), None)

    def candidates(self, draft: ArticleDraft, url: str) -> list[Candidate]:
        """The loaded articles that agree with the draft in anything, as `core.matching` compares them."""
        return [
            self.candidate(article_id)
            for article_id, row in self.articles.items()
            if (draft.text_hash and row["text_hash"] == draft.text_hash)
            or (draft.declared_id and row["declared_id"] == draft.declared_id)
            or (url and row["canonical_url"] == url)
        ]

    def candidate(self, article_id: str) -> Candidate:
        """One loaded article, as `core.matching` compares it."""
        row = self.articles[article_id]
        return Candidate(
            article_id=article_id,
            source=row["source"],
            title=row["title"],
            declared_id=row["declared_id"],
            canonical_url=row["canonical_url"],
            text_hash=row["text_hash"],
            picture=row["image"]["src"] if row["image"] else "",
            gone=not any(map(lives, self.holders(article_id))),
        )

    def save(self) -> None:
        """Writes what changed: articles first, because items refer to them."""
        self._write(_articles, self.articles, self.changed_articles, self._stored_articles, ("id",))
        self._write(_items, self.items, self.changed_items, self._stored_items, ("source", "key"))

    def _keep_items(self, rows: Iterable[sa.Row[Any]]) -> None:
        for row in rows:
            place = (row.source, row.key)
            self._stored_items.add(place)
            self.items.setdefault(place, dict(row._mapping))

    def _write(
        self,
        table: sa.Table,
        rows: Mapping[Any, Mapping[str, Any]],
        changed: set[Any],
        stored: set[Any],
        keys: tuple[str, ...],
    ) -> None:
        new = [rows[each] for each in sorted(changed - stored)]
        old = [rows[each] for each in sorted(changed & stored)]
        if new:
            self._connection.execute(sa.insert(table), new)
        if old:
            names = [name for name in old[0] if name not in keys]
            statement = sa.update(table).values({name: sa.bindparam(f"new_{name}") for name in names})
            statement = statement.where(*(table.c[name] == sa.bindparam(f"which_{name}") for name in keys))
            parameters = [
                {**{f"new_{name}": row[name] for name in names}, **{f"which_{name}": row[name] for name in keys}}
                for row in old
            ]
            self._connection.execute(statement, parameters)
