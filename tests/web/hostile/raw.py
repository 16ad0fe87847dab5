"""Requests as no library would write them."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

SECONDS = 30.0


@dataclass(frozen=True)
class Reply:
    """The first answer on the connection: `status` is 0 when there was none. `rest` is what came after it."""

    status: int
    headers: dict[str, str]
    body: bytes
    rest: bytes = b""


def exchange(url: str, *parts: bytes) -> bytes:
    """Sends the octets as they are and reads until the server closes, or nothing comes for a while."""
    address = urlsplit(url)
    assert address.hostname and address.port
    answer = b""
    with socket.create_connection((address.hostname, address.port), timeout=SECONDS) as wire:
        with suppress(ConnectionError):
            for part in parts:
                wire.sendall(part)
        # A server that refuses may close while the request is still being sent: what it said is read all the same.
        with suppress(ConnectionError, TimeoutError):
            while chunk := wire.recv(65536):
                answer += chunk
    return answer


def read(answer: bytes) -> Reply:
    """The first of the answers in the octets."""
    head, _, after = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    if not line.startswith("HTTP/1.1 "):
        return Reply(0, {}, answer)
    headers = {name.strip().lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
    length = int(headers.get("content-length", len(after)))
    return Reply(int(line.split()[1]), headers, after[:length], after[length:])


def get(url: str, target: str | bytes, *headers: str, host: str = "127.0.0.1", method: str = "GET") -> Reply:
    """One request for exactly that target."""
    line = target if isinstance(target, bytes) else target.encode("utf-8", "surrogateescape")
    fields = [f"Host: {host}", "Connection: close", *headers]
    head = method.encode() + b" " + line + b" HTTP/1.1\r\n" + "\r\n".join(fields).encode() + b"\r\n\r\n"
    return read(exchange(url, head))
