"""Approve an issue, and set when it goes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.engine import Connection

from syndicate.core.issue import Issue
from syndicate.core.preflight import errors_among, look_over
from syndicate.core.send_effect import is_past
from syndicate.errors import Refused
from syndicate.storage.approvals import approve_for, keep_approved
from syndicate.storage.audit import record
from syndicate.storage.compositions import not_released, take_back_if_held
from syndicate.storage.database import Database, shared_now
from syndicate.storage.issues import change_issue, get_issue, get_variants, move_issue
from syndicate.storage.last_step import overtaken
from syndicate.storage.reach import reach_as_composed


def approve(database: Database, issue_id: int, *, now: datetime, actor: str, seal: str | None = None) -> Issue:
    """Approves the sealed content, the audience rule and the count of now. `seal` is what the editor saw: when it is
    given and the issue has another, nothing is approved. Twice the same is once. The revision of an issue that stopped
    while it was being sent is approved for those who wait still, unless the checks before sending find an error in it:
    it stays paused until somebody resumes it. Raises Refused."""
    with database.read() as connection:
        # Counting a million takes a second: no other writer waits for it.
        issue = get_issue(connection, issue_id)
        expected = reach_as_composed(connection, issue, now=now).readers
        versions = get_variants(connection, issue_id, issue.revision) if issue.state == "paused" else {}
    looked_at, wrong = issue.seal, errors_among(look_over(versions.values()))
    with database.write() as connection:
        issue = get_issue(connection, issue_id, lock=True)
        if seal is not None and issue.seal != seal:
            raise overtaken(connection, issue_id, cure="Preview it again, then approve.")
        if issue.state in ("approved", "scheduled", "paused") and issue.is_approved:
            return issue
        if issue.state == "paused" and issue.planned is not None:
            if issue.seal != looked_at:
                raise overtaken(connection, issue_id, cure="Preview it again, then approve.")
            if wrong:
                raise Refused(
                    f"Revision {issue.revision} of issue {issue_id} must not go out as it is: {' '.join(wrong[:3])}",
                    cure=f"Correct the article again; `syndicate issues check {issue_id}` looks anew.",
                )
            return _approve_revision(connection, issue, now=now, actor=actor)
        if held := not_released(connection, issue_id):
            raise Refused(_held(issue_id, held), cure=_COMPOSE_AGAIN)
        approve_for(connection, issue, expected, now=now, actor=actor)
        return get_issue(connection, issue_id)


def _approve_revision(connection: Connection, issue: Issue, *, now: datetime, actor: str) -> Issue:
    if issue.seal is None:
        raise Refused(
            f"Issue {issue.id} is not composed anew yet: {issue.why}",
            cure=f"`syndicate run --once` does that, or `syndicate issues cancel {issue.id}` ends it.",
        )
    why = f"Revision {issue.revision} is approved: resume it."
    change_issue(connection, issue.id, approved_seal=issue.seal, approved_by=actor, approved_at=now, why=why)
    keep_approved(connection, issue, now=now, actor=actor)
    detail = {"seal": issue.seal, "revision": issue.revision}
    record(connection, at=now, actor=actor, action="issue.approve", subject=str(issue.id), detail=detail)
    return get_issue(connection, issue.id)


def schedule(database: Database, issue_id: int, *, send_at: datetime, now: datetime, actor: str) -> Issue:
    """Commits the decision to send at that instant (now or later). An issue already under way or finished is returned
    as it is. Raises Refused for a time that is past, for an issue not approved, and for one whose articles are no
    longer all released (it is then back in draft)."""
    with database.write() as connection:
        issue = get_issue(connection, issue_id, lock=True)
        if issue.state in ("freezing", "sending", "sent"):
            return issue
        if issue.state == "scheduled" and issue.send_at == send_at:
            return issue
        if is_past(send_at, now):
            raise Refused(f"{send_at:%Y-%m-%d %H:%M} UTC is past.", cure="Name a time that is to come.")
        if send_at <= now:
            send_at = shared_now(connection, send_at)
        if issue.state == "scheduled":
            move_issue(connection, issue, "approved")
            issue = get_issue(connection, issue_id)
        if issue.state != "approved" or not issue.is_approved:
            raise Refused(
                f"Issue {issue_id} is {issue.state}{f' ({issue.why})' if issue.why else ''}:"
                " only an approved one is sent.",
                cure=f"`syndicate issues approve {issue_id}` first." if issue.state == "awaiting" else "",
            )
        if not (held := take_back_if_held(connection, issue)):
            move_issue(connection, issue, "scheduled", send_at=send_at)
            record(
                connection,
                at=now,
                actor=actor,
                action="issue.schedule",
                subject=str(issue_id),
                detail={"send_at": send_at.isoformat()},
            )
        issue = get_issue(connection, issue_id)
    if held:
        raise Refused(_held(issue_id, held), cure=_COMPOSE_AGAIN)
    return issue


_COMPOSE_AGAIN = "Draft it again: `syndicate issues draft` (a manual one: `syndicate send`)."


def _held(issue_id: int, titles: list[str]) -> str:
    return f"Issue {issue_id} carries {len(titles)} that may not go out any more: {'; '.join(titles[:3])}."
