"""Markdown to HTML: CommonMark with tables, strikethrough, footnotes and bare web addresses."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.footnote import footnote_plugin

from syndicate.errors import BadInput
from syndicate.rendering.html import one_line

LONGEST_TEXT = 1_000_000
"""Characters of Markdown read: some 150,000 words."""
LONGEST_PARAGRAPH = 100_000
"""Characters without a blank line."""
MOST_BRACKETS = 10_000
"""Opening brackets in one paragraph: the time of the parser grows with the square of those that nothing closes."""

DEEPEST = 100
"""Quotes, lists and their items inside one another. The parser leaves out what is deeper, without a word."""


def render_markdown(text: str, title: str | None = None) -> tuple[str, str]:
    """The title and the HTML (not yet sanitised).

    Without a `title`, the first heading of the first level is it ("" when there is none either). A first such heading
    that equals the title is not repeated in the HTML. Raises BadInput for a text beyond the limits.
    """
    if len(text) > LONGEST_TEXT:
        raise BadInput(f"it has {len(text):,} characters and may have {LONGEST_TEXT:,}.", cure="Split it.")
    for paragraph in re.split(r"\n[ \t]*\n", text):
        for count, most, what in (
            (len(paragraph), LONGEST_PARAGRAPH, "characters"),
            (paragraph.count("["), MOST_BRACKETS, "brackets"),
        ):
            if count > most:
                raise BadInput(f"one paragraph has {count:,} {what} and may have {most:,}.", cure="Add blank lines.")
    parser = _parser()
    env: EnvType = {}
    tokens = parser.parse(text, env)
    if any(token.nesting == 1 and token.level >= DEEPEST - 1 for token in tokens):
        raise BadInput(f"its quotes or lists are nested {DEEPEST} deep.", cure="Write them flatter.")
    at = next((i for i, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h1"), None)
    if at is not None:
        heading = one_line(_words(tokens[at + 1].children or []))
        if not title or _folded(heading) == _folded(title):
            title = title or heading
            del tokens[at : at + 3]
    return title or "", parser.renderer.render(tokens, parser.options, env)


def _words(tokens: Sequence[Token]) -> str:
    blanks = {"softbreak": " ", "hardbreak": " ", "html_inline": ""}
    return "".join(
        blanks.get(token.type, _words(token.children) if token.children else token.content) for token in tokens
    )


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


@cache
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": True, "linkify": True, "maxNesting": DEEPEST})
    parser.enable(["table", "strikethrough", "linkify"]).use(footnote_plugin)
    if parser.linkify is not None:
        # Only what is written as an address: "post.example" in a sentence stays words.
        parser.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
    # Notes keep their numbers; links inside the page are left out, for in a feed or a mail they lead nowhere.
    parser.add_render_rule("footnote_ref", _note_number)
    parser.add_render_rule("footnote_anchor", _nothing)
    parser.add_render_rule("footnote_block_open", _notes_open)
    parser.add_render_rule("footnote_block_close", _notes_close)
    parser.add_render_rule("footnote_open", _note_open)
    return parser


def _note_number(
    _self: RendererHTML, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType
) -> str:
    return f"<sup>[{int(tokens[at].meta['id']) + 1}]</sup>"


def _nothing(_self: RendererHTML, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType) -> str:
    return ""


def _notes_open(_self: RendererHTML, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType) -> str:
    return "<hr>\n<ol>\n"


def _notes_close(_self: RendererHTML, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType) -> str:
    return "</ol>\n"


def _note_open(_self: RendererHTML, _tokens: Sequence[Token], _at: int, _options: OptionsDict, _env: EnvType) -> str:
    return "<li>"
