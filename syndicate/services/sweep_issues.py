"""Close the issues in which nothing waits any more."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.issue import Issue
from syndicate.storage.audit import record
from syndicate.storage.database import Database, database_now
from syndicate.storage.freezing import highest_ordinal, unfreeze_chunk
from syndicate.storage.issues import change_issue, get_issue, list_issues, move_issue
from syndicate.storage.ledger import (
    books,
    cancelled_with_claimable,
    hand_back,
    is_open,
    select_batches,
    withdraw,
)
from syndicate.storage.starts import clear_starts, somebody_starts_elsewhere

FEWEST_REFUSED = 3
"""Of fewer readers all may be bad."""

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
    if issue.state == "sending" and _pause_if_all_were_refused(database, issue.id):
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


def _pause_if_all_were_refused(database: Database, issue_id: int) -> bool:
    """However few they are, the fault is rather the sender's: they go again when it does, until that has been believed
    of them."""
    with database.write() as connection:
        issue, balance = get_issue(connection, issue_id, lock=True), books(connection, issue_id)
        if issue.state != "sending" or balance.accepted or balance.uncertain or balance.refused < FEWEST_REFUSED:
            return False
        first = select_batches(connection, issue_id, states=["refused"], limit=1)
        if not first or not hand_back(connection, issue_id, None, database_now(connection)):
            return False
        why = f"each of its {balance.refused} readers was refused, the first: {first[0].why}"
        return move_issue(connection, issue, "paused", why=f"{why} (they go again when it does: mend it before)")


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
