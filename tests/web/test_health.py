"""Whoever watches the web server learns by one request whether it is up, and whether it is ready."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

from syndicate.storage.database import Database, open_database
from syndicate.web.feeds import FeedFiles
from syndicate.web.front import Front
from syndicate.web.health import Readiness


def asked(front: Front, path: str, host: str = "10.0.0.7:8000") -> tuple[int, bytes, dict[bytes, bytes]]:
    """By the address of the machine, as a watcher calls it, and not by the name that readers know."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", host.encode())], "query_string": b""}
    asyncio.run(front(scope, receive, send))
    return sent[0]["status"], sent[1]["body"], dict(sent[0]["headers"])


def front_of(database: Database) -> Front:
    parts: Any = object()
    return Front(
        parts,
        FeedFiles.__new__(FeedFiles),
        parts,
        parts,
        parts,
        https=True,
        stopping=threading.Event(),
        ready=Readiness(database).answer,
    )


def test_it_is_up_and_ready_by_whatever_name_it_is_asked(database: Database) -> None:
    front = front_of(database)
    assert asked(front, "/healthz")[:2] == (200, b"Up.\n")
    status, body, headers = asked(front, "/readyz")
    assert status == 200
    assert json.loads(body)["ready"] is True
    assert headers[b"cache-control"] == b"no-store"


def test_without_its_database_it_is_up_and_not_ready() -> None:
    front = front_of(open_database("postgresql://nobody:secret@127.0.0.1:1/nowhere"))
    assert asked(front, "/healthz")[0] == 200
    status, body, _ = asked(front, "/readyz")
    assert status == 503
    assert json.loads(body) == {"ready": False, "database": "unreachable"}


def test_however_often_it_is_asked_it_looks_once_a_second(database: Database) -> None:
    readiness = Readiness(database)
    assert readiness.answer()[0] == 200
    database.engine.dispose()
    database.require_current = None  # type: ignore[method-assign, assignment]
    assert readiness.answer()[0] == 200
