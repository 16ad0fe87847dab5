"""An editor brings back the lines that the reading of a saved page left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from syndicate.core.correction import corrected
from syndicate.core.feed import Feed
from syndicate.errors import NotFound, Refused
from syndicate.sources.base import Source
from syndicate.storage import audit
from syndicate.storage.articles import get_article
from syndicate.storage.corrections import get_overrides
from syndicate.storage.database import Database
from syndicate.storage.revisions import revise
from syndicate.storage.source_items import mark_restored, versions
from syndicate.storage.standings import lock_articles


def restore_article(
    database: Database,
    article_id: str,
    open_source: Callable[[str], Source],
    *,
    actor: str,
    feeds: Sequence[Feed],
    now: datetime,
) -> int:
    """Shows the article whole, now and after every later edit of its file. Returns how many lines came back. Number and
    dates stay. Raises NotFound when its file is gone, BadInput when it cannot be read, Refused when nothing was left
    out."""
    with database.read() as connection:
        left_out = get_article(connection, article_id).content.left_out
        shown = next(
            (each for each in versions(connection, article_id) if not each.gone and each.carried is None), None
        )
    if not left_out:
        raise Refused("Nothing of this article was left out.")
    if shown is None:
        raise NotFound("The file of this article is gone.", cure="Put it back, collect, and restore again.")
    in_file = open_source(shown.source).read(shown.key, whole=True).content
    with database.write() as connection:
        lock_articles(connection)
        whole, _ = corrected(in_file, get_overrides(connection, article_id))
        mark_restored(connection, shown.source, shown.key)
        revise(connection, article_id, whole, kind="restore", actor=actor, feeds=feeds, now=now)
        detail = {"lines": list(left_out)}
        audit.record(connection, at=now, action="article.restore", subject=article_id, actor=actor, detail=detail)
    return len(left_out)
