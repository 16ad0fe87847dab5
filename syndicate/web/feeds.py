"""The published files under /feeds/, in front of everything else that the server does.

A file is read when it is first asked for and answered from memory from then on. At most every half second it is looked
at whether the file is still the one that was read, so that what another process publishes is served within that time;
nothing has to be told to this one. Feeds stay in memory, articles' pages as long as there is room.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from time import monotonic, time
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from syndicate.web.conditions import Asked, asked, is_since, names_any, prefers_gzip
from syndicate.web.feed_file import OPEN_TO_ALL, Coded, FeedFile, Message, is_plain, load, stamp_of

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/feeds/"
INDEX = "index.html"
LOOK_SECONDS = 0.5
PAGES_BYTES = 64_000_000
"""What articles' pages may take in memory."""
FEEDS_BYTES = 512_000_000
"""What everything else may take: a site of many hundred large feeds stays below it."""
MOST_WITHDRAWN = 10_000
_MOST_CODINGS = 1_000

_METHODS = b"GET, HEAD, OPTIONS"
_EMPTY: Message = {"type": "http.response.body", "body": b""}
_OPTIONS: Message = {
    "type": "http.response.start",
    "status": 204,
    "headers": [
        (b"allow", _METHODS),
        (b"access-control-allow-methods", _METHODS),
        (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since"),
        (b"access-control-max-age", b"86400"),
        *OPEN_TO_ALL,
    ],
}


class _Kept:
    """A file in memory, and when it was last looked at."""

    __slots__ = ("file", "looked_at")

    def __init__(self, file: FeedFile, looked_at: float) -> None:
        self.file = file
        self.looked_at = looked_at


class _Shelf:
    """Files in memory, the least asked for put away when there is no more room."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self.bytes = 0

    def get(self, path: str) -> _Kept | None:
        kept = self._kept.get(path)
        if kept is not None:
            self._kept.move_to_end(path)
        return kept

    def put(self, path: str, kept: _Kept) -> list[str]:
        """Returns what was put away for it."""
        self.remove(path)
        self._kept[path] = kept
        self.bytes += kept.file.size
        put_away: list[str] = []
        while self.bytes > self._room and len(self._kept) > 1:
            put_away.append(next(iter(self._kept)))
            self.remove(put_away[-1])
        return put_away

    def remove(self, path: str) -> None:
        kept = self._kept.pop(path, None)
        if kept is not None:
            self.bytes -= kept.file.size


class FeedFiles:
    """An ASGI application: `/feeds/…` is `folder` byte for byte. Needs no start and no end."""

    def __init__(self, folder: Path, *, pages_bytes: int = PAGES_BYTES, clock: Callable[[], float] = monotonic) -> None:
        self._root = os.fspath(folder)
        self._clock = clock
        self._pages = _Shelf(pages_bytes)
        self._feeds = _Shelf(FEEDS_BYTES)
        # Feeds by their address as it is usually spelled, so that a poll costs one look into a table.
        self._at_hand: dict[bytes, _Kept] = {}
        self._codings: dict[bytes, bool] = {}
        self._withdrawn: OrderedDict[str, None] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                await send({"type": "websocket.close", "code": 1000})
            return
        method = scope["method"]
        if method != "GET" and method != "HEAD":
            await self._other_method(method, send)
            return
        raw_path = scope.get("raw_path") or scope["path"].encode()
        chosen = self.choose(raw_path, asked(scope["headers"]))
        if chosen is None:
            await self._nothing(raw_path, method, send)
            return
        coded, unchanged = chosen
        if unchanged:
            await send(coded.unchanged)
            await send(_EMPTY)
        else:
            await send(coded.whole)
            await send(_EMPTY if method == "HEAD" else coded.body)

    def choose(self, raw_path: bytes, asked: Asked) -> tuple[Coded, bool] | None:
        """What is answered to a GET or HEAD: the file in the coding that is asked for, and whether the asker holds it
        already. None when no file is there. `raw_path` is as the request has it."""
        kept = self._at_hand.get(raw_path)
        if kept is not None and self._clock() - kept.looked_at < LOOK_SECONDS:
            file = kept.file
        else:
            path = self._path(raw_path)
            found = None if path is None else self._file(path)
            if found is None:
                return None
            file = found
        none_match, since, accept = asked
        coded = file.plain
        if accept is not None and file.gzipped is not None and self._wants_gzip(accept):
            coded = file.gzipped
        if none_match is not None:
            if none_match == coded.tag:
                return coded, True
            # A cache may hold the other coding: it is as current, and the answer repeats the tag that was named.
            order = (coded, *(each for each in (file.plain, file.gzipped) if each and each is not coded))
            place = names_any(none_match, tuple(each.tag for each in order))
            return (order[place], True) if place >= 0 else (coded, False)
        unchanged = since is not None and (since == file.http_modified or is_since(since, file.last_modified))
        return coded, unchanged

    def _wants_gzip(self, accept: bytes) -> bool:
        wants = self._codings.get(accept)
        if wants is None:
            if len(self._codings) >= _MOST_CODINGS:
                self._codings.clear()
            wants = self._codings[accept] = prefers_gzip(accept)
        return wants

    def _path(self, raw_path: bytes) -> str | None:
        """The path in the folder that a request spells; None for one that cannot be in it."""
        try:
            path = unquote_to_bytes(raw_path).decode()
        except UnicodeDecodeError:
            return None
        if not path.startswith(PREFIX):
            return None
        path = path.removeprefix(PREFIX)
        if path == "" or path.endswith("/"):
            path += INDEX
        return path if is_plain(path) else None

    def _file(self, path: str) -> FeedFile | None:
        is_page = path.startswith("articles/")
        shelf = self._pages if is_page else self._feeds
        kept = shelf.get(path)
        now = self._clock()
        if kept is not None and now - kept.looked_at < LOOK_SECONDS:
            return kept.file
        if kept is not None and not kept.file.fresh and stamp_of(f"{self._root}/{path}") == kept.file.stamp:
            kept.looked_at = now
            return kept.file
        file = load(self._root, path, time())
        if file is None:
            if kept is not None:
                shelf.remove(path)
                self._at_hand.pop(_usual_spelling(path), None)
                self._note_withdrawn(path)
            return None
        kept = _Kept(file, now)
        for put_away in shelf.put(path, kept):
            self._at_hand.pop(_usual_spelling(put_away), None)
        if not is_page:
            self._at_hand[_usual_spelling(path)] = kept
        self._withdrawn.pop(path, None)
        return file

    def _note_withdrawn(self, path: str) -> None:
        self._withdrawn[path] = None
        if len(self._withdrawn) > MOST_WITHDRAWN:
            self._withdrawn.popitem(last=False)

    def _place_of_folder(self, path: str | None, raw_path: bytes) -> str:
        """Where the folder is that was asked for without its last stroke; "" when none was."""
        if raw_path == PREFIX[:-1].encode():
            return "./feeds/"
        if path is None or path.endswith("/" + INDEX) or path == INDEX:
            return ""
        real_root, real = os.path.realpath(self._root), os.path.realpath(f"{self._root}/{path}")
        if not real.startswith(real_root.rstrip("/") + "/") or not os.path.isdir(real):
            return ""
        # Relative, so that it holds below any prefix, and never leads to another host.
        return f"./{quote(path.rpartition('/')[2], safe='')}/"

    async def _nothing(self, raw_path: bytes, method: str, send: Send) -> None:
        path = self._path(raw_path)
        place = self._place_of_folder(path, raw_path)
        if place:
            await _say(send, 301, f"It is at {place}", method, (b"location", place.encode()))
        elif path is not None and path in self._withdrawn:
            await _say(send, 410, "This was published here and has been taken back.", method)
        else:
            await _say(send, 404, "Nothing is published here. All feeds are listed at /feeds/.", method)

    @staticmethod
    async def _other_method(method: str, send: Send) -> None:
        if method == "OPTIONS":
            await send(_OPTIONS)
            await send(_EMPTY)
        else:
            await _say(send, 405, "Feeds can only be read: use GET or HEAD.", method, (b"allow", _METHODS))


def _usual_spelling(path: str) -> bytes:
    return quote(PREFIX + path).encode()


async def _say(send: Send, status: int, sentence: str, method: str, *headers: tuple[bytes, bytes]) -> None:
    body = (sentence + "\n").encode()
    fixed = (
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"content-length", str(len(body)).encode()),
    )
    await send({"type": "http.response.start", "status": status, "headers": [*fixed, *headers, *OPEN_TO_ALL]})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
