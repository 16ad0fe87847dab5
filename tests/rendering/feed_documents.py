"""Articles of every shape, the feeds made of them, and what the formats demand of a document."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import strategies as st
from lxml import etree

from syndicate.core.article import Article, Content, Image
from syndicate.core.feed import Feed
from syndicate.core.publication import Publication
from syndicate.rendering import feed_json, feed_xml
from syndicate.rendering.entry import Entry, Head, last_change, make_entry, make_head

PUBLICATION = Publication("The Harbour Post", "https://post.example", "en", "Europe/Lisbon", "https://news.post.example")
SITE = Feed("", "The Harbour Post", description="News from the quay & beyond")
HEAD = make_head(SITE, PUBLICATION)
MOMENT = datetime(2026, 11, 1, 8, 30, 15, 123456, tzinfo=UTC)

ATOM, DC, MEDIA = feed_xml.ATOM, feed_xml.DC, feed_xml.MEDIA
CONTENT = "http://purl.org/rss/1.0/modules/content/"

TITLES = (
    "Plain",
    "<script>alert(1)</script> & ]]> “quoted” &amp; twice",
    "\u200fالعبّارات تغادر الرصيف القديم",
    "👩‍👩‍👧‍👦 families 🇵🇹 and 𝒎𝒂𝒕𝒉",
    "tab\tand\r\nline ends\u2028and\x0bcontrols\x00\x1f\ufffe\ud800",
    "ends with a backslash \\ and a quote \"'",
    '"items": [ {"id": "fake"} ] </item></entry><entry><item>',
    "x" * 10_000,
    "{{ 7 * 7 }} {% raw %}",
)


def an_article(number: int = 1, **content: Any) -> Article:
    """A released article with everything that a feed can show."""
    values: dict[str, Any] = {
        "title": f"Title {number}",
        "html": f"<p>Body {number} &amp; <b>more</b></p>",
        "summary": f"Summary {number} with <b> & ]]>",
        "section": "World",
        "tags": ("ferries", "world", "tide & time"),
        "authors": ("Harbour desk", "Quay desk"),
        "url": f"https://post.example/{number}?a=1&b=2",
        "image": Image(f"https://post.example/{number} a.jpg", "A pier <at> dusk", "Photo desk & co", "all", 1200, 675),
        "translated_by": "Translation desk",
        "translated_from": "fr",
        **content,
    }
    made = Content(**values)
    moment = MOMENT + timedelta(hours=number)
    return Article(
        id=f"urn:uuid:00000000-0000-4000-8000-{number:012}",
        source="desk",
        key=f"{number}.md",
        content=made,
        link=made.url or f"https://news.post.example/feeds/articles/{number}.html",
        own_page=made.url is None,
        status="released",
        published_at=moment,
        updated_at=moment + timedelta(minutes=number),
    )


def an_entry(article: Article, *, content: str = "full", own_language: bool = True) -> Entry:
    """The article as any of the three formats is given it."""
    return make_entry(
        article, content="full" if content == "full" else "summary", link=article.link, own_language=own_language
    )


def stitched(entries: list[Entry], head: Head = HEAD) -> dict[str, bytes]:
    """The three documents as they are published."""
    changed = last_change((each.published, each.updated) for each in entries)
    return {
        "rss": feed_xml.stitch_feed("rss", head, [feed_xml.render_fragment("rss", e) for e in entries], changed),
        "atom": feed_xml.stitch_feed("atom", head, [feed_xml.render_fragment("atom", e) for e in entries], changed),
        "json": feed_json.stitch_feed(head, [feed_json.render_fragment(e) for e in entries]),
    }


_texts = st.text(max_size=80) | st.sampled_from(TITLES)
_names = st.lists(_texts, max_size=3).map(tuple)
_moments = st.datetimes(
    min_value=datetime(1971, 1, 1), max_value=datetime(2100, 1, 1), timezones=st.just(UTC)
)


@st.composite
def articles(draw: st.DrawFn) -> Article:
    """Any article at all that has a title."""
    image = st.builds(
        Image,
        src=st.sampled_from(["https://post.example/ü a.jpg", "javascript:x", "", "https://[", "/relative.jpg"]),
        alt=_texts,
        credit=_texts,
        use=st.sampled_from(["all", "web", "none"]),
        width=st.none() | st.integers(-1, 5000),
        height=st.none() | st.integers(-1, 5000),
    )
    article = an_article(
        draw(st.integers(1, 10**5)),
        title=draw(_texts) + "T",
        html=draw(_texts),
        summary=draw(_texts),
        section=draw(_texts),
        tags=draw(_names),
        authors=draw(_names),
        language=draw(st.sampled_from(["en", "fr", "ar", "pt_BR", "zh-Hant-TW", "not a language", ""])),
        url=draw(st.sampled_from(["https://post.example/a", "http://xn--e1afmkfd.example/ä?q=<&>", None])),
        image=draw(st.none() | image),
        rights=draw(st.sampled_from(["ours", "theirs", "CC BY 4.0 & more", ""])),
        translated_by=draw(_texts),
        translated_from=draw(_texts),
        origin=draw(_texts),
        origin_url=draw(st.sampled_from(["https://wire.example/?a&b", "javascript:x", ""])),
    )
    published = draw(_moments)
    return replace(article, published_at=published, updated_at=draw(st.none() | _moments))


# --- what the formats demand ------------------------------------------------------------------------------------

_RELAX_NG = etree.RelaxNG(etree.parse(str(Path(__file__).with_name("atom.rng"))))
_ZULU = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def require_atom(document: bytes) -> Any:
    """RFC 4287: its schema, and what it demands in prose."""
    feed = etree.fromstring(document)
    _RELAX_NG.assertValid(feed)
    inside = {"a": ATOM}
    for element in feed.iter(f"{{{ATOM}}}updated", f"{{{ATOM}}}published"):
        assert _ZULU.fullmatch(element.text or ""), element.text
    for each in (feed, *feed.findall("a:entry", inside)):
        links = each.findall("a:link", inside)
        kinds = [(link.get("rel"), link.get("type"), link.get("hreflang")) for link in links]
        # §4.1.1, §4.1.2: at most one alternate of a type and language; here exactly one.
        assert kinds.count(("alternate", "text/html", None)) == 1 and len(set(kinds)) == len(kinds)
        for link in links:
            assert re.fullmatch(r"https?://[^\s<>\"{}|\\^`]+", link.get("href") or ""), link.get("href")
    assert [link.get("type") for link in feed.findall("a:link[@rel='self']", inside)] == ["application/atom+xml"]
    # §4.1.1: an entry without an author needs one of the feed.
    assert feed.findall("a:author/a:name", inside)
    for entry in feed.findall("a:entry", inside):
        content = entry.find("a:content", inside)
        assert content is None or content.get("type") == "html"
        assert entry.find("a:summary", inside) is not None
    return feed


_CHANNEL = ("title", "link", "description")
_RSS_NAMESPACES = {None, ATOM, DC, MEDIA, CONTENT}


def require_rss(document: bytes) -> Any:
    """RSS 2.0 (rssboard.org) and the advice of its validators."""
    rss = etree.fromstring(document)
    assert rss.tag == "rss" and rss.get("version") == "2.0" and [child.tag for child in rss] == ["channel"]
    [channel] = rss
    for name in _CHANNEL:
        [only] = channel.findall(name)
        assert only.text and only.text.strip()
    tags = [child.tag for child in channel]
    assert tags[: len(tags) - tags.count("item")].count("item") == 0, "items come last"
    [own] = channel.findall(f"{{{ATOM}}}link")
    assert (own.get("rel"), own.get("type")) == ("self", "application/rss+xml")
    for element in channel.iter():
        namespace = etree.QName(element).namespace
        assert namespace in _RSS_NAMESPACES, f"an unknown namespace: {namespace}"
    for date in channel.iter("pubDate", "lastBuildDate"):
        assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000", date.text or "")
        parsedate_to_datetime(date.text or "")
    for item in channel.findall("item"):
        for name in ("title", "link", "description", "guid", "pubDate"):
            assert len(item.findall(name)) == 1, f"one {name}"
        [guid] = item.findall("guid")
        assert guid.get("isPermaLink") == "false" and (guid.text or "").startswith("urn:uuid:")
        assert not item.findall("author"), "RSS wants an e-mail address in it"
        assert not item.findall("enclosure"), "nobody measured its length"
        names = [child.tag for child in item]
        encoded = f"{{{CONTENT}}}encoded"
        assert encoded not in names or names.index("description") < names.index(encoded)
    return channel


_URL = {"type": "string", "pattern": "^https?://"}
_DATE = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"}
_AUTHORS = {
    "type": "array",
    "minItems": 1,
    "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 1}}},
}
JSON_FEED_SCHEMA = {
    "type": "object",
    "required": ["version", "title", "items", "feed_url", "home_page_url"],
    "additionalProperties": False,
    "properties": {
        "version": {"const": "https://jsonfeed.org/version/1.1"},
        "title": {"type": "string", "minLength": 1},
        "home_page_url": _URL,
        "feed_url": _URL,
        "description": {"type": "string", "minLength": 1},
        "authors": _AUTHORS,
        "language": {"type": "string", "minLength": 2},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "url", "title", "date_published", "date_modified"],
                "oneOf": [{"required": ["content_html"]}, {"required": ["content_text"]}],
                "additionalProperties": False,
                "patternProperties": {"^_": {"type": "object", "required": ["about"]}},
                "properties": {
                    "id": {"type": "string", "pattern": "^urn:uuid:"},
                    "url": _URL,
                    "title": {"type": "string", "minLength": 1},
                    "content_html": {"type": "string", "minLength": 1},
                    "content_text": {"type": "string", "minLength": 1},
                    "summary": {"type": "string", "minLength": 1},
                    "image": _URL,
                    "date_published": _DATE,
                    "date_modified": _DATE,
                    "authors": _AUTHORS,
                    "tags": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
                    "language": {"type": "string", "pattern": "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"},
                },
            },
        },
    },
}


def require_json(document: bytes) -> Any:
    """JSON Feed 1.1, as a schema."""
    feed = json.loads(document)
    jsonschema.validate(feed, JSON_FEED_SCHEMA)
    return feed
