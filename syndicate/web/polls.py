"""The ordinary poll of a feed, answered as its bytes come in: the same answer as by way of ASGI, without what a scope,
a task and its messages cost.

What is not surely one whole ordinary request is left to the ordinary way. Readers ask with the same bytes again and
again: what was read lately is not read anew.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from syndicate.web.conditions import Asked, asked
from syndicate.web.feeds import FeedFiles
from syndicate.web.whole_request import Headers, read_whole

LONGEST = 2_000
"""Octets of a request that is read here."""
REMEMBERED = 2_000
"""Requests that are not read anew: ten megabytes at the most."""

_STARTS = (b"GET /feeds/", b"HEAD /feeds/")
# Addresses that say the same before and after they are decoded.
_LINE = re.compile(rb"(GET|HEAD) (/feeds/[A-Za-z0-9._~/-]*) HTTP/1\.1\r\n")


class Poll(NamedTuple):
    """A request for a feed."""

    path: bytes
    whole: bool
    """Whether a body is wanted too."""
    asked: Asked


@lru_cache(REMEMBERED)
def poll_in(data: bytes) -> Poll | None:
    """The poll that `data` is from its first octet to its last; None when it is anything else: a part of a request, two
    of them, one with a body, one after which the connection ends, none that the parser takes."""
    line = _LINE.match(data)
    if line is None:
        return None
    whole = read_whole(data)
    if whole is None or whole.length:
        return None
    return Poll(line[2], line[1] == b"GET", asked(whole.headers))


class Polls:
    """Answers polls; for all connections of a server."""

    def __init__(self, feeds: FeedFiles) -> None:
        self._feeds = feeds
        self._defaults: Headers | None = None
        self._begin = self._begin_unchanged = b""

    def answer(self, data: bytes, defaults: Headers) -> tuple[bytes, ...] | None:
        """The octets of the whole answer; None for what is to go the ordinary way. `data` came in one piece over a
        connection with nothing under way, which stays open. `defaults` are the first headers of each answer, and
        another list whenever they change."""
        if len(data) > LONGEST or not data.startswith(_STARTS):
            return None
        poll = poll_in(data)
        if poll is None:
            return None
        chosen = self._feeds.choose(poll.path, poll.asked)
        if chosen is None:
            return None
        coded, unchanged = chosen
        if defaults is not self._defaults:
            self._spell(defaults)
        if unchanged:
            return (self._begin_unchanged + coded.unchanged_head,)
        head = self._begin + coded.whole_head
        return (head, coded.body["body"]) if poll.whole else (head,)

    def _spell(self, defaults: Headers) -> None:
        lines = b"".join(b"%b: %b\r\n" % each for each in defaults)
        self._begin = b"HTTP/1.1 200 OK\r\n" + lines
        self._begin_unchanged = b"HTTP/1.1 304 Not Modified\r\n" + lines
        self._defaults = defaults
