"""Skip the next slot of a newsletter, and only that one; or plan it again."""

from __future__ import annotations

from datetime import datetime

from syndicate.clock import next_slots
from syndicate.core.newsletter import Cadence, Newsletter
from syndicate.core.slot import KnownSlot
from syndicate.errors import Refused
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.slots import get_slot, list_slots, lock_rhythm, move_slot, settle_slot, spoken, unclaim_slot


def skip_next(database: Database, newsletter: Newsletter, cadence: Cadence, *, actor: str, now: datetime) -> KnownSlot:
    """The cadence's next slot will not go; its articles go with the one after. Skipping it again changes nothing.

    Raises Refused when the clock has settled it already."""
    [slot] = next_slots(cadence, newsletter.timezone, now, 1)
    name = newsletter.name, cadence.name
    with database.write() as connection:
        lock_rhythm(connection, *name)
        known = get_slot(connection, *name, slot.wall_time)
        if known is None or known.state != "skipped":
            why = f"Skipped by {actor}."
            if not settle_slot(connection, *name, slot, "skipped", actor=actor, now=now, why=why):
                state = known.state if known else "settled"
                raise Refused(f"{newsletter.title}, {spoken(slot.wall_time)}, is {state} already: nothing to skip.")
            known = get_slot(connection, *name, slot.wall_time)
        assert known is not None
        return known


def unskip_next(
    database: Database, newsletter: Newsletter, cadence: Cadence, *, actor: str, now: datetime
) -> KnownSlot:
    """Plans the skipped slot that is still to come again; with the issue that it had, when it was drafted.

    Raises Refused when no coming slot is skipped."""
    name = newsletter.name, cadence.name
    with database.write() as connection:
        lock_rhythm(connection, *name)
        coming = list_slots(
            connection, newsletter=newsletter.name, cadence=cadence.name, states=["skipped"], due_after=now
        )
        if not coming:
            raise Refused(f"No coming slot of {newsletter.title}, {cadence.name}, is skipped.")
        known = coming[-1]
        if known.issue_id is None:
            unclaim_slot(connection, *name, known.wall_time)
        else:
            # The clock finds the issue again, or composes it anew when something came since.
            move_slot(connection, *name, known.wall_time, "drafting", of=["skipped"], why="", settled_at=None)
        detail = {"slot": known.wall_time}
        subject = f"{newsletter.name}/{cadence.name}"
        record(connection, at=now, actor=actor, action="slot.unskip", subject=subject, detail=detail)
        return known
