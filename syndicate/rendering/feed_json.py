"""JSON Feed 1.1 (https://www.jsonfeed.org/version/1.1/)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from syndicate.rendering.entry import ANY_ENTRY, ANY_HEAD, Entry, Head, timestamp
from syndicate.rendering.stitch import Marks, cut, stitch

FILE_NAME = "feed.json"
MEDIA_TYPE = "application/feed+json"
VERSION = "https://jsonfeed.org/version/1.1"
ABOUT = "The image's text and credit, the translation and the rights of an entry."
ABOUT_ORIGIN = "The publication that an entry was taken from, and its home page."

# A line end inside a text is escaped, so no text can hold these.
MARKS = Marks(b'{\n      "id": ', b"\n    }", b",\n    ")


def render_feed(head: Head, entries: Sequence[Entry]) -> bytes:
    """The whole document. It has no date of its own: the format knows none."""
    document = {
        "version": VERSION,
        "title": head.title,
        "home_page_url": head.home,
        "feed_url": head.address(FILE_NAME),
        "description": head.description,
        "authors": [{"name": head.publisher}],
        "language": head.language,
        "items": [_item(entry) for entry in entries],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()


def _item(entry: Entry) -> dict[str, Any]:
    item: dict[str, Any] = {"id": entry.id, "url": entry.link, "title": entry.title}
    if entry.html is None:
        item["content_text"] = entry.summary
    else:
        item["content_html"] = entry.html
    item["summary"] = entry.summary
    if entry.image:
        item["image"] = entry.image.src
    item["date_published"] = timestamp(entry.published)
    item["date_modified"] = timestamp(entry.updated)
    if entry.authors:
        item["authors"] = [{"name": name} for name in entry.authors]
    if entry.categories:
        item["tags"] = list(entry.categories)
    if entry.language:
        item["language"] = entry.language
    if more := _more(entry):
        item["_syndicate"] = {"about": f"{ABOUT} {ABOUT_ORIGIN}" if entry.origin else ABOUT, **more}
    return item


def _more(entry: Entry) -> dict[str, Any]:
    """What the format has no name for: an object of our own, which it allows under a name with an underscore."""
    image = entry.image
    values = {
        "image_alt": image.alt if image else "",
        "image_credit": image.credit if image else "",
        "image_width": image.width if image else None,
        "image_height": image.height if image else None,
        "translated_by": entry.translated_by,
        "translated_from": entry.translated_from,
        "rights": entry.rights,
        "origin": entry.origin,
        "origin_url": entry.origin_url,
    }
    return {name: value for name, value in values.items() if value}


def render_fragment(entry: Entry) -> bytes:
    """The entry alone, as it stands in any document."""
    return cut(render_feed(ANY_HEAD, [entry]), MARKS)[1]


def stitch_feed(head: Head, fragments: Sequence[bytes]) -> bytes:
    """The document of those fragments, equal to `render_feed` of their entries."""
    if not fragments:
        return render_feed(head, [])
    before, _, after = cut(render_feed(head, [ANY_ENTRY]), MARKS)
    return stitch(before, fragments, after, MARKS)
