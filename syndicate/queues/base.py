"""The port: what a queue of jobs does for whoever has something to do, and for whoever does it.

A queue loses nothing that matters: jobs are signals, and the truth is in the rows. What it promises is that a job which
was put with a committed transaction is taken soon, by one at a time; that jobs of the same key that wait are one; and
that a job put while another of its key is under way is taken after that one has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.engine import Connection

from syndicate.core.job import Job

Handle = Callable[[Job], None]
"""Does a job. What it raises is told in the log, and ends this job and no other."""


@dataclass(frozen=True, slots=True)
class Depth:
    """Jobs of one lane."""

    waiting: int = 0
    under_way: int = 0


class Hands(Protocol):
    """Threads of this process that do jobs."""

    def leave(self, seconds: float) -> Sequence[str]:
        """Takes no job any more, waits for those under way, and returns the keys of those that still run after so many
        seconds."""


class Queue(Protocol):
    """One site's queue. Safe in threads."""

    is_shared: bool
    """Whether other processes take jobs from it; else each process has its own."""

    def defer(self, connection: Connection, jobs: Sequence[Job]) -> None:
        """Puts jobs within the caller's transaction, just before its commit."""

    def wake(self, jobs: Collection[Job]) -> None:
        """That transaction is committed."""

    def put(self, jobs: Iterable[Job]) -> None:
        """Puts jobs now, in a transaction of their own."""

    def standing(self) -> frozenset[str]:
        """The keys of all jobs that wait or are under way."""

    def depth(self) -> Mapping[str, Depth]:
        """How many there are, by lane."""

    def upgrade(self, connection: Connection) -> None:
        """Makes what it keeps in the database, or brings it up to date, in the caller's transaction."""

    def require_current(self, connection: Connection) -> None:
        """Raises StorageError unless what it keeps in the database is up to date."""

    def work(self, handle: Handle, lanes: Mapping[str, int]) -> Hands:
        """Has this process do the jobs of these lanes, at most so many of each at the same time. It also puts jobs
        again that other processes took and left behind when they were killed."""
