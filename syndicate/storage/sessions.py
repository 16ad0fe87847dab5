"""A connection of one's own to PostgreSQL, with which locks live and die."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.errors import StorageError
from syndicate.storage.database import Database
from syndicate.storage.failures import one_sentence


@contextmanager
def own_session(database: Database) -> Iterator[Connection]:
    """A connection out of the pool, each statement its own transaction; closed with the block. Raises StorageError when
    it leads to no session of its own: then a lock would be anybody's."""
    with one_sentence(database.engine.url):
        session = database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    try:
        with one_sentence(database.engine.url):
            session.detach()
            kept = _is_kept(session, database)
        if not kept:
            raise StorageError(
                "Between here and PostgreSQL stands a pool that gives each transaction another session, such as "
                "PgBouncer with pool_mode = transaction: a worker's lock would be anybody's.",
                cure="Name the server itself in [database] url, or a pool with pool_mode = session.",
            )
        yield session
    finally:
        session.close()


def _is_kept(session: Connection, database: Database) -> bool:
    """Whether one statement after another reaches the same process of the server."""
    told = session.connection.dbapi_connection
    assert told is not None
    serves = sa.select(sa.func.pg_backend_pid())
    first = session.execute(serves).scalar_one()
    if told.info.backend_pid == first:
        return True
    # A pool answers for the server. Where it gives sessions away, what another transaction holds is not ours now.
    with database.engine.connect() as other:
        taken = other.execute(serves).scalar_one()
        return bool(taken != first and session.execute(serves).scalar_one() == first)
