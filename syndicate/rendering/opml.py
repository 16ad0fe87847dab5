"""The list of all feeds for feed readers: OPML 2.0 (http://opml.org/spec2.opml)."""

from __future__ import annotations

from collections.abc import Sequence

from lxml import etree

from syndicate.rendering.entry import Head
from syndicate.rendering.text import one_line

FILE_NAME = "feeds.opml"
MEDIA_TYPE = "text/x-opml"


def render_opml(title: str, heads: Sequence[Head]) -> bytes:
    """One outline for each feed, in the given order, each by one address: its Atom document, the format that says most.

    Without dates: the file depends on the feeds' definitions alone."""
    opml = etree.Element("opml", {"version": "2.0"})
    etree.SubElement(etree.SubElement(opml, "head"), "title").text = one_line(title)
    body = etree.SubElement(opml, "body")
    for head in heads:
        outline = {
            "type": "rss",  # OPML's word for a feed of any format
            "text": head.title,
            "title": head.title,
            "description": head.description,
            "xmlUrl": head.address("atom.xml"),
            "htmlUrl": head.home,
            "language": head.language,
        }
        etree.SubElement(body, "outline", outline)
    document: bytes = etree.tostring(opml, pretty_print=True, encoding="UTF-8", xml_declaration=True)
    return document
