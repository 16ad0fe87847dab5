"""Connections to PostgreSQL that rested: whether they still live is found out before they are used again.

SQLAlchemy's `pool_pre_ping` asks the server before each transaction and waits for its answer, also where hundreds
follow one another in a second. A server that ends a connection, or dies, is noticed without a question: the operating
system says that the other end is closed. What says nothing (a gateway that forgot the connection, a machine that was
gone) forgets none that was used a moment ago.
"""

from __future__ import annotations

import select
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Engine

ASKED_AFTER_SECONDS = 1.0
"""A connection that rested longer is asked."""

_RESTS_SINCE = "syndicate.rests_since"


def ask_the_rested(engine: Engine) -> None:
    """Has the engine's pool replace connections that do not live any more before anybody gets them."""

    def rest(_raw: Any, record: Any) -> None:
        # The wall clock: others stand still while the machine sleeps.
        record.info[_RESTS_SINCE] = time.time()

    def wake(raw: Any, record: Any, _proxy: Any) -> None:
        since = record.info.pop(_RESTS_SINCE, None)
        # One that never rested was opened just now.
        if since is None or (0 <= time.time() - since < ASKED_AFTER_SECONDS and not _is_spoken_to(raw)):
            return
        try:
            engine.dialect.do_ping(raw)
        except engine.dialect.loaded_dbapi.Error as error:
            if not engine.dialect.is_disconnect(error, raw, None):
                raise
            # What the others in the pool were connected to is gone too.
            raise sa.exc.InvalidatePoolError from error

    event.listen(engine, "checkin", rest)
    event.listen(engine, "checkout", wake)


def _is_spoken_to(raw: Any) -> bool:
    """Whether the server said something that nobody asked for, such as goodbye."""
    if raw.closed:
        return True
    asked = select.poll()
    asked.register(raw.fileno(), select.POLLIN)
    return bool(asked.poll(0))
