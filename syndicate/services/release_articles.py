"""An editor releases articles that are held, or before their time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from syndicate.core.feed import Feed
from syndicate.core.release import Standing, is_due, publish, release, wants_number
from syndicate.storage import audit
from syndicate.storage.database import Database
from syndicate.storage.removals import take_back_retraction
from syndicate.storage.standings import change_standings, get_standings, lock_articles, take_numbers


def release_articles(
    database: Database,
    article_ids: Sequence[str],
    *,
    actor: str,
    feeds: Sequence[Feed],
    now: datetime,
    before_its_time: bool = False,
    retracted: bool = False,
) -> dict[str, Standing]:
    """Lets all of them go or none, and publishes those that are due: a new number each (backlog stays backlog).

    One with an embargo or a date to come waits for it, unless `before_its_time`. A mark in the file, such as
    `draft: true`, is overridden until the file changes. `retracted` takes a retraction back: the article is published
    again as it was then, and its file is read anew by the next look. Returns where they stand now. Raises NotFound, and
    Refused when one is released already, was retracted or only waits."""
    with database.write() as connection:
        lock_articles(connection)
        before = get_standings(connection, article_ids)
        after = {
            each: release(standing, now, before_its_time=before_its_time, retracted=retracted)
            for each, standing in before.items()
        }
        for article_id, was in before.items():
            if was.status == "gone":
                take_back_retraction(connection, article_id)
        numbers = iter(
            take_numbers(connection, sum(is_due(each, now) and wants_number(each) for each in after.values()))
        )
        for article_id, standing in after.items():
            if is_due(standing, now):
                number = next(numbers) if wants_number(standing) else None
                after[article_id] = publish(standing, number, now)
            if before[article_id].status == "gone":
                # Later than its tombstones (RFC 6721 §3): backlog too.
                after[article_id] = replace(after[article_id], updated_at=now)
        change_standings(connection, {each: (before[each], after[each]) for each in before}, feeds, now)
        for article_id, was in before.items():
            detail: dict[str, Any] = {"held": was.hold_reason, "before_its_time": before_its_time}
            detail.update(number=after[article_id].number, retracted=was.status == "gone")
            audit.record(connection, at=now, action="article.release", subject=article_id, actor=actor, detail=detail)
    return after
