"""An editor holds an article: it leaves the feeds and the issues that are not being sent, and its number is burnt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syndicate.core.feed import Feed
from syndicate.core.release import hold
from syndicate.rendering.html import one_line
from syndicate.storage import audit
from syndicate.storage.compositions import take_back_carriers
from syndicate.storage.database import Database
from syndicate.storage.standings import change_standings, get_standings, lock_articles


def hold_articles(
    database: Database, article_ids: Sequence[str], *, because: str, actor: str, feeds: Sequence[Feed], now: datetime
) -> list[str]:
    """Holds all of them or none, until an editor releases them. Returns the ids of those that were published till now.
    An issue that carries one of them goes back to draft, unless its freezing has begun. Holding again changes the
    reason. Raises NotFound, and Refused for a retracted article."""
    because = one_line(because)
    with database.write() as connection:
        lock_articles(connection)
        before = get_standings(connection, article_ids)
        steps = {article_id: (standing, hold(standing, because)) for article_id, standing in before.items()}
        change_standings(connection, steps, feeds, now)
        take_back_carriers(connection, article_ids)
        for article_id, (was, _) in steps.items():
            detail = {"because": because, "number": was.number}
            audit.record(connection, at=now, action="article.hold", subject=article_id, actor=actor, detail=detail)
    return [article_id for article_id, standing in before.items() if standing.published]
