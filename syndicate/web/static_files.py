"""The program's own scripts and styles: few, in memory, each under an address that changes with its content."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from syndicate.web.conditions import prefers_gzip

PREFIX = "/static/"
ICON = "/favicon.ico"
"""Where browsers look for a page's mark without being told of it."""
FOLDER = Path(__file__).resolve().parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_FOR_EVER = b"public, max-age=31536000, immutable"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _File:
    media_type: str
    plain: bytes
    gzipped: bytes


class StaticFiles:
    """An ASGI application below `/static/`, and at `/favicon.ico`."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._addresses: dict[str, str] = {}
        self._files: dict[str, _File] = {}
        for path in sorted(folder.iterdir()):
            if path.suffix not in _TYPES:
                continue
            content = path.read_bytes()
            address = f"{PREFIX}{sha256(content).hexdigest()[:16]}/{path.name}"
            self._addresses[path.name] = address
            self._files[address] = _File(_TYPES[path.suffix], content, gzip.compress(content, 9, mtime=0))
        if "mark.svg" in self._addresses:
            self._files[ICON] = self._files[self._addresses["mark.svg"]]

    def address(self, name: str) -> str:
        """Where a file is. Raises KeyError for one that is not shipped."""
        return self._addresses[name]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request. An address is good for ever, because its content never changes; only that of the mark is
        the same for every one."""
        file = self._files.get(scope["path"])
        method = scope["method"]
        if file is None or method not in ("GET", "HEAD"):
            status, body, headers = (404, b"There is no such file.\n", [(b"content-type", b"text/plain")])
            if file is not None:
                status, body = 405, b"This can only be read.\n"
                headers.append((b"allow", b"GET, HEAD"))
        else:
            accept = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
            coded = bool(accept) and prefers_gzip(accept)
            status, body = 200, file.gzipped if coded else file.plain
            headers = [
                (b"content-type", file.media_type.encode()),
                (b"cache-control", b"public, max-age=86400" if scope["path"] == ICON else _FOR_EVER),
                (b"vary", b"Accept-Encoding"),
                *([(b"content-encoding", b"gzip")] if coded else []),
            ]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})


@cache
def shipped_files() -> StaticFiles:
    """The program's own, read once for each process."""
    return StaticFiles()
