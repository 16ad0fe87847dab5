"""What stands in front of everything: feeds and the program's files from memory; the rest only under a name of this
server, within a size, and with headers that close what pages do not need."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.concurrency import run_in_threadpool

from syndicate.web.feeds import FeedFiles
from syndicate.web.health import READY, UP
from syndicate.web.polls import Polls
from syndicate.web.reports import Reports
from syndicate.web.security.body_limit import Limited, TooLarge, limit_for
from syndicate.web.security.headers import add_headers
from syndicate.web.security.hosts import Hosts, header, is_loopback, split_host
from syndicate.web.static_files import ICON, StaticFiles
from syndicate.web.static_files import PREFIX as STATIC
from syndicate.web.webhooks import PREFIX as WEBHOOKS
from syndicate.web.webhooks import Webhooks

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Front:
    """The outermost ASGI application. `stopping` is set when the server leaves: streams without end watch it. `polls`
    and `reports` are for a server that can answer those without ASGI."""

    def __init__(
        self,
        app: Any,
        feeds: FeedFiles,
        files: StaticFiles,
        webhooks: Webhooks,
        hosts: Hosts,
        *,
        https: bool,
        stopping: threading.Event,
        ready: Callable[[], tuple[int, bytes]],
    ) -> None:
        self.app = app
        self._webhooks = webhooks
        self.stopping = stopping
        self._feeds = feeds
        self.polls = Polls(feeds)
        self.reports = Reports(webhooks, hosts, https=https)
        self._files = files
        self._hosts = hosts
        self._https = https
        self._ready = ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        path: str = scope["path"]
        if path.startswith("/feeds/") or path == "/feeds":
            await self._feeds(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
        elif path in ("/up", UP):
            # No name is asked for: whoever watches the server calls it by its address.
            await _say(200, "Up.", send)
        elif path == READY:
            status, document = await run_in_threadpool(self._ready)
            await _answer(status, b"application/json", document, send)
        else:
            await self._closed(path, scope, receive, send)

    async def _closed(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        host = header(scope["headers"], b"host") or ""
        https_for_good = self._https and not is_loopback(split_host(host))
        begun = False

        async def send_closed(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = add_headers(path, message.get("headers", ()), https_for_good=https_for_good)
                message = {**message, "headers": headers}
            await send(message)

        if not self._hosts.has(host):
            await _say(
                421, "This server does not go by that name. [web] url in syndicate.toml says its name.", send_closed
            )
            return
        # PostgreSQL keeps no NUL in a text, and no address of ours has one.
        if "\0" in path or b"%00" in scope.get("query_string", b""):
            await _say(400, "An address holds no NUL.", send_closed)
            return
        if path.startswith(STATIC) or path == ICON:
            await self._files(scope, receive, send_closed)
            return
        if path.startswith(WEBHOOKS):
            # How much they take, each mail API's says by itself.
            await self._webhooks(scope, receive, send_closed)
            return
        limit = limit_for(path)
        said = header(scope["headers"], b"content-length")
        if said is not None and said.isdigit() and int(said) > limit:
            await _too_large(limit, send_closed)
            return
        body = Limited(receive, limit)

        async def send_unless_too_large(message: MutableMapping[str, Any]) -> None:
            if begun or not body.exceeded:
                await send_closed(message)

        try:
            if scope["method"] == "HEAD":
                await _head(self.app, scope, body, send_unless_too_large)
            else:
                await self.app(scope, body, send_unless_too_large)
        except TooLarge:
            if begun:
                raise
        if body.exceeded and not begun:
            await _too_large(limit, send_closed)


async def _head(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """What a GET would say, without its content (RFC 9110 §9.3.2). A stream without end is left at its beginning."""
    said = asyncio.Event()

    async def receive_until_said() -> MutableMapping[str, Any]:
        # A body means nothing here: what asks for more than the head hears that nobody waits for it.
        await said.wait()
        return {"type": "http.disconnect"}

    async def send_head(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b""})
            said.set()

    await app({**scope, "method": "GET"}, receive_until_said, send_head)


async def _too_large(limit: int, send: Send) -> None:
    await _say(413, f"That is more than the {limit:,} bytes that are taken here.", send)


async def _say(status: int, sentence: str, send: Send) -> None:
    await _answer(status, b"text/plain; charset=utf-8", (sentence + "\n").encode(), send)


async def _answer(status: int, kind: bytes, body: bytes, send: Send) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
