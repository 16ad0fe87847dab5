"""What every page of the console has to say while it is so: one row."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage.tables import instance


@dataclass(frozen=True, slots=True)
class Banners:
    """Each is "" while all is well: who stopped all sending, why the site is in quarantine, why the clock holds."""

    stopped_by: str = ""
    quarantine: str = ""
    clock_held: str = ""


def banners(connection: Connection) -> Banners:
    """What stands now."""
    columns = ("sending_stopped", "stopped_by", "quarantined", "quarantine_why", "clock_held")
    row = connection.execute(sa.select(*(instance.c[each] for each in columns)).where(instance.c.id == 1)).one_or_none()
    if row is None:
        return Banners()
    return Banners(
        (row.stopped_by or "somebody") if row.sending_stopped else "",
        (row.quarantine_why or "it was copied or restored") if row.quarantined else "",
        row.clock_held,
    )
