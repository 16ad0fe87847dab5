"""One request to an ASGI application, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Application = Callable[..., Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(app: Application, path: str, method: str = "GET", **headers: str) -> Answer:
    """The answer to one request; `if_none_match=…` is the header If-None-Match."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    asyncio.run(app(scope, receive, send))
    start, *bodies = sent
    pairs = [(name.decode(), value.decode()) for name, value in start["headers"]]
    assert len({name for name, _ in pairs}) == len(pairs), "no header twice"
    return Answer(start["status"], dict(pairs), b"".join(each.get("body", b"") for each in bodies))
