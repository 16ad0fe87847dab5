"""Pages of feeds put together from entries that the feed writer rendered once.

A writer renders a document of one entry; cut at the entry's own marks it gives the fragment, and cut from a document of
any one entry come the bytes before and after. Put together they are, byte for byte, what the writer makes of the whole
(a property test holds this), at a twentieth of its cost.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Marks:
    """Where an entry starts and ends in a document of one entry. Both are bytes that no text inside a document can
    hold, because every format escapes them. `between` stands between two entries."""

    opening: bytes
    closing: bytes
    between: bytes


def cut(document: bytes, marks: Marks) -> tuple[bytes, bytes, bytes]:
    """A document of one entry as (before, the entry, after). Raises ValueError when it holds none."""
    start = document.index(marks.opening)
    end = document.rindex(marks.closing) + len(marks.closing)
    return document[:start], document[start:end], document[end:]


def stitch(before: bytes, fragments: Iterable[bytes], after: bytes, marks: Marks) -> bytes:
    """The page of those entries; there must be at least one."""
    first, *others = fragments
    parts = [before, first]
    for each in others:
        parts += (marks.between, each)
    # Joined once: a page is copied no more often than it must be.
    return b"".join((*parts, after))
