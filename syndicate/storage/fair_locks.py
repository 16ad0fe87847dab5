"""A line in front of the rows that claims share and somebody else must change: an issue's, and that of the site.

PostgreSQL lets whoever shares a row in before those who wait to change it, as long as anybody shares it: with some
workers who claim one batch after the other, whoever stops them waits for seconds. Its advisory locks are given in turn.
So claims share one before they share the row, and whoever changes the row waits in line for it first. What holds is the
lock of the row all the same. A SQLite writer is alone.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

SITE = 0
"""The row of the site; an issue's is its number."""
_CLASS = 0x53796E64
"""Spells "Synd": the first of two keys, so that it meets no lock of one."""


def share(connection: Connection, *rows: int) -> None:
    """Shares the rows' places in line to commit, behind those who wait in it."""
    if connection.dialect.name != "sqlite":
        connection.execute(_share(len(rows)), {f"row_{place}": _key(row) for place, row in enumerate(rows)})


def wait_in_line(connection: Connection, row: int) -> None:
    """Has the row's place in line to commit, alone."""
    if connection.dialect.name != "sqlite":
        connection.execute(_WAIT, {"row": _key(row)})


def _key(row: int) -> int:
    return row & 0x7FFFFFFF


def _place(name: str) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    return sa.cast(_CLASS, sa.Integer), sa.cast(sa.bindparam(name, type_=sa.Integer), sa.Integer)


@cache
def _share(rows: int) -> sa.Select[Any]:
    return sa.select(*(sa.func.pg_advisory_xact_lock_shared(*_place(f"row_{each}")) for each in range(rows)))


_WAIT = sa.select(sa.func.pg_advisory_xact_lock(*_place("row")))
