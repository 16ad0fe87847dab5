"""Requests that come in one piece, read by the very parser that reads all others: so no request means one thing to what
answers at once and another by way of ASGI."""

from __future__ import annotations

from typing import NamedTuple

from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser

Headers = list[tuple[bytes, bytes]]


class Whole(NamedTuple):
    """A request that is whole. The names of its headers are in lower case; `length` is that of its body, in octets."""

    headers: Headers
    length: int


class _Reading:
    """What the parser finds."""

    def __init__(self) -> None:
        self.parser = HttpRequestParser(self)
        self.headers: Headers = []
        self.begun = self.length = 0
        self.complete = self.keeps_alive = self.has_chunks = False

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        # When the message is complete the parser has forgotten it.
        self.keeps_alive = self.parser.should_keep_alive()

    def on_body(self, body: bytes) -> None:
        self.length += len(body)

    def on_chunk_header(self) -> None:
        self.has_chunks = True

    def on_message_complete(self) -> None:
        self.complete = True


def read_whole(data: bytes) -> Whole | None:
    """The request that `data` is from its first octet to its last; None when it is anything else: a part of a request,
    two of them, one whose body comes in chunks, one after which the connection ends, none that the parser takes."""
    reading = _Reading()
    try:
        reading.parser.feed_data(data)
    except (HttpParserError, HttpParserUpgrade):
        return None
    if not (reading.complete and reading.begun == 1 and reading.keeps_alive) or reading.has_chunks:
        return None
    return Whole(reading.headers, reading.length)
