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


def first_wave_settled(connection: Connection, issue_id: int, spans: Spans) -> tuple[datetime | None, int]:
    """When the batches that begin in one of the spans had ended, all but a few (a tenth, one at least, not all): those
    keep nobody waiting, and go when they can. None before that, with how many of them wait for another try or for their
    turn once each was tried, else 0. When none begins there, as after a change to a mail API of smaller requests, that
    is when the issue began."""
    parts = [
        sa.select(_batches.c.state, _batches.c.settled_at).where(
            _batches.c.issue_id == issue_id, _batches.c.first.between(first, last), _batches.c.state != "split"
        )
        for first, last in spans
    ]
    for part in parts:
        if connection.execute(part.where(_batches.c.state.in_(["planned", "sending"])).limit(1)).first() is not None:
            return None, 0
    if parts:
        wave = sa.union_all(*parts).subquery()
        waits = wave.c.state.in_(sorted(WAITING))
        query = sa.select(sa.func.count(), sa.func.count(sa.case((waits, 1)))).select_from(wave)
        batches, waiting = connection.execute(query).one()
        most = batches - min(max(1, batches // 10), max(0, batches - 1))
        if batches - waiting < most:
            return None, waiting
        if batches:
            # Not the last of all: one that goes later would begin the look anew.
            ended = sa.select(wave.c.settled_at).where(~waits).order_by(wave.c.settled_at)
            return connection.execute(ended.offset(most - 1).limit(1)).scalar_one(), 0
    began = sa.select(_issues.c.started_at).where(_issues.c.id == issue_id)
    return connection.execute(began).scalar_one(), 0


def say_why_it_waits(connection: Connection, issue_id: int, why: str) -> None:
    """What an issue that is being sent waits for, or ""; a paused one keeps its own reason."""
    wait_in_line(connection, issue_id)
    connection.execute(
        sa.update(_issues)
        .where(_issues.c.id == issue_id, _issues.c.state == "sending", _issues.c.why != why)
        .values(why=why)
    )
