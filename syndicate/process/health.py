"""A small port of a process that has no web server: whether it is up, whether it is ready, and its figures."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

from syndicate.errors import SyndicateError, UsageError
from syndicate.process.web import listen
from syndicate.web.health import READY, UP, Readiness

if TYPE_CHECKING:
    from syndicate.site import Site

JSON, TEXT = "application/json", "text/plain; charset=utf-8"
METRICS = "/metrics"

Answer = tuple[int, str, bytes]


def parse_address(text: str) -> tuple[str, int]:
    """`127.0.0.1:9101` or `[::1]:9101`. Raises UsageError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--health {text!r} is not an address.", cure="Write it as 127.0.0.1:9101.")
    return host.removeprefix("[").removesuffix("]"), int(port)


@contextmanager
def health_port(site: Site, listener: socket.socket) -> Iterator[None]:
    """Answers at that socket for the block, each request in a thread of its own."""
    readiness = Readiness(site.database)
    metrics: list[Callable[[], bytes]] = []

    def answer(path: str) -> Answer:
        if path == UP:
            return 200, TEXT, b"Up.\n"
        if path == READY:
            status, document = readiness.answer()
            return status, JSON, document
        if path != METRICS:
            return 404, TEXT, f"Here are {UP}, {READY} and {METRICS}.\n".encode()
        from syndicate.process.metrics import CONTENT_TYPE, Metrics

        if not metrics:
            metrics.append(Metrics(site).page)
        try:
            return 200, CONTENT_TYPE, metrics[0]()
        except SyndicateError as error:
            return 503, TEXT, f"{error}\n".encode()

    server = _Server(listener, answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def listen_for_health(address: str) -> socket.socket:
    """A socket that listens there. Raises UsageError for what is no address, Refused when it is taken."""
    return listen(*parse_address(address))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, answer: Callable[[str], Answer]) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.answer = answer


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0

    def do_GET(self) -> None:
        status, kind, body = self.server.answer(self.path.partition("?")[0])
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "Syndicate"

    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads who asked."""
