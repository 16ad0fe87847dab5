"""An article's text as plain lines, one for each paragraph, heading, item or picture: to be compared and searched."""

from __future__ import annotations

import html as html_module
import re

from syndicate.rendering.text import one_line

_BLOCK = re.compile(
    r"</?(?:p|div|h[1-6]|li|ul|ol|blockquote|pre|figure|figcaption|table|tr|hr|br|section|article|aside|dl|dt|dd)\b[^>]*>",
    re.IGNORECASE,
)
_PICTURE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_ALT = re.compile(r"""\balt=(?:"([^"]*)"|'([^']*)')""", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")


def lines_of(html: str) -> list[str]:
    """The lines of sanitised HTML, without markup. A picture is a line that says what it shows."""
    text = _BLOCK.sub("\n", _PICTURE.sub(_told, html.replace("\n", " ")))
    lines = (one_line(html_module.unescape(_TAG.sub("", each))) for each in text.split("\n"))
    return [each for each in lines if each]


def _told(picture: re.Match[str]) -> str:
    alt = _ALT.search(picture[0])
    words = (alt[1] or alt[2] or "") if alt else ""
    return f"\n[picture: {words or 'no description'}]\n"
