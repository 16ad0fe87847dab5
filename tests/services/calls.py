"""The calls that wait in a queue, each taken when a property over whatever order things happen in says so."""

from __future__ import annotations

import threading

import sqlalchemy as sa

from syndicate.core.job import Job
from syndicate.queues.local import LocalQueue
from syndicate.queues.procrastinate import ProcrastinateQueue
from syndicate.storage.database import Database

LANES = ("prepare", "deliver")


class Alone:
    """The queue of one process: it dies with it."""

    def __init__(self, database: Database) -> None:
        self.queue = database.queue = LocalQueue()

    def waiting(self) -> list[str]:
        depth = self.queue.depth()
        return [lane for lane in LANES if lane in depth and depth[lane].waiting]

    def take(self, lane: str) -> Job:
        taken = self.queue.take(lane, threading.Event())
        assert taken is not None
        self.queue.done(taken)
        return taken

    def lose(self) -> None:
        while lanes := self.waiting():
            self.take(lanes[0])


class Shared:
    """That of many processes, in the database: here the hands that take from it are the test's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.queue = database.queue = ProcrastinateQueue(database.engine)

    def waiting(self) -> list[str]:
        depth = self.queue.depth()
        return [lane for lane in LANES if lane in depth and depth[lane].waiting]

    def take(self, lane: str) -> Job:
        query = sa.text(
            "DELETE FROM procrastinate_jobs WHERE id = (SELECT min(id) FROM procrastinate_jobs "
            "WHERE queue_name = :lane) RETURNING args"
        )
        with self._database.write() as connection:
            return Job(**connection.execute(query, {"lane": lane}).scalar_one())

    def lose(self) -> None:
        with self._database.write() as connection:
            connection.execute(sa.text("DELETE FROM procrastinate_jobs"))
