"""An editor settles what the clock missed: send it now, let its articles go with the next issue, or drop them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from syndicate.core.issue import BEFORE_FREEZING, Issue
from syndicate.core.slot import KnownSlot, Slot, SlotState
from syndicate.errors import NothingToSend, Refused
from syndicate.storage.audit import record
from syndicate.storage.compositions import take_back_if_held
from syndicate.storage.database import Database, shared_now
from syndicate.storage.issues import change_issue, get_issue, move_issue
from syndicate.storage.slots import list_slots, lock_rhythm, move_slot, settle_slot
from syndicate.storage.windows import lock_cadence, open_issue, released_by, set_mark


def missed_slots(connection: Connection, newsletter: str, cadence: str | None = None) -> list[KnownSlot]:
    """What waits for an editor, the last due first."""
    return list_slots(connection, newsletter=newsletter, cadence=cadence, states=["missed"])


def send_missed(
    database: Database, newsletter: str, cadence: str, issue_id: int, *, actor: str, now: datetime
) -> Issue:
    """The cadence's missed slot goes with this approved issue, at once; earlier missed ones are merged into it.

    Raises Refused when nothing is missed any more, or the issue is not approved (any more)."""
    with database.write() as connection:
        latest, *earlier = _locked(connection, newsletter, cadence)
        issue = get_issue(connection, issue_id, lock=True)
        if (issue.newsletter, issue.cadence) != (newsletter, cadence):
            raise Refused(f"Issue {issue_id} is not of {newsletter}, {cadence}.")
        if issue.state != "approved" or not issue.is_approved:
            raise Refused(f"Issue {issue_id} is {issue.state}: only an approved one is sent.")
        held = take_back_if_held(connection, issue)
        if not held:
            move_issue(connection, issue, "scheduled", send_at=shared_now(connection, now))
            change_issue(connection, issue_id, wall_time=latest.wall_time)
            _settle(connection, [latest], "going", actor, now, f"Sent late by {actor}.", issue_id=issue_id)
            _settle(connection, earlier, "merged", actor, now, f"Its articles went with issue {issue_id}.")
        issue = get_issue(connection, issue_id)
    if held:
        raise Refused(issue.why, cure="The same again composes it without that.")
    return issue


def attach_missed(database: Database, newsletter: str, cadence: str, issue_id: int, *, now: datetime) -> None:
    """The missed slots are those of this issue, which was composed to make up for them: it settles them when it goes,
    and who skips them cancels it. Raises NothingToSend when nothing is missed any more."""
    with database.write() as connection:
        for each in _locked(connection, newsletter, cadence):
            name = each.newsletter, each.cadence, each.wall_time
            move_slot(connection, *name, "missed", of=["missed"], issue_id=issue_id, claimed_at=now)


def merge_missed(database: Database, newsletter: str, cadence: str, *, actor: str, now: datetime) -> list[KnownSlot]:
    """The articles of the missed slots go with the cadence's next issue. Raises Refused when nothing is missed."""
    with database.write() as connection:
        missed = _locked(connection, newsletter, cadence)
        _settle(connection, missed, "merged", actor, now, f"Its articles go with the next one, says {actor}.")
        return missed


def skip_missed(database: Database, newsletter: str, cadence: str, *, actor: str, now: datetime) -> list[KnownSlot]:
    """What the missed slots would have carried goes out with no issue: it counts as used. An issue that was drafted for
    it is cancelled. Raises Refused when nothing is missed."""
    with database.write() as connection:
        mark = lock_cadence(connection, newsletter, cadence)
        missed = _locked(connection, newsletter, cadence)
        issue = open_issue(connection, newsletter, cadence)
        if issue is not None and issue.id in {each.issue_id for each in missed} and issue.state in BEFORE_FREEZING:
            move_issue(connection, issue, "cancelled", ended_at=now, why="Its slot was missed and skipped.")
            change_issue(connection, issue.id, used_articles="drop")
            record(
                connection,
                at=now,
                actor=actor,
                action="issue.cancel",
                subject=str(issue.id),
                detail={"articles": "drop"},
            )
        elif issue is not None:
            raise Refused(
                f"Issue {issue.id} of the same cadence is {issue.state} and may carry these articles.",
                cure=f"Settle that first: `syndicate issues show {issue.id}`.",
            )
        set_mark(connection, newsletter, cadence, max(mark, released_by(connection, missed[0].due_at)))
        _settle(connection, missed, "skipped", actor, now, f"Missed, and skipped by {actor}: its articles go nowhere.")
        return missed


def _locked(connection: Connection, newsletter: str, cadence: str) -> list[KnownSlot]:
    lock_rhythm(connection, newsletter, cadence)
    missed = missed_slots(connection, newsletter, cadence)
    if not missed:
        raise NothingToSend(f"{newsletter}, {cadence}: nothing is missed.")
    return missed


def _settle(
    connection: Connection,
    slots: Sequence[KnownSlot],
    state: SlotState,
    actor: str,
    now: datetime,
    why: str,
    issue_id: int | None = None,
) -> None:
    for each in slots:
        slot = Slot(each.due_at, each.wall_time)
        name = each.newsletter, each.cadence
        settle_slot(
            connection,
            *name,
            slot,
            state,
            actor=actor,
            now=now,
            why=why,
            of=["missed"],
            issue_id=each.issue_id if issue_id is None else issue_id,
        )
