"""Rows of feeds, of what they show, of fragments already rendered and of files already published."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.feed import Feed
from syndicate.core.feed_entry import FeedEntry, Fragments
from syndicate.storage import tables
from syndicate.storage.articles import article_columns, to_article

RECENT = timedelta(hours=48)
"""Whoever looks at a feed at least this often misses nothing, however much came."""

MOST_RECENT = 2000
"""Entries at most because they are recent: feed readers refuse documents of some 15 MB, and the W3C's validator those
of 5 MB. A feed whose `limit` is higher keeps its limit."""

_articles, _feeds, _entries = tables.articles, tables.feeds, tables.feed_entries
_fragments, _files = tables.fragments, tables.published_files


@dataclass(frozen=True, slots=True)
class FeedState:
    """What was published of a feed, and what it should be by now: it is behind while `generation` is ahead of
    `published_generation`. `definition_hash` is of the definition last published."""

    name: str
    definition_hash: str
    generation: int
    published_generation: int
    published_at: datetime | None
    problem: str
    paused: bool
    retired: bool

    @property
    def is_behind(self) -> bool:
        """Whether it has something to publish."""
        return self.generation > self.published_generation


def _insert(connection: Connection, table: sa.Table) -> Any:
    return (sqlite if connection.dialect.name == "sqlite" else postgresql).insert(table)


# --- feeds ------------------------------------------------------------------------------------------------------


def feed_states(connection: Connection, names: Collection[str] | None = None) -> dict[str, FeedState]:
    """Every feed that the database knows, by name; or those of `names`."""
    query = sa.select(*(_feeds.c[name] for name in FeedState.__dataclass_fields__))
    if names is not None:
        query = query.where(_feeds.c.name.in_(list(names)))
    return {row[0]: FeedState(*row) for row in connection.execute(query)}


def declare_feeds(connection: Connection, names: Iterable[str]) -> None:
    """Makes rows for feeds that have none yet."""
    rows = [{"name": name} for name in sorted(names)]
    if rows:
        connection.execute(_insert(connection, _feeds).on_conflict_do_nothing(), rows)


def record_published(
    connection: Connection, name: str, *, generation: int, definition_hash: str, problem: str, now: datetime
) -> bool:
    """Says that the files of the feed show that generation; False, and nothing said, when a later one is recorded."""
    return bool(
        connection.execute(
            sa.update(_feeds)
            .where(_feeds.c.name == name, _feeds.c.published_generation <= generation)
            .values(
                published_generation=generation, definition_hash=definition_hash, published_at=now, problem=problem
            )
        ).rowcount
    )


def record_problem(connection: Connection, name: str, problem: str) -> None:
    """Keeps why the feed could not be published; its last good files stay."""
    connection.execute(sa.update(_feeds).where(_feeds.c.name == name).values(problem=problem))


# --- entries ----------------------------------------------------------------------------------------------------


def shown_entries(connection: Connection, feed: Feed) -> tuple[list[FeedEntry], int]:
    """What the feed shows, newest first (then by id), and how many recent ones do not fit (see MOST_RECENT): its
    `limit` newest entries, or all within 48 hours of the newest, whichever is more."""
    query = (
        sa.select(
            _entries.c.article_id,
            _articles.c.revision,
            _articles.c.published_at,
            _articles.c.updated_at,
            _articles.c.language,
            _articles.c.url,
        )
        .join(_articles, _articles.c.id == _entries.c.article_id)
        .where(_entries.c.feed == feed.name, _articles.c.status == "released")
        .order_by(_entries.c.published_at.desc(), _entries.c.article_id.desc())
    )
    shown = [FeedEntry(*row) for row in connection.execute(query.limit(feed.limit))]
    if len(shown) < feed.limit:
        return shown, 0
    recent = shown[0].published_at - RECENT
    if shown[-1].published_at < recent or feed.limit >= MOST_RECENT:
        return shown, 0
    found = query.where(_entries.c.published_at >= recent)
    shown = [FeedEntry(*row) for row in connection.execute(found.limit(max(feed.limit, MOST_RECENT)))]
    if len(shown) < MOST_RECENT:
        return shown, 0
    count = sa.select(sa.func.count()).select_from(_entries)
    return shown, connection.execute(
        count.where(_entries.c.feed == feed.name, _entries.c.published_at >= recent)
    ).scalar_one() - len(shown)


def next_articles(connection: Connection, after: str, limit: int) -> list[Article]:
    """Articles by id, those after `after`, for a walk through all of them."""
    query = sa.select(*article_columns).where(_articles.c.id > after).order_by(_articles.c.id).limit(limit)
    return [to_article(row) for row in connection.execute(query)]


def count_articles(connection: Connection) -> int:
    """How many there are, for progress."""
    return connection.execute(sa.select(sa.func.count()).select_from(_articles)).scalar_one()


def fill_feeds(connection: Connection, feeds: Sequence[Feed], articles: Sequence[Article]) -> int:
    """Puts these articles into exactly those of these feeds that take them; the other feeds are left alone.

    Returns how many entries came or went. Generations are not moved: the caller publishes these feeds anyway."""
    wanted = {
        (feed.name, article.id): article.published_at
        for feed in feeds
        for article in articles
        if article.status == "released" and feed.selection.takes(article)
    }
    found = {
        (row.feed, row.article_id): row.published_at
        for row in connection.execute(
            sa.select(_entries).where(
                _entries.c.feed.in_([feed.name for feed in feeds]),
                _entries.c.article_id.in_([article.id for article in articles]),
            )
        )
    }
    out = [pair for pair, moment in found.items() if wanted.get(pair) != moment]
    into = [pair for pair, moment in wanted.items() if found.get(pair) != moment]
    if out:
        connection.execute(
            sa.delete(_entries).where(
                _entries.c.feed == sa.bindparam("f"), _entries.c.article_id == sa.bindparam("a")
            ),
            [{"f": feed, "a": article_id} for feed, article_id in out],
        )
    if into:
        connection.execute(
            sa.insert(_entries),
            [{"feed": feed, "article_id": a, "published_at": wanted[feed, a]} for feed, a in into],
        )
    return len({*out, *into})


# --- fragments --------------------------------------------------------------------------------------------------


def cached_fragments(connection: Connection, article_ids: Collection[str], content: str) -> Fragments:
    """Every fragment of these articles that was rendered before, in that content (`full` or `summary`)."""
    query = sa.select(_fragments.c.article_id, _fragments.c.version, _fragments.c.format, _fragments.c.bytes).where(
        _fragments.c.article_id.in_(list(article_ids)), _fragments.c.content == content
    )
    found: Fragments = {}
    for article_id, version, form, octets in connection.execute(query):
        found.setdefault((article_id, version), {})[form] = octets
    return found


def save_fragments(connection: Connection, content: str, fragments: Fragments) -> None:
    """Keeps fragments, and forgets what older revisions of their articles left behind."""
    if not fragments:
        return
    # Versions that differ only in their last character are of the same revision.
    kept = {(article_id, version[:-1]) for article_id, version in fragments}
    connection.execute(
        sa.delete(_fragments).where(
            _fragments.c.article_id == sa.bindparam("a"),
            _fragments.c.content == content,
            sa.not_(_fragments.c.version.like(sa.bindparam("v"))),
        ),
        [{"a": article_id, "v": f"{version}_"} for article_id, version in sorted(kept)],
    )
    insert = _insert(connection, _fragments)
    connection.execute(
        insert.on_conflict_do_update(index_elements=_fragments.primary_key, set_={"bytes": insert.excluded.bytes}),
        [
            {"article_id": article_id, "format": form, "content": content, "version": version, "bytes": octets}
            for (article_id, version), forms in fragments.items()
            for form, octets in forms.items()
        ],
    )


def forget_fragments(connection: Connection, article_id: str) -> None:
    """Nothing of a retracted article stays rendered."""
    connection.execute(sa.delete(_fragments).where(_fragments.c.article_id == article_id))


# --- files ------------------------------------------------------------------------------------------------------


def published_digests(connection: Connection, paths: Collection[str]) -> dict[str, str]:
    """SHA-256 of what was last written at these paths, as hexadecimal digits."""
    query = sa.select(_files.c.path, _files.c.sha256).where(_files.c.path.in_(list(paths)))
    return {row.path: row.sha256 for row in connection.execute(query)}


def record_files(connection: Connection, files: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Keeps what was written: rows of `path`, `sha256`, and `feed` or `article_id`. The same bytes keep their time."""
    if not files:
        return
    insert = _insert(connection, _files)
    new = insert.excluded
    connection.execute(
        insert.on_conflict_do_update(
            index_elements=[_files.c.path],
            set_={"sha256": new.sha256, "feed": new.feed, "article_id": new.article_id, "changed_at": new.changed_at},
            where=_files.c.sha256 != new.sha256,
        ),
        [{"feed": None, "article_id": None, **row, "changed_at": now} for row in files],
    )


def forget_files(connection: Connection, paths: Collection[str]) -> None:
    """What was removed."""
    connection.execute(sa.delete(_files).where(_files.c.path.in_(list(paths))))


# --- the articles' own pages ------------------------------------------------------------------------------------


def due_pages(
    connection: Connection, web_url: str, *, limit: int, after: str = "", every: bool = False
) -> list[tuple[Article, int]]:
    """Articles whose own page has to be written or removed, by id after `after`, each with what `record_page` is then
    told; with `every`, also those whose page should be as it is."""
    due = sa.text(tables.PAGE_DUE)
    has_or_wants = sa.or_(due, _articles.c.page_revision != 0) if every else due
    query = sa.select(*article_columns).where(has_or_wants, _articles.c.id > after).order_by(_articles.c.id)
    return [(to_article(row, web_url), _wanted_page(row)) for row in connection.execute(query.limit(limit))]


def _wanted_page(row: sa.Row[Any]) -> int:
    """As PAGE_DUE has it."""
    if row.url is not None and row.page_revision == 0:
        return 0
    if row.status == "released":
        return int(row.revision)
    return -int(row.revision) if row.status == "gone" and row.published_at is not None else 0


def record_page(connection: Connection, article_id: str, revision: int) -> None:
    """Says which revision the article's own page shows; 0: it has no page; below 0: a notice of its retraction."""
    connection.execute(sa.update(_articles).where(_articles.c.id == article_id).values(page_revision=revision))
