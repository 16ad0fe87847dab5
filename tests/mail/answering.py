"""One answer to one post, or to each look into the record: what an adapter makes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

from syndicate.core.message import Answer
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection


def told(
    name: str,
    status: int,
    body: bytes,
    headers: Mapping[str, str] = {},
    *,
    count: int = 2,
    api_key: str = "right",
    sent: bytes = b"[]",
) -> Answer:
    """What the adapter of that name makes of that answer to a request of `count` messages, whose body is `sent`."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}"
        api = open_mail_api(name, Connection(url, api_key, 5.0, domain="post.example"))
        thread = Thread(target=server.handle_request)
        thread.start()
        answer = api.post(sent, key="k", count=count)
        thread.join()
    return answer


@contextmanager
def showing(record: Callable[[str], tuple[int, Any]]) -> Iterator[str]:
    """The address of a record: to a GET of a path and query it answers with that status and JSON."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, said = record(self.path)
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
