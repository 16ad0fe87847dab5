"""Forgets what is kept for a time only: sign-ups never confirmed, mails to one person, raw events, rate limits and
tokens, and who was sent what. Books, suppressions and consents stay: they are the proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import Connection

from syndicate.core.portions import portions
from syndicate.core.retention import Keep, horizon
from syndicate.storage import people
from syndicate.storage.database import Database
from syndicate.storage.events import forget_raw_events
from syndicate.storage.forgetting import forget_recipients, issues_to_forget
from syndicate.storage.rate_limits import forget_passed, passed_keys
from syndicate.storage.reader_steps import forget_unconfirmed, pending_since
from syndicate.storage.request_tokens import forget_tokens
from syndicate.storage.standing_changes import forget_changes
from syndicate.storage.transactional import forget_mails, newsletters_known

CHUNK = 500
"""Rows of people, events and recipients in one write transaction: some 20 ms."""
MAILS_AT_ONCE = 100
"""Whole mails, of some fifty kilobytes each."""
LOOKED_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many of each. `recipients` counts lines of "this person was sent that issue"."""

    sign_ups: int = 0
    mails: int = 0
    events: int = 0
    recipients: int = 0


def forget_old(
    database: Database, keep: Keep, *, now: datetime, between: Callable[[], object] = lambda: None
) -> Forgotten:
    """Forgets everything whose time is over, in short transactions. Safe to run at any time, killed at any instant and
    from several processes; once an hour is plenty. `between` is called after each transaction: to let others write, and
    to raise what breaks it off."""
    before = horizon(keep, now)
    _forget_limits(database, now, between)
    _forget(database, lambda c: forget_tokens(c, now, CHUNK), CHUNK, between)
    _forget(database, lambda c: forget_changes(c, CHUNK), CHUNK, between)
    return Forgotten(
        sign_ups=_forget_sign_ups(database, before.sign_ups, between),
        mails=_forget(database, lambda c: forget_mails(c, before.mails, MAILS_AT_ONCE), MAILS_AT_ONCE, between),
        events=_forget(database, lambda c: forget_raw_events(c, before.events, CHUNK, now), CHUNK, between),
        recipients=_forget_ledger(database, before.ledger, now, between),
    )


def _forget(
    database: Database, some: Callable[[Connection], int], limit: int, between: Callable[[], object]
) -> int:
    total, done = 0, limit
    while done == limit:
        with database.write() as connection:
            done = some(connection)
        total += done
        between()
    return total


def _forget_limits(database: Database, now: datetime, between: Callable[[], object]) -> None:
    with database.read() as connection:
        passed = passed_keys(connection, now)
    for keys in portions(passed, CHUNK):
        with database.write() as connection:
            forget_passed(connection, keys, now)
        between()


def _forget_sign_ups(database: Database, before: datetime, between: Callable[[], object]) -> int:
    with database.read() as connection:
        newsletters = newsletters_known(connection)
    total = 0
    for newsletter in newsletters:
        for ids in _old_sign_ups(database, newsletter, before):
            with database.write() as connection:
                people.lock_people(connection)
                total += forget_unconfirmed(connection, newsletter, ids, before)
            between()
    return total


def _old_sign_ups(database: Database, newsletter: str, before: datetime) -> Iterator[list[int]]:
    """Looked for outside of any write: most of those that wait are new."""
    after = 0
    while True:
        with database.read() as connection:
            pending = pending_since(connection, newsletter, after=after, limit=LOOKED_AT_ONCE)
        if not pending:
            return
        yield from portions((person for person, since in pending if since < before), CHUNK)
        after = pending[-1][0]


def _forget_ledger(database: Database, before: datetime, now: datetime, between: Callable[[], object]) -> int:
    with database.read() as connection:
        issues = issues_to_forget(connection, before)
    total = 0
    for issue_id in issues:
        done = 1
        while done:
            with database.write() as connection:
                people.lock_people(connection)
                done = forget_recipients(connection, issue_id, CHUNK, now)
            total += done
            between()
    return total
