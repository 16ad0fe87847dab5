"""Committing a send, following it with a progress bar, and saying how it ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from syndicate.cli.frame import Frame
from syndicate.cli.progress import Bars
from syndicate.errors import SyndicateError, Unfinished, UsageError

if TYPE_CHECKING:
    from threading import Event

    from syndicate.core.issue import Issue
    from syndicate.process.delivering import Ended


DRAINING = "Finishes the requests under way. Ctrl-C once more leaves at once."


class Stopped(SyndicateError):
    """Ctrl-C while an issue was being sent."""

    exit_status = 130
    try_again = True


def parse_time(text: str, zone: str, *, now: datetime) -> datetime:
    """An instant to come, from `2026-01-31T07:00` (wall time in `zone`) or with an offset of its own. Raises
    UsageError."""
    from syndicate.core.send_effect import is_past

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--at {text!r} is not a time.", cure="Write it as 2026-01-31T07:00.") from None
    at = (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))).astimezone(UTC)
    if is_past(at, now):
        raise UsageError(f"--at {text} is past.", cure="Name a time that is to come, or leave --at out to send it now.")
    return at


def send_now_or_later(frame: Frame, issue_id: int, *, at: datetime | None) -> None:
    """Commits the decision to send an approved issue; sends it here when it is due, and ends when its books are closed.

    Raises Unfinished when something is uncertain, paused or waiting."""
    from syndicate.services.approve_issue import schedule

    with says_how_far(frame, issue_id):
        issue = schedule(frame.site.database, issue_id, send_at=at or frame.now, now=frame.now, actor=frame.actor)
        if issue.state == "scheduled" and issue.send_at is not None and issue.send_at > frame.now:
            frame.emit({"id": issue_id, "state": issue.state, "send_at": issue.send_at})
            frame.say(_goes_later(frame, issue, issue.send_at))
            return
        follow(frame, issue_id)


def _goes_later(frame: Frame, issue: Issue, at: datetime) -> str:
    when = at.astimezone(ZoneInfo(frame.site.newsletter(issue.newsletter).timezone))
    return f"Issue {issue.id} goes out at {when:%Y-%m-%d %H:%M %Z}, by the `syndicate run` that is up then."


@contextmanager
def says_how_far(frame: Frame, issue_id: int) -> Iterator[None]:
    """For the block that commits to sending an issue, and follows it: whenever Ctrl-C comes, Stopped says what has
    become of the issue, and whether somebody goes on with it."""
    try:
        yield
    except KeyboardInterrupt:
        raise _stopped(frame, issue_id) from None


def follow(frame: Frame, issue_id: int) -> None:
    """Follows the issue while a worker sends it, or delivers it where none is up, and says how it ended. Raises
    Unfinished; Stopped on Ctrl-C, once the requests of this process have ended."""
    from syndicate.process.delivering import UNDER_WAY, deliver_issue
    from syndicate.process.draining import drained
    from syndicate.process.following import follow_issue
    from syndicate.process.posting import posting

    here = False

    def deliver(stop: Event) -> Ended:
        nonlocal here
        options: dict[str, Any] = {"stop": stop, "progress": lambda done, total: bars.show(name, done, total)}
        ended = follow_issue(frame.site, mail_api, issue_id, **options)
        if ended is None:
            here = True
            ended = deliver_issue(frame.site, mail_api, issue_id, **options)
        return ended

    name = f"Issue {issue_id}"
    with says_how_far(frame, issue_id):
        with posting(frame.site) as mail_api, Bars(frame) as bars:
            ended, told = drained(deliver, lambda: frame.warn(DRAINING) if here else None)
        if told and ended.issue.state in ("scheduled", *UNDER_WAY):
            raise KeyboardInterrupt
        frame.emit({"id": issue_id, "state": ended.issue.state, "why": ended.issue.why, "books": ended.books.as_dict()})
        if not frame.as_json:
            say_ended(frame, ended)
    if ended.unfinished:
        raise Unfinished(ended.unfinished)


def _stopped(frame: Frame, issue_id: int) -> Stopped:
    """As the database has it now: the worker that is up may have begun before this command could look."""
    from syndicate.process.delivering import UNDER_WAY, Ended
    from syndicate.process.presence import worker_is_up
    from syndicate.storage.halt import stopped_by
    from syndicate.storage.issues import get_issue
    from syndicate.storage.ledger import books

    with frame.site.database.read() as connection:
        issue = get_issue(connection, issue_id)
        ended = Ended(issue, books(connection, issue_id), stopped_by(connection))
    if issue.state == "approved":
        return Stopped(f"Stopped. Issue {issue_id} is not sent.", cure=f"`syndicate issues send {issue_id}` sends it.")
    if issue.state == "scheduled" and issue.send_at is not None and issue.send_at > frame.now:
        return Stopped(_goes_later(frame, issue, issue.send_at), cure=f"`syndicate issues cancel {issue_id}` stops it.")
    if issue.state not in ("scheduled", *UNDER_WAY) or ended.stopped_by is not None:
        return Stopped(ended.unfinished or _ending(ended))
    if worker_is_up(frame.site):
        return Stopped(
            f"Issue {issue_id} is not finished, and the worker that is up goes on with it.",
            cure=f"`syndicate issues pause {issue_id}` stops it.",
        )
    return Stopped(
        f"Stopped. Issue {issue_id} is not finished; what was done is kept.",
        cure=f"`syndicate issues send {issue_id}` goes on.",
    )


def say_ended(frame: Frame, ended: Ended) -> None:
    """One line: the state and the books."""
    frame.say(_ending(ended))


def _ending(ended: Ended) -> str:
    balance = ended.books.as_dict()
    parts = ("refused", "suppressed", "withdrawn", "uncertain", "waiting")
    told = [f"{balance['accepted']:,} accepted", *(f"{balance[part]:,} {part}" for part in parts if balance[part])]
    return f"Issue {ended.issue.id} is {ended.issue.state}: {balance['planned']:,} planned, {', '.join(told)}."
