"""Feeds with nothing around them but a count of the polls that are answered at once."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

from syndicate.publishing.local import Local
from syndicate.publishing.twins import put_with_twin
from syndicate.web.feeds import FeedFiles
from syndicate.web.polls import Polls
from syndicate.web.whole_request import Headers

OLD = 1_700_000_000
FEED = b'<?xml version="1.0"?><rss version="2.0"><channel><title>Tides</title></channel></rss>' + b" " * 400
LARGE = bytes(range(256)) * 40_000
"""More than what the system takes in for a connection by far."""
POLL = b"GET /feeds/rss.xml HTTP/1.1\r\nHost: x\r\n\r\n"


class Counting(Polls):
    """Knows how many it has answered."""

    answered = 0

    def answer(self, data: bytes, defaults: Headers) -> tuple[bytes, ...] | None:
        answer = super().answer(data, defaults)
        self.answered += answer is not None
        return answer


class Published:
    """The feeds of a folder as an application, with answers at once; /slow is answered when it may go on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.feeds = FeedFiles(folder)
        self.polls = Counting(self.feeds)
        self.waits, self.may_go_on = threading.Event(), threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/slow":
            self.waits.set()
            while not self.may_go_on.is_set():
                await asyncio.sleep(0.01)
        await self.feeds(scope, receive, send)


def published(folder: Path) -> Published:
    """A folder with some files in it."""
    target = Local(folder)
    put_with_twin(target, "rss.xml", FEED)
    put_with_twin(target, "index.html", b"<!doctype html><title>Feeds</title>")
    put_with_twin(target, "articles/1.html", b"<!doctype html><title>One</title>" + b" " * 300)
    target.put("world/100%25.xml", b"<feed/>")
    target.put("large.bin", LARGE)
    for path in folder.rglob("*.*"):
        os.utime(path, (OLD, OLD))
    return Published(folder)


def request(*fields: str, path: str = "/feeds/rss.xml", method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    """The octets of a request with those header fields."""
    return "\r\n".join([f"{method} {path} {version}", "Host: 127.0.0.1", *fields, "", ""]).encode("latin-1")
