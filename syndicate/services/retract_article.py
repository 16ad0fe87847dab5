"""An editor retracts an article: it leaves everything that shows it, at once, and never comes back by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from syndicate.core.effect import Effects
from syndicate.core.feed import Feed
from syndicate.core.release import retract
from syndicate.rendering.html import one_line
from syndicate.storage import audit, tables
from syndicate.storage.articles import get_article
from syndicate.storage.carriers import effects_of, interrupt
from syndicate.storage.database import Database
from syndicate.storage.feed_entries import move_generations
from syndicate.storage.feeds import forget_fragments
from syndicate.storage.removals import record_removals
from syndicate.storage.revisions import revise
from syndicate.storage.standings import change_standings, get_standings, lock_articles


def retract_article(
    database: Database, article_id: str, *, note: str, actor: str, feeds: Sequence[Feed], now: datetime
) -> Effects:
    """Takes the article back in one transaction; `note` is what its page says from then on.

    Every issue with it that is not being sent goes back to draft, and one that is stops: after this returns no request
    with the article is claimed. The feeds' files and the page are due for the publisher, and the stopped issues for
    `revise_issues`. Once more with the same note changes nothing; with another it changes what the page says. Returns
    what it did, place by place. Raises NotFound."""
    note = one_line(note)
    with database.write() as connection:
        lock_articles(connection)
        [before] = get_standings(connection, [article_id]).values()
        article = get_article(connection, article_id)
        effects = effects_of(connection, article, feeds, "retract")
        interrupt(connection, effects, why=f"“{article.content.title}” was retracted.")
        if article.status == "gone" and article.retraction == note:
            return effects
        record_removals(connection, article_id, effects.feeds, now)
        # Also of a feed that it was held out of before: that one has a removal to tell.
        move_generations(connection, effects.feeds)
        change_standings(connection, {article_id: (before, retract(before))}, feeds, now)
        connection.execute(
            sa.update(tables.articles)
            .where(tables.articles.c.id == article_id)
            .values(retracted_at=article.retracted_at or now, retraction=note)
        )
        revise(
            connection, article_id, article.content, kind="retraction", actor=actor, feeds=feeds, now=now, note=note
        )
        forget_fragments(connection, article_id)
        detail = {
            "note": note,
            "number": before.number,
            "issues": {str(each.issue_id): each.what for each in effects.issues},
        }
        audit.record(connection, at=now, action="article.retract", subject=article_id, actor=actor, detail=detail)
    return effects
