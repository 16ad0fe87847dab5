"""The clock of a site: what one tick needs, and the steady clock that bears witness."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from syndicate.core.clock_guard import Reading
from syndicate.core.newsletter import Newsletter
from syndicate.services.draft_issue import Sealed, draft_cadence_issue
from syndicate.services.tick_slots import ACTOR, Draft, Ticked, draft_slot, tick

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from syndicate.site import Site

_STEADY = getattr(time, "CLOCK_BOOTTIME", None)


def steady_seconds() -> float:
    """Seconds of a clock that nobody sets; where the system has one, it goes on while the machine is suspended."""
    return time.monotonic() if _STEADY is None else time.clock_gettime(_STEADY)


def tick_site(site: Site, now: datetime, *, drafts: bool = True, believed: Reading | None = None) -> Ticked:
    """Does all that is due at `now`; without `drafts` it says what is to be drafted. What it returns as `believed` goes
    into the next call of the same process."""
    return tick(
        site.database,
        site.newsletters,
        site.house,
        now=now,
        draft=_drafting(site) if drafts else None,
        editors=site.editors,
        believed=believed,
        steady=steady_seconds(),
    )


def draft_at_site(site: Site, newsletter: str, cadence: str) -> Ticked:
    """Drafts what is due of one cadence, by the site's clock."""
    return draft_slot(
        site.database,
        site.newsletter(newsletter),
        cadence,
        site.house,
        draft=_drafting(site),
        editors=site.editors,
    )


def _drafting(site: Site) -> Draft:
    def draft(newsletter: Newsletter, cadence: str, now: datetime, wanted: Callable[[Connection], bool]) -> Sealed:
        return draft_cadence_issue(site.database, newsletter, cadence, site.house, now=now, actor=ACTOR, wanted=wanted)

    return draft
