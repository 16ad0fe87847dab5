"""The ordinary report of a mail API, taken in as its bytes come: kept and answered as by way of ASGI, without what a
scope, a task and its messages cost.

What is not surely one whole ordinary request that may be taken in is left to the ordinary way. A mail API says nearly
the same head again and again: what was read lately is not read anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from syndicate.mail.events.base import Arrival
from syndicate.web.security.headers import add_headers
from syndicate.web.security.hosts import Hosts, header, is_loopback, split_host
from syndicate.web.webhooks import Answer, Webhooks, headers_of
from syndicate.web.whole_request import Headers, read_whole

LONGEST_HEAD = 2_000
LONGEST_BODY = 60_000
"""Octets of what is read here. What is longer comes in pieces anyway, and one event is far shorter."""
REMEMBERED = 2_000
"""Heads that are not read anew: ten megabytes at the most."""

_START = b"POST /webhooks/"
_LINE = re.compile(rb"POST (/webhooks/[a-z0-9]+) HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length: ?([0-9]{1,5})\r\n", re.IGNORECASE)

# As uvicorn says it of an application that failed.
_FAILED = (
    b"content-type: text/plain; charset=utf-8\r\ncontent-length: 21\r\nconnection: close\r\n\r\nInternal Server Error"
)

Told = Callable[[bool, "Answer | Exception"], None]
"""Hears what became of a report, and whether its answer may say that this host is reached by https for good."""


class Head(NamedTuple):
    """What stands before the body of a report; `length` is the body's, in octets."""

    path: str
    host: str
    headers: Mapping[str, str]
    length: int


@lru_cache(REMEMBERED)
def head_in(head: bytes) -> Head | None:
    """The head that `head` is from its first octet to its last, of a request that is whole with just so many octets as
    it says; None when it is anything else."""
    line, said = _LINE.match(head), _LENGTH.search(head)
    if line is None or said is None or int(said[1]) > LONGEST_BODY:
        return None
    # For the parser one octet of a body is as good as another.
    whole = read_whole(head + bytes(int(said[1])))
    if whole is None or whole.length != int(said[1]):
        return None
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in whole.headers}
    if "expect" in headers:
        return None
    return Head(line[1].decode(), header(whole.headers, b"host") or "", headers, whole.length)


class Reports:
    """Takes in reports; for all connections of a server. `https` is whether `[web] url` is."""

    def __init__(self, webhooks: Webhooks, hosts: Hosts, *, https: bool) -> None:
        self._webhooks, self._hosts, self._https = webhooks, hosts, https
        self._defaults: Headers | None = None
        self._lines = b""

    def take(self, data: bytes, told: Told) -> bool:
        """Whether it is taken in, so that `told` will hear what became of it; False for what is to go the ordinary way.
        `data` came in one piece over a connection with nothing under way, which stays open."""
        if not data.startswith(_START):
            return False
        end = data.find(b"\r\n\r\n", 0, LONGEST_HEAD) + 4
        head = head_in(data[:end]) if end > 4 else None
        if head is None or len(data) - end != head.length or not self._hosts.has(head.host):
            return False
        intake = self._webhooks.admitting(head.path, head.headers, head.length)
        if intake is None:
            return False
        for_good = self._https and not is_loopback(split_host(head.host))
        intake.put(Arrival(data[end:], head.headers), partial(told, for_good))
        return True

    def spell(self, answer: Answer | Exception, defaults: Headers, *, for_good: bool, keeps_alive: bool) -> bytes:
        """The octets of an answer. `defaults` are the first headers of each, and another list whenever they change."""
        if defaults is not self._defaults:
            self._lines = _spelled(defaults)
            self._defaults = defaults
        if isinstance(answer, Exception):
            return STATUS_LINE[500] + self._lines + _FAILED
        status, said = answer
        return STATUS_LINE[status] + self._lines + _rest_of_head(status, len(said), for_good, keeps_alive) + said


@lru_cache(100)
def _rest_of_head(status: int, length: int, for_good: bool, keeps_alive: bool) -> bytes:
    headers = add_headers("/webhooks/", headers_of(status, length), https_for_good=for_good)
    return _spelled(headers if keeps_alive else [*headers, (b"connection", b"close")]) + b"\r\n"


def _spelled(headers: Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % each for each in headers)
