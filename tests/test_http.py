"""The one way out, over real sockets: what came back, and whether anything left."""

from __future__ import annotations

import contextlib
import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from syndicate import http
from syndicate.http import Client, Failure, Fetched, Reply

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """A listener that hands each connection to `serve` in a thread of its own."""

    def __init__(self, serve: Callable[[Server, socket.socket], None]) -> None:
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.connections: list[socket.socket] = []
        self.over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            self._threads.append(threading.Thread(target=self._one, args=(connection,)))
            self._threads[-1].start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self._serve(self, connection)

    def close(self) -> None:
        self.over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join()


@contextmanager
def served(serve: Callable[[Server, socket.socket], None]) -> Iterator[Server]:
    server = Server(serve)
    try:
        yield server
    finally:
        server.close()


def read_request(connection: socket.socket) -> bytes:
    """One request with a Content-Length, or b"" when the connection ended before one came."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := connection.recv(65536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    while len(body) < int(lengths[0] if lengths else 0):
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


def always(answer: bytes) -> Callable[[Server, socket.socket], None]:
    def serve(server: Server, connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(answer)

    return serve


def once(answer: bytes) -> Callable[[Server, socket.socket], None]:
    def serve(server: Server, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    return serve


def read_nothing(server: Server, connection: socket.socket) -> None:
    server.over.wait()


def client(seconds: float = 5.0) -> Client:
    return Client(deadline_seconds=seconds, max_answer_bytes=1000)


def test_a_whole_answer_comes_back_with_its_status_headers_and_body() -> None:
    with served(always(b"HTTP/1.1 422 No\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno")) as server:
        reply = client().post(server.url, b"body", {})
    assert isinstance(reply, Reply)
    assert (reply.status, reply.headers["retry-after"], reply.body) == (422, "7", b"no")


def test_the_body_arrives_as_it_was_given() -> None:
    got: list[bytes] = []

    def serve(server: Server, connection: socket.socket) -> None:
        got.append(read_request(connection))
        connection.sendall(OK)

    with served(serve) as server:
        client().post(server.url, b"\x00body\xff" * 9000, {"Idempotency-Key": "k"})
    head, _, body = got[0].partition(b"\r\n\r\n")
    assert body == b"\x00body\xff" * 9000
    assert b"Idempotency-Key: k" in head


def test_a_refused_connection_means_that_nothing_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert client().post(f"http://127.0.0.1:{port}/", b"x", {}) == Failure(
        False, "not reached: [Errno 111] Connection refused"
    )


def test_an_unknown_name_means_that_nothing_left() -> None:
    failure = client().post("http://nowhere.invalid/", b"x", {})
    assert isinstance(failure, Failure)
    assert not failure.left


def test_a_broken_tls_handshake_means_that_nothing_left() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with served(serve) as server:
        failure = client().post(server.url.replace("http:", "https:"), b"x", {})
    assert isinstance(failure, Failure)
    assert not failure.left


def test_a_certificate_that_nobody_vouches_for_is_refused_and_nothing_left() -> None:
    """`untrusted.pem` is signed by itself, for 127.0.0.1, and guards nothing."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).with_name("untrusted.pem"))
    read: list[bytes] = []

    def serve(server: Server, connection: socket.socket) -> None:
        with tls.wrap_socket(connection, server_side=True) as secured:
            read.append(secured.recv(65536))

    with served(serve) as server:
        failure = client().post(server.url.replace("http:", "https:"), b"x", {})
    assert isinstance(failure, Failure)
    assert not failure.left
    assert "certificate" in failure.why
    assert b"".join(read) == b""


def test_a_tls_handshake_that_never_ends_is_ended_by_the_deadline_and_nothing_left() -> None:
    with served(read_nothing) as server:
        began = time.monotonic()
        failure = client(0.4).post(server.url.replace("http:", "https:"), b"x", {})
        assert time.monotonic() - began < 2
    assert isinstance(failure, Failure)
    assert not failure.left


def test_a_connection_that_is_never_taken_is_ended_by_the_deadline_and_nothing_left() -> None:
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(4):  # the queue of connections that wait is full: the kernel answers no more
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        began = time.monotonic()
        failure = client(0.4).post(f"http://127.0.0.1:{full.getsockname()[1]}/", b"x", {})
        assert time.monotonic() - began < 2
    assert isinstance(failure, Failure)
    assert not failure.left


def drip(server: Server, connection: socket.socket) -> None:
    read_request(connection)
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + b"x" * 900:
        connection.sendall(bytes([byte]))
        if server.over.wait(0.05):
            return


def drip_the_body(server: Server, connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while not server.over.wait(0.05):
        connection.sendall(b"x")


@pytest.mark.parametrize(
    ("serve", "size"), [(drip, 1), (drip_the_body, 1), (read_nothing, 1), (read_nothing, 30_000_000)]
)
def test_the_deadline_is_for_the_whole_request(serve: Callable[[Server, socket.socket], None], size: int) -> None:
    with served(serve) as server:
        began = time.monotonic()
        failure = client(0.5).post(server.url, b"x" * size, {})
        assert 0.4 < time.monotonic() - began < 3
    assert failure == Failure(True, "no whole answer within 0.5 s")


def test_a_deadline_that_was_kept_does_not_end_the_next_request_on_the_connection() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        while read_request(connection):
            server.over.wait(0.3)
            connection.sendall(OK)

    with served(serve) as server:
        posting = client(0.5)
        assert [type(posting.post(server.url, b"x", {})) for _ in range(3)] == [Reply] * 3
        assert len(server.connections) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf",
        b"\x16\x03\x01 not HTTP at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 307 Go\r\nLocation: http://[\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
    ],
    ids=["none", "head cut", "body cut", "chunk cut", "not HTTP", "too large", "too large and elsewhere"],
)
def test_anything_but_a_whole_answer_means_that_bytes_may_have_left(answer: bytes) -> None:
    with served(once(answer)) as server:
        failure = client().post(server.url, b"x", {})
    assert isinstance(failure, Failure)
    assert failure.left


def test_connections_are_used_again() -> None:
    with served(always(OK)) as server:
        posting = client()
        for _ in range(3):
            assert isinstance(posting.post(server.url, b"x", {}), Reply)
        assert len(server.connections) == 1


def test_a_connection_that_rested_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "IDLE_SECONDS", 0.0)
    with served(always(OK)) as server:
        posting = client()
        for _ in range(3):
            assert isinstance(posting.post(server.url, b"x", {}), Reply)
        assert len(server.connections) == 3


def test_a_connection_that_the_server_closed_is_not_used_again() -> None:
    with served(once(OK)) as server:
        posting = client()
        for _ in range(3):
            assert isinstance(posting.post(server.url, b"x", {}), Reply)
            deadline = time.monotonic() + 5
            while server.connections[-1].fileno() != -1 and time.monotonic() < deadline:
                time.sleep(0.002)


def test_each_thread_has_its_own_connection() -> None:
    both = threading.Barrier(2, timeout=10)

    def serve(server: Server, connection: socket.socket) -> None:
        while read_request(connection):
            both.wait()
            connection.sendall(OK)

    with served(serve) as server:
        posting, replies = client(), []
        threads = [
            threading.Thread(target=lambda: replies.append(posting.post(server.url, b"x", {}))) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [type(reply) for reply in replies] == [Reply, Reply]


def test_no_redirect_is_followed() -> None:
    with served(always(OK)) as elsewhere:
        location = f"HTTP/1.1 307 Go\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n".encode()
        with served(always(location)) as server:
            reply = client().post(server.url, b"x", {})
        assert isinstance(reply, Reply)
        assert reply.status == 307
        assert elsewhere.connections == []


def test_nothing_of_the_environment_plays_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with served(always(OK)) as server:
        assert isinstance(client().post(server.url, b"x", {}), Reply)


def test_no_cookie_is_kept() -> None:
    got: list[bytes] = []

    def serve(server: Server, connection: socket.socket) -> None:
        while request := read_request(connection):
            got.append(request)
            connection.sendall(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok")

    with served(serve) as server:
        posting = client()
        posting.post(server.url, b"x", {})
        posting.post(server.url, b"x", {})
    assert len(got) == 2
    assert b"cookie" not in got[1].lower()


def sends(answers: dict[str, bytes]) -> Callable[[Server, socket.socket], None]:
    """Each path of a request line has its own answer."""

    def serve(server: Server, connection: socket.socket) -> None:
        while request := read_request(connection):
            connection.sendall(answers[request.split()[1].decode()])

    return serve


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def redirect(status: int, location: str) -> bytes:
    return answer(b"", f"Location: {location}", status=f"{status} Elsewhere")


def failure_of(result: Fetched | Failure) -> str:
    assert isinstance(result, Failure)
    return result.why


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"]
)
def test_a_client_for_the_public_internet_connects_to_nothing_on_this_machine(host: str) -> None:
    with served(always(OK)) as server:
        url = server.url.replace("127.0.0.1", host)
        failure = Client(deadline_seconds=5, public_only=True).fetch(url)
    assert isinstance(failure, Failure)
    assert not failure.left
    assert not server.connections


def test_the_address_that_is_refused_is_named() -> None:
    failure = Client(deadline_seconds=5, public_only=True).get("http://127.0.0.1:9/")
    why = "127.0.0.1 leads to 127.0.0.1, which is this machine or no public address"
    assert failure == Failure(False, why, refused=True)


def test_a_name_is_judged_by_the_address_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A resolver that answers one thing to a check and another to the connection finds no check to deceive."""
    asked: list[str] = []

    def resolver(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    with served(always(OK)) as server:
        port = server.url.split(":")[2]
        monkeypatch.setattr(socket, "getaddrinfo", resolver)
        why = failure_of(Client(deadline_seconds=5, public_only=True).fetch(f"http://public.example:{port}"))
        assert not server.connections
        assert asked == ["public.example"]
        assert isinstance(Client(deadline_seconds=5).fetch(f"http://public.example:{port}"), Fetched)
        assert asked == ["public.example"] * 2
    assert "public.example leads to 127.0.0.1" in why


def test_one_private_address_among_public_ones_is_enough_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    both = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 80)) for each in ("93.184.215.14", "10.0.0.7")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert "10.0.0.7" in failure_of(Client(deadline_seconds=5, public_only=True).fetch("http://mixed.example/"))


def test_redirects_are_followed_and_tell_when_they_are_for_good() -> None:
    answers = {
        "/": redirect(301, "/a"),
        "/a": redirect(308, "b?x=1#part"),
        "/b?x=1": redirect(302, "/c"),
        "/c": answer(b"there"),
    }
    with served(sends(answers)) as server:
        fetched = client().fetch(server.url)
    assert isinstance(fetched, Fetched)
    assert (fetched.reply.body, fetched.url) == (b"there", f"{server.url}c")
    assert fetched.moved_to == f"{server.url}b?x=1"


@pytest.mark.parametrize(
    ("location", "why"),
    [
        ("/", "more than 5 times"),
        ("file:///etc/passwd", "no web address"),
        ("gopher://127.0.0.1:70/", "no web address"),
        ("http://user:secret@127.0.0.1/", "no web address"),
        ("http://[broken/", "no web address"),
        ("http://127.0.0.1:99999/", "no web address"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_a_failure(location: str, why: str) -> None:
    with served(always(redirect(302, location))) as server:
        assert why in failure_of(client().fetch(server.url))


def test_redirects_together_have_the_time_of_one_request() -> None:
    def serve(server: Server, connection: socket.socket) -> None:
        while read_request(connection):
            time.sleep(0.25)
            connection.sendall(redirect(302, "/"))

    with served(serve) as server:
        began = time.monotonic()
        assert "within 0.6 s" in failure_of(client(0.6).fetch(server.url))
        assert time.monotonic() - began < 1.5


def test_a_compressed_answer_is_read() -> None:
    with served(always(answer(gzip.compress(b"words" * 100), "Content-Encoding: gzip"))) as server:
        fetched = client().fetch(server.url)
    assert isinstance(fetched, Fetched)
    assert fetched.reply.body == b"words" * 100


@pytest.mark.parametrize(
    ("body", "coding", "why"),
    [
        (gzip.compress(bytes(500_000), mtime=0), "gzip", "larger than 1000 bytes"),  # some 500 bytes on the wire
        (gzip.compress(b"words", mtime=0)[:-9], "gzip", "cut"),
        (b"words", "gzip", "not the gzip"),
        (b"words", "br", "nobody asked for"),
    ],
)
def test_a_compressed_answer_that_cannot_be_used_is_a_failure(body: bytes, coding: str, why: str) -> None:
    with served(always(answer(body, f"Content-Encoding: {coding}"))) as server:
        assert why in failure_of(client().fetch(server.url))
