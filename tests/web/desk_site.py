"""A site with a handful of articles, as an editor of the console meets them."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from syndicate.core.article import Article
from syndicate.core.identity import PREFIX
from syndicate.services.collect_articles import collect
from syndicate.services.publish_feeds import publish
from syndicate.storage.articles import find_article
from tests.web.newsroom_site import WebSite

FERRY = """---
title: The ferry runs again
section: world
tags: [ferries, harbour]
author: Harbour desk
summary: After four winters the midnight boat is back.
---

The ferry to the north shore will sail at seven again, the harbour office said on Friday.

It waits for the last train when the last train is late.
"""
SAVED = """Night ferry returns

Night ferry returns

The ferry to the north shore will sail at midnight again, the harbour office said on Friday, after four winters.

It is the last boat of the day, and it will wait for the last train when the last train is late, as it often is.

NEXT Bus fares
"""
DRAFT = "---\ntitle: The bridge is closed\nsection: local\ndraft: true\n---\n\nUntil noon, while bolts are changed.\n"


@dataclass
class Desk:
    """The site's folder of articles, and what its editors do outside of the console."""

    site: WebSite

    def write(self, key: str, text: str) -> None:
        """A file that has been there for a while."""
        path = Path(self.site.site.directory) / "articles" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        earlier = time.time() - 60
        os.utime(path, (earlier, earlier))

    def collect(self) -> None:
        """Collects and publishes."""
        site = self.site.site
        for source in site.sources:
            collect(
                site.database,
                site.source(source.name),
                feeds=site.feeds,
                newsletters=site.newsletters,
                now=self.site.now,
                sleep=time.sleep,
            )
        publish(site.database, site.feeds, site.publication, site.target, site.templates, self.site.now)

    def article(self, key: str) -> Article:
        """As it is kept now."""
        with self.site.site.database.read() as connection:
            return find_article(connection, key)

    def path(self, key: str) -> str:
        """Of its page in the console."""
        return f"/console/articles/{self.article(key).id.removeprefix(PREFIX)}"


def open_desk(site: WebSite) -> Desk:
    """Three articles: one published, one saved from a page, one held by its file."""
    desk = Desk(site)
    desk.write("world/ferry.md", FERRY)
    desk.write("saved.txt", SAVED)
    desk.write("bridge.md", DRAFT)
    desk.collect()
    return desk
