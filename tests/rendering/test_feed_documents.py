"""What went in comes out, by the eyes of feed readers, in all three formats alike."""

from __future__ import annotations

import calendar
import json
import locale
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import fastfeedparser
import feedparser
import pytest

from syndicate.core.article import Image
from syndicate.core.feed import Feed
from syndicate.errors import BadInput
from syndicate.rendering import feed_json, feed_xml
from syndicate.rendering.entry import EMPTY_SINCE, clean, make_head
from syndicate.rendering.opml import render_opml
from syndicate.rendering.text import one_line
from tests.rendering.feed_documents import (
    ATOM,
    HEAD,
    MOMENT,
    PUBLICATION,
    TITLES,
    an_article,
    an_entry,
    require_atom,
    require_json,
    require_rss,
    stitched,
)


def parsed(document: bytes) -> Any:
    """By feedparser, with no complaint and without its own sanitising of what is ours to sanitise."""
    feed = feedparser.parse(document, sanitize_html=False, resolve_relative_uris=False)
    assert not feed.bozo, feed.get("bozo_exception")
    return feed


def instant(parts: Any) -> datetime:
    return datetime.fromtimestamp(calendar.timegm(parts), UTC)


@pytest.mark.parametrize("title", TITLES)
def test_every_title_survives_every_format(title: str) -> None:
    article = an_article(title=title, summary=f"{title} summed up", html=f"<p>{len(title)}</p>")
    documents = stitched([an_entry(article)])
    expected = one_line(title)
    require_rss(documents["rss"])
    require_atom(documents["atom"])
    assert require_json(documents["json"])["items"][0]["title"] == expected
    for form in ("rss", "atom"):
        element = require_rss(documents["rss"]).find("item/title") if form == "rss" else None
        if element is None:
            element = require_atom(documents["atom"]).find("{*}entry/{*}title")
        assert element.text == expected


def test_the_formats_agree_value_for_value() -> None:
    articles = [
        an_article(1),
        an_article(2, language="fr", rights="CC BY 4.0", image=None, authors=()),
        an_article(3, tags=(), section="", html="<p>é</p>", translated_by="", translated_from=""),
    ]
    documents = stitched([an_entry(each, own_language=each.content.language != "en") for each in articles])
    items = require_json(documents["json"])["items"]
    rss, atom = parsed(documents["rss"]), parsed(documents["atom"])
    for article, item, left, right in zip(articles, items, rss.entries, atom.entries, strict=True):
        assert left.id == right.id == item["id"] == article.id
        assert left.link == right.link == item["url"] == article.link
        assert left.title == right.title == item["title"] == article.content.title
        assert left.content[0].value == right.content[0].value == item["content_html"] == article.content.html
        assert right.summary == item["summary"] == article.content.summary
        assert left.summary == article.content.summary.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        published, updated = article.published_at, article.updated_at
        assert published and updated
        for entry in (left, right):
            assert instant(entry.published_parsed) == published.replace(microsecond=0)
            assert instant(entry.updated_parsed) == updated.replace(microsecond=0)
        assert item["date_published"] == right.published and item["date_modified"] == right.updated
        authors = [each["name"] for each in item.get("authors", [])]
        assert authors == list(article.content.authors)
        assert [each.name for each in right.get("authors", [])] == authors
        assert [each.name for each in left.get("authors", [])] == authors
        categories = [each.term for each in left.get("tags", [])]
        assert categories == [each.term for each in right.get("tags", [])] == item.get("tags", [])
        translator = article.content.translated_by
        assert [each.name for each in right.get("contributors", [])] == ([translator] if translator else [])
        assert item["_syndicate"].get("translated_by", "") == translator if "_syndicate" in item else not translator
    assert [item.get("language") for item in items] == [None, "fr", None]
    assert items[0]["tags"] == ["World", "ferries", "tide & time"], "the section first, nothing twice"


def test_a_picture_comes_with_its_text_and_credit_and_is_no_enclosure() -> None:
    documents = stitched([an_entry(an_article(1))])
    for form in ("rss", "atom"):
        [entry] = parsed(documents[form]).entries
        assert entry.media_content[0]["url"] == entry.media_thumbnail[0]["url"] == "https://post.example/1%20a.jpg"
        assert (entry.media_content[0]["width"], entry.media_content[0]["height"]) == ("1200", "675")
        assert entry.media_content[0]["medium"] == "image"
        assert entry.media_credit[0]["content"] == "Photo desk & co"
        assert not entry.enclosures
    [item] = require_json(documents["json"])["items"]
    assert item["image"] == "https://post.example/1%20a.jpg"
    assert item["_syndicate"]["image_alt"] == "A pier <at> dusk"


def test_a_second_parser_reads_all() -> None:
    documents = stitched([an_entry(an_article(number)) for number in (1, 2, 3)])
    for form in ("rss", "atom", "json"):
        feed = fastfeedparser.parse(documents[form].decode())
        assert [entry.title for entry in feed.entries] == ["Title 1", "Title 2", "Title 3"]
        assert [entry.id for entry in feed.entries] == [f"urn:uuid:00000000-0000-4000-8000-{n:012}" for n in (1, 2, 3)]


def test_the_heads_agree() -> None:
    documents = stitched([an_entry(an_article(1))])
    rss, atom, other = parsed(documents["rss"]).feed, parsed(documents["atom"]).feed, json.loads(documents["json"])
    assert rss.title == atom.title == other["title"] == "The Harbour Post"
    assert rss.subtitle == atom.subtitle == other["description"] == "News from the quay & beyond"
    assert rss.link == atom.link == other["home_page_url"] == "https://post.example"
    assert rss.language == atom.language == other["language"] == "en"
    assert instant(rss.updated_parsed) == instant(atom.updated_parsed) == (
        MOMENT + timedelta(hours=1, minutes=1)
    ).replace(microsecond=0)
    addresses = [[link.href for link in feed.links if link.rel == "self"] for feed in (rss, atom)]
    assert [*addresses, [other["feed_url"]]] == [
        [f"https://news.post.example/feeds/{name}"] for name in ("rss.xml", "atom.xml", "feed.json")
    ]
    assert atom.id.startswith("urn:uuid:") and atom.id != make_head(Feed("world", "World"), PUBLICATION).id


def test_an_empty_feed_is_valid_and_has_no_clock() -> None:
    documents = stitched([])
    require_rss(documents["rss"])
    require_json(documents["json"])
    feed = require_atom(documents["atom"])
    assert feed.findtext("{*}updated") == "1970-01-01T00:00:00Z"
    assert stitched([]) == documents


def test_a_summary_feed_says_so_in_every_format() -> None:
    documents = stitched([an_entry(an_article(1), content="summary")])
    assert require_atom(documents["atom"]).find(f"{{*}}entry/{{{ATOM}}}content") is None
    assert require_rss(documents["rss"]).find("item/{*}encoded") is None
    [item] = require_json(documents["json"])["items"]
    assert item["content_text"] == item["summary"] and "content_html" not in item


@pytest.mark.parametrize(("html", "summary"), [("", ""), ("", "A summary < that"), ("<p>x</p>", ""), ("\x00", "\x01")])
def test_what_is_missing_is_filled_from_what_is_there(html: str, summary: str) -> None:
    for content in ("full", "summary"):
        documents = stitched([an_entry(an_article(1, html=html, summary=summary), content=content)])
        require_rss(documents["rss"])
        require_atom(documents["atom"])
        require_json(documents["json"])


def test_a_date_in_another_zone_is_the_same_instant_in_utc() -> None:
    there = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    article = replace(an_article(1), published_at=there, updated_at=None)
    same = replace(article, published_at=MOMENT)
    assert stitched([an_entry(article)]) == stitched([an_entry(same)])


def test_updated_is_never_before_published() -> None:
    article = replace(an_article(1), updated_at=MOMENT - timedelta(days=9))
    entry = an_entry(article)
    assert entry.updated == entry.published


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"title": " \x00\n "}, "has no title"),
        ({"url": "javascript:alert(1)"}, "no web address"),
        ({"url": "//post.example/x"}, "no web address"),
        ({"url": "https://"}, "no web address"),
    ],
)
def test_what_no_feed_can_carry_is_refused_by_the_articles_name(change: dict[str, str], words: str) -> None:
    with pytest.raises(BadInput, match=rf"1\.md: .*{words}"):
        an_entry(an_article(1, **change))


def test_an_article_that_was_never_released_is_refused() -> None:
    with pytest.raises(BadInput, match="never released"):
        an_entry(replace(an_article(1), published_at=None))


@pytest.mark.parametrize(
    ("use", "rights", "shown"),
    [("all", "ours", True), ("web", "ours", False), ("none", "ours", False), ("all", "theirs", False)],
)
def test_which_pictures_feeds_show(use: Any, rights: str, shown: bool) -> None:
    entry = an_entry(an_article(1, image=Image("https://post.example/a.jpg", use=use), rights=rights))
    assert (entry.image is not None) == shown


def test_of_others_only_the_summary() -> None:
    entry = an_entry(an_article(1, rights="theirs"))
    assert entry.html is None and entry.summary == "Summary 1 with <b> & ]]>" and not entry.rights


def test_of_others_the_origin_is_named_and_linked() -> None:
    others = an_article(1, rights="theirs", origin="Tide & Wire", origin_url="https://wire.example/?a&b")
    documents = stitched([an_entry(others), an_entry(an_article(2))])
    left, ours = parsed(documents["atom"]).entries
    assert (left.source.title, left.source.links[0].href) == ("Tide & Wire", "https://wire.example/?a&b")
    assert (left.source.id, left.source.updated) == ("https://wire.example/?a&b", left.updated)
    assert "source" not in ours
    right, ours = parsed(documents["rss"]).entries
    assert right.publisher == "Tide & Wire" and "publisher" not in ours
    item, ours = require_json(documents["json"])["items"]
    assert (item["_syndicate"]["origin"], item["_syndicate"]["origin_url"]) == (left.source.title, left.source.link)
    assert "origin" not in ours["_syndicate"]


def test_text_is_never_repaired_only_stripped_of_what_no_document_holds() -> None:
    assert clean("naïve “quote” \t\x00\x1b[0m\ufffe\ud83d end\r\nnext") == "naïve “quote” \t[0m end\nnext"


def test_writing_a_feed_never_touches_the_locale_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the locale belongs to the whole process")

    monkeypatch.setattr(locale, "setlocale", refuse)
    require_rss(stitched([an_entry(an_article(1))])["rss"])


def test_two_threads_write_the_same_bytes() -> None:
    entries = [an_entry(an_article(number)) for number in range(1, 20)]
    expected = stitched(entries)
    wrong: list[str] = []

    def work() -> None:
        if stitched(entries) != expected:
            wrong.append(threading.current_thread().name)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_an_entry_that_breaks_its_document_is_refused() -> None:
    entry = replace(an_entry(an_article(1)), title="made \x00 by another way")
    with pytest.raises(BadInput, match="cannot be written as atom"):
        feed_xml.render_fragment("atom", entry)


def test_the_outline_lists_every_feed_by_one_address() -> None:
    from lxml import etree

    heads = [HEAD, make_head(Feed("world", "World <&> \x00", language="fr"), PUBLICATION)]
    document = render_opml("The Harbour Post", heads)
    opml = etree.fromstring(document)
    assert (opml.tag, opml.get("version"), opml.findtext("head/title")) == ("opml", "2.0", "The Harbour Post")
    said = ("type", "text", "xmlUrl", "language")
    assert [tuple(each.get(name) for name in said) for each in opml.iter("outline")] == [
        ("rss", "The Harbour Post", "https://news.post.example/feeds/atom.xml", "en"),
        ("rss", "World <&>", "https://news.post.example/feeds/world/atom.xml", "fr"),
    ]
    assert document == render_opml("The Harbour Post", heads)


def test_the_formats_own_names() -> None:
    assert feed_json.MEDIA_TYPE == "application/feed+json"
    assert feed_xml.MEDIA_TYPES == {"rss": "application/rss+xml", "atom": "application/atom+xml"}
    assert EMPTY_SINCE.tzinfo is UTC
