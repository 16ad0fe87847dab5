"""A connection on which pieces of data go out as they are, and the answers that come back."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httptools

SECONDS = 60.0
END = b"GET /feeds/end HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""After it the server closes."""


@dataclass(frozen=True)
class Reply:
    """An answer; its headers in their order, without the date."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Owed:
    """What a server owes for the pieces sent so far: who waits for it before the next piece is never early."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.methods: list[bytes] = []

    def on_headers_complete(self) -> None:
        self.methods.append(self._parser.get_method())

    def after(self, piece: bytes) -> list[bytes] | None:
        """The methods of the requests that are to be answered; None when the connection is to end."""
        self.methods = []
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            pass
        except httptools.HttpParserError:
            return None
        return self.methods


class Wire:
    """The client's end."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._come = bytearray()
        self.ended = False

    def send(self, piece: bytes) -> None:
        """At once, as one segment when it is short; nothing when the server has closed."""
        with contextlib.suppress(ConnectionError):
            self._wire.sendall(piece)

    def reply(self, method: bytes = b"GET") -> Reply | None:
        """The next answer; None when the connection ends before it is whole."""
        while b"\r\n\r\n" not in self._come:
            if not self._more():
                return None
        line, *fields = self._take(self._come.index(b"\r\n\r\n") + 4).decode("latin-1").split("\r\n")[:-2]
        headers = tuple((name, value) for name, _, value in (each.partition(": ") for each in fields))
        status = int(line.removeprefix("HTTP/1.1 ").split()[0])
        has_none = method == b"HEAD" or status < 200 or status in (204, 304)
        length = 0 if has_none else int(dict(headers)["content-length"])
        while len(self._come) < length:
            if not self._more():
                return None
        return Reply(status, tuple(each for each in headers if each[0] != "date"), self._take(length))

    def _take(self, length: int) -> bytes:
        taken = bytes(self._come[:length])
        del self._come[:length]
        return taken

    def _more(self) -> bool:
        piece = b""
        with contextlib.suppress(ConnectionError):
            piece = self._wire.recv(1_000_000)
        self._come += piece
        self.ended = self.ended or not piece
        return bool(piece)

    def end(self) -> bytes:
        """What comes until the server closes. Fails when it does not."""
        while self._more():
            pass
        return self._take(len(self._come))


@contextmanager
def wired(url: str, *, window: int = 0) -> Iterator[Wire]:
    """A connection; `window` is how many octets may wait on this side for being read."""
    address = urlsplit(url)
    assert address.hostname and address.port
    with socket.socket() as wire:
        wire.settimeout(SECONDS)
        if window:
            wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        wire.connect((address.hostname, address.port))
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Wire(wire)


def conversation(url: str, pieces: list[bytes]) -> list[Reply | None]:
    """The answers to the pieces, each sent when all is answered that came before. None for one that did not come.
    Fails when the server does not close at the end, or says more than it owes."""
    owed = Owed()
    said: list[Reply | None] = []
    with wired(url) as wire:
        for piece in (*pieces, END):
            methods = owed.after(piece)
            wire.send(piece)
            said += [wire.reply(method) for method in ([b"GET"] if methods is None else methods)]
            if methods is None or wire.ended:
                break
        assert wire.end() == b""
    return said
