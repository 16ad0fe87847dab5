"""An HTML file: what its head declares, and the part of its body that is the story."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

import lxml.html
from lxml import etree

from syndicate.errors import BadInput
from syndicate.rendering.html import absolute_url, one_line

_OUT = (
    "script",
    "style",
    "noscript",
    "template",
    "form",
    "iframe",
    "object",
    "embed",
    "nav",
    "button",
    "dialog",
)
_META = {
    "summary": ("description", "og:description", "twitter:description", "dc.description"),
    "date": ("article:published_time", "datepublished", "date", "dc.date", "dcterms.created"),
    "section": ("article:section",),
    "language": ("content-language",),
}
_META_NAMES = ("name", "property", "itemprop", "http-equiv")
_AUTHOR_META = ("author", "article:author", "dc.creator")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{2,8})*\Z")


@dataclass(frozen=True, slots=True)
class SavedPage:
    """`declared` has the keys of front matter. `html` is the story, not yet sanitised, without its title; `base` is
    what its addresses are relative to, "" when the file does not say."""

    title: str
    html: str
    declared: dict[str, Any]
    base: str


def read_saved_html(text: str, *, title: str = "", base_url: str = "") -> SavedPage:
    """Read a page or a fragment.

    The story is its one `<article>`, else `<main>`, else the longest `<article>`, else the body. Without a `title`, it
    is the story's only `<h1>`, else `<title>`; an `<h1>` that equals it is not repeated. Raises BadInput when there is
    nothing to read.
    """
    # libxml2 expands no entity that a document declares. Without huge_tree it would end at a depth of 256 in silence;
    # what is really deep is refused when the story is sanitised.
    parser = lxml.html.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        document = lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        raise BadInput("it holds no text.", cure="Write the story, or delete the file.") from None
    declared = _declared(document, base_url)
    base = next((absolute_url(each.get("href", "")) or "" for each in document.iterfind(".//base")), "")
    story = _story(document)
    for element in list(story.iter(*_OUT)):
        if element is not story:
            element.drop_tree()
    _wake_lazy_pictures(story)
    headings = [each for each in story.iter("h1") if one_line(each.text_content())]
    if not title and len(headings) == 1:
        title = one_line(headings[0].text_content())
    if not title:
        titles = (one_line(each.text_content()) for each in (*_page_titles(document), *headings))
        title = next((each for each in titles if each), "")
    for heading in headings:
        if _folded(one_line(heading.text_content())) == _folded(title):
            heading.drop_tree()
            break
    return SavedPage(title, _inner(story), declared, base)


def _page_titles(document: lxml.html.HtmlElement) -> list[lxml.html.HtmlElement]:
    # A drawing may have a title of its own; a broken head puts the page's into the body.
    return [each for each in document.iter("title") if not any(True for _ in each.iterancestors("svg"))]


def _folded(text: str) -> str:
    return " ".join(text.casefold().split())


def _inner(element: lxml.html.HtmlElement) -> str:
    children = (lxml.html.tostring(child, encoding="unicode") for child in element)
    return html.escape(element.text or "", quote=False) + "".join(children)


def _story(document: lxml.html.HtmlElement) -> lxml.html.HtmlElement:
    articles = [each for each in document.iter("article") if not any(True for _ in each.iterancestors("article"))]
    if len(articles) == 1:
        return articles[0]
    main = next(document.iter("main"), None)
    if main is not None:
        return main
    if articles:
        return max(articles, key=lambda each: len(each.text_content()))
    body = next(document.iter("body"), None)
    return document if body is None else body


def _wake_lazy_pictures(story: lxml.html.HtmlElement) -> None:
    """A page saved before a picture was scrolled to carries its address in data-src, with a stand-in in src."""
    for picture in story.iter("img"):
        source = picture.get("src", "")
        lazy = picture.get("data-src") or picture.get("data-original") or picture.get("data-lazy-src")
        if lazy and (not source or source.startswith("data:")):
            picture.set("src", lazy)


def _declared(document: lxml.html.HtmlElement, base_url: str) -> dict[str, Any]:
    metas: dict[str, list[str]] = {}
    for meta in document.iter("meta"):
        name = next((meta.get(each, "") for each in _META_NAMES if meta.get(each)), "").lower()
        content = one_line(meta.get("content") or "")
        if name and content:
            metas.setdefault(name, []).append(content)
    found: dict[str, Any] = {
        key: next((metas[name][0] for name in names if name in metas), "") for key, names in _META.items()
    }
    # Facebook's article:author is an address of a profile, not a name.
    found["authors"] = [
        author for name in _AUTHOR_META for author in metas.get(name, []) if not author.startswith(("http:", "https:"))
    ]
    found["tags"] = metas.get("article:tag") or [
        tag for line in metas.get("keywords", []) for tag in line.split(",") if tag.strip()
    ]
    language = (document.get("lang") or document.get("{http://www.w3.org/XML/1998/namespace}lang") or "").strip()
    found["language"] = next((each for each in (language, found["language"]) if _LANGUAGE.match(each)), "")
    links = (each for each in document.iter("link") if "canonical" in each.get("rel", "").lower().split())
    canonical = next((each.get("href", "") for each in links), "")
    found["url"] = absolute_url(canonical, base_url) or "" if canonical else ""
    picture = next((metas[name][0] for name in ("og:image", "og:image:url", "twitter:image") if name in metas), "")
    source = absolute_url(picture, found["url"] or base_url) if picture else None
    if source:
        found["image"] = {"src": source, "alt": next(iter(metas.get("og:image:alt", [])), "")}
    return {key: value for key, value in found.items() if value}
