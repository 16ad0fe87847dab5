"""The switch that stops all sending, and what is under way when it is thrown."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.books import Books
from syndicate.core.issue import Issue
from syndicate.errors import StorageError
from syndicate.storage import tables
from syndicate.storage.fair_locks import SITE, wait_in_line
from syndicate.storage.issues import list_issues
from syndicate.storage.ledger import books

_instance, _batches = tables.instance, tables.batches


@dataclass(frozen=True, slots=True)
class UnderWay:
    """An issue that was begun and has not ended. `requests` of its batches are claimed, with `recipients` people in
    them: they are on the wire, or about to be handed back."""

    issue: Issue
    books: Books
    requests: int
    recipients: int


def stopped_by(connection: Connection) -> str | None:
    """Who stopped all sending; None while nothing stops it."""
    row = connection.execute(
        sa.select(_instance.c.sending_stopped, _instance.c.stopped_by).where(_instance.c.id == 1)
    ).one_or_none()
    return (row.stopped_by or "somebody") if row is not None and row.sending_stopped else None


def throw(connection: Connection, *, stopped: bool, by: str) -> bool:
    """Stops all sending or lets it go on; False when it was so already. Claims hold the row to their commit: this waits
    for those under way, and none commits after it."""
    wait_in_line(connection, SITE)
    held = connection.execute(
        sa.select(_instance.c.sending_stopped).where(_instance.c.id == 1).with_for_update()
    ).scalar_one_or_none()
    if held is None:
        raise StorageError("This database was never started as a site.", cure="Run 'syndicate collect' once.")
    if held == stopped:
        return False
    connection.execute(
        sa.update(_instance)
        .where(_instance.c.id == 1)
        .values(sending_stopped=stopped, stopped_by=by if stopped else "")
    )
    return True


def under_way(connection: Connection) -> list[UnderWay]:
    """Every issue that was begun and has not ended, oldest first."""
    found = []
    for issue in reversed(list_issues(connection, states=["freezing", "sending", "paused", "cancelling"])):
        claimed = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_batches.c.recipients), 0)).where(
            _batches.c.issue_id == issue.id, _batches.c.state == "sending"
        )
        requests, recipients = connection.execute(claimed).one()
        found.append(UnderWay(issue, books(connection, issue.id), int(requests), int(recipients)))
    return found
