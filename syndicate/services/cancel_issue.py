"""Cancel an issue: nothing more of it goes out."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.engine import Connection

from syndicate.core.issue import BEFORE_FREEZING, FINISHED, Issue
from syndicate.core.window import mark_after_cancel
from syndicate.errors import Refused
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.freezing import UNFREEZING
from syndicate.storage.issues import change_issue, get_issue, move_issue, take_back
from syndicate.storage.ledger import may_have_gone_out, withdraw
from syndicate.storage.windows import lock_cadence, open_issue, set_mark

CHUNK = 5_000
"""Batches withdrawn in one transaction."""


def cancel(database: Database, issue_id: int, *, actor: str, now: datetime, drop: bool = False) -> Issue:
    """Cancels in any state. Once this has returned nothing is claimed any more; requests under way come to their end,
    and what nobody claimed is withdrawn (the sweeper finishes that when this process is killed).

    When no request went out, the articles of its window go into the cadence's next issue, or with `drop` count as used.
    A next issue that is drafted already is taken back and widened; when it is past that they count as used too
    (`used_articles` then says "drop"). Cancelling twice changes nothing. Raises Refused when it was sent."""
    with database.write() as connection:
        issue = get_issue(connection, issue_id)
        # The cadence before the issue, in the order that a draft takes them.
        mark = lock_cadence(connection, issue.newsletter, issue.cadence) if issue.kind == "cadence" else 0
        issue = get_issue(connection, issue_id, lock=True)
        if issue.state in ("cancelling", "cancelled"):
            return issue
        if issue.state in FINISHED:
            raise Refused(f"Issue {issue_id} is {issue.state}; nothing of it is left to cancel.")
        if issue.state in BEFORE_FREEZING:
            move_issue(connection, issue, "cancelled", ended_at=now, why="cancelled")
        elif issue.planned is None:
            # Not frozen whole: nothing was claimed, and the frozen part is taken back.
            move_issue(connection, issue, "cancelling", frozen_through=UNFREEZING, why="cancelled")
        else:
            move_issue(connection, issue, "cancelling", why="cancelled")
        used = _settle_window(connection, issue, mark, drop=drop)
        record(connection, at=now, actor=actor, action="issue.cancel", subject=str(issue_id), detail={"articles": used})
    while True:
        with database.write() as connection:
            if withdraw(connection, issue_id, CHUNK, now) < CHUNK:
                return get_issue(connection, issue_id)


def _settle_window(connection: Connection, issue: Issue, mark: int, *, drop: bool) -> str:
    """What becomes of the articles: "carry", "drop", or "used" when some of it may have gone out."""
    if issue.planned is not None and may_have_gone_out(connection, issue.id):
        return "used"
    back = mark_after_cancel(mark, issue.lo, issue.hi, drop=drop) if issue.kind == "cadence" else None
    if issue.kind == "cadence" and back is None:
        back = _widen_the_next(connection, issue, mark)
    if issue.kind == "cadence" and back is not None:
        set_mark(connection, issue.newsletter, issue.cadence, back)
    used = "drop" if drop or (issue.kind == "cadence" and back is None) else "carry"
    # An issue that never was frozen uses none of its articles.
    change_issue(connection, issue.id, used_articles=used, **({} if used == "drop" else {"frozen_at": None}))
    return used


def _widen_the_next(connection: Connection, issue: Issue, mark: int) -> int | None:
    """Gives the window to the cadence's issue that follows at once, if that is still open: it is to be composed again.
    The mark, which stays; None when there is no such issue."""
    following = open_issue(connection, issue.newsletter, issue.cadence)
    if following is None or following.lo != issue.hi:
        return None
    why = f"It has the articles of issue {issue.id} too, which was cancelled."
    take_back(connection, following, why=why, lo=issue.lo)
    return mark
