"""Settle a letter, a mail to one person, of which nobody can tell or that cannot go: send it again, or give it up."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from syndicate.core.batch import Step
from syndicate.errors import Refused
from syndicate.storage.audit import record
from syndicate.storage.database import Database, database_now
from syndicate.storage.letters import Letter, decide_letter, get_letter
from syndicate.storage.workers import lives_of


def send_again(database: Database, number: int, *, directory: Path, actor: str, now: datetime) -> Letter:
    """Has it posted again, under a new key: whoever has it already gets it twice. One that waits is tried at once.
    `directory` is the site's folder.

    Raises NotFound; Refused when it is settled, being posted now, or may still be posted by a process that lives."""
    with database.read() as connection:
        owners = get_letter(connection, number).owners
    if "alive" in lives_of(database, directory, owners).values():
        raise Refused(
            f"A process that may still be posting letter {number} has not ended.",
            cure="End it, or wait for it, then decide again.",
        )
    return _decide(database, number, again=True, actor=actor, now=now)


def give_up(database: Database, number: int, *, actor: str, now: datetime) -> Letter:
    """Ends it as refused; what it says is forgotten. Raises NotFound; Refused when it is settled, or being posted."""
    return _decide(database, number, again=False, actor=actor, now=now)


def _decide(database: Database, number: int, *, again: bool, actor: str, now: datetime) -> Letter:
    with database.write() as connection:
        letter = get_letter(connection, number, lock=True)
        if letter.state in ("accepted", "refused"):
            raise Refused(f"Letter {number} is {letter.state} already: there is nothing to decide.")
        if letter.state == "sending":
            raise Refused(f"Letter {number} is being posted now.", cure="Wait for its answer, then decide.")
        step = (
            Step("retry", f"{actor} sends it again", retry_at=database_now(connection))
            if again
            else Step("refused", f"{actor} gave it up")
        )
        decide_letter(connection, letter, step)
        detail = {"kind": letter.kind, "was": letter.state}
        action = "letter.again" if again else "letter.give-up"
        record(connection, at=now, actor=actor, action=action, subject=str(number), detail=detail)
    return letter
