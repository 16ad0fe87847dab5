"""Send an issue in a few seconds, and stop it: before it starts as if nothing had been, after that within a second."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from syndicate.core.issue import Issue
from syndicate.core.request import SAME_AGAIN, TYPE_THE_NUMBER_OVER, is_the_number
from syndicate.core.send_effect import is_past
from syndicate.errors import Refused
from syndicate.storage.approvals import approve_for
from syndicate.storage.audit import record
from syndicate.storage.compositions import not_released, take_back_if_held
from syndicate.storage.database import Database, shared_now
from syndicate.storage.issues import get_issue, move_issue
from syndicate.storage.last_step import overtaken
from syndicate.storage.reach import reach_as_composed
from syndicate.storage.requests import same_request_since

COUNTDOWN = timedelta(seconds=10)
"""How long an editor can still say no."""


def send_soon(
    database: Database,
    issue_id: int,
    *,
    seal: str,
    typed: int | None = None,
    send_at: datetime | None = None,
    again: bool = False,
    now: datetime,
    actor: str,
) -> Issue:
    """Approves what the editor saw (`seal`) and sets it for `send_at`, or for ten seconds from now. Asked twice, from
    two tabs or by two editors, it is one send: what is counting down, under way or sent is returned as it is.

    `typed` is the number of readers as the editor typed it, asked for above TYPE_THE_NUMBER_OVER; `again` says that the
    editor knows of the same send within the last day. Raises Refused when the content or the count is another by now,
    when the time is past, when nobody would get it, and when one of the two answers is missing."""
    with database.read() as connection:
        # Counting a million takes a second: no other writer waits for it.
        issue, now = get_issue(connection, issue_id), shared_now(connection, now)
        readers = reach_as_composed(connection, issue, now=now).readers
        earlier = same_request_since(connection, issue, now - SAME_AGAIN)
    when = send_at if send_at is not None and send_at > now + COUNTDOWN else now + COUNTDOWN
    with database.write() as connection:
        issue = get_issue(connection, issue_id, lock=True)
        if issue.state in ("freezing", "sending", "sent"):
            return issue
        if issue.seal != seal:
            raise overtaken(connection, issue_id, cure="Look at it again, then send it.")
        set_for = issue.send_at if issue.state == "scheduled" and issue.is_approved else None
        if set_for is not None and (set_for <= now + COUNTDOWN or set_for == when):
            return issue
        if issue.state not in ("awaiting", "approved", "scheduled"):
            raise Refused(f"Issue {issue_id} is {issue.state}{f': {issue.why}' if issue.why else ''}.")
        if send_at is not None and is_past(send_at, now):
            raise Refused("That time is past.", cure="Choose one that is to come, or leave it empty to send it now.")
        _ask(issue, readers, typed, earlier, again)
        if held := not_released(connection, issue_id):
            take_back_if_held(connection, issue)
        else:
            _commit(connection, issue, readers, when, now=now, actor=actor)
        issue = get_issue(connection, issue_id)
    if held:
        raise Refused(
            f"Issue {issue_id} carries what may not go out any more: {'; '.join(held[:3])}.",
            cure="It is back in draft: compose it again.",
        )
    return issue


def stop(database: Database, issue_id: int, *, actor: str, now: datetime) -> Issue:
    """Before it starts: not set for any time any more, still approved, and nothing was sent. After that: paused. Once
    this has returned no request begins. Stopping twice changes nothing. Raises Refused when it is over already."""
    with database.write() as connection:
        issue = get_issue(connection, issue_id, lock=True)
        if issue.state in ("paused", "approved", "awaiting", "draft"):
            return issue
        if issue.state == "scheduled":
            move_issue(connection, issue, "approved", send_at=None)
            record(connection, at=now, actor=actor, action="issue.unschedule", subject=str(issue_id))
        else:
            why = f"stopped by {actor}"
            move_issue(connection, issue, "paused", why=why)
            record(connection, at=now, actor=actor, action="issue.pause", subject=str(issue_id), detail={"why": why})
        return get_issue(connection, issue_id)


def _ask(issue: Issue, readers: int, typed: int | None, earlier: Issue | None, again: bool) -> None:
    if not readers:
        raise Refused(f"Nobody would get issue {issue.id}.", cure="Choose other articles or other readers.")
    if earlier is not None and not again:
        raise Refused(
            f"The same went out as issue {earlier.id} within the last day.",
            cure="Say that you want to send it again: who got it then is left out.",
        )
    if readers > TYPE_THE_NUMBER_OVER and (typed is None or not is_the_number(typed, readers)):
        raise Refused(
            f"It goes to {readers:,} readers, and {f'{typed:,}' if typed is not None else 'no number'} was typed.",
            cure=f"Type {readers} to send it.",
        )


def _commit(
    connection: Connection, issue: Issue, readers: int, when: datetime, *, now: datetime, actor: str
) -> None:
    if issue.state == "scheduled":
        move_issue(connection, issue, "approved", send_at=None)
        issue = get_issue(connection, issue.id)
    if not issue.is_approved:
        approve_for(connection, issue, readers, now=now, actor=actor)
    move_issue(connection, get_issue(connection, issue.id), "scheduled", send_at=when)
    detail = {"send_at": when.isoformat()}
    record(connection, at=now, actor=actor, action="issue.schedule", subject=str(issue.id), detail=detail)
