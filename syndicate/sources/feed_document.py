"""The bytes that a web server gave for a feed: what text they are, and which kind of feed, if any."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import UTC, datetime

from w3lib.encoding import html_body_declared_encoding, html_to_unicode

from syndicate.errors import BadInput
from syndicate.sources.feed_item import MOST_ITEMS, FeedDocument, FeedItem, address
from syndicate.sources.json_feed import read_json_feed
from syndicate.sources.xml_feed import read_xml_feed

_COMMENT = re.compile(r"<!--.*?-->", re.S)
_PAGE = re.compile(r"\s*(?:<\?[^>]*>\s*)?<(?:!doctype\s+html|html|head|body)\b", re.I)
_PAGE_LINK = re.compile(r"<link\b[^>]{0,2000}>", re.I)
_ATTRIBUTE = re.compile(r"""\s([a-zA-Z]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""")
_FEED_TYPES = ("application/rss+xml", "application/atom+xml", "application/feed+json")


def read_feed(raw: bytes, *, url: str, content_type: str = "") -> FeedDocument:
    """The document that `url` gave. Raises BadInput, to be read after the address, when it is no feed."""
    text = _text(raw, content_type)
    found: FeedDocument | None = None
    if text.lstrip()[:1] == "{":
        found = read_json_feed(text, url)
    elif not _is_page(text):
        found = read_xml_feed(text, url)
    if found is None:
        raise _no_feed(text, url)
    if found.count > MOST_ITEMS or len(found.items) > MOST_ITEMS:
        found = replace(found, items=_newest(found.items))
    return found


def _newest(items: tuple[FeedItem, ...]) -> tuple[FeedItem, ...]:
    """The MOST_ITEMS newest, in their order; those without a date come after all others, the first of them first."""
    oldest = datetime(1, 1, 1, tzinfo=UTC)
    moments = [each.published or each.updated or oldest for each in items]
    places = sorted(range(len(items)), key=lambda place: (moments[place], -place), reverse=True)[:MOST_ITEMS]
    return tuple(items[place] for place in sorted(places))


def _text(raw: bytes, content_type: str) -> str:
    """What is valid UTF-8 is UTF-8, whatever servers say of it; else the byte order mark, the server or the document
    decides (RFC 7303 §3)."""
    escapes = raw.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in raw[:64] or b"\x1b" in raw[:10_000]
    if not escapes:
        try:
            return raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            pass
    if b"\x00" in raw[:4] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        # XML 1.0 appendix F.1: `<?` in UTF-16 without a mark.
        return raw.decode("utf-16-be" if raw[:1] == b"\x00" else "utf-16-le", "replace")
    default = "utf-8" if html_body_declared_encoding(raw[:4096]) else "cp1252"
    return html_to_unicode(content_type or None, raw, default_encoding=default)[1]


def _is_page(text: str) -> bool:
    return _PAGE.match(_COMMENT.sub("", text[:5000])) is not None


def _no_feed(text: str, url: str) -> BadInput:
    if not text.strip():
        return BadInput("gave an empty answer and no feed.", cure="Look at the address; it is asked again.")
    if not _is_page(text):
        return BadInput(
            "gave something that is no feed.", cure="Put the address of an RSS, Atom or JSON feed into `url`."
        )
    feeds = [found for tag in _PAGE_LINK.findall(text[:200_000]) if (found := _feed_of(tag, url))]
    cure = f"It names this feed: {feeds[0]}" if feeds else "Put the address of its feed into `url`."
    return BadInput("is a web page and no feed.", cure=cure)


def _feed_of(tag: str, url: str) -> str:
    found = {name.lower(): html.unescape(a or b or c) for name, a, b, c in _ATTRIBUTE.findall(tag)}
    fits = "alternate" in found.get("rel", "").lower().split() and found.get("type", "").lower() in _FEED_TYPES
    return address(found.get("href", ""), url) if fits else ""
