"""How an issue that is being sent stands: its first wave, what readers' mail servers say, and what it waits for."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.batch import WAITING
from syndicate.core.first_wave import Standing
from syndicate.storage import tables
from syndicate.storage.batches import Spans
from syndicate.storage.books import books
from syndicate.storage.fair_locks import wait_in_line

_batches, _events, _issues = tables.batches, tables.events, tables.issues


def standing_of(connection: Connection, issue_id: int) -> Standing:
    """From the books and the events that have come."""
    balance = books(connection, issue_id)
    query = (
        sa.select(_events.c.kind, sa.func.count())
        .where(_events.c.issue_id == issue_id, _events.c.kind.in_(["hard bounce", "complaint"]))
        .group_by(_events.c.kind)
    )
    events = {kind: int(count) for kind, count in connection.execute(query)}
    return Standing(balance.accepted, balance.refused, events.get("hard bounce", 0), events.get("complaint", 0))


def see_standing(connection: Connection, issue_id: int) -> None:
    """A person lets it go on: what happened so far stops it no more, and a first wave needs no further look."""
    standing = asdict(standing_of(connection, issue_id))
    connection.execute(sa.update(_issues).where(_issues.c.id == issue_id).values(standing_seen=standing))


def first_wave_settled(connection: Connection, issue_id: int, spans: Spans) -> datetime | None:
    """When the last of the batches that begin in one of the spans was settled; None while one of them waits. When none
    begins there, as after a change to a mail API of smaller requests, that is when the issue began."""
    found = []
    for first, last in spans:
        here = sa.and_(_batches.c.issue_id == issue_id, _batches.c.first.between(first, last))
        waits = sa.select(_batches.c.id).where(here, _batches.c.state.in_(sorted(WAITING))).limit(1)
        if connection.execute(waits).first() is not None:
            return None
        found.append(connection.execute(sa.select(sa.func.max(_batches.c.settled_at)).where(here)).scalar_one())
    began = sa.select(_issues.c.started_at).where(_issues.c.id == issue_id)
    settled: datetime | None = max(filter(None, found), default=None) or connection.execute(began).scalar_one()
    return settled


def say_why_it_waits(connection: Connection, issue_id: int, why: str) -> None:
    """What an issue that is being sent waits for, or ""; a paused one keeps its own reason."""
    wait_in_line(connection, issue_id)
    connection.execute(
        sa.update(_issues)
        .where(_issues.c.id == issue_id, _issues.c.state == "sending", _issues.c.why != why)
        .values(why=why)
    )
