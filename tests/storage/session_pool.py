"""A pool of sessions in front of a PostgreSQL server, as PgBouncer is one: it answers for the server, and gives each
client a session, for good or for each transaction.

As much of the protocol (PostgreSQL documentation, "Frontend/Backend Protocol") as plain statements need.
"""

from __future__ import annotations

import socket
import struct
import threading
from types import TracebackType

import sqlalchemy as sa

_NO_ENCRYPTION_HERE = (80877103, 80877104)
"""The codes of SSLRequest and GSSENCRequest."""
OWN_PID = 77


class SessionPool:
    """Runs for the block; `url` leads to it, as the given one to the server."""

    def __init__(self, url: str, *, by_transaction: bool) -> None:
        server = sa.make_url(url)
        host, port = server.host or str(server.query["host"]), server.port or 5432
        is_path = host.startswith("/")
        self._family = socket.AF_UNIX if is_path else socket.AF_INET
        self._address = f"{host}/.s.PGSQL.{port}" if is_path else (host, port)
        self._by_transaction = by_transaction
        self._welcome = b""
        """What the server says to who comes: the same to all."""
        self._free: list[socket.socket] = []
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        own = server.set(host="127.0.0.1", port=self._listener.getsockname()[1], query={})
        self.url = own.render_as_string(hide_password=False)

    def __enter__(self) -> SessionPool:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join(10)
        for each in self._open:
            each.close()
        for thread in self._threads[1:]:
            thread.join(10)
        self._listener.close()

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client:
            greeting = _read_greeting(client)
            while struct.unpack("!I", greeting[4:8])[0] in _NO_ENCRYPTION_HERE:
                client.sendall(b"N")
                greeting = _read_greeting(client)
            server = self._taken(greeting)
            client.sendall(self._welcome)
            if self._by_transaction:
                self._free.append(server)
            is_ours = not self._by_transaction
            while (asked := client.recv(100_000)) and not asked.startswith(b"X"):
                if not is_ours:
                    server = self._taken(greeting)
                server.sendall(asked)
                is_ours = self._answer(server, client)

    def _taken(self, greeting: bytes) -> socket.socket:
        """The session that was given back last, whoever had it, or a new one."""
        if self._free:
            return self._free.pop()
        server = socket.socket(self._family)
        self._open.append(server)
        server.connect(self._address)
        server.sendall(greeting)
        said = welcome = b""
        while not said.startswith(b"Z"):
            said = _read_message(server)
            # BackendKeyData: a process of the pool's own.
            welcome += said[:5] + struct.pack("!I", OWN_PID) + said[9:] if said.startswith(b"K") else said
        self._welcome = welcome
        return server

    def _answer(self, server: socket.socket, client: socket.socket) -> bool:
        """Passes on what the server says until it waits for the next statement; whether the client keeps it."""
        while True:
            said = _read_message(server)
            ends = said.startswith(b"Z")
            keeps = not self._by_transaction or not said.endswith(b"I")
            if ends and not keeps:
                self._free.append(server)
            client.sendall(said)
            if ends:
                return keeps


def _read_message(server: socket.socket) -> bytes:
    head = _read(server, 5)
    return head + _read(server, struct.unpack("!I", head[1:])[0] - 4)


def _read_greeting(client: socket.socket) -> bytes:
    length = _read(client, 4)
    return length + _read(client, struct.unpack("!I", length)[0] - 4)


def _read(from_: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = from_.recv(count - len(data))
        if not more:
            raise ConnectionError("closed")
        data += more
    return data
