"""Signals that a transaction gives: jobs that it makes due. They reach the queue with its commit, or not at all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from sqlalchemy.engine import Connection

from syndicate.core.job import Job

_PENDING = "syndicate.signals"


class Signals(Protocol):
    """Where the signals of a database's transactions go: a queue."""

    def defer(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """Puts them within the caller's transaction, just before its commit. One that waits already is no trouble."""

    def wake(self, jobs: Collection[Job]) -> None:
        """The transaction is committed."""

    def upgrade(self, connection: Connection) -> None:
        """Makes what it keeps in the database, or brings it up to date."""

    def require_current(self, connection: Connection) -> None:
        """Raises StorageError unless what it keeps in the database is up to date."""


def signal(connection: Connection, *jobs: Job) -> None:
    """Has the caller's transaction put these jobs, each once."""
    pending: set[Job] = connection.info.setdefault(_PENDING, set())
    pending.update(jobs)


def forget(connection: Connection) -> None:
    """At the beginning of a transaction: what one before it left undone is none of its business."""
    connection.info.pop(_PENDING, None)


def pending(connection: Connection) -> list[Job]:
    """What the transaction has to put, in one order for all: two that put the same jobs wait for each other once."""
    return sorted(connection.info.get(_PENDING, ()))
