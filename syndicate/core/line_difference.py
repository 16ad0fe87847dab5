"""Two texts line by line: what stayed, what went and what came."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

MOST_LINES = 3_000
"""A longer text is told as gone and new: comparing takes the square of it."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of either text."""

    kind: Literal["same", "gone", "new"]
    text: str


def compare(before: Sequence[str], after: Sequence[str]) -> list[Line]:
    """All lines of both, in order; where something was replaced, what went stands before what came."""
    if len(before) > MOST_LINES or len(after) > MOST_LINES:
        return [*(Line("gone", each) for each in before), *(Line("new", each) for each in after)]
    return list(_compared(before, after))


def changed(lines: Sequence[Line]) -> list[Line]:
    """Those that went or came."""
    return [each for each in lines if each.kind != "same"]


def _compared(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    for tag, first, last, start, end in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from (Line("same", each) for each in before[first:last])
        else:
            yield from (Line("gone", each) for each in before[first:last])
            yield from (Line("new", each) for each in after[start:end])
