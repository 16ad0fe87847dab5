"""Letters, the mails to one person, that are not settled: those that wait, and those of which nobody can tell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.alert import LETTERS_LATE, LETTERS_LOOKED_FOR, Trouble, letters_troubles
from syndicate.core.batch import Step
from syndicate.errors import NotFound
from syndicate.storage.tables import transactional_mails as _mails
from syndicate.storage.transactional_ledger import settle_mail

MOST = 200
"""So many are shown at once."""
_PARKED = sa.and_(_mails.c.state == "uncertain", _mails.c.retry_at.is_(None))
_LOOKED_FOR = sa.and_(_mails.c.state == "uncertain", _mails.c.retry_at.is_not(None))
_WAITING = _mails.c.state.in_(["planned", "retry"])


@dataclass(frozen=True, slots=True)
class Letter:
    """One of them, without what it says. `retry_at` is when it goes on by itself; `why` is what kept it."""

    id: int
    kind: str
    to_email: str
    subject: str
    created_at: datetime
    state: str
    why: str
    attempts: int
    retry_at: datetime | None
    worker_id: str

    @property
    def owners(self) -> tuple[str, ...]:
        """The workers that may still be posting it, if they live."""
        return tuple(self.worker_id.split())


_COLUMNS = [_mails.c[name] for name in Letter.__dataclass_fields__]


def open_letters(connection: Connection, limit: int = MOST) -> list[Letter]:
    """Those that are not settled, the oldest first."""
    # By the index of states: those that are settled are the many.
    query = sa.select(*_COLUMNS).where(_mails.c.state.in_(["planned", "retry", "sending", "uncertain"]))
    return [Letter(*row) for row in connection.execute(query.order_by(_mails.c.created_at, _mails.c.id).limit(limit))]


def get_letter(connection: Connection, number: int, *, lock: bool = False) -> Letter:
    """One, whatever became of it. Raises NotFound."""
    query = sa.select(*_COLUMNS).where(_mails.c.id == number)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound(f"There is no letter {number}.", cure="`syndicate letters list` shows which there are.")
    return Letter(*row)


def decide_letter(connection: Connection, letter: Letter, step: Step) -> bool:
    """What a person decided of it; False when it is in another state by now."""
    return settle_mail(connection, letter.id, letter.state, step, letter.attempts, letter.owners)


def note_why(connection: Connection, number: int, why: str) -> None:
    """Why a letter that waits cannot even be tried."""
    changed = sa.and_(_mails.c.id == number, _WAITING, _mails.c.why != why[:1000])
    connection.execute(sa.update(_mails).where(changed).values(why=why[:1000]))


def troubles_of_letters(connection: Connection, now: datetime, zone: str) -> Sequence[Trouble]:
    """What is to be told of letters at `now`, in the time of `zone`."""
    late = sa.or_(
        sa.and_(_WAITING, _mails.c.created_at <= now - LETTERS_LATE),
        sa.and_(_LOOKED_FOR, _mails.c.created_at <= now - LETTERS_LOOKED_FOR),
    )
    return letters_troubles(*_oldest(connection, late), *_oldest(connection, _PARKED), zone=zone)


def _oldest(connection: Connection, which: sa.ColumnElement[bool]) -> tuple[int, datetime | None, str]:
    """How many there are, since when the oldest, and the latest reason that is known of one of them."""
    found = sa.select(sa.func.count(), sa.func.min(_mails.c.created_at)).where(which)
    count, since = connection.execute(found).one()
    if not count:
        return 0, None, ""
    said = sa.select(_mails.c.why).where(which, _mails.c.why != "")
    # The latest that was posted knows best; those that never were come last.
    latest = said.order_by(sa.func.coalesce(_mails.c.posted_at, _mails.c.created_at).desc()).limit(1)
    return int(count), since, connection.execute(latest).scalar_one_or_none() or ""
