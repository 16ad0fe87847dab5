"""One article file: its bytes to a draft. Pure: the folder reads the bytes and knows the time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from typing import TypeVar

from syndicate.core.article import ArticleDraft, Content
from syndicate.errors import BadInput
from syndicate.rendering.html import one_line, sanitise, summarise, text_of
from syndicate.rendering.summary import summary_of
from syndicate.sources.declared import LONGEST, Declared, declared
from syndicate.sources.decoding import decode
from syndicate.sources.front_matter import split_front_matter
from syndicate.sources.hold_marks import hold_mark
from syndicate.sources.markdown import render_markdown
from syndicate.sources.plain_text import read_page
from syndicate.sources.sameness import text_hash
from syndicate.sources.saved_html import read_saved_html

LARGEST_FILE = 5_000_000
"""Bytes of one article read."""
LONGEST_BODY = 1_000_000
"""Characters of sanitised HTML in one article."""
KINDS = {
    ".md": "markdown",
    ".markdown": "markdown",
    ".html": "html",
    ".htm": "html",
    ".txt": "text",
}
"""What a file's name ends with, in lower case, and how it is read."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class House:
    """What fills in for an article that does not say. `zone` is of dates without an offset; `base_url` is what
    addresses are relative to when the article has none of its own, "" for nothing."""

    zone: tzinfo = UTC
    base_url: str = ""
    language: str = "en"
    rights: str = "ours"
    defaults: Declared = field(default_factory=Declared)


@dataclass(frozen=True, slots=True)
class _Reading:
    """A body read by its kind: what it declares, the words, and what a reading of plain text leaves out."""

    title: str
    html: str
    declared: Declared
    base: str = ""
    lead: str | None = None
    whole_html: str | None = None
    left_out: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    first_lines: tuple[str, ...] = ()
    from_page: Declared = field(default_factory=Declared)


def read_article(key: str, raw: bytes, house: House, *, now: datetime | None = None) -> ArticleDraft:
    """The draft of the file at `key` (its path inside the folder).

    `not_before` is the later of date and embargo; with `now`, only when that is still to come. Raises BadInput, without
    the key in its message, for what cannot be used.
    """
    if len(raw) > LARGEST_FILE:
        raise too_large(len(raw))
    kind = KINDS["." + key.rpartition(".")[2].lower()]
    text, warnings = decode(raw, kind=kind)
    if not text.strip("\ufeff \t\r\n"):
        raise BadInput("it holds no text.", cure="Write the story, or delete the file.")
    reading = {"markdown": _markdown, "html": _html, "text": _text}[kind](text, house)
    folder, slash, _ = key.partition("/")
    return _draft(
        key, kind, reading, house, now, text=text, section=_folder_section(folder) if slash else None, warnings=warnings
    )


def read_parts(
    key: str, said: Declared, kind: str, text: str, house: House, *, now: datetime | None = None
) -> ArticleDraft:
    """The draft of an article that comes as what it declares and a text of that kind, as `read_article` does it of a
    file with front matter."""
    if kind == "text":
        if said.title:
            text = f"{said.title}\n\n{text}"
        reading = replace(_text(text, house), declared=said)
    else:
        reading = (_markdown_body if kind == "markdown" else _html_body)(said, text, house)
    return _draft(key, kind, reading, house, now, text=text)


def _draft(
    key: str,
    kind: str,
    reading: _Reading,
    house: House,
    now: datetime | None,
    *,
    text: str,
    section: str | None = None,
    warnings: Iterable[str] = (),
) -> ArticleDraft:
    said, page = reading.declared, reading.from_page
    title = _title(reading.title, kind)
    url = said.url or page.url
    base = reading.base or url or house.base_url
    dropped: list[str] = []
    html = _body(reading.html, base, dropped)
    summary = said.summary or page.summary or ""
    if not (html or summary or url):
        raise BadInput("it has a title and no text.", cure="Write the story below the title.")
    if not summary:
        summary = summarise(html) if reading.lead is None else one_line(summary_of(reading.lead, whole_text=text))
    rest = house.defaults
    content = Content(
        title=title,
        html=html,
        summary=summary,
        section=_first(said.section, page.section, section, rest.section, ""),
        tags=_first(said.tags, page.tags, rest.tags, ()),
        authors=_first(said.authors, page.authors, rest.authors, ()),
        language=_first(said.language, page.language, rest.language, house.language),
        url=url,
        image=said.image or page.image,
        date=said.date or page.date,
        rights=_first(said.rights, rest.rights, house.rights),
        translated_from=said.translated_from or "",
        translated_by=said.translated_by or "",
        breaking=bool(said.breaking),
        left_out=reading.left_out,
        suspects=reading.suspects,
    )
    full = None
    if reading.whole_html is not None and reading.left_out:
        full = replace(content, html=_body(reading.whole_html, base, []), left_out=())
    mark = hold_mark(content.title, said.summary or "", reading.first_lines or text_of(html).split("\n"))
    return ArticleDraft(
        key=key,
        content=content,
        declared_id=said.id or "",
        text_hash=text_hash(content.title, html),
        hold="draft: true in the front matter" if said.draft else mark,
        not_before=_not_before((content.date, said.embargo), now),
        updated=said.updated,
        warnings=(*warnings, *said.warnings, *page.warnings, *dict.fromkeys(dropped)),
        full=full,
    )


def too_large(size: int) -> BadInput:
    """The error of a file of `size` bytes."""
    return BadInput(
        f"it has {size / 1e6:.1f} MB and may have {LARGEST_FILE / 1e6:.0f} MB.",
        cure="Split it, or take pictures out of the text.",
    )


def _first(*values: T | None) -> T:
    return next(value for value in values if value is not None)


def _folder_section(folder: str) -> str:
    return one_line(folder)[: LONGEST["section"]]


def _not_before(moments: Iterable[datetime | None], now: datetime | None) -> datetime | None:
    latest = max((moment for moment in moments if moment is not None), default=None)
    return None if latest is None or (now is not None and latest <= now) else latest


def _title(title: str, kind: str) -> str:
    title = one_line(title)
    if not title:
        cure = {
            "markdown": "Add `title:` to its front matter, or a first line `# Title`.",
            "html": "Add a <title> or an <h1>.",
            "text": "Write the title in its first line.",
        }[kind]
        raise BadInput("it has no title.", cure=cure)
    if len(title) > LONGEST["title"]:
        raise BadInput(
            f"its title has {len(title):,} characters and may have {LONGEST['title']:,}.",
            cure="Write a title of its own in the first line." if kind == "text" else "Shorten it.",
        )
    return title


def _body(html: str, base: str, dropped: list[str]) -> str:
    clean = sanitise(html, base_url=base, dropped=dropped)
    if len(clean) > LONGEST_BODY:
        raise BadInput(f"it has {len(clean):,} characters and may have {LONGEST_BODY:,}.", cure="Split it.")
    return clean if "<img" in clean or text_of(clean) else ""


def _front_matter(text: str, house: House) -> tuple[Declared, str]:
    values, body = split_front_matter(text)
    return declared(values, zone=house.zone, base_url=house.base_url), body


def _markdown(text: str, house: House) -> _Reading:
    return _markdown_body(*_front_matter(text, house), house)


def _markdown_body(said: Declared, body: str, _house: House) -> _Reading:
    title, html = render_markdown(body, said.title)
    return _Reading(title, html, said)


def _html(text: str, house: House) -> _Reading:
    return _html_body(*_front_matter(text, house), house)


def _html_body(said: Declared, body: str, house: House) -> _Reading:
    if not body.strip():
        return _Reading(said.title or "", "", said)
    page = read_saved_html(body, title=said.title or "", base_url=house.base_url)
    from_page = declared(page.declared, zone=house.zone, base_url=house.base_url, place="head of the page")
    return _Reading(page.title, page.html, said, page.base, from_page=from_page)


def _text(text: str, _house: House) -> _Reading:
    page = read_page(text)
    return _Reading(
        page.title,
        page.html,
        Declared(),
        lead=page.lead,
        whole_html=page.whole_html,
        left_out=page.left_out,
        suspects=page.suspects,
        first_lines=tuple(text.split("\n")),
    )
