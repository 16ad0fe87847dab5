"""What looks wrong in a text and is left as it is: listed for the editor, never repaired."""

from __future__ import annotations

from collections.abc import Sequence

from syndicate.rendering.summary import quotation_marks

MOST_SUSPECTS = 20


def suspects_in(title: str, paragraphs: Sequence[str]) -> tuple[str, ...]:
    """One sentence each: a title in lower case, a letter glued to the outside of a quotation mark, quotation marks
    that do not pair. A quotation that goes on in the next paragraph, which opens again, pairs."""
    texts = [title, *paragraphs]
    whole = "\n".join(texts)
    found: list[str] = []
    if title.islower():
        found.append(f"The title is in lower case: {title[:80]!r}.")
    for at, text in enumerate(texts):
        marks = list(quotation_marks(text, whole))
        found += _glued(text, marks)
        following = texts[at + 1] if at + 1 < len(texts) else ""
        goes_on = next(iter(quotation_marks(following, whole)), (-1, False)) == (0, True)
        if not _paired([opens for _, opens in marks], goes_on):
            found.append(f"Quotation marks do not pair: {_short(text)!r}.")
    if len(found) > MOST_SUSPECTS:
        found[MOST_SUSPECTS:] = [f"And {len(found) - MOST_SUSPECTS} more."]
    return tuple(dict.fromkeys(found))


def _glued(text: str, marks: Sequence[tuple[int, bool]]) -> list[str]:
    found = []
    for at, opens in marks:
        outside = text[at - 1 : at] if opens else text[at + 1 : at + 2]
        if outside.isalpha():
            found.append(f"A letter is glued to a quotation mark: {text[max(0, at - 20) : at + 20]!r}.")
    return found


def _paired(openings: Sequence[bool], goes_on: bool) -> bool:
    depth = 0
    for opens in openings:
        depth += 1 if opens else -1
        if depth < 0:
            return False
    return depth == 0 or (depth == 1 and goes_on)


def _short(text: str) -> str:
    return text if len(text) <= 80 else text[:79] + "…"
