"""Close the issues in which nothing waits any more."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.issue import Issue
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.freezing import highest_ordinal, unfreeze_chunk
from syndicate.storage.issues import change_issue, get_issue, list_issues, move_issue
from syndicate.storage.ledger import cancelled_with_claimable, is_open, withdraw
from syndicate.storage.starts import clear_starts, somebody_starts_elsewhere

CHUNK = 5_000
"""Batches or people changed in one transaction."""


def sweep(database: Database, now: datetime) -> list[int]:
    """Closes every issue in which nothing waits: sending → sent, cancelling → cancelled. Returns their numbers.

    An uncertain batch that still goes on by itself (a replay, a look-up) keeps an issue open; one that waits for a
    person does not. Safe to run at any time, from several processes."""
    with database.read() as connection:
        issues = list_issues(connection, states=["sending", "cancelling"])
        late = cancelled_with_claimable(connection)
    for issue_id in late:
        # An answer, or a look at a record, that came after the issue was closed has shown that nobody has these.
        _withdraw(database, issue_id, now)
    return [issue.id for issue in reversed(issues) if _close(database, issue, now)]


def _close(database: Database, issue: Issue, now: datetime) -> bool:
    if issue.state == "cancelling":
        _take_back(database, issue, now)
    with database.read() as connection:
        if is_open(connection, issue.id, unresolved=issue.state == "sending"):
            return False
    if issue.state == "sending":
        # Before the state, so that a process killed in between does it again.
        _follow_the_cadence(database, issue)
    with database.write() as connection:
        locked = get_issue(connection, issue.id, lock=True)
        if locked.state != issue.state or is_open(connection, issue.id, unresolved=issue.state == "sending"):
            return False
        to = "sent" if issue.state == "sending" else "cancelled"
        move_issue(connection, locked, "sent" if to == "sent" else "cancelled", ended_at=now)
        record(connection, at=now, action=f"issue.{to}", subject=str(issue.id))
        return True


def _take_back(database: Database, issue: Issue, now: datetime) -> None:
    """What a cancel that was killed left: batches to withdraw, or a half-frozen audience to forget."""
    if issue.planned is not None:
        _withdraw(database, issue.id, now)
        return
    more = True
    while more:
        with database.write() as connection:
            more = unfreeze_chunk(connection, issue.id, CHUNK)
            if not more:
                change_issue(connection, issue.id, frozen_through=0)


def _withdraw(database: Database, issue_id: int, now: datetime) -> None:
    done = CHUNK
    while done == CHUNK:
        with database.write() as connection:
            done = withdraw(connection, issue_id, CHUNK, now)


def _follow_the_cadence(database: Database, issue: Issue) -> None:
    """Who got this issue starts the next one where the cadence does."""
    if issue.kind != "cadence":
        return
    with database.read() as connection:
        if not somebody_starts_elsewhere(connection, issue.newsletter):
            return
        through = highest_ordinal(connection, issue.id)
    for first in range(1, through + 1, CHUNK):
        with database.write() as connection:
            clear_starts(connection, issue, first, first + CHUNK - 1)
