"""A small newsroom on a database: sources, feeds and a newsletter, and what a test asks of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

import sqlalchemy as sa

from syndicate.core.article import Article
from syndicate.core.feed import Feed
from syndicate.core.newsletter import Cadence, Newsletter
from syndicate.core.selection import Selection
from syndicate.services.collect_articles import CollectReport, collect
from syndicate.sources.base import SourceSettings
from syndicate.storage import tables
from syndicate.storage.articles import select_articles
from syndicate.storage.database import Database
from syndicate.storage.definitions import sync
from syndicate.storage.sources import record_empty_first_look
from tests.services.memory_source import MemorySource

DAILY = Cadence("daily", (0, 1, 2, 3, 4), (time(7),), "mon-fri 07:00")
FEEDS = (Feed("", "All"), Feed("world", "World", Selection({"section": "world"})))
MORNING = Newsletter(
    "morning", "Morning", "en", "Europe/Lisbon", Selection({"section": ["world", "business"]}), {"daily": DAILY}
)


def never_sleep(seconds: float) -> None:
    raise AssertionError(f"slept {seconds} s")


@dataclass
class Newsroom:
    database: Database
    now: datetime
    sources: list[MemorySource] = field(default_factory=lambda: [MemorySource("desk"), MemorySource("wire")])

    def __post_init__(self) -> None:
        with self.database.write() as connection:
            sync(
                connection,
                sources=[SourceSettings(each.name) for each in self.sources],
                feeds=FEEDS,
                newsletters=[MORNING],
                now=self.now,
            )

    @property
    def desk(self) -> MemorySource:
        return self.sources[0]

    @property
    def wire(self) -> MemorySource:
        return self.sources[1]

    def begin_empty(self) -> Newsroom:
        """What `init` does: all that comes is new."""
        with self.database.write() as connection:
            for each in self.sources:
                record_empty_first_look(connection, each.name, self.now)
        return self

    def collect(
        self,
        source: MemorySource | None = None,
        *,
        sleep: Callable[[float], None] = never_sleep,
        now: datetime | None = None,
    ) -> CollectReport:
        return collect(
            self.database,
            source or self.desk,
            feeds=FEEDS,
            newsletters=[MORNING],
            now=now or self.now,
            sleep=sleep,
            precedence=[each.name for each in self.sources],
        )

    def articles(self) -> dict[str, Article]:
        """By title."""
        with self.database.read() as connection:
            return {each.content.title: each for each in select_articles(connection)}

    def only(self) -> Article:
        """The one article there is."""
        [article] = self.articles().values()
        return article

    def entries(self, feed: str = "") -> set[str]:
        """The ids in a feed."""
        table = tables.feed_entries
        return set(self.scalars(sa.select(table.c.article_id).where(table.c.feed == feed)))

    def generations(self) -> dict[str, int]:
        table = tables.feeds
        with self.database.read() as connection:
            return dict(connection.execute(sa.select(table.c.name, table.c.generation)).all())

    def scalars(self, query: sa.Select[Any]) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(query).scalars())
