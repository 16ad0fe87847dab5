"""An editor includes backlog: it is numbered, so that the next issues bring it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syndicate.core.feed import Feed
from syndicate.core.release import include
from syndicate.storage import audit
from syndicate.storage.database import Database
from syndicate.storage.standings import change_standings, get_standings, lock_articles, take_numbers


def include_backlog(
    database: Database, article_ids: Sequence[str], *, actor: str, feeds: Sequence[Feed], now: datetime
) -> dict[str, int]:
    """Numbers all of them, in the given order, or none. Returns the number of each.

    Raises NotFound, and Refused for one that has its number or is not published."""
    with database.write() as connection:
        lock_articles(connection)
        before = get_standings(connection, article_ids)
        wanted = list(dict.fromkeys(article_ids))
        numbers = take_numbers(connection, len(wanted))
        steps = {
            article_id: (before[article_id], include(before[article_id], number))
            for article_id, number in zip(wanted, numbers, strict=True)
        }
        change_standings(connection, steps, feeds, now)
        for article_id, (_, after) in steps.items():
            detail = {"number": after.number}
            audit.record(connection, at=now, action="article.include", subject=article_id, actor=actor, detail=detail)
    return dict(zip(wanted, numbers, strict=True))
