"""Pause an issue that is being frozen or sent, and go on with it."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.issue import Issue
from syndicate.errors import Refused
from syndicate.storage.audit import record
from syndicate.storage.database import Database, database_now
from syndicate.storage.issue_standing import see_standing
from syndicate.storage.issues import get_issue, list_issues, move_issue
from syndicate.storage.ledger import retry_at_once
from syndicate.storage.windows import lock_newsletter


def pause(database: Database, issue_id: int, *, why: str, actor: str, now: datetime) -> Issue:
    """Once this has returned, no batch is claimed any more; requests under way come to their end. Pausing a paused
    issue changes nothing. Raises Refused when it is neither frozen nor sent at this time."""
    with database.write() as connection:
        issue = get_issue(connection, issue_id, lock=True)
        if issue.state == "paused":
            return issue
        move_issue(connection, issue, "paused", why=why)
        record(connection, at=now, actor=actor, action="issue.pause", subject=str(issue_id), detail={"why": why})
        return get_issue(connection, issue_id)


def resume(database: Database, issue_id: int, *, actor: str, now: datetime) -> Issue:
    """Goes on where it stopped, with freezing or with sending; what waits for another try gets it at once. Resuming
    what is under way changes nothing. Raises Refused when it is not paused, and when its freezing cannot go on because
    another issue of the newsletter is being frozen."""
    with database.write() as connection:
        # The newsletter before the issue, in the order that a freezing takes them.
        lock_newsletter(connection, get_issue(connection, issue_id).newsletter)
        issue = get_issue(connection, issue_id, lock=True)
        if issue.state == "sending" and issue.why and issue.standing_seen is None:
            # It waits, perhaps for a look at its first wave: somebody has looked.
            see_standing(connection, issue_id)
            record(connection, at=now, actor=actor, action="issue.resume", subject=str(issue_id))
            return get_issue(connection, issue_id)
        if issue.state in ("freezing", "sending"):
            return issue
        if issue.state != "paused":
            raise Refused(f"Issue {issue_id} is {issue.state}, not paused.")
        if issue.planned is not None and not issue.is_approved:
            raise Refused(
                f"Issue {issue_id} may not go on: {issue.why}",
                cure=f"`syndicate issues preview {issue_id}`, then `syndicate issues approve {issue_id}`, then resume."
                if issue.seal
                else f"`syndicate run --once` composes it anew; `syndicate issues cancel {issue_id}` ends it.",
            )
        others = list_issues(connection, newsletter=issue.newsletter, states=["freezing"])
        if issue.planned is None and others:
            raise Refused(
                f"Issue {others[-1].id} of the same newsletter is being frozen, and only one is at a time.",
                cure=f"`syndicate run --once` finishes that; then resume issue {issue_id}.",
            )
        move_issue(connection, issue, "freezing" if issue.planned is None else "sending", why="")
        if issue.planned is not None:
            see_standing(connection, issue_id)
        retry_at_once(connection, issue_id, database_now(connection))
        record(connection, at=now, actor=actor, action="issue.resume", subject=str(issue_id))
        return get_issue(connection, issue_id)
