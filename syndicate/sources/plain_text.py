"""Plain text, often a page saved by hand: title, lead, headings and paragraphs, with the page's furniture left out.

It is not Markdown and has no front matter. Not a word is changed: what is left out is whole lines, kept beside.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from syndicate.rendering.html import one_line
from syndicate.sources.suspects import suspects_in

LONG = 80
"""A line of more characters carries the story; a heading has at most as many."""

_LONE_MARK = re.compile(r"[-‐‑‒–—―−_*•·‣⁃▪▫◦●○■□]+(?:\s+[-‐‑‒–—―−_*•·‣⁃▪▫◦●○■□]+)*\Z")
_PREVIOUS = re.compile(r"PREV(?:IOUS)?(?:\W.*)?\Z")
_NEXT = re.compile(r"NEXT(?:\W.*)?\Z")
_NAVIGATION = re.compile(r"(?:share|read also)\s*[:…]?\Z", re.IGNORECASE)
_NO_HEADING_END = tuple(".:;,…!”»")
_SENTENCE_END = tuple('.!?…:;”"»)')
# Above the lead a line alone is as often the byline or the day of the page as it is a heading.
_BYLINE = re.compile(r"(?:by|par|por|von|di)\s+\S|.*\b(?:19|20)\d\d\b(?:\W*\d{1,2}[:.h]\d{2})?\W*\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """`html` without what was left out, `whole_html` with it; neither holds the title. `lead` is the first paragraph
    as text, "" when there is none. `left_out` are whole lines in their order."""

    title: str
    html: str
    lead: str
    left_out: tuple[str, ...]
    suspects: tuple[str, ...]
    whole_html: str


@dataclass(frozen=True, slots=True)
class _Unit:
    """One line, or lines wrapped at a column that are one paragraph. `follows` tells that it stands under another
    line, without a blank one between."""

    text: str
    follows: bool


def read_page(text: str) -> Page:
    """Read decoded text (NFC, `\\n` line ends). A text without any long line is taken as it is: nothing in it is the
    top or the tail of a page."""
    lines = [one_line(line) for line in text.split("\n")]
    title_at = _title_line(lines)
    title = lines[title_at] if title_at is not None else ""
    before = [line for line in lines[: title_at or 0] if line]
    units = _units(lines[title_at + 1 :]) if title_at is not None else []
    long = [at for at, unit in enumerate(units) if len(unit.text) > LONG]
    first, last = (long[0], long[-1]) if long else (0, len(units))
    out = {
        at
        for at, unit in enumerate(units)
        if (at < first and (unit.text == title or _furniture(unit.text))) or (at > last and _furniture(unit.text))
    }
    blocks = _blocks(units, out, first)
    whole = [*(_Block("p", (line,)) for line in before), *_blocks(units, out, first, whole=True)]
    paragraphs = [block.text for block in blocks if block.kind == "p"]
    return Page(
        title=title,
        html=_html(blocks),
        lead=units[first].text if long else next(iter(paragraphs), ""),
        left_out=(*before, *(units[at].text for at in sorted(out))),
        suspects=suspects_in(title, paragraphs),
        whole_html=_html(whole),
    )


def _furniture(line: str) -> bool:
    return any(form.match(line) for form in (_LONE_MARK, _PREVIOUS, _NEXT, _NAVIGATION))


def _title_line(lines: Sequence[str]) -> int | None:
    """The first line; above it only marks, Share and PREV… are passed over, and a NEXT… beside a PREV…."""
    filled = [at for at, line in enumerate(lines) if line]
    navigating = False
    for position, at in enumerate(filled):
        line = lines[at]
        following = lines[filled[position + 1]] if position + 1 < len(filled) else ""
        if _PREVIOUS.match(line):
            navigating = True
        elif _NEXT.match(line):
            if not navigating and not _PREVIOUS.match(following):
                return at
        elif not (_LONE_MARK.match(line) or _NAVIGATION.match(line)):
            return at
    return None


def _units(lines: Iterable[str]) -> list[_Unit]:
    units: list[_Unit] = []
    run: list[str] = []
    follows = True  # the first line stands under the title
    for line in (*lines, ""):
        if line and not _furniture(line):
            run.append(line)
            continue
        if run:
            units += _run_units(run, follows)
            run, follows = [], True
        if line:
            units.append(_Unit(line, follows))
        follows = bool(line)
    return units


def _run_units(run: Sequence[str], follows: bool) -> list[_Unit]:
    if _wrapped(run):
        return [_Unit(" ".join(run), follows)]
    return [_Unit(line, follows or at > 0) for at, line in enumerate(run)]


def _wrapped(run: Sequence[str]) -> bool:
    """Lines broken at a column: about equally long but the last, and not each the end of a sentence."""
    if len(run) < 2:
        return False
    widest = max(map(len, run))
    return (
        50 <= widest <= 100
        and all(len(line) >= 0.7 * widest for line in run[:-1])
        and any(not line.endswith(_SENTENCE_END) for line in run[:-1])
    )


@dataclass(frozen=True, slots=True)
class _Block:
    kind: Literal["p", "h2"]
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.lines)


def _blocks(units: Sequence[_Unit], out: set[int], first_long: int, *, whole: bool = False) -> list[_Block]:
    groups: list[list[int]] = []
    for at, unit in enumerate(units):
        if at in out and not whole:
            continue
        before = groups[-1][-1] if groups else -1
        if groups and unit.follows and before == at - 1 and max(len(unit.text), len(units[before].text)) <= LONG:
            groups[-1].append(at)
        else:
            groups.append([at])
    blocks = [_Block("p", tuple(units[at].text for at in group)) for group in groups]
    for place in range(len(blocks) - 2, -1, -1):
        at = groups[place][-1]
        alone = not units[at].follows and not units[at + 1].follows
        byline = at < first_long and _BYLINE.match(units[at].text)
        if alone and at not in out and not byline and _is_heading(blocks[place].text, blocks[place + 1]):
            blocks[place] = _Block("h2", blocks[place].lines)
    return blocks


def _is_heading(line: str, following: _Block) -> bool:
    return (
        len(line) <= LONG
        and not line.endswith(_NO_HEADING_END)
        and any(character.isalnum() for character in line)
        and following.kind == "p"
        and len(following.text) > len(line)
    )


def _html(blocks: Sequence[_Block]) -> str:
    return "\n".join(
        f"<{block.kind}>{'<br>'.join(html.escape(line, quote=False) for line in block.lines)}</{block.kind}>"
        for block in blocks
    )
