"""What a name, a title or a setting may not hold, because it stands on one line of a header, a feed or a terminal."""

from __future__ import annotations

import re

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Unicode Standard Annex 9, section 2: embeddings, overrides and isolates reach beyond the text that they stand in; the
# marks U+200E and U+200F, which Hebrew and Arabic names need, do not.
_TURNS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


def line_fault(text: str) -> str | None:
    """What is wrong with the text as one line, to follow "it holds"; None when nothing is."""
    if _CONTROL.search(text):
        return "a line break or a control character"
    if _TURNS.search(text):
        return "a character that turns the direction of text"
    return None
