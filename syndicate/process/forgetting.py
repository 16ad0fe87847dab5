"""Forget, hour by hour, what `[keep]` says is old enough."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from syndicate.process.log import Log
from syndicate.process.loops import Bell, Loops
from syndicate.services.forget_old import Forgotten, forget_old

if TYPE_CHECKING:
    from syndicate.site import Site

FORGET_SECONDS = 3600.0
REST_SECONDS = 0.05
"""Between two transactions: whoever has something to write goes first."""


def forgetting(site: Site, bell: Bell, loops: Loops, log: Log, clock: Callable[[], datetime]) -> None:
    """Waits for the hour, then forgets; broken off when the process leaves, and gone on with next time."""
    bell.heard()
    loops.leave_if_told()

    def rest() -> None:
        loops.stop.wait(REST_SECONDS)
        loops.leave_if_told()

    done = forget_old(site.database, site.settings.keep, now=clock(), between=rest)
    if sentence := told(done):
        log.say("forgotten", sentence, **asdict(done))


def told(done: Forgotten) -> str:
    """What was forgotten, in one sentence; "" when nothing was."""
    counts = (
        (done.sign_ups, "unconfirmed sign-up", "unconfirmed sign-ups"),
        (done.mails, "mail to one person", "mails to one person"),
        (done.events, "report of the mail API", "reports of the mail API"),
        (done.recipients, "line of who was sent what", "lines of who was sent what"),
    )
    parts = [f"{count:,} {one if count == 1 else many}" for count, one, many in counts if count]
    return f"Forgotten, as [keep] says: {', '.join(parts)}." if parts else ""
