"""Rows of sources: when each was looked at and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.errors import NotFound
from syndicate.storage import tables

_sources = tables.sources


@dataclass(frozen=True, slots=True)
class SourceState:
    """`first_look_at` is when all that it held was known for the first time: what came later is new. `problem` is why
    the last look failed, or "". `state` is what its adapter keeps from look to look."""

    name: str
    kind: str
    first_look_at: datetime | None
    last_look_at: datetime | None
    last_ok_at: datetime | None
    last_new_at: datetime | None
    problem: str
    paused: bool
    retired: bool
    state: Mapping[str, Any] = field(default_factory=dict)


def get_source(connection: Connection, name: str, *, lock: bool = False) -> SourceState:
    """The source's row; `lock` holds it to commit, so that two collectors of one source take turns. Raises NotFound."""
    query = sa.select(_sources).where(_sources.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        raise NotFound(f"There is no source {name!r} in the database.", cure="Is it in syndicate.toml?")
    return SourceState(**row._mapping)


def list_sources(connection: Connection) -> list[SourceState]:
    """Every source that ever was, by name."""
    return [SourceState(**row._mapping) for row in connection.execute(sa.select(_sources).order_by(_sources.c.name))]


def record_empty_first_look(connection: Connection, name: str, now: datetime) -> None:
    """The source is known to hold nothing yet: all that comes is new, and nothing is backlog."""
    connection.execute(
        sa.update(_sources).where(_sources.c.name == name, _sources.c.first_look_at.is_(None)).values(first_look_at=now)
    )


def record_look(
    connection: Connection, name: str, now: datetime, *, found_new: bool, state: Mapping[str, Any] | None = None
) -> None:
    """A whole look went well. The first of them ends the backlog. Without `state` the one that is kept stays."""
    values: dict[str, Any] = {"last_look_at": now, "last_ok_at": now, "problem": ""}
    first = _sources.c.first_look_at
    values["first_look_at"] = sa.func.coalesce(first, sa.bindparam("moment", now, first.type))
    if found_new:
        values["last_new_at"] = now
    if state is not None:
        values["state"] = dict(state)
    connection.execute(sa.update(_sources).where(_sources.c.name == name).values(values))


def record_failed_look(
    connection: Connection, name: str, now: datetime, problem: str, *, state: Mapping[str, Any] | None = None
) -> None:
    """The source could not be read. Without `state` the one that is kept stays."""
    values: dict[str, Any] = {"last_look_at": now, "problem": problem}
    if state is not None:
        values["state"] = dict(state)
    connection.execute(sa.update(_sources).where(_sources.c.name == name).values(values))
