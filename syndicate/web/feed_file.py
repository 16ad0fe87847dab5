"""One published file in memory, with all that is ever answered about it made beforehand."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zlib
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any

FEED_SECONDS = 1800
"""How long others may keep a feed: those who ask conditionally ask about hourly."""
PAGE_SECONDS = 300
"""How long others may keep a page: what is corrected or taken back must not linger."""
FIXED_SECONDS = 86_400
"""How long others may keep a picture or a style."""

LARGEST = 64_000_000
"""Bytes of one file that is handed out."""
_FRESH_SECONDS = 2.0
"""A file changed so short a time ago may change again without a trace in its stamp."""

_PLAIN = re.compile(r"[^./\\:][^/\\:]*(/[^./\\:][^/\\:]*)*")
_PAGE_POLICY = (
    b"default-src 'none'; img-src http: https: data:; media-src http: https:; style-src 'unsafe-inline'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_UTF8 = "; charset=utf-8"
_TYPES = {
    "atom.xml": "application/atom+xml" + _UTF8,
    "rss.xml": "application/rss+xml" + _UTF8,
    "feed.json": "application/feed+json" + _UTF8,
    ".xml": "application/xml" + _UTF8,
    ".json": "application/json" + _UTF8,
    ".opml": "text/x-opml" + _UTF8,
    ".html": "text/html" + _UTF8,
    ".css": "text/css" + _UTF8,
    ".txt": "text/plain" + _UTF8,
    ".md": "text/plain" + _UTF8,
    ".gz": "application/gzip",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".ico": "image/x-icon",
}
OPEN_TO_ALL = ((b"access-control-allow-origin", b"*"), (b"x-content-type-options", b"nosniff"))
"""The headers of every answer: feeds are for everybody, pages of other origins too."""

_UNCHANGED = (b"etag", b"cache-control", b"vary", b"access-control-allow-origin")

Message = dict[str, Any]
Stamp = tuple[int, int, int, int, int]


def is_plain(path: str) -> bool:
    """Whether it is a relative path of plain names: neither hidden nor a way up, no drive, nothing unprintable."""
    return _PLAIN.fullmatch(path) is not None and path.isprintable() and len(path) <= 1_000


def media_type(path: str) -> str:
    """The media type of a published file, by its name."""
    name = path.rpartition("/")[2].lower()
    return _TYPES.get(name) or _TYPES.get(os.path.splitext(name)[1]) or "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Coded:
    """The file in one coding: its tag, the messages of ASGI that answer with it, and the headers of both answers as
    HTTP/1.1 spells them, to their end."""

    tag: bytes
    whole: Message
    body: Message
    unchanged: Message
    whole_head: bytes
    unchanged_head: bytes


@dataclass(frozen=True, slots=True)
class FeedFile:
    """One file. `gzipped` is None without a twin of the same content. `last_modified` is a second of Unix time, and
    `http_modified` says the same as HTTP does."""

    stamp: tuple[Stamp, Stamp | None]
    fresh: bool
    plain: Coded
    gzipped: Coded | None
    last_modified: int
    http_modified: bytes
    size: int

    @property
    def tags(self) -> tuple[bytes, ...]:
        """The tags of its codings, the plain one first."""
        return (self.plain.tag,) if self.gzipped is None else (self.plain.tag, self.gzipped.tag)


def stamp_of(path: str) -> tuple[Stamp, Stamp | None] | None:
    """By what one tells that a file and its twin are as they were; None when it is not there."""
    found = _stamp(path)
    return None if found is None else (found, _stamp(path + ".gz"))


def load(root: str, path: str, now: float) -> FeedFile | None:
    """The file at that plain path below `root`; None when none is there, or a link leads out. `now` is in seconds of
    Unix time."""
    file = f"{root}/{path}"
    real_root, real = os.path.realpath(root), os.path.realpath(file)
    if not real.startswith(real_root.rstrip("/") + "/"):
        return None
    # The stamp first: what changes while the bytes are read shows at the next look.
    stamp = stamp_of(file)
    content = _read(real)
    if stamp is None or content is None:
        return None
    zipped = None
    if not path.endswith(".gz"):
        real_twin = os.path.realpath(file + ".gz")
        if real_twin.startswith(real_root.rstrip("/") + "/"):
            zipped = _read(real_twin)
    # Between the puts of the two, the twin is of other words than the file.
    if zipped is not None and not _is_twin(zipped, content):
        zipped = None
    changed = min(stamp[0][3] / 1e9, now)
    # What is written later within the same second must be newer than what was handed out (RFC 9110 section 8.8.2.2).
    modified = int(changed) - (int(changed) == int(now))
    http_modified = formatdate(modified, usegmt=True).encode()
    common = [
        (b"content-type", media_type(path).encode()),
        (b"cache-control", f"public, max-age={_seconds(path)}".encode()),
        (b"last-modified", http_modified),
        *OPEN_TO_ALL,
    ]
    if media_type(path).startswith("text/html"):
        common.append((b"content-security-policy", _PAGE_POLICY))
    return FeedFile(
        stamp=stamp,
        fresh=now - max(stamp[0][3], stamp[1][3] if stamp[1] else 0) / 1e9 < _FRESH_SECONDS,
        plain=_coded(content, common),
        gzipped=_coded(zipped, common, gzip=True) if zipped is not None else None,
        last_modified=modified,
        http_modified=http_modified,
        size=len(content) + len(zipped or b"") + 4_000,
    )


def _coded(content: bytes, common: list[tuple[bytes, bytes]], *, gzip: bool = False) -> Coded:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}{"-gz" if gzip else ""}"'.encode()
    headers = [*common, (b"etag", tag), (b"vary", b"Accept-Encoding")]
    # What the whole answer would have had and a cache may need (RFC 9110 section 15.4.5); each header costs time.
    unchanged = [each for each in headers if each[0] in _UNCHANGED]
    if gzip:
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(content)).encode()))
    return Coded(
        tag,
        {"type": "http.response.start", "status": 200, "headers": headers},
        {"type": "http.response.body", "body": content},
        {"type": "http.response.start", "status": 304, "headers": unchanged},
        _spelled(headers),
        _spelled(unchanged),
    )


def _spelled(headers: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join(b"%b: %b\r\n" % each for each in headers) + b"\r\n"


def _seconds(path: str) -> int:
    kind = media_type(path)
    if kind.startswith(("image/", "text/css")):
        return FIXED_SECONDS
    return PAGE_SECONDS if kind.startswith("text/html") else FEED_SECONDS


def _is_twin(zipped: bytes, content: bytes) -> bool:
    # The trailer of a gzip file: CRC-32 and length of what was compressed (RFC 1952 section 2.3.1).
    crc, length = zlib.crc32(content), len(content) & 0xFFFFFFFF
    return zipped[:3] == b"\x1f\x8b\x08" and zipped[-8:] == crc.to_bytes(4, "little") + length.to_bytes(4, "little")


def _stamp(path: str) -> Stamp | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _read(path: str) -> bytes | None:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(path, flags), "rb") as opened:
            found = os.fstat(opened.fileno())
            if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
                return None
            return opened.read()
    except (OSError, ValueError):
        return None
