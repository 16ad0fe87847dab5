"""Resolve what is uncertain: an editor decides where no proof is to be had."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from syndicate.core.batch import Step
from syndicate.core.issue import GOING_ON
from syndicate.errors import Refused
from syndicate.storage.audit import record
from syndicate.storage.compositions import not_released
from syndicate.storage.database import Database, database_now
from syndicate.storage.issues import get_issue, move_issue
from syndicate.storage.ledger import move_unresolved, select_batches, sleeping_owners
from syndicate.storage.proofs import count_proven

CHUNK = 500
"""Batches decided in one transaction."""


def resolve(
    database: Database,
    issue_id: int,
    how: Literal["resend", "count-as-sent"],
    *,
    actor: str,
    now: datetime,
) -> int:
    """Decides the uncertain batches of the issue; returns how many people that concerns. While it is being sent, those
    that go on by themselves are left to that.

    resend: another request for all of them, at the risk of a second mail for those who got the first; an issue that was
    closed goes back to sending. count-as-sent: they count as accepted. Raises Refused when there is nothing to
    decide, when it is to be resent and was cancelled or its readers are forgotten, and when a process that may still be
    posting has not ended."""
    with database.read() as connection:
        began = database_now(connection)
        parked = get_issue(connection, issue_id).state in GOING_ON
        if not select_batches(connection, issue_id, states=["uncertain"], limit=1):
            raise Refused(
                f"Nothing of issue {issue_id} is uncertain.",
                cure="`syndicate run --once` recovers what a killed process left.",
            )
        if parked and not select_batches(connection, issue_id, states=["uncertain"], parked=True, limit=1):
            raise Refused(
                f"What is uncertain of issue {issue_id} is still being found out.",
                cure=f"Wait for it, or pause it first: `syndicate issues pause {issue_id}`.",
            )
    people = 0
    while True:
        with database.write() as connection:
            issue = get_issue(connection, issue_id, lock=True)
            if how == "resend" and issue.state in ("cancelling", "cancelled"):
                raise Refused(f"Issue {issue_id} is {issue.state}: nothing more of it is sent.")
            if how == "resend" and issue.forgotten_at is not None:
                raise Refused(
                    f"Who issue {issue_id} was for is no longer kept, since {issue.forgotten_at:%Y-%m-%d}.",
                    cure="Count it as sent: `--count-as-sent`.",
                )
            if how == "resend" and issue.state == "sent" and (titles := not_released(connection, issue_id)):
                raise Refused(
                    f"Issue {issue_id} carries what was corrected or taken back since: {'; '.join(titles[:3])}.",
                    cure="Count it as sent: `--count-as-sent`.",
                )
            # Not what is uncertain once more, of what was sent again a moment ago.
            batches = select_batches(
                connection, issue_id, states=["uncertain"], parked=parked, until=began, limit=CHUNK
            )
            if not batches:
                return people
            if how == "resend":
                if any(sleeping_owners(connection, batches).values()):
                    raise Refused(
                        f"A process that may still be posting for issue {issue_id} has not ended.",
                        cure="End it, or wait for it, then decide again.",
                    )
                if issue.state == "sent":
                    move_issue(connection, issue, "sending", ended_at=None)
            moment = database_now(connection)
            step = (
                Step("retry", f"{actor} sends it again", retry_at=moment)
                if how == "resend"
                else Step("accepted", f"{actor} counts it as sent")
            )
            # Of whom it is proven that they have theirs nothing is decided.
            count = sum(batch.recipients for batch in batches) - count_proven(connection, batches)
            for batch in batches:
                move_unresolved(connection, batch, step, moment)
            people += count
            record(
                connection,
                at=now,
                actor=actor,
                action="issue.resolve",
                subject=str(issue_id),
                detail={"how": how, "people": count},
            )
