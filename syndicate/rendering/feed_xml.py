"""RSS 2.0 and Atom, written by feedgen; the only module that imports it.

Everything but the plain elements is written by one extension, because feedgen 1.0 drops the attributes of Atom entry
links, knows no languages of entries, and gives names of authors to RSS only with an e-mail address.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal
from xml.parsers import expat

import feedgen.entry
import feedgen.feed
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from lxml import etree

from syndicate.core.removal import Removal
from syndicate.errors import BadInput
from syndicate.rendering.entry import ANY_ENTRY, ANY_HEAD, EMPTY_SINCE, Entry, Head, last_change, timestamp
from syndicate.rendering.stitch import Marks, cut, stitch

XMLFormat = Literal["rss", "atom"]

FILE_NAMES: dict[XMLFormat, str] = {"rss": "rss.xml", "atom": "atom.xml"}
MEDIA_TYPES: dict[XMLFormat, str] = {"rss": "application/rss+xml", "atom": "application/atom+xml"}
MARKS: dict[XMLFormat, Marks] = {
    "rss": Marks(b"<item>", b"</item>", b"\n    "),
    "atom": Marks(b"<entry", b"</entry>", b"\n  "),
}

ATOM = "http://www.w3.org/2005/Atom"
DC = "http://purl.org/dc/elements/1.1/"
MEDIA = "http://search.yahoo.com/mrss/"
AT = "http://purl.org/atompub/tombstones/1.0"
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def _rfc_822(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0))


# feedgen's own switches the locale of the whole process for each date, which other threads see.
feedgen.feed.formatRFC2822 = _rfc_822
feedgen.entry.formatRFC2822 = _rfc_822


class _FeedRepair(BaseExtension):  # type: ignore[misc]
    """Set `removals` before the document is written."""

    removals: Sequence[Removal] = ()

    def extend_ns(self) -> dict[str, str]:
        return {"dc": DC, "media": MEDIA, **({"at": AT} if self.removals else {})}

    def extend_atom(self, feed: Any) -> Any:
        for each in self.removals:
            # RFC 6721: a reader that holds the entry drops it.
            etree.SubElement(feed, f"{{{AT}}}deleted-entry", {"ref": each.article_id, "when": timestamp(each.at)})
        return _whole_seconds(feed)


class _EntryRepair(BaseEntryExtension):  # type: ignore[misc]
    """Set `entry` before the document is written."""

    entry: Entry

    def extend_atom(self, element: Any) -> Any:
        if self.entry.language:
            element.set(_LANG, self.entry.language)
        for link in element.findall("link"):
            link.set("rel", "alternate")
            link.set("type", "text/html")
        _source(element, self.entry)
        _picture(element, self.entry)
        return _whole_seconds(element)

    def extend_rss(self, element: Any) -> Any:
        for name in self.entry.authors:
            _add(element, DC, "creator", name)
        if self.entry.translated_by:
            _add(element, DC, "contributor", self.entry.translated_by)
        if self.entry.language:
            _add(element, DC, "language", self.entry.language)
        if self.entry.rights:
            _add(element, DC, "rights", self.entry.rights)
        if self.entry.origin:
            _add(element, DC, "source", self.entry.origin_url or self.entry.origin)
            _add(element, DC, "publisher", self.entry.origin)
        _add(element, ATOM, "updated", timestamp(self.entry.updated))
        _picture(element, self.entry)
        return element


def _add(parent: Any, namespace: str, name: str, text: str, **attributes: str) -> Any:
    element = etree.SubElement(parent, f"{{{namespace}}}{name}", attributes)
    element.text = text
    return element


def _whole_seconds(element: Any) -> Any:
    """`Z` and no fraction, in place of `+00:00` with microseconds."""
    for name in ("updated", "published"):
        for found in element.findall(name):
            found.text = timestamp(datetime.fromisoformat(found.text))
    return element


def _source(element: Any, entry: Entry) -> None:
    """The publication that the entry was taken from (RFC 4287 §4.2.11). Many feeds, as all RSS, have no id of their
    own: the address of their site stands for it. It was last changed when its entry was, or later."""
    if not entry.origin:
        return
    source = etree.SubElement(element, "source")
    etree.SubElement(source, "title").text = entry.origin
    if entry.origin_url:
        etree.SubElement(source, "id").text = entry.origin_url
        etree.SubElement(source, "link", {"rel": "alternate", "type": "text/html", "href": entry.origin_url})
        etree.SubElement(source, "updated").text = timestamp(entry.updated)


def _picture(element: Any, entry: Entry) -> None:
    """Media RSS directly in the entry: a group around it is an error to the W3C's validator."""
    image = entry.image
    if image is None:
        return
    sizes = {name: str(value) for name, value in (("width", image.width), ("height", image.height)) if value}
    content = etree.SubElement(element, f"{{{MEDIA}}}content", {"url": image.src, "medium": "image", **sizes})
    if image.alt:
        _add(content, MEDIA, "description", image.alt, type="plain")
    if image.credit:
        _add(content, MEDIA, "credit", image.credit)
    etree.SubElement(element, f"{{{MEDIA}}}thumbnail", {"url": image.src, **sizes})


def render_feed(
    form: XMLFormat, head: Head, entries: Sequence[Entry], changed: datetime, removals: Sequence[Removal] = ()
) -> bytes:
    """The whole document as feedgen writes it; `changed` is its last change. Atom tells the `removals`, before the
    entries; RSS has no words for them."""
    feed = feedgen.feed.FeedGenerator()
    feed.register_extension("repair", _FeedRepair, _EntryRepair)
    feed.repair.removals = removals if form == "atom" else ()
    feed.id(head.id)
    feed.title(head.title)
    feed.subtitle(head.description)
    feed.description(head.description)
    feed.language(head.language)
    feed.generator("Syndicate")
    feed.author(name=head.publisher)
    feed.updated(changed)
    feed.link(href=head.address(FILE_NAMES[form]), rel="self", type=MEDIA_TYPES[form])
    # Last: RSS takes the last link for the channel's own, whatever its rel.
    feed.link(href=head.home, rel="alternate", type="text/html")
    for entry in entries:
        _add_entry(form, feed, entry)
    document: bytes = feed.atom_str(pretty=True) if form == "atom" else feed.rss_str(pretty=True)
    return document


def _add_entry(form: XMLFormat, feed: Any, entry: Entry) -> None:
    written = feed.add_entry(order="append")
    written.repair.entry = entry
    written.id(entry.id)
    written.title(entry.title)
    written.link(href=entry.link)
    written.published(entry.published)
    written.updated(entry.updated)
    # RSS says nothing of a description's type and every reader takes it for HTML.
    written.summary(html.escape(entry.summary, quote=False) if form == "rss" else entry.summary)
    if entry.html is not None:
        written.content(entry.html, type="html")
    for term in entry.categories:
        written.category(term=term)
    if form == "atom":
        for name in entry.authors:
            written.author(name=name)
        if entry.translated_by:
            written.contributor(name=entry.translated_by)
        if entry.rights:
            written.rights(entry.rights)


def render_fragment(form: XMLFormat, entry: Entry) -> bytes:
    """The entry alone, as it stands in any document of that format. Raises BadInput when it would break one."""
    try:
        document = render_feed(form, ANY_HEAD, [entry], EMPTY_SINCE)
        require_well_formed(document)
        return cut(document, MARKS[form])[1]
    except (ValueError, TypeError, BadInput) as error:
        what = f"{entry.title[:80]!r} cannot be written as {form}: {error}"
        raise BadInput(what, cure="Correct the article.") from error


def stitch_feed(
    form: XMLFormat, head: Head, fragments: Sequence[bytes], changed: datetime, removals: Sequence[Removal] = ()
) -> bytes:
    """The document of those fragments, equal to `render_feed` of their entries."""
    if not fragments:
        return render_feed(form, head, [], changed, removals)
    before, _, after = cut(render_feed(form, head, [ANY_ENTRY], changed, removals), MARKS[form])
    return stitch(before, fragments, after, MARKS[form])


def whole_feed(form: XMLFormat, head: Head, entries: Sequence[Entry], removals: Sequence[Removal] = ()) -> bytes:
    """The document of those entries, without stitching."""
    changed = last_change(((each.published, each.updated) for each in entries), removals)
    return render_feed(form, head, entries, changed, removals)


def require_well_formed(document: bytes) -> None:
    """Raises BadInput for what no parser would read, by another parser than the one that wrote it."""
    try:
        expat.ParserCreate(namespace_separator=" ").Parse(document, True)
    except expat.ExpatError as error:
        raise BadInput(f"The document cannot be read: {error}.") from error
