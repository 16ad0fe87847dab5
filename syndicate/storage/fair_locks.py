"""A line in front of the rows that claims share and somebody else must change: an issue's, and that of the site.

PostgreSQL lets whoever shares a row in before those who wait to change it, as long as anybody shares it: with some
workers who claim one batch after the other, whoever stops them waits for seconds. Its advisory locks are given in turn.
So claims share one before they share the row, and whoever changes the row waits in line for it first. What holds is the
lock of the row all the same. A SQLite writer is alone.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

SITE = 0
"""The row of the site; an issue's is its number."""
_CLASS = 0x53796E64
"""Spells "Synd": the first of two keys, so that it meets no lock of one."""


def share(connection: Connection, *rows: int) -> None:
    """Shares the rows' places in line to commit, behind those who wait in it."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(*(sa.func.pg_advisory_xact_lock_shared(*_key(row)) for row in rows)))


def wait_in_line(connection: Connection, row: int) -> None:
    """Has the row's place in line to commit, alone."""
    if connection.dialect.name != "sqlite":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(*_key(row))))


def _key(row: int) -> tuple[sa.ColumnElement[int], sa.ColumnElement[int]]:
    return sa.cast(_CLASS, sa.Integer), sa.cast(row & 0x7FFFFFFF, sa.Integer)
