"""When an article is published, held back, numbered: the rules, as steps from one standing to the next.

An article gets its number when it first becomes publishable (nobody and no mark holds it, its embargo and its date are
over). Whatever takes a published article back burns its number; published again it gets a new one. Backlog, what a
source already held when it was first seen, is published without a number until an editor includes it; held and
released again it is backlog still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from syndicate.core.article import Status
from syndicate.errors import Refused

HeldBy = Literal["", "mark", "editor", "tripwire"]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one article stands. `not_before` is the later of embargo and future date; `held_by` says whether a mark in
    its file holds it (an edit of the file may let it go), or an editor or the tripwire (only an editor may)."""

    status: Status
    held_by: HeldBy = ""
    hold_reason: str = ""
    not_before: datetime | None = None
    number: int | None = None
    backlog: bool = False
    published_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def published(self) -> bool:
        """Whether feeds and pages show it."""
        return self.status == "released"


def is_due(standing: Standing, now: datetime) -> bool:
    """Whether it becomes publishable at this moment."""
    return standing.status == "waiting" and (standing.not_before is None or standing.not_before <= now)


def on_arrival(
    hold: str,
    not_before: datetime | None,
    now: datetime,
    *,
    backlog_since: datetime | None = None,
    tripwire: str = "",
) -> Standing:
    """The standing of an article seen for the first time. `backlog_since` is given in a source's first look: the
    article's own date, else its file's. What is held or not yet due in a first look is not backlog: it becomes
    publishable later, which makes it new. `tripwire` says why all that looks new at once is held."""
    if hold:
        return Standing("held", "mark", hold, not_before)
    if tripwire:
        return Standing("held", "tripwire", tripwire, not_before)
    if backlog_since is not None and (not_before is None or not_before <= now):
        return Standing(
            "released", not_before=not_before, backlog=True, published_at=backlog_since, updated_at=backlog_since
        )
    return Standing("waiting", not_before=not_before)


def on_edit(standing: Standing, hold: str, not_before: datetime | None, now: datetime) -> Standing:
    """The standing after its file changed. A mark or an embargo that appears takes a published article back; a mark
    that is gone lets go what only the mark held. The hold of an editor or of the tripwire outlasts every edit."""
    if standing.status == "gone":
        return standing
    changed = replace(standing, not_before=not_before)
    if standing.held_by in ("editor", "tripwire"):
        return changed
    if hold:
        return replace(changed, status="held", held_by="mark", hold_reason=hold, number=None)
    if not_before is not None and not_before > now:
        return replace(changed, status="waiting", held_by="", hold_reason="", number=None)
    return changed if standing.published else replace(changed, status="waiting", held_by="", hold_reason="")


def hold(standing: Standing, because: str) -> Standing:
    """An editor holds it. Raises Refused for a retracted article."""
    if standing.status == "gone":
        raise Refused("The article was retracted: there is nothing to hold.")
    return replace(standing, status="held", held_by="editor", hold_reason=because or "by an editor", number=None)


def keep_back(standing: Standing, why: str) -> Standing:
    """The tripwire holds it, unless somebody or something does so already."""
    if standing.status == "gone" or standing.held_by in ("mark", "editor"):
        return standing
    return replace(standing, status="held", held_by="tripwire", hold_reason=why, number=None)


def let_through(standing: Standing) -> Standing:
    """The tripwire holds it no more."""
    if standing.held_by != "tripwire":
        return standing
    return replace(standing, status="waiting", held_by="", hold_reason="")


def as_backlog(standing: Standing, since: datetime, now: datetime) -> Standing:
    """What the tripwire holds was there all along: it is published as backlog, `since` its own date, else its arrival.
    What is not yet due becomes publishable later, which makes it new."""
    waiting = let_through(standing)
    if waiting == standing or (waiting.not_before is not None and waiting.not_before > now):
        return waiting
    since = min(since, now)
    return replace(waiting, status="released", backlog=True, published_at=since, updated_at=since)


def retract(standing: Standing) -> Standing:
    """An editor takes it back for good, wherever it stands: its number is burnt and nothing but an editor brings it
    back. Once more changes nothing."""
    return replace(standing, status="gone", held_by="", hold_reason="", not_before=None, number=None)


def release(
    standing: Standing, now: datetime, *, before_its_time: bool = False, retracted: bool = False
) -> Standing:
    """An editor lets it go, whoever or whatever holds it: a mark that still stands in the file counts again only when
    the file changes. `before_its_time` lifts an embargo or a future date too; `retracted` takes a retraction back.
    Raises Refused when nothing holds it."""
    if standing.status == "gone":
        if not retracted:
            raise Refused("The article was retracted.", cure="Add --retracted to take the retraction back.")
        return replace(standing, status="waiting")
    if standing.published:
        raise Refused("The article is released already.")
    early = standing.not_before is not None and standing.not_before > now
    if standing.status == "waiting" and early and not before_its_time:
        raise Refused(
            f"The article waits for {standing.not_before:%Y-%m-%d %H:%M} UTC.",
            cure="Add --now to release it before its embargo or date.",
        )
    not_before = None if early and before_its_time else standing.not_before
    return replace(standing, status="waiting", held_by="", hold_reason="", not_before=not_before)


def wants_number(standing: Standing) -> bool:
    """Whether becoming publishable gives it a number."""
    return not standing.backlog


def publish(standing: Standing, number: int | None, now: datetime) -> Standing:
    """It becomes publishable: with its number, or, as backlog, without one and where it stood in time."""
    if standing.backlog:
        return replace(standing, status="released")
    return replace(standing, status="released", number=number, published_at=now, updated_at=now)


def include(standing: Standing, number: int) -> Standing:
    """Backlog gets a number, so that the next windows have it; where feeds show it in time stays. Raises Refused."""
    if not standing.published:
        raise Refused(f"The article is {standing.status}: only published backlog can be included.")
    if not standing.backlog:
        raise Refused(f"The article has its number already ({standing.number}).")
    return replace(standing, backlog=False, number=number)


def updated_after(
    declared: datetime | None, declared_before: datetime | None, updated_at: datetime | None, now: datetime
) -> datetime | None:
    """What feeds show as updated after an edit: it moves only when front matter's `updated` is newer than the one taken
    before and than what is shown; never past the present."""
    if declared is None or updated_at is None or (declared_before is not None and declared <= declared_before):
        return updated_at
    return max(updated_at, min(declared, now))


def winner(holders: Sequence[str], precedence: Sequence[str]) -> str:
    """Of the sources that hold an article, the one whose version is shown: the one named first in the settings."""
    order = {name: place for place, name in enumerate(precedence)}
    return min(holders, key=lambda name: (order.get(name, len(order)), name))
