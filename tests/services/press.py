"""A publication with a database, a folder of feeds and articles put straight into the tables."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa

from syndicate.core.article import Article, Content, Status
from syndicate.core.feed import SITE_FEED, Feed
from syndicate.core.identity import page_url
from syndicate.core.publication import Publication
from syndicate.core.selection import Selection
from syndicate.publishing.local import Local
from syndicate.rendering.environment import make_environment
from syndicate.services.publish_feeds import Published, publish
from syndicate.storage import tables
from syndicate.storage.articles import content_to_row
from syndicate.storage.database import Database
from syndicate.storage.feed_entries import place_in_feeds
from syndicate.storage.feeds import declare_feeds

PUBLICATION = Publication(
    title="The Harbour Post",
    url="https://post.example",
    language="en",
    timezone="Europe/Lisbon",
    web_url="https://news.post.example",
    description="News from the quay",
)
SITE = Feed(SITE_FEED, PUBLICATION.title, description=PUBLICATION.description)
WORLD = Feed("world", "World", Selection({"section": "world"}), description="What happens elsewhere")
BRIEF = Feed("brief", "In brief", content="summary", limit=3)
START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


def article_id(name: str) -> str:
    """The same for the same name."""
    return uuid5(NAMESPACE_URL, name).urn


def an_article(name: str, *, hours: float = 0, status: Status = "released", **content: Any) -> Article:
    """An article released `hours` after START; it has its own page unless `url` is given."""
    values: dict[str, Any] = {
        "title": f"Title of {name}",
        "html": f"<p>Body of {name}.</p>",
        "summary": f"Summary of {name}.",
        "section": "world",
        **content,
    }
    moment = START + timedelta(hours=hours)
    key = article_id(name)
    made = Content(**values)
    return Article(
        id=key,
        source="desk",
        key=f"{name}.md",
        content=made,
        link=made.url or page_url(key, PUBLICATION.web_url),
        own_page=made.url is None,
        status=status,
        arrived_at=moment,
        published_at=moment,
        updated_at=moment,
    )


def as_row(article: Article) -> dict[str, Any]:
    """The columns of `articles`."""
    names = ("id", "source", "key", "status", "revision", "arrived_at", "published_at", "updated_at")
    return {**content_to_row(article.content), **{name: getattr(article, name) for name in names}}


@dataclass
class Press:
    """What a publisher needs, and the hands of an editor."""

    database: Database
    folder: Path
    feeds: tuple[Feed, ...] = (SITE, WORLD)
    publication: Publication = PUBLICATION
    now: datetime = START + timedelta(days=30)
    templates: tuple[Path, ...] = ()
    articles: dict[str, Article] = field(default_factory=dict)

    def open(self) -> Press:
        """A source, so that articles can be from somewhere."""
        with self.database.write() as connection:
            connection.execute(sa.insert(tables.sources).values(name="desk", kind="folder"))
        return self

    def add(self, *articles: Article) -> None:
        """They arrive, as a collector would have it."""
        with self.database.write() as connection:
            declare_feeds(connection, [feed.name for feed in self.feeds])
            connection.execute(sa.insert(tables.articles), [as_row(each) for each in articles])
            place_in_feeds(connection, articles, self.feeds)
        self.articles.update({each.key.removesuffix(".md"): each for each in articles})

    def change(self, name: str, *, updated: bool = False, status: Status | None = None, **content: Any) -> Article:
        """Its file was edited: a new revision."""
        old = self.articles[name]
        new = replace(
            old,
            content=replace(old.content, **content),
            revision=old.revision + bool(content),
            status=status or old.status,
            updated_at=self.now if updated else old.updated_at,
        )
        with self.database.write() as connection:
            connection.execute(sa.update(tables.articles).where(tables.articles.c.id == new.id).values(**as_row(new)))
            place_in_feeds(connection, new, self.feeds)
        self.articles[name] = new
        return new

    def publish(self, only: Iterable[str] | None = None, *, force: bool = False) -> Published:
        """One run."""
        target, templates = Local(self.folder), make_environment(*self.templates)
        return publish(
            self.database, self.feeds, self.publication, target, templates, self.now, only=only, force=force
        )

    def files(self) -> dict[str, str]:
        """Every file under the folder, with the hash of its bytes."""
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }

    def times(self) -> dict[str, tuple[int, int]]:
        """When and as which inode each file was last written."""
        found = {path: path.stat() for path in self.folder.rglob("*") if path.is_file()}
        return {str(path): (stat.st_mtime_ns, stat.st_ino) for path, stat in found.items()}
