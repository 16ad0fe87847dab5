"""Pause a newsletter, and go on with it."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.slot import OPEN, Slot
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.definition_states import set_paused
from syndicate.storage.slots import change_rhythm, list_rhythms, list_slots, lock_rhythm, settle_slot


def pause_newsletter(database: Database, newsletter: str, *, actor: str, now: datetime) -> bool:
    """Once this has returned the clock drafts and sends nothing of it; what is under way goes on, and an editor may
    still send by hand. False when it was paused already. Raises NotFound."""
    with database.write() as connection:
        # A slot is claimed under its cadence's lock: with all of them held, none is being claimed.
        for _, cadence in sorted(key for key in list_rhythms(connection) if key[0] == newsletter):
            lock_rhythm(connection, newsletter, cadence)
        changed = set_paused(connection, "newsletters", newsletter, True)
        if changed:
            record(connection, at=now, actor=actor, action="newsletter.pause", subject=newsletter)
        return changed


def resume_newsletter(database: Database, newsletter: str, *, actor: str, now: datetime) -> bool:
    """Goes on with the next slot, which takes all that came since the last issue. What was due meanwhile is nobody's.
    False when it was not paused. Raises NotFound."""
    with database.write() as connection:
        cadences = sorted(key[1] for key in list_rhythms(connection) if key[0] == newsletter)
        for cadence in cadences:
            lock_rhythm(connection, newsletter, cadence)
        changed = set_paused(connection, "newsletters", newsletter, False)
        if not changed:
            return False
        for cadence in cadences:
            change_rhythm(connection, newsletter, cadence, horizon_at=now)
            for each in list_slots(connection, newsletter=newsletter, cadence=cadence, states=OPEN):
                if each.due_at <= now:
                    slot, why = Slot(each.due_at, each.wall_time), "The newsletter was paused at its time."
                    settle_slot(connection, newsletter, cadence, slot, "skipped", actor=actor, now=now, why=why)
        record(connection, at=now, actor=actor, action="newsletter.resume", subject=newsletter)
        return True
