"""HTML files: the head fills what it declares, the story is found, and what runs or asks is out."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from syndicate.core.article import Image
from syndicate.errors import BadInput
from tests.sources.newsdesk import LONG, read

PAGE = f"""<!doctype html>
<html lang="fr-CA"><head>
<meta charset="utf-8">
<title>Night ferry returns | The Harbour Post</title>
<meta name="author" content="Harbour desk"><meta name="author" content="Night desk">
<meta property="article:author" content="https://social.example/desk">
<meta name="description" content="The boat is &quot;back&quot;.">
<meta property="article:published_time" content="2026-11-19T07:30:00+01:00">
<meta property="article:section" content="Harbour">
<meta property="article:tag" content="ferry"><meta property="article:tag" content="sea">
<meta property="og:image" content="/p.jpg"><meta property="og:image:alt" content="A boat">
<link rel="stylesheet canonical" href="https://post.example/2026/ferry">
<style>p {{ color: red }}</style><script>track()</script>
</head><body>
<nav><a href="/">Home</a></nav>
<article><header><h1>Night ferry returns</h1></header>
<p>{LONG} <a href="map">Map</a>.</p>
<form action="/subscribe"><input name="email"><button>Subscribe</button></form>
<iframe src="https://video.example/1"></iframe><script>alert(1)</script>
<p>More &amp; more.</p></article>
<footer>Share this page</footer></body></html>"""


def test_the_head_fills_what_it_declares() -> None:
    content = read(PAGE, "a.html").content
    assert content.title == "Night ferry returns"
    assert content.authors == ("Harbour desk", "Night desk")
    assert content.summary == 'The boat is "back".'
    assert content.date == datetime(2026, 11, 19, 6, 30, tzinfo=UTC)
    assert (content.section, content.tags, content.language) == ("Harbour", ("ferry", "sea"), "fr-CA")
    assert content.url == "https://post.example/2026/ferry"
    assert content.image == Image("https://post.example/p.jpg", "A boat")


def test_the_story_is_the_article_without_its_title_and_what_runs_or_asks() -> None:
    html = read(PAGE, "a.html").content.html
    assert html.count("<p>") == 2
    assert f'<p>{LONG} <a href="https://post.example/2026/map">Map</a>.</p>' in html
    for out in ("Night ferry", "Home", "Share", "Subscribe", "alert", "iframe", "color", "form"):
        assert out not in html


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("<main><p>Main.</p></main><p>Out.</p>", "Main."),
        ("<article><p>Short.</p></article><article><p>The longer of two.</p></article>", "The longer of two."),
        ("<main><article><p>One.</p></article><article><p>Two.</p></article></main>", "One.Two."),
        ("<p>Just</p><p>body.</p>", "Just body."),
        ("Bare words <b>here</b>.", "Bare words here"),
    ],
)
def test_where_the_story_is(body: str, words: str) -> None:
    html = read(f"<title>A</title>{body}", "a.htm").content.html
    for word in words.replace(".", ". ").split():
        assert word in html
    assert "Out." not in html and "Short." not in html


def test_the_title_is_the_only_heading_of_the_story_else_that_of_the_page() -> None:
    assert read("<title>Page</title><h1>Story</h1><p>W.</p>", "a.html").content.title == "Story"
    two = read("<title>Page</title><h1>One</h1><p>W.</p><h1>Two</h1>", "a.html").content
    assert two.title == "Page" and two.html == "<h2>One</h2><p>W.</p><h2>Two</h2>"
    assert read("<h1>One</h1><p>W.</p><h1>Two</h1>", "a.html").content.title == "One"
    with pytest.raises(BadInput, match=r"no title\. Add a <title> or an <h1>\."):
        read("<p>Words.</p>", "a.html")


def test_pictures_that_load_late_keep_their_address() -> None:
    html = read(
        '<title>A</title><p>W</p><img data-src="https://i.example/a.jpg" src="data:image/gif;base64,R0">', "a.html"
    )
    assert html.content.html == '<p>W</p><img src="https://i.example/a.jpg" alt="">'


def test_a_base_is_honoured() -> None:
    page = '<base href="https://b.example/x/"><title>A</title><p><a href="y">W</a></p>'
    assert 'href="https://b.example/x/y"' in read(page, "a.html").content.html


def test_a_relative_canonical_needs_the_site() -> None:
    page = '<title>A</title><link rel=canonical href="/story"><p>W</p>'
    assert read(page, "a.html").content.url is None
    assert read(page, "a.html", base_url="https://post.example").content.url == "https://post.example/story"


def test_a_date_in_the_head_that_is_none_is_named() -> None:
    page = '<title>A</title><meta property="article:published_time" content="soon"><p>W</p>'
    with pytest.raises(BadInput, match=r"^`date` in the head of the page is 'soon', which is no date"):
        read(page, "a.html")


def test_xhtml_and_its_declarations_are_read() -> None:
    page = '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
    page += '<html xmlns="http://www.w3.org/1999/xhtml" lang="en"><head><title>Café</title></head>'
    page += "<body><p>Thé</p></body></html>"
    assert read(page, "a.html").content.title == "Café"


@pytest.mark.parametrize("charset", ["windows-1252", "iso-8859-1"])
def test_a_page_in_the_encoding_that_it_declares_is_read(charset: str) -> None:
    page = f'<meta charset="{charset}"><title>Café</title><p>Thé</p>'.encode("cp1252")
    assert read(page, "a.html").content.title == "Café"
    with pytest.raises(BadInput, match=r"it is not UTF-8 \(byte 0xE9 in line 1\)\. Save it as UTF-8\."):
        read("<title>Café</title>".encode("cp1252"), "a.html")


def test_an_entity_bomb_is_harmless() -> None:
    bomb = '<!DOCTYPE html [<!ENTITY a "ha"><!ENTITY b "' + "&a;" * 1000 + '"><!ENTITY c "' + "&b;" * 1000 + '">'
    bomb += '<!ENTITY x SYSTEM "file:///etc/passwd">]><html><title>A</title><body><p>W &c; &x;</p></body></html>'
    html = read(bomb, "a.html").content.html
    assert len(html) < 20_000 and "root:" not in html and "hahaha" not in html


@pytest.mark.parametrize("element", ["div", "b", "blockquote", "x-y", "font"])
def test_nesting_without_end_is_named(element: str) -> None:
    with pytest.raises(BadInput, match=r"nested 100,000 deep|nested .* deep"):
        read("<title>A</title><p>W</p>" + f"<{element}>" * 100_000, "a.html")


def test_deep_but_honest_nesting_loses_nothing() -> None:
    page = "<title>A</title>" + "<ul><li>" * 150 + "deep" + "</li></ul>" * 150 + "<p>after</p>"
    html = read(page, "a.html").content.html
    assert "deep" in html and "after" in html


def test_markup_in_declared_texts_is_text() -> None:
    page = "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title><meta name=author content='<b>Desk</b>'><p>W</p>"
    content = read(page, "a.html").content
    assert content.title == "<script>alert(1)</script>"
    assert content.authors == ("<b>Desk</b>",)
