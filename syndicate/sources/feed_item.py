"""What every kind of feed is read into."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import datetime

from syndicate.rendering.html import absolute_url

MOST_ITEMS = 500
"""Items of one document that are read: the newest."""


@dataclass(frozen=True, slots=True)
class FeedItem:
    """One entry as the feed has it. `title` is plain text; `body` and `summary` are HTML, not yet sanitised, whose
    addresses are relative to `base`. `link` and `picture` are absolute, or "". Moments are aware, in UTC."""

    id: str = ""
    link: str = ""
    title: str = ""
    body: str = ""
    summary: str = ""
    base: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    authors: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    language: str = ""
    picture: str = ""


@dataclass(frozen=True, slots=True)
class FeedDocument:
    """`items` as they stand in the document, at most MOST_ITEMS of the `count` that it has. `home` is the address of
    the page that the feed belongs to, or "". `fault` says what is broken in it, or "": then not everything may have
    been read."""

    title: str
    home: str
    items: tuple[FeedItem, ...]
    count: int
    fault: str = ""


def address(text: str, base: str) -> str:
    """The absolute web address; "" when there is none, or none that fits."""
    return (absolute_url(text, base) or "") if text else ""


def plain_to_html(text: str) -> str:
    """Plain text as paragraphs."""
    paragraphs = re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip())
    return "\n".join(f"<p>{html.escape(each, quote=False).replace(chr(10), '<br>')}</p>" for each in paragraphs if each)
