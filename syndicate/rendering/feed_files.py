"""The three files of a feed, from the fragments of its entries."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Literal

from syndicate.core.article import Article
from syndicate.core.feed import Feed
from syndicate.core.feed_entry import Fragments
from syndicate.core.publication import Publication
from syndicate.core.removal import Removal
from syndicate.errors import BadInput
from syndicate.rendering import feed_json, feed_xml
from syndicate.rendering.entry import ANY_HEAD, EMPTY_SINCE, RENDERER, FeedContent, Head, make_entry, make_head

Format = Literal["rss", "atom", "json"]

FILE_NAMES: Mapping[Format, str] = {
    "rss": feed_xml.FILE_NAMES["rss"],
    "atom": feed_xml.FILE_NAMES["atom"],
    "json": feed_json.FILE_NAME,
}

_HALF = 32
_CANONICAL = json.JSONEncoder(sort_keys=True, ensure_ascii=False, default=str)


def selection_hash(feed: Feed) -> str:
    """Of what decides which articles are in it."""
    return _hash(feed.selection.where)


def definition_hash(feed: Feed, publication: Publication) -> str:
    """Of all that its files depend on besides its entries; it starts with `selection_hash`."""
    head = make_head(feed, publication)
    shown = (head.id, head.title, head.description, head.publisher, head.home, head.folder, head.language)
    return selection_hash(feed) + _hash([RENDERER, *shown, feed.limit, feed.content])


def same_selection(feed: Feed, recorded: str) -> bool:
    """Whether the feed's entries were chosen by its present selection; `recorded` is a definition hash."""
    return recorded[:_HALF] == selection_hash(feed)


def _hash(value: object) -> str:
    text = _CANONICAL.encode(value)
    return hashlib.sha256(text.encode()).hexdigest()[:_HALF]


def render_fragments(article: Article, content: FeedContent, link: str, *, own_language: bool) -> dict[str, bytes]:
    """The article's entry in every format, or in none: raises BadInput when one of them cannot carry it."""
    entry = make_entry(article, content=content, link=link, own_language=own_language)
    return {
        "rss": feed_xml.render_fragment("rss", entry),
        "atom": feed_xml.render_fragment("atom", entry),
        "json": feed_json.render_fragment(entry),
    }


def readable(kept: Fragments) -> Fragments:
    """Those of these entries that any parser reads: of them come files that can be read as a whole.

    An entry is read once, however many feeds show it, at a third of the cost of reading all of their files."""
    if _can_be_read(kept.values()):
        return kept
    return {key: forms for key, forms in kept.items() if _can_be_read([forms])}


def _can_be_read(entries: Collection[Mapping[str, bytes]]) -> bool:
    try:
        for form, marks in feed_xml.MARKS.items():
            fragments = [forms[form] for forms in entries if form in forms]
            if not all(each.startswith(marks.opening) and each.endswith(marks.closing) for each in fragments):
                return False
            feed_xml.require_well_formed(feed_xml.stitch_feed(form, ANY_HEAD, fragments, EMPTY_SINCE))
    except BadInput:
        return False
    return True


def stitch_file(
    form: Format, head: Head, fragments: Sequence[bytes], changed: datetime, removals: Sequence[Removal] = ()
) -> bytes:
    """The file of that format, from fragments that are `readable`. Raises BadInput for a head that breaks it."""
    if form == "json":
        return feed_json.stitch_feed(head, fragments)
    _require_readable(form, head)
    return feed_xml.stitch_feed(form, head, fragments, changed, removals)


@lru_cache(maxsize=4096)
def _require_readable(form: feed_xml.XMLFormat, head: Head) -> None:
    feed_xml.require_well_formed(feed_xml.stitch_feed(form, head, [], EMPTY_SINCE))
