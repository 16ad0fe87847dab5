"""Whose standing changed: who may no longer be mailed, or may again, in the order in which it was committed.

Between a freeze and its last request few people leave, and whoever delivers must know of each of them before each
claim. Joined with everybody's rows, that costs as much as the mailing; so triggers write down whose suppression,
erasure, subscription or pause changed, and only those are looked at again. Numbers are in the order of commits: a
SQLite writer is alone, and on PostgreSQL whoever changes people has the lock of `people.lock_people`, which other
triggers take (see `counting`), until the commit.

A freeze begins with a mark among the numbers. While the mark is there, so is every later change; without it, everybody
is looked at.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.issue import FINISHED
from syndicate.storage import tables
from syndicate.storage.people import keep_people
from syndicate.storage.triggers import postgresql_triggers, sqlite_triggers

MOST = 200_000
"""People whose changes are remembered for one issue; with more it is quicker to look at everybody."""

_changes = tables.standing_changes
_LATER = (
    sa.select(_changes.c.number, _changes.c.subscriber_id)
    .where(_changes.c.number > sa.bindparam("after"))
    .order_by(_changes.c.number)
    .limit(MOST + 2)
)


@dataclass(slots=True)
class StandingChanges:
    """The changes since the freeze of one issue, as read so far."""

    mark: int | None
    people: set[int] = field(default_factory=set)
    last: int | None = None

    def read_on(self, connection: Connection) -> Collection[int] | None:
        """Whose changes were committed since the last call, by subscriber id; None when that is not known, for good."""
        if self.mark is None:
            return None
        after = self.mark - 1 if self.last is None else self.last
        rows = connection.execute(_LATER, {"after": after}).all()
        if self.last is None and (not rows or rows[0].number != self.mark):
            self.mark = None
            return None
        if rows:
            self.last = rows[-1].number
        new = {row.subscriber_id for row in rows if row.subscriber_id is not None}
        self.people |= new
        if len(self.people) > MOST or len(rows) > MOST:
            self.mark, self.people = None, set()
            return None
        return new

    @property
    def known(self) -> Collection[int] | None:
        """All whose changes were read, or None when they are not known."""
        return None if self.mark is None else self.people


def put_mark(connection: Connection) -> int:
    """A mark: whatever is committed after this transaction has a higher number. Holds `people.keep_people`, which a
    caller that locks other rows has taken first."""
    keep_people(connection)
    mark = sa.insert(_changes).values(subscriber_id=None).returning(_changes.c.number)
    number: int = connection.execute(mark).scalar_one()
    return number


def forget_changes(connection: Connection, limit: int) -> int:
    """Forgets the oldest changes, up to `limit`, that no issue under way asks for; returns how many."""
    issues = tables.issues
    under_way = sa.select(sa.func.min(issues.c.standing_mark)).where(
        issues.c.frozen_at.is_not(None), issues.c.state.not_in(sorted(FINISHED))
    )
    first_needed = connection.execute(under_way).scalar_one()
    if first_needed is None:
        # The newest stays: an issue that begins at this moment may have just put it.
        first_needed = connection.execute(sa.select(sa.func.max(_changes.c.number))).scalar_one()
    if first_needed is None:
        return 0
    oldest = sa.select(_changes.c.number).where(_changes.c.number < first_needed).order_by(_changes.c.number)
    return connection.execute(sa.delete(_changes).where(_changes.c.number.in_(oldest.limit(limit)))).rowcount


def install(connection: Connection) -> None:
    """Puts the triggers in their place. After every migration, as SQLite's may lose them. Does nothing before the
    migration that makes the table."""
    if sa.inspect(connection).has_table(_changes.name):
        for statement in _sqlite() if connection.dialect.name == "sqlite" else _postgresql():
            connection.exec_driver_sql(statement)


_INTO = "INSERT INTO standing_changes (subscriber_id)"


def _sqlite() -> list[str]:
    def differs(*columns: str) -> str:
        return " OR ".join(f"OLD.{each} IS NOT NEW.{each}" for each in columns)

    def note(person: str) -> str:
        return f"BEGIN {_INTO} VALUES ({person}); END"

    own, theirs = ("suppressed", "erased_at"), ("subscriber_id", "newsletter", "status", "paused_until")
    return sqlite_triggers(
        {
            "note_subscriber_changed": f"AFTER UPDATE OF {', '.join(own)} ON subscribers"
            f" WHEN {differs(*own)} {note('OLD.id')}",
            "note_subscriber_removed": f"AFTER DELETE ON subscribers {note('OLD.id')}",
            "note_subscription_changed": f"AFTER UPDATE OF {', '.join(theirs)} ON subscriptions"
            f" WHEN {differs(*theirs)} {note('OLD.subscriber_id')}",
            "note_subscription_removed": f"AFTER DELETE ON subscriptions {note('OLD.subscriber_id')}",
        }
    )


def _postgresql() -> list[str]:
    changed_people = (
        f"{_INTO} SELECT r.id FROM removed r JOIN added a ON a.id = r.id"
        " WHERE (a.suppressed, a.erased_at) IS DISTINCT FROM (r.suppressed, r.erased_at)"
    )
    changed = (
        f"{_INTO} SELECT r.subscriber_id FROM removed r LEFT JOIN added a"
        " ON a.subscriber_id = r.subscriber_id AND a.newsletter = r.newsletter"
        " WHERE (a.status, a.paused_until) IS DISTINCT FROM (r.status, r.paused_until)"
    )
    of_people = {"changed": changed_people, "removed": f"{_INTO} SELECT id FROM removed"}
    of_subscriptions = {"changed": changed, "removed": f"{_INTO} SELECT subscriber_id FROM removed"}
    return [
        *postgresql_triggers("note", "subscribers", of_people),
        *postgresql_triggers("note", "subscriptions", of_subscriptions),
    ]
