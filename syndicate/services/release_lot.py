"""An editor has looked at what the tripwire of a source holds, and lets it go."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syndicate.core.feed import Feed
from syndicate.core.release import as_backlog, is_due, let_through, publish, wants_number
from syndicate.storage import audit
from syndicate.storage.arrivals import held_ids
from syndicate.storage.articles import select_articles
from syndicate.storage.database import Database
from syndicate.storage.standings import change_standings, get_standings, lock_articles, take_numbers

AT_ONCE = 100


def release_lot(
    database: Database, source: str, *, backlog: bool, actor: str, feeds: Sequence[Feed], now: datetime
) -> list[str]:
    """Lets go all that the tripwire holds of that source: as new articles, numbered as they came, or as `backlog`,
    which feeds show where it stands in time and no newsletter brings. What has an embargo or a date to come waits for
    it. Returns their ids; none when nothing is held."""
    released: list[str] = []
    while True:
        with database.write() as connection:
            highest = lock_articles(connection)
            ids = held_ids(connection, source, AT_ONCE)
            if not ids:
                return released
            before = get_standings(connection, ids)
            if backlog:
                articles = {each.id: each for each in select_articles(connection, ids=ids)}
                since = {key: each.content.date or each.arrived_at or now for key, each in articles.items()}
                after = {each: as_backlog(before[each], since[each], now) for each in ids}
            else:
                after = {each: let_through(before[each]) for each in ids}
            due = [each for each in ids if is_due(after[each], now)]
            numbers = iter(take_numbers(connection, sum(wants_number(after[each]) for each in due)))
            for each in due:
                after[each] = publish(after[each], next(numbers) if wants_number(after[each]) else None, now)
            change_standings(connection, {each: (before[each], after[each]) for each in ids}, feeds, now)
            detail = {"articles": len(ids), "backlog": backlog, "numbers_from": highest + 1 if due else None}
            audit.record(connection, at=now, action="source.release", subject=source, actor=actor, detail=detail)
        released += ids
