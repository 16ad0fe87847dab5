"""An editor's own words in a mail: plain text or a little Markdown (emphasis, links, lists), as HTML and as text.

Anything else stays the characters that were typed; HTML is escaped, never passed on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from syndicate.rendering.text import fold, web_address

_PRIVATE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Written:
    """The same words twice. `html` is safe as it is; `text` has one entry for each paragraph or item."""

    html: Markup
    text: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.text)


def write(words: str) -> Written:
    """The words as paragraphs and lists. Links other than http, https and mailto stay plain words."""
    tokens = _parser().parse(_PRIVATE.sub("", words.replace("\r\n", "\n")))
    html = str(_parser().renderer.render(tokens, _parser().options, {})).strip()
    return Written(Markup(html), tuple(_blocks(tokens)))


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("zero", {"html": False, "linkify": False, "breaks": False, "maxNesting": 10})
    parser.enable(["emphasis", "link", "list", "escape", "entity", "newline", "autolink", "balance_pairs"])
    parser.validateLink = _is_wanted  # type: ignore[method-assign, assignment]
    return parser


def _is_wanted(address: str) -> bool:
    return bool(web_address(address)) or re.fullmatch(r"mailto:[^\s<>\"?]{3,254}", address) is not None


def _blocks(tokens: Sequence[Token]) -> list[str]:
    found: list[str] = []
    marks: list[str] = []
    counts: list[int] = []
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            counts.append(int(token.attrGet("start") or 1) if token.type == "ordered_list_open" else 0)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            counts.pop()
        elif token.type == "list_item_open":
            marks.append("  " * (len(counts) - 1) + (f"{counts[-1]}. " if counts[-1] else "* "))
            counts[-1] += 1 if counts[-1] else 0
        elif token.type == "inline" and (words := _words(token.children or [])):
            found.append((marks.pop() if marks else "") + words)
    return found


def _words(tokens: Sequence[Token]) -> str:
    said, targets = "", list[tuple[str, int]]()
    for token in tokens:
        if token.type == "link_open":
            targets.append((str(token.attrGet("href") or ""), len(said)))
        elif token.type == "link_close":
            address, start = targets.pop()
            if said[start:] != address:
                said += f" <{address.removeprefix('mailto:')}>"
        elif token.type in ("softbreak", "hardbreak"):
            said += " "
        else:
            said += token.content
    return fold(said)
