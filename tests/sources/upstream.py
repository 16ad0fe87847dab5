"""A real web server that publishes feeds, as well or as badly as a test wants."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Answer:
    """`etag` and `modified` are answered with 304 when the request names them."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    etag: str = ""
    modified: str = ""


@dataclass
class Upstream:
    """Each path has its answer; `requests` holds the path and the headers of each request."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, Message]] = field(default_factory=list)

    def put(self, body: str | bytes, path: str = "/feed.xml", **options: object) -> Answer:
        answer = Answer(body.encode() if isinstance(body, str) else body, **options)  # type: ignore[arg-type]
        self.answers[path] = answer
        return answer


@contextmanager
def upstream() -> Iterator[Upstream]:
    """The server, for as long as the block lasts."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            shown.requests.append((self.path, self.headers))
            answer = shown.answers.get(self.path, Answer(b"nothing here", 404))
            asked = self.headers.get("If-None-Match"), self.headers.get("If-Modified-Since")
            same = (answer.etag and asked[0] == answer.etag) or (
                answer.modified and not asked[0] and asked[1] == answer.modified
            )
            body = b"" if same else answer.body
            self.send_response(304 if same else answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            for name, value in (("ETag", answer.etag), ("Last-Modified", answer.modified)):
                if value:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    shown = Upstream(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield shown
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def item(number: int, **fields: str) -> str:
    """One RSS item; each field replaces or adds an element, "" leaves it out."""
    values: Mapping[str, str] = {
        "title": f"Story {number}",
        "link": f"https://wire.example/{number}",
        "guid": f"id-{number}",
        "pubDate": f"Fri, 20 Nov 2026 0{number % 9}:00:00 GMT",
        "description": f"<p>The {number} boats left the harbour at dawn, the office said, and came back with fish.</p>",
        **fields,
    }
    return "<item>" + "".join(f"<{name}>{escape(text)}</{name}>" for name, text in values.items() if text) + "</item>"


def rss(*items: str, title: str = "The Wire", head: str = "") -> str:
    """An RSS document."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>{title}</title>'
        f"<link>https://wire.example/</link><language>en-GB</language>{head}{''.join(items)}</channel></rss>"
    )
