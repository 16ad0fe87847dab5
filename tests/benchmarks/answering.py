"""A server that takes every POST for a mail API's success, at once or so many milliseconds later, in its own process.

    with answering("mailgun", milliseconds=100) as url: ...

It keeps nothing but what it counts: `GET /count` answers how many recipients it was sent, `GET /last` the last body.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection

OF_ONE = {"mailgun": b'"leave":', "sendgrid": b'"to":[', "resend": b'"to":['}
"""What stands once for each recipient in a request."""
ANSWERS = {
    "mailgun": (b"200 OK", b'{"id":"<1@post.example>","message":"Queued. Thank you."}'),
    "sendgrid": (b"202 Accepted\r\nX-Message-Id: abc", b""),
}


class _Counting:
    def __init__(self, api: str, milliseconds: float) -> None:
        self.of_one, (self.status, self.answer) = OF_ONE[api], ANSWERS[api]
        self.seconds = milliseconds / 1000
        self.count, self.last = 0, b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
                body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
                if head.startswith(b"GET /count"):
                    self.write(writer, b"200 OK", b"%d" % self.count)
                elif head.startswith(b"GET /last"):
                    self.write(writer, b"200 OK", self.last)
                else:
                    self.count, self.last = self.count + body.count(self.of_one), body
                    if self.seconds:
                        await asyncio.sleep(self.seconds)
                    self.write(writer, self.status, self.answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def write(self, writer: asyncio.StreamWriter, status: bytes, body: bytes) -> None:
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))


def _run(api: str, milliseconds: float, port: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    async def run() -> None:
        serving = _Counting(api, milliseconds)
        server = await asyncio.start_server(serving.serve, "127.0.0.1", 0, limit=1_000_000)
        port.send(server.sockets[0].getsockname()[1])
        async with server:
            await server.serve_forever()

    asyncio.run(run())


@contextmanager
def answering(api: str, milliseconds: float = 0.0) -> Iterator[str]:
    """Its address, for a block."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_run, args=(api, milliseconds, there), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()
