"""RSS and Atom, read by feedparser.

libxml2 comes first: it knows no DTD and no network here, closes what is open, and hands over a document in UTF-8 that
is well-formed. So entity bombs, mixed encodings and broken markup never reach feedparser.
"""

from __future__ import annotations

import html
import io
import re
from calendar import timegm
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from html.entities import html5
from typing import Any

import feedparser
from lxml import etree

from syndicate.errors import BadInput
from syndicate.rendering.html import one_line, sanitise, text_of
from syndicate.sources.feed_item import MOST_ITEMS, FeedDocument, FeedItem, address, plain_to_html

_ROOT = re.compile(r"<((?:[A-Za-z][\w.-]*:)?(?:rss|feed|RDF|channel))(?=[\s>/])")
_A_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_IN_BRACKETS = re.compile(r"\(([^()@]*)\)")
_EMAIL = re.compile(r"\S*@\S*")
_NAMED = re.compile(r"&([A-Za-z][A-Za-z0-9]{1,31};)")
_NUMBERED = re.compile(r"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
_IN_XML = ("amp;", "lt;", "gt;", "quot;", "apos;")
# C1 controls stay: feedparser takes them for what Windows-1252 has in their places, and the rest is cleaned later.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def read_xml_feed(text: str, url: str) -> FeedDocument | None:
    """None when there is no feed in it. Raises BadInput when there is one that nothing can be made of."""
    start = _ROOT.search(text)
    if start is None:
        return None
    # From the root on: the document's own DTD, and what some servers print before it, stay outside.
    clean = _NUMBERED.sub(_character, _NAMED.sub(_entity, _FORBIDDEN.sub("", text[start.start() :])))
    parser = etree.XMLParser(
        encoding="utf-8",
        recover=True,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(clean.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    if root is None:
        return None
    fault = ""
    for error in parser.error_log:
        if error.type_name != "NS_ERR_UNDEFINED_NAMESPACE":  # harmless: the names are known without it
            fault = f"its XML is broken in line {error.line} ({one_line(error.message)[:100]})"
            break
    count = _keep_ends(root)
    _take_out_addresses(root)
    document = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    del root
    try:
        # A stream: bytes would be tried as the name of a file, and a text as an address to fetch.
        found = feedparser.parse(
            io.BytesIO(document),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            resolve_relative_uris=False,
            sanitize_html=False,
        )
        read = _document(found, url, count, fault)
    except Exception as error:  # whatever a parser stumbles over in bytes from outside
        raise BadInput(
            f"gave a feed that cannot be read ({type(error).__name__}).", cure="Tell its publisher."
        ) from error
    # Where the document was cut, so was its last item.
    return read if f"</{start[1]}" in clean else replace(read, items=read.items[:-1])


def _entity(match: re.Match[str]) -> str:
    """XML knows five names; feeds use those of HTML, also where no DTD declares them."""
    return match.group() if match[1] in _IN_XML else html.escape(html5.get(match[1], match.group()), quote=False)


def _character(match: re.Match[str]) -> str:
    number = int(match[1], 16) if match[1] else int(match[2])
    fits = (
        number in (9, 10, 13) or 32 <= number <= 0xD7FF or 0xE000 <= number <= 0xFFFD or 0x10000 <= number <= 0x10FFFF
    )
    return match.group() if fits else ""


def _keep_ends(root: etree._Element) -> int:
    """Takes out what lies in the middle of a document with very many items, which are in the order of time, one way or
    the other. Returns how many there were."""
    items = [each for each in root.iter(etree.Element) if str(each.tag).rpartition("}")[2] in ("item", "entry")]
    for each in items[MOST_ITEMS:-MOST_ITEMS]:
        parent = each.getparent()
        if parent is not None:
            parent.remove(each)
    return len(items)


def _take_out_addresses(root: etree._Element) -> None:
    """Of "jane@post.museum (Jane Roe)" the name alone: nobody's address is published again. feedparser would leave a
    part of this one, because the last part of its domain is long."""
    for each in root.iter(etree.Element):
        if str(each.tag).rpartition("}")[2] in ("author", "creator", "name") and each.text and "@" in each.text:
            named = _IN_BRACKETS.search(each.text[:1000])
            each.text = named[1] if named else _EMAIL.sub("", each.text[:1000])


def _document(found: Any, url: str, count: int, fault: str) -> FeedDocument:
    feed = found.feed
    home = address(_value(feed, "link"), url)
    atom = str(found.get("version", "")).startswith("atom")
    language = _value(feed, "language")
    # RFC 4287 §4.2.1: an entry without an author has the feed's.
    authors = _authors(feed) if atom else ()
    items = tuple(_item(each, url, home, atom, language, authors) for each in found.entries)
    return FeedDocument(_plain(feed, "title", atom), home, items, max(count, len(items)), fault)


def _item(entry: Any, url: str, home: str, atom: bool, feed_language: str, feed_authors: tuple[str, ...]) -> FeedItem:
    link = address(_value(entry, "link"), home or url)
    bodies = [each for each in entry.get("content") or () if each.get("value")]
    body = next((each for each in bodies if "html" in each.get("type", "")), bodies[0] if bodies else None)
    summary = entry.get("summary_detail") if _value(entry, "summary") else None
    if body is None:
        body, summary = summary, None
    elif summary is not None and summary.get("value") == body.get("value"):
        summary = None
    title = entry.get("title_detail") or {}
    languages = (_value(entry, "language"), (body or {}).get("language"), title.get("language"), feed_language)
    return FeedItem(
        id=_value(entry, "id"),
        link=link,
        title=_plain(entry, "title", atom),
        body=_html(body),
        summary=_html(summary),
        base=address((body or {}).get("base") or "", url) or link or home or url,
        published=_moment(entry, "published_parsed"),
        updated=_moment(entry, "updated_parsed"),
        authors=_authors(entry) or feed_authors,
        tags=tuple(str(each.get("label") or each.get("term") or "") for each in entry.get("tags") or ()),
        language=next((str(each) for each in languages if each), ""),
        picture=address(_picture(entry), home or url),
    )


def _value(found: Any, key: str) -> str:
    value = found.get(key)
    return one_line(value) if isinstance(value, str) else ""


def _html(detail: Mapping[str, Any] | None) -> str:
    if not detail:
        return ""
    text = str(detail.get("value") or "")
    return text if "html" in detail.get("type", "text/html") else plain_to_html(text)


def _plain(found: Any, key: str, atom: bool) -> str:
    detail = found.get(f"{key}_detail") or {}
    text = str(detail.get("value") or "")
    if "html" in detail.get("type", "") or (not atom and _A_TAG.search(text)):
        try:
            return one_line(text_of(sanitise(text)))
        except BadInput:
            return ""
    # RSS does not say whether a title is plain or HTML; many write "R&amp;amp;D", and nobody means the ampersand.
    return one_line(text if atom else html.unescape(text))


def _moment(entry: Any, key: str) -> datetime | None:
    # Asked as of a plain dict: feedparser's own answers `updated` with `published`.
    parsed = dict.get(entry, key)
    if not parsed:
        return None
    try:
        return datetime.fromtimestamp(timegm(parsed), UTC)
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def _authors(found: Any) -> tuple[str, ...]:
    names = (str(each.get("name") or "") for each in found.get("authors") or ())
    return tuple(name for name in names if name and "@" not in name)


def _picture(entry: Any) -> str:
    pictures = [
        str(each.get("url") or "")
        for each in entry.get("media_content") or ()
        if each.get("medium") == "image" or str(each.get("type", "")).startswith("image/")
    ]
    pictures += [str(each.get("url") or "") for each in entry.get("media_thumbnail") or ()]
    pictures += [
        str(each.get("href") or "")
        for each in entry.get("links") or ()
        if each.get("rel") == "enclosure" and str(each.get("type", "")).startswith("image/")
    ]
    return next((each for each in pictures if each), "")
