"""A real little proxy, and a server behind it that speaks TLS: what each of them saw."""

from __future__ import annotations

import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PEM = Path(__file__).with_name("untrusted.pem")
"""Certificate and key of 127.0.0.1."""


@dataclass
class Proxy:
    """`seen` are the heads of what it was asked, `carried` every byte that went through it to the other side. It
    answers `refusal` instead of opening a way, if that is not empty; with `password` it wants that; `drips` one byte at
    a time and comes to no end."""

    refusal: bytes = b""
    password: str = ""
    drips: bool = False
    url: str = ""
    seen: list[bytes] = field(default_factory=list)
    carried: bytearray = field(default_factory=bytearray)
    over: threading.Event = field(default_factory=threading.Event)

    def address(self, credentials: str = "") -> str:
        """Its address as settings name it."""
        return self.url.replace("http://", f"http://{credentials}@") if credentials else self.url

    def serve(self, connection: socket.socket) -> None:
        head = _head(connection)
        self.seen.append(head)
        if self.drips:
            # Now and then a byte, so that no time-out of a single read ends it.
            while not self.over.wait(0.1):
                connection.sendall(b"H")
            return
        token = base64.b64encode(self.password.encode())
        if self.refusal or (self.password and b"Proxy-Authorization: Basic " + token not in head):
            connection.sendall(self.refusal or b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n")
            return
        port = int(head.split(b" ")[1].rpartition(b":")[2])
        with socket.create_connection(("127.0.0.1", port), 10) as there:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pipe, args=(there, connection, bytearray()))
            back.start()
            _pipe(connection, there, self.carried)
            back.join()


def _pipe(one: socket.socket, other: socket.socket, carried: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            carried += data
            other.sendall(data)
    with contextlib.suppress(OSError):
        other.shutdown(socket.SHUT_WR)


def _head(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and (more := connection.recv(65536)):
        data += more
    return data


def _request(connection: socket.socket) -> bytes:
    """Read to its end: a server that hangs up with something unread breaks its own answer."""
    data = _head(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0)
    while len(body) < length and (more := connection.recv(65536)):
        body += more
    return head


@contextmanager
def listening(serve: Callable[[socket.socket], None], over: threading.Event) -> Iterator[int]:
    """The port of a listener that hands each connection to `serve` in a thread of its own."""
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            serve(connection)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threads.append(threading.Thread(target=one, args=(connection,)))
            threads[-1].start()

    listener = socket.create_server(("127.0.0.1", 0))
    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listener.getsockname()[1]
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()


@contextmanager
def proxy(refusal: bytes = b"", *, password: str = "", drips: bool = False) -> Iterator[Proxy]:
    """One that runs."""
    made = Proxy(refusal, password, drips)
    with listening(made.serve, made.over) as port:
        made.url = f"http://127.0.0.1:{port}"
        yield made


@contextmanager
def tls_server(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """The address of a server that gives each connection one answer (none: it hangs up), and the heads it was sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(PEM)
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            seen.append(_request(secured))
            if answer:
                secured.sendall(answer)

    with listening(serve, threading.Event()) as port:
        yield f"https://127.0.0.1:{port}", seen
