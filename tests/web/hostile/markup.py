"""What of a page, a mail or an entry could act, seen as a browser reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from tests.web.hostile.words import PRODUCT

_ADDRESSES = {"href", "src", "action", "formaction", "data", "poster", "srcset", "xlink:href", "cite", "background"}
_ACTIVE = {"script", "iframe", "object", "embed", "base", "svg", "math", "frame", "applet", "template", "video"}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:")
_ALLOWED = ("http:", "https:", "mailto:")


@dataclass
class Page(HTMLParser):
    """The elements of a page with their attributes, and all of its words, unescaped once."""

    html: str
    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self, convert_charrefs=True)
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.words += [value for _, value in attrs if value]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def says(self, text: str) -> bool:
        """Whether the words stand in it as text, or in an attribute."""
        return text in "\0".join(self.words) or text in "".join(self.words)


def faults(html: str, *, inline_style: bool = False) -> list[str]:
    """What somebody got into the page that is no text. `inline_style` where our own style stands in the elements."""
    page = Page(html)
    found = []
    for tag, attributes in page.elements:
        if "xss" in tag or (tag in _ACTIVE and not _is_ours(tag, attributes)):
            found.append(f"<{tag} {attributes}>")
        for name, value in attributes.items():
            if "xss" in name or name.startswith("on") or name == "srcdoc" or (name == "style" and not inline_style):
                found.append(f"<{tag} {name}={value!r}>")
            if name == "http-equiv" and value.lower() == "refresh":
                found.append(f"<{tag} {name}={value!r}>")
            bare = re.sub(r"[\x00-\x20]", "", value).lower()
            if name in _ADDRESSES and _SCHEME.match(bare) and not bare.startswith(_ALLOWED):
                found.append(f"<{tag} {name}={value!r}>")
            if name in ("action", "formaction") and (not bare.startswith("/") or bare.startswith("//")):
                found.append(f"<{tag} {name}={value!r}>")
    return found + [f"{each} was computed" for each in (PRODUCT,) if each in "".join(page.words)]


def _is_ours(tag: str, attributes: dict[str, str]) -> bool:
    address = attributes.get("src", "")
    if tag == "script":
        return address.startswith("/static/") or address == "/inbox.js"
    return tag == "iframe" and bool(re.match(r"/(console|mail)/", address))
