"""Markdown: CommonMark with tables, strikethrough, notes and bare addresses, made safe."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest

from syndicate.errors import BadInput
from syndicate.sources.markdown import render_markdown
from tests.sources.newsdesk import read


def body(text: str, base_url: str = "") -> str:
    return read(f"---\ntitle: A title\n---\n{text}", base_url=base_url).content.html


def test_the_first_heading_is_the_title_when_none_is_declared_and_is_not_repeated() -> None:
    content = read("Intro.\n\n# Night *ferry*\nreturns\n\nWords.").content
    assert content.title == "Night ferry"
    assert content.html == "<p>Intro.</p>\n<p>returns</p>\n<p>Words.</p>"
    assert read("Night\n=====\n\nWords.").content.title == "Night"


def test_a_first_heading_that_equals_the_title_is_not_repeated_and_another_is_kept() -> None:
    assert body("# A  Title\n\nWords.") == "<p>Words.</p>"
    assert body("# Another\n\nWords.") == "<h2>Another</h2>\n<p>Words.</p>"
    assert body("## A title\n\nWords.") == "<h2>A title</h2>\n<p>Words.</p>"


def test_without_any_title_it_is_named_with_the_cure() -> None:
    with pytest.raises(BadInput, match=r"no title\. Add `title:` to its front matter, or a first line `# Title`\."):
        read("## Smaller\n\nWords.")


def test_what_newsrooms_write() -> None:
    html = body(
        "One **two** ~~three~~ `four` https://a.example/x and post.example.\n\n"
        "| Boat | Hour |\n|---|--:|\n| Ferry | 7 |\n\n> Quoted.\n\n1. a\n2. b\n\n- c\n\nText[^1].\n\n[^1]: The note."
    )
    assert (
        '<strong>two</strong> <s>three</s> <code>four</code> <a href="https://a.example/x">https://a.example/x</a>'
        in html
    )
    assert "and post.example.</p>" in html
    assert "<tr>\n<td>Ferry</td>\n<td>7</td>\n</tr>" in html
    assert "<blockquote>\n<p>Quoted.</p>\n</blockquote>" in html
    assert "<ol>\n<li>a</li>" in html and "<ul>\n<li>c</li>" in html
    assert "Text<sup>[1]</sup>." in html and "<p>The note.</p>" in html
    assert "class" not in html and "style" not in html and "#fn" not in html and "↩" not in html


def test_the_words_are_set_as_they_were_written() -> None:
    assert body("\"Quotes\" -- and... 'more' (c)") == "<p>\"Quotes\" -- and... 'more' (c)</p>"


def test_html_inside_is_made_safe() -> None:
    html = body(
        "A <b onclick=x>bold</b> <script>alert(1)</script>\n\n"
        "<div style='x'>\n\n*in*\n\n</div>\n\n[x](javascript:alert(1))"
    )
    assert "<b>bold</b>" in html and "<em>in</em>" in html
    assert "script" not in html.replace("javascript:alert(1)", "") and "onclick" not in html and "style" not in html
    assert "href" not in html


def test_template_syntax_is_text() -> None:
    draft = read(
        "---\ntitle: '{{ 7 * 7 }} {% raw %}'\nsummary: '{{ config }}'\n---\n{{ 7 * 7 }} {% for x in y %} ${x} <%= 1 %>"
    )
    assert draft.content.title == "{{ 7 * 7 }} {% raw %}"
    assert draft.content.summary == "{{ config }}"
    assert draft.content.html.startswith("<p>{{ 7 * 7 }} {% for x in y %} ${x} ")


def test_addresses_are_relative_to_the_article_then_to_the_site() -> None:
    text = "[a](b/c) ![alt](/p.jpg)"
    assert body(text, base_url="https://site.example/x/") == (
        '<p><a href="https://site.example/x/b/c">a</a> <img src="https://site.example/p.jpg" alt="alt"></p>'
    )
    own = read(
        f"---\ntitle: A\nurl: https://post.example/2026/story\n---\n{text}", base_url="https://site.example"
    ).content
    assert 'href="https://post.example/2026/b/c"' in own.html and 'src="https://post.example/p.jpg"' in own.html


def test_what_has_no_address_is_left_out_and_said() -> None:
    draft = read("# A\n\n[a](b.html) ![alt](p.jpg) ![x](data:image/png;base64,AAAA)")
    assert draft.content.html == "<p>a  </p>"
    assert draft.warnings == (
        "A link was left out: 'b.html' is not a web address.",
        "A picture was left out: 'p.jpg' is not a web address.",
        "A picture was left out: 'data:image/png;base64,AAAA' is not a web address.",
    )


def test_a_summary_is_made_where_none_is_given() -> None:
    content = read(
        "# A\n\n## Part\n\n> A quotation.\n\nThe **ferry** sails &amp; returns. It is late.\n\nMore."
    ).content
    assert content.summary == "The ferry sails & returns. It is late."


def test_a_story_elsewhere_may_have_a_summary_and_no_text() -> None:
    content = read("---\ntitle: A\nsummary: B\nurl: https://a.example/x\n---\n").content
    assert (content.html, content.summary) == ("", "B")
    with pytest.raises(BadInput, match="a title and no text"):
        read("# A\n\n<!-- later -->\n")


@pytest.mark.parametrize(
    "text",
    [
        "[" * 90_000,
        "![" * 45_000,
        "> " * 45_000,
        "*a " * 30_000,
        "`a" * 45_000,
        "<a " * 30_000,
        "[a](" * 22_000,
        "|" * 90_000,
    ],
)
def test_hostile_markdown_costs_seconds_at_most(text: str) -> None:
    start = time.process_time()
    with suppress(BadInput):
        read(f"# A\n\nWords.\n\n{text}")
    assert time.process_time() - start < 10


def test_beyond_the_limits_it_is_named() -> None:
    with pytest.raises(
        BadInput, match=r"one paragraph has 100,0\d\d characters and may have 100,000\. Add blank lines"
    ):
        read("# A\n\n" + "x" * 100_001)
    with pytest.raises(BadInput, match=r"it has 1,\d{3},\d{3} characters and may have 1,000,000\. Split it"):
        read("# A\n\n" + "Words.\n\n" * 130_000)
    with pytest.raises(BadInput, match=r"one paragraph has 10,001 brackets and may have 10,000\. Add blank lines"):
        read("# A\n\n" + "[" * 10_001)
    with pytest.raises(BadInput, match=r"nested .* deep"):
        read("# A\n\n" + "<div>" * 5_000)


def test_nul_and_other_control_characters() -> None:
    with pytest.raises(BadInput, match=r"it holds NUL characters, so it is no text file\."):
        read("# A\n\nB\x00C")
    assert read("# A\x07\n\nB\x08C\x1b&#1;&#xFFFE;D").content.html == "<p>BC��D</p>"  # CommonMark 2.3


@pytest.mark.parametrize("depth", [1, 10, 30, 49])
def test_every_word_of_nested_quotes_and_lists_is_kept(depth: int) -> None:
    quotes = ">" * depth + " Deep words."
    items = "".join(f"{'  ' * level}- word{level}x\n" for level in range(depth))
    _, html = render_markdown(f"{quotes}\n\nBetween.\n\n{items}", "Title")
    assert "Deep words." in html
    assert all(f"word{level}x" in html for level in range(depth))


@pytest.mark.parametrize("text", [">" * 120 + " Words.", "".join(f"{'  ' * level}- word\n" for level in range(60))])
def test_what_is_nested_deeper_than_is_read_is_refused_rather_than_left_out(text: str) -> None:
    with pytest.raises(BadInput, match=r"nested 100 deep\. Write them flatter"):
        render_markdown(text, "Title")
