"""Take over what dead workers left, close what is done, write down what is owed, and forget the dead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from syndicate.process.log import Log
from syndicate.services.forget_workers import forget_dead_workers
from syndicate.services.recover_batches import recover
from syndicate.services.sweep_issues import sweep

if TYPE_CHECKING:
    from syndicate.site import Site


def sweep_site(site: Site, log: Log, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """One sweep."""
    site.database.pay_journal()
    if taken := recover(site.database, site.directory):
        log.warn(
            "recovered",
            f"{taken} requests of a process that ended before it recorded their answers: now settled one by one.",
            requests=taken,
        )
    for issue_id in sweep(site.database, clock()):
        log.say("closed", f"Issue {issue_id} is over: its books are closed.", issue=issue_id)
    forget_dead_workers(site.database, site.directory, clock())
