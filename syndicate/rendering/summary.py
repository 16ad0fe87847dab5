"""Where a summary may end: at a sentence end outside open quotation marks.

Which mark opens and which closes differs by language (“…”, „…“, «…», »…«, ”…”), so it is read off the whole text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

SUMMARY_LIMIT = 280

_MARKS = re.compile('["“”„«»]')
_SENTENCE_END = re.compile(r"[.!?…]+|[。！？]+[」』]*")
_CLOSING_BRACKETS = "’')]"
_NARROW_SPACES = " \u00a0\u202f"
_ABBREVIATIONS = {
    "mr", "mrs", "ms", "dr", "st", "prof", "no", "vs", "cf", "approx", "e.g", "i.e", "u.s", "u.k", "p", "pp",
    "art", "mme", "mlle", "gen", "col", "sen", "rep", "gov", "lt", "capt", "sgt",
}


def quotation_marks(paragraph: str, whole_text: str = "") -> Iterator[tuple[int, bool]]:
    """Position of each double quotation mark of the paragraph, and whether it opens.

    `whole_text` decides the convention (default: the paragraph itself). A straight mark after a digit with nothing
    open is an inch, and is passed over.
    """
    text = whole_text or paragraph
    german = "„" in text
    curly_toggles = not german and "“" not in text  # Swedish and Finnish: ”…”
    first_guillemet = next((mark for mark in text if mark in "«»"), "")
    guillemet_toggles = first_guillemet == "»" and "«" not in text
    reversed_guillemets = first_guillemet == "»"
    open_now = {"straight": False, "curly": False, "guillemet": False}
    for match in _MARKS.finditer(paragraph):
        mark, at = match.group(), match.start()
        if mark == '"':
            if not open_now["straight"] and at and paragraph[at - 1].isdigit():
                continue
            opens = open_now["straight"] = not open_now["straight"]
        elif mark == "„":
            opens = True
        elif mark == "“":
            opens = not german
        elif mark == "”":
            opens = curly_toggles and not open_now["curly"]
            open_now["curly"] = opens
        elif guillemet_toggles:
            opens = open_now["guillemet"] = not open_now["guillemet"]
        else:
            opens = (mark == "«") != reversed_guillemets
        yield at, opens


def sentence_ends(paragraph: str, whole_text: str = "") -> Iterator[int]:
    """Every length at which the paragraph may be cut: after a sentence end where no quotation is open."""
    marks = dict(quotation_marks(paragraph, whole_text))
    positions = sorted(marks)
    depth, seen = 0, 0
    for match in _SENTENCE_END.finditer(paragraph):
        end = _after_closing(paragraph, match.end(), marks)
        if end < len(paragraph) and not paragraph[end].isspace() and match.group()[0] not in "。！？":
            continue
        while seen < len(positions) and positions[seen] < end:
            depth = depth + 1 if marks[positions[seen]] else max(0, depth - 1)
            seen += 1
        if depth == 0 and not _goes_on(paragraph, match.start(), end):
            yield end


def _after_closing(paragraph: str, end: int, marks: Mapping[int, bool]) -> int:
    """Past the brackets and quotation marks that close behind a full stop; French sets a space before »."""
    while end < len(paragraph):
        at = end + 1 if paragraph[end] in _NARROW_SPACES else end
        if marks.get(at) is False or (at == end and paragraph[end] in _CLOSING_BRACKETS):
            end = at + 1
        else:
            break
    return end


def _goes_on(paragraph: str, start: int, end: int) -> bool:
    following = paragraph[end:].lstrip()[:1]
    if following.islower():
        return True
    if paragraph[start:end] != ".":
        return False
    word = paragraph[max(0, start - 12) : start].split()[-1:] or [""]
    last = word[0].strip("(“«\"'").casefold()
    # "J. Smith", "Dr. Smith"; the same at the very end of the paragraph does end it.
    return bool(following) and (last in _ABBREVIATIONS or (len(last) == 1 and last.isalpha()))


def summary_of(paragraph: str, *, limit: int = SUMMARY_LIMIT, whole_text: str = "") -> str:
    """The first sentences of a paragraph of plain text, in about `limit` characters.

    The author's words unchanged. When the first sentence alone is longer it is kept whole up to twice the limit; only
    beyond that is it cut after a word, with an ellipsis.
    """
    paragraph = paragraph.strip()
    ends = list(sentence_ends(paragraph, whole_text))
    fitting = [end for end in ends if end <= limit]
    later = [end for end in ends if end > limit]
    if fitting and (fitting[-1] >= limit // 5 or not later or later[0] > limit * 5 // 4):
        return paragraph[: fitting[-1]]
    if later and later[0] <= 2 * limit:
        return paragraph[: later[0]]
    if len(paragraph) <= 2 * limit:
        return paragraph
    return paragraph[: paragraph.rfind(" ", 0, limit) if " " in paragraph[:limit] else limit].rstrip(" ,;:–—-") + "…"
