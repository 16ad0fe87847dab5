"""How large a request may be. What is larger is refused before it is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

LARGEST = 1_000_000
"""Bytes of an ordinary form."""
LARGEST_BY_PATH = (
    ("/api/v1/", 24_000_000),
    ("/console/readers/import", 200_000_000),
)
"""Longer ones, each by the beginning of its path: the routes there have limits of their own besides."""


class TooLarge(Exception):
    """The body went on beyond the limit."""


def limit_for(path: str) -> int:
    """The most bytes that a request to that path may have."""
    return next((limit for start, limit in LARGEST_BY_PATH if path.startswith(start)), LARGEST)


class Limited:
    """`receive`, raising TooLarge once more than `limit` bytes have come: a body need not say its length."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit

    @property
    def exceeded(self) -> bool:
        """Whether more came. Who reads the body may make another error of the one that told so."""
        return self._left < 0

    async def __call__(self) -> MutableMapping[str, Any]:
        """The next message."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.exceeded:
            raise TooLarge
        return message
