"""Marks in the first lines of a story that say it must not go out yet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

FIRST_LINES = 5
"""Lines with words below the title that are looked at."""

_MARKS = (
    # Capitals at the start of a line or after a bracket. In ordinary case "Embargo on arms exports ends" is a story.
    (re.compile(r"(?:^\W*|[\[(<{]\s*)(?:(?:STRICT(?:LY)?|UNDER|STILL)\s+)*EMBARGO(?:ED)?\b"), "EMBARGO"),
    (re.compile(r"^\W*(?:strictly )?(?:embargoed|(?:under )?embargo) (?:until|till)\b", re.I), "EMBARGO"),
    (re.compile(r"^\W*embargo(?:ed)?\s*:.*\d", re.I), "EMBARGO"),
    (re.compile(r"\bTK\b"), "TK"),
    (re.compile(r"\bNOT FOR PUBLICATION\b"), "NOT FOR PUBLICATION"),
    (re.compile(r"^\W*not for publication\b[^.]{0,40}\W*$", re.I), "NOT FOR PUBLICATION"),
)


def hold_mark(title: str, summary: str, lines: Iterable[str]) -> str:
    """Why the story is held: the mark and the line that carries it; "" when there is none.

    `lines` are those of the body in order; the first FIRST_LINES that are not blank count.
    """
    first = islice((line for line in lines if line.strip()), FIRST_LINES)
    for line in (title, summary, *first):
        for pattern, name in _MARKS:
            if pattern.search(line.strip()):
                return f"{name} in the first lines: {line.strip()[:80]!r}"
    return ""
