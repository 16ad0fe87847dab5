"""What feeds hold, in every dialect, and in bytes that were made to harm."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syndicate.core.article import Content
from syndicate.errors import BadInput
from syndicate.sources.feed_document import read_feed
from syndicate.sources.feed_entries import FeedHouse, draft_of, entries_of, newest_last
from syndicate.sources.feed_item import FeedDocument, FeedItem
from tests.sources.newsdesk import NOW
from tests.sources.upstream import item, rss

URL = "https://wire.example/feeds/all.xml"
NAMESPACES = (
    'xmlns:content="http://purl.org/rss/1.0/modules/content/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:media="http://search.yahoo.com/mrss/"'
)


def read(text: str | bytes, content_type: str = "application/xml") -> FeedDocument:
    return read_feed(text.encode() if isinstance(text, str) else text, url=URL, content_type=content_type)


def only(text: str | bytes, content_type: str = "application/xml") -> FeedItem:
    [found] = read(text, content_type).items
    return found


def article(text: str | bytes, *, rights: str = "ours") -> Content:
    document = read(text)
    [entry] = entries_of(document, feed_url=URL).values()
    return draft_of(entry, document, FeedHouse(rights), now=NOW).content


def in_rss(inner: str, head: str = "") -> str:
    return f'<rss version="2.0" {NAMESPACES}><channel><title>Wire</title>{head}<item>{inner}</item></channel></rss>'


def in_atom(inner: str, head: str = "", attributes: str = "") -> str:
    return (
        f'<feed xmlns="http://www.w3.org/2005/Atom" {attributes}><title>Wire</title>{head}'
        f"<entry><id>tag:wire.example,2026:1</id><title>Story</title>{inner}</entry></feed>"
    )


# --- dialects -------------------------------------------------------------------------------------------------------


def test_rss_2() -> None:
    found = only(
        in_rss(
            "<title>Ferries &amp; fish</title><link>https://wire.example/1</link><guid isPermaLink='false'>g1</guid>"
            "<pubDate>Fri, 20 Nov 2026 09:30:00 +0100</pubDate><dc:creator>Jane Roe</dc:creator>"
            "<category>Sea</category>"
            "<description>Short.</description><content:encoded><![CDATA[<p>Long.</p>]]></content:encoded>"
            "<media:content url='/b.jpg' medium='image'/>"
        )
    )
    assert found == FeedItem(
        id="g1",
        link="https://wire.example/1",
        title="Ferries & fish",
        body="<p>Long.</p>",
        summary="Short.",
        base="https://wire.example/1",
        published=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
        authors=("Jane Roe",),
        tags=("Sea",),
        picture="https://wire.example/b.jpg",
    )


def test_atom() -> None:
    found = only(
        in_atom(
            "<link href='1'/><published>2026-11-19T10:00:00Z</published><updated>2026-11-20T10:00:00+01:00</updated>"
            "<category term='sea' label='Sea'/><summary>Short.</summary>"
            "<content type='xhtml' xml:base='/deep/'><div xmlns='http://www.w3.org/1999/xhtml'><p>Long.</p></div></content>",
            head="<link href='/'/><author><name>Sea desk</name><email>sea@wire.example</email></author>",
            attributes="xml:base='https://wire.example/x/' xml:lang='de'",
        )
    )
    assert found.link == "https://wire.example/x/1"
    assert found.base == "https://wire.example/deep/"
    assert found.body == "<p>Long.</p>"
    assert found.updated == datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    assert (found.authors, found.tags, found.language) == (("Sea desk",), ("Sea",), "de")


def test_rss_1() -> None:
    text = (
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/" '
        f'{NAMESPACES}><channel rdf:about="x"><title>Wire</title><link>https://wire.example/</link></channel>'
        '<item rdf:about="https://wire.example/1"><title>Story</title><link>https://wire.example/1</link>'
        "<dc:date>2026-11-20T09:00:00+01:00</dc:date><description>Words.</description></item></rdf:RDF>"
    )
    found = only(text)
    assert (found.id, found.title) == ("https://wire.example/1", "Story")
    assert article(text).date == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


def test_json_feed() -> None:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Wire",
        "home_page_url": "https://wire.example/",
        "language": "fr",
        "authors": [{"name": "Sea desk"}],
        "items": [
            {"id": 7, "url": "/1", "title": "Story", "content_html": "<p>Long.</p>", "summary": "Short.",
             "date_published": "2026-11-20T09:00:00+01:00", "tags": ["Sea", 5], "image": "b.jpg"},
            {"id": "8", "content_text": "One <b>.\n\nTwo.", "authors": [{"name": "Jane Roe"}, "x"], "tags": "x"},
            "no item",
        ],
    }  # fmt: skip
    first, second = read(json.dumps(document), "application/feed+json").items
    assert first == FeedItem(
        id="7",
        link="https://wire.example/1",
        title="Story",
        body="<p>Long.</p>",
        summary="<p>Short.</p>",
        base="https://wire.example/1",
        published=datetime(2026, 11, 20, 8, 0, tzinfo=UTC),
        authors=("Sea desk",),
        tags=("Sea",),
        language="fr",
        picture="https://wire.example/b.jpg",
    )
    assert second.body == "<p>One &lt;b&gt;.</p>\n<p>Two.</p>"
    assert second.authors == ("Jane Roe",)


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("R&amp;amp;D", "R&D"),
        ("&lt;b&gt;Bold&lt;/b&gt; words&lt;script&gt;alert(1)&lt;/script&gt;", "Bold words"),
        ("<![CDATA[Caf&eacute; & bar]]>", "Café & bar"),
        ("Caf&eacute;", "Café"),
        ("It&#146;s late", "It’s late"),
        ("Two\n  lines\x01&#0;&#x1;", "Two lines"),
        ("\u202eevil", "evil"),
    ],
)
def test_a_title_is_one_line_of_plain_text(title: str, shown: str) -> None:
    assert only(in_rss(f"<title>{title}</title>")).title == shown


def test_a_plain_title_in_atom_means_what_it_says() -> None:
    assert only(in_atom("").replace("<title>Story", "<title>The &lt;b&gt; element &amp;amp;")).title == (
        "The <b> element &amp;"
    )


def test_a_story_without_a_title_has_its_first_sentence_for_one() -> None:
    found = article(in_rss("<guid>1</guid><description>The ferry sails again. It is the first time.</description>"))
    assert found.title == "The ferry sails again. It is the first time."
    long = "The ferry sails again, " * 20
    assert len(article(in_rss(f"<guid>1</guid><description>{long}</description>")).title) <= 160


def test_addresses_of_people_are_not_published() -> None:
    for author, names in (
        ("jane@wire.example (Jane Roe)", ("Jane Roe",)),
        ("jane@example.com (Jane Roe)", ("Jane Roe",)),
        ("Jane Roe &lt;jane@wire.example&gt;", ("Jane Roe",)),
        ("jane@wire.example", ()),
    ):
        assert only(in_rss(f"<title>x</title><author>{author}</author>")).authors == names
        assert only(in_rss(f"<title>x</title><dc:creator>{author}</dc:creator>")).authors == names


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "", "http://[broken"]
)
def test_a_link_that_is_no_web_address_is_none(link: str) -> None:
    text = in_rss(f"<guid isPermaLink='false'>g</guid><title>x</title><link>{link}</link>")
    assert article(text).url is None


def test_of_theirs_without_a_page_the_origin_is_linked() -> None:
    text = in_rss(
        "<guid isPermaLink='false'>g</guid><title>x</title>", head="<link>https://wire.example/?a&amp;b</link>"
    )
    assert article(text, rights="theirs").html == '<p><a href="https://wire.example/?a&amp;b">Wire</a></p>'


def test_what_is_said_of_an_update_is_kept() -> None:
    text = in_atom("<published>2026-11-19T10:00:00Z</published><updated>2026-11-20T09:00:00Z</updated>")
    document = read(text)
    [entry] = entries_of(document, feed_url=URL).values()
    assert draft_of(entry, document, FeedHouse(), now=NOW).updated == datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize("year", ["0001", "1899", "2200", "9999"])
def test_a_year_that_no_letter_can_carry_is_no_date(year: str) -> None:
    assert article(in_atom(f"<published>{year}-11-19T10:00:00Z</published>")).date is None


# --- encodings ------------------------------------------------------------------------------------------------------

CAFE = '<rss version="2.0"><channel><title>Wire</title><item><title>Café à l’eau</title></item></channel></rss>'


@pytest.mark.parametrize(
    ("raw", "content_type"),
    [
        (CAFE.encode(), "text/xml"),
        (CAFE.encode(), "text/xml; charset=iso-8859-1"),
        (CAFE.encode("utf-8-sig"), "application/xml"),
        (CAFE.encode("utf-16"), "application/xml"),
        (b'<?xml version="1.0"?>'.decode().encode("utf-16-le") + CAFE.encode("utf-16-le"), "application/xml"),
        (f'<?xml version="1.0" encoding="windows-1252"?>{CAFE}'.encode("cp1252"), "application/xml"),
        (CAFE.encode("cp1252"), "application/xml; charset=windows-1252"),
        (CAFE.encode("cp1252"), "application/xml"),
        (b"<?xml version='1.0'?>\n<br />\nNotice: x\n" + CAFE.encode(), "text/html"),
        (b"\n\n  " + CAFE.encode(), "text/html"),
    ],
)
def test_accents_survive_every_encoding(raw: bytes, content_type: str) -> None:
    assert only(raw, content_type).title == "Café à l’eau"


def test_japanese_in_seven_bits() -> None:
    text = f'<?xml version="1.0" encoding="iso-2022-jp"?>{rss(item(1, title="港の朝"))[38:]}'
    assert only(text.encode("iso-2022-jp")).title == "港の朝"


# --- harm -----------------------------------------------------------------------------------------------------------

LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 50}">' for n in range(10))


@pytest.mark.parametrize(
    "dtd",
    [
        f"<!DOCTYPE rss [{LAUGHS}]>",
        f'<!DOCTYPE rss [<!ENTITY l9 "{"x" * 1_000_000}">]>',
        '<!DOCTYPE rss [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE rss SYSTEM "http://127.0.0.1:9/x.dtd">',
    ],
    ids=["a billion laughs", "a long one", "a file", "an address"],
)
def test_no_entity_of_a_document_is_expanded(dtd: str) -> None:
    text = (
        f'<?xml version="1.0"?>{dtd}<rss><channel><item><title>Story</title><description>{"&l9;" * 1000}</description>'
    )
    began = time.monotonic()
    found = only(text + "</item></channel></rss>")
    assert time.monotonic() - began < 5
    assert found.title == "Story"
    assert len(found.body) < 10_000
    assert "root:" not in found.body


def test_the_name_of_a_file_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "rss.xml"
    path.write_text(rss(item(1)))
    with pytest.raises(BadInput, match="no feed"):
        read(str(path))


SLOW = [
    "<rss><channel>" + "<a>" * 200_000,
    "<feed>" * 200_000,
    "<rss>" + "<!--" * 100_000,
    "<rss>" + "<![CDATA[" * 100_000,
    "<!--x-->" * 100_000 + "<rss/>",
    "<rss><" + "a" * 1_000_000,
    "<rss " + "a='1' " * 100_000,
    "{" + '"a":[' * 100_000,
    '{"items": [' + "1" * 100_000 + "]}",
    '{"items": [{"id": 1e999, "tags": {}, "authors": 5, "url": []}]}',
    f"<rss><channel><item><pubDate>{'1' * 500_000}</pubDate></item></channel></rss>",
    f"<rss><channel><item><pubDate>{'Mon, ' * 100_000}</pubDate></item></channel></rss>",
    f"<rss><channel><item><title>{'&lt;a ' * 100_000}</title></item></channel></rss>",
    f"<feed><entry><updated>{'9-' * 200_000}</updated></entry></feed>",
]


@pytest.mark.parametrize("text", SLOW, ids=range(len(SLOW)))
def test_what_was_made_to_take_long_does_not(text: str) -> None:
    began = time.process_time()
    attempt(text.encode())
    assert time.process_time() - began < 10


def attempt(raw: bytes, content_type: str = "") -> None:
    """Everything that is done with a document; BadInput is the only way it may fail."""
    try:
        document = read_feed(raw, url=URL, content_type=content_type)
    except BadInput:
        return
    for house in (FeedHouse("theirs"), FeedHouse("ours")):
        entries = entries_of(document, feed_url=URL)
        for entry in newest_last(entries):
            assert entry.key == entries[entry.key].key
            assert 0 < len(entry.key) <= 500
            try:
                draft = draft_of(entry, document, house, now=NOW)
            except BadInput:
                continue
            content = draft.content
            assert content.title
            assert "\x00" not in f"{content}{draft}{entry.key}"
            assert "<script" not in content.html
            assert content.url is None or content.url.startswith(("http://", "https://"))
            assert content.date is None or content.date <= NOW
            str(entry.mark("m")).encode()


TAGS = (
    *("<rss>", "<channel>", "<item>", "</item>", "<title>", "</title>", "<guid isPermaLink='true'>", "</guid>"),
    *("<link/>", "<link href='", "'/>", "<feed xmlns='http://www.w3.org/2005/Atom'>", "<entry>", "<id>", "</id>"),
    *("<updated>", "<content type='xhtml'>", "<div>", "<content:encoded>", "<media:content url='x'/>", "<author>"),
)
TEXTS = (
    *("<![CDATA[", "]]>", "<!--", "-->", "<!DOCTYPE rss [", "<!ENTITY a 'b'>", "]>", "&a;", "&nbsp;", "&#x0;"),
    *("&#55296;", "\x00", "\ud800", "xml:base='//'", "javascript:alert(1)", "2026-11-20T10:00:00Z", "a@b (c"),
    *("{", "}", '"items":', "[", "]", '"id":', "1e999", '"date_published":'),
)
PIECES = st.sampled_from([*TAGS, *TEXTS])


@given(st.binary(max_size=300), st.text(max_size=40))
@example(b"\xff\xfe", "")
@example(b"\x00<", "text/xml; charset=no-such")
@example(b"<rss><channel><item><title>&#xD800;</title></item></channel></rss>", "text/xml; charset=utf-7")
def test_no_bytes_are_more_than_bad_input(raw: bytes, content_type: str) -> None:
    attempt(raw, content_type)


@given(st.lists(PIECES | st.text(max_size=5), max_size=40))
def test_no_pieces_of_feeds_are_more_than_bad_input(pieces: list[str]) -> None:
    attempt("".join(pieces).encode("utf-8", "surrogatepass"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["id", "url", "external_url", "title", "content_html", "content_text", "summary", "image", "date_published",
     "date_modified", "authors", "author", "tags", "language"],
)  # fmt: skip


@given(st.lists(st.dictionaries(KEYS, VALUES, max_size=8) | VALUES, max_size=4), st.dictionaries(KEYS, VALUES))
def test_no_json_is_more_than_bad_input(items: list[object], head: dict[str, object]) -> None:
    attempt(json.dumps({**head, "items": items}).encode())


@given(st.lists(st.fixed_dictionaries({}, optional={
    "title": st.text(max_size=30), "link": st.sampled_from(["https://wire.example/a", "https://wire.example/b", "/"]),
    "guid": st.sampled_from(["1", "2", "https://wire.example/a"]), "description": st.text(max_size=60),
}), max_size=6))  # fmt: skip
def test_keys_do_not_depend_on_the_order_of_items(fields: list[dict[str, str]]) -> None:
    items = [item(1, **{"pubDate": "", **{key: "".join(filter(str.isprintable, text)) for key, text in each.items()}})
             for each in fields]  # fmt: skip
    forwards = entries_of(read(rss(*items)), feed_url=URL)
    backwards = entries_of(read(rss(*reversed(items))), feed_url=URL)
    assert forwards.keys() == backwards.keys()
