"""`syndicate stop` and `syndicate resume`: all sending, everywhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from syndicate.cli.frame import Frame, counted, site_command

if TYPE_CHECKING:
    from syndicate.storage.halt import UnderWay

PATIENCE_SECONDS = 5.0
"""How long `stop` waits for the answers to requests under way, so that its figures are the last ones."""


@click.command()
@site_command
def stop(frame: Frame) -> None:
    """Stop all sending, everywhere, at once.

    When this returns, no process begins another request for any issue; those under way come to their end. Collecting,
    publishing and the confirmations that single people wait for go on. "syndicate resume" goes on with sending.
    """
    from syndicate.services.stop_sending import stop_sending

    stopped = stop_sending(frame.site.database, actor=frame.actor, now=frame.now)
    patience = time.monotonic() + PATIENCE_SECONDS
    found = _under_way(frame)
    if any(each.requests for each in found):
        frame.say("All sending is stopped. Waiting for the answers to requests under way…")
    while any(each.requests for each in found) and time.monotonic() < patience:
        time.sleep(0.1)
        found = _under_way(frame)
    _tell(frame, found, stopped=True, changed=stopped)


@click.command()
@site_command
def resume(frame: Frame) -> None:
    """Go on with all sending after "syndicate stop".

    An issue that is paused by itself stays paused.
    """
    from syndicate.process.presence import worker_is_up
    from syndicate.services.stop_sending import resume_sending

    resumed = resume_sending(frame.site.database, actor=frame.actor, now=frame.now)
    found = _under_way(frame)
    _tell(frame, found, stopped=False, changed=resumed)
    if any(each.issue.state != "paused" for each in found) and not worker_is_up(frame.site):
        frame.say("Nothing runs here now: `syndicate run` goes on with it.")


def say_if_stopped(frame: Frame) -> None:
    """A line when all sending is stopped; nothing else."""
    from syndicate.storage.halt import stopped_by

    with frame.site.database.read() as connection:
        by = stopped_by(connection)
    if by is not None:
        frame.warn(f"All sending is stopped, by {by}: nothing goes out until `syndicate resume`.")


def _under_way(frame: Frame) -> list[UnderWay]:
    from syndicate.storage.halt import under_way

    with frame.site.database.read() as connection:
        return under_way(connection)


def _tell(frame: Frame, found: list[UnderWay], *, stopped: bool, changed: bool) -> None:
    frame.emit({"stopped": stopped, "changed": changed, "issues": [_as_dict(each) for each in found]})
    if frame.as_json:
        return
    if stopped:
        frame.say("All sending is stopped." if changed else "All sending was stopped already.")
    else:
        frame.say("Sending goes on." if changed else "Nothing was stopped.")
    for each in found:
        balance = each.books
        parts = [f"{balance.accepted:,} of {counted(balance.planned, 'reader')} accepted"]
        parts += [
            f"{getattr(balance, name):,} {name}"
            for name in ("refused", "suppressed", "uncertain", "waiting")
            if getattr(balance, name)
        ]
        if each.requests:
            parts.append(f"{counted(each.requests, 'request')} under way with {counted(each.recipients, 'reader')}")
        frame.say(f"  Issue {each.issue.id} of {each.issue.newsletter} is {each.issue.state}: {', '.join(parts)}.")
    if not found:
        frame.say("  No issue is under way.")


def _as_dict(each: UnderWay) -> dict[str, Any]:
    return {
        "id": each.issue.id,
        "newsletter": each.issue.newsletter,
        "state": each.issue.state,
        "books": each.books.as_dict(),
        "requests_under_way": each.requests,
        "recipients_under_way": each.recipients,
    }
