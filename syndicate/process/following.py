"""Follow an issue that a worker sends: watch its books until it has ended, or until nobody is at it any more."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.process.delivering import UNDER_WAY, Ended
from syndicate.process.guard import require_ready
from syndicate.process.presence import worker_is_up
from syndicate.storage.halt import stopped_by
from syndicate.storage.issues import get_issue
from syndicate.storage.ledger import books, owners

if TYPE_CHECKING:
    from syndicate.mail.base import MailAPI
    from syndicate.site import Site

LOOK_SECONDS = 0.2
ALIVE_SECONDS = 1.0
"""How often it is looked whether a worker is up."""
IDLE_SECONDS = 10.0
"""A worker that is up and does nothing for so long has its reasons, which whoever delivers finds out."""


def follow_issue(
    site: Site,
    mail_api: MailAPI,
    issue_id: int,
    *,
    stop: threading.Event,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Ended | None:
    """Watches an issue whose time has come, and returns as `deliver_issue` does when a worker has brought it to its
    end, or once `stop` is set. None when no worker is up, or none does anything: then it is the caller's to deliver.

    Raises Refused when the site may not send now: what a worker would tell only its log."""
    require_ready(site, mail_api, clock(), issue_id)
    seen: object = None
    moved_at = looked_at = time.monotonic()
    if not worker_is_up(site):
        return None
    while True:
        with site.database.read() as connection:
            issue = get_issue(connection, issue_id)
            balance = books(connection, issue_id)
            busy = bool(owners(connection, issue_id))
            stopped = stopped_by(connection)
        if issue.state not in ("approved", "scheduled", *UNDER_WAY) or stop.is_set() or stopped is not None:
            return Ended(issue, balance, stopped)
        if issue.planned:
            progress(balance.planned - balance.waiting - balance.uncertain, balance.planned)
        now = time.monotonic()
        if busy or (issue.state, issue.frozen_through, balance) != seen:
            seen, moved_at = (issue.state, issue.frozen_through, balance), now
        if now - looked_at >= ALIVE_SECONDS:
            looked_at = now
            if not worker_is_up(site):
                return None
        if now - moved_at >= IDLE_SECONDS:
            return None
        stop.wait(LOOK_SECONDS)
