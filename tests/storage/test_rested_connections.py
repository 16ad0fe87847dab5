"""A connection that rested in the pool and is dead meanwhile is nobody's trouble, whatever it died of."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import psycopg
import pytest
import sqlalchemy as sa

from syndicate.storage import rested_connections
from syndicate.storage.database import Database, open_database


class Gateway:
    """Between a client and a PostgreSQL server. Forgets connections when it is told to, which it tells to whoever says
    something over one."""

    def __init__(self, url: str) -> None:
        server = sa.make_url(url)
        host, port = server.host or str(server.query["host"]), server.port or 5432
        self._family = socket.AF_UNIX if host.startswith("/") else socket.AF_INET
        self._address = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        own = server.set(host="127.0.0.1", port=self._listener.getsockname()[1], query={})
        self.url = own.render_as_string(hide_password=False)
        self._open: list[socket.socket] = []
        self._clients: set[socket.socket] = set()
        self.forgotten: set[socket.socket] = set()
        self.said = 0
        """How often a client said something."""
        threading.Thread(target=self._accept, daemon=True).start()

    def forget(self) -> None:
        self.forgotten |= set(self._open)

    def end(self) -> None:
        for each in (self._listener, *self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(self._family)
                server.connect(self._address)
                self._open += [client, server]
                self._clients.add(client)
                threading.Thread(target=self._carry, args=(server, client), daemon=True).start()
                threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while (data := one.recv(65536)) and one not in self.forgotten:
                self.said += one in self._clients
                other.sendall(data)
        if other not in self.forgotten:
            with suppress(OSError):
                other.shutdown(socket.SHUT_RDWR)
        one.close()


@pytest.fixture
def gateway(database_url: str) -> Iterator[Gateway]:
    if database_url.startswith("sqlite"):
        pytest.skip("SQLite has no connections")
    made = Gateway(database_url)
    yield made
    made.end()


@pytest.fixture
def behind(gateway: Gateway) -> Iterator[Database]:
    opened = open_database(gateway.url)
    yield opened
    opened.dispose()


def session_of(database: Database) -> int:
    with database.write() as connection:
        return int(connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def test_one_that_the_server_ended_a_moment_ago_is_replaced_at_once(behind: Database, database_url: str) -> None:
    first = session_of(behind)
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    assert session_of(behind) != first


def test_one_that_rested_is_asked_whether_it_lives(
    gateway: Gateway, behind: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = session_of(behind)
    gateway.forget()
    monkeypatch.setattr(rested_connections, "ASKED_AFTER_SECONDS", 0.0)
    assert session_of(behind) != first


def test_one_that_was_used_a_moment_ago_is_used_again_without_a_question(
    gateway: Gateway, behind: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rounds() -> int:
        before = gateway.said
        session_of(behind)
        return gateway.said - before

    first = session_of(behind)
    used = rounds()
    monkeypatch.setattr(rested_connections, "ASKED_AFTER_SECONDS", 0.0)
    assert rounds() > used
    assert session_of(behind) == first
