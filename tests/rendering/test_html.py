"""HTML from outside: what is kept, what is not, and the plain text of it."""

from __future__ import annotations

import re

import lxml.html
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syndicate.errors import BadInput
from syndicate.rendering.html import absolute_url, lead_of, one_line, sanitise, summarise, text_of, without_controls

BASE = "https://post.example/2026/story"


def clean(html: str) -> str:
    return sanitise(html, base_url=BASE)


@pytest.mark.parametrize(
    "html",
    [
        "<p>One <strong>two</strong> <em>three</em><br>four</p>",
        "<h2>A</h2><h3>B</h3><h6>C</h6>",
        '<ul><li>a</li></ul><ol start="3"><li>b</li></ol><dl><dt>c</dt><dd>d</dd></dl>',
        "<blockquote><p>q</p></blockquote><pre><code>x &lt; y</code></pre><hr>",
        '<figure><img src="https://i.example/a.jpg" alt="A &lt;boat&gt;" width="600" height="400">'
        "<figcaption>c</figcaption></figure>",
        '<table><caption>t</caption><thead><tr><th scope="col">a</th></tr></thead>'
        '<tbody><tr><td colspan="2">b</td></tr></tbody></table>',
        '<p>H<sub>2</sub>O x<sup>2</sup> <time datetime="2026-11-20">today</time> <abbr title="Thing">T</abbr></p>',
        '<p lang="ar" dir="rtl">مرحبا</p>',
        '<p><a href="mailto:desk@post.example">mail</a> <a href="https://a.example/?x=1&amp;y=2">web</a></p>',
    ],
)
def test_what_feeds_and_mails_show_is_kept_as_it_is(html: str) -> None:
    assert clean(html) == html


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<h1>A</h1>", "<h2>A</h2>"),
        ("<section><p>a</p></section><article>b</article>", "<div><p>a</p></div><div>b</div>"),
        ('<p class="x" style="color:red" id="y" onclick="z()" data-a="b">t</p>', "<p>t</p>"),
        ('<p lang="x y" dir="up">t</p>', "<p>t</p>"),
        ("<font color=red>t</font><custom-tag>u</custom-tag>", "tu"),
        ('<a href="#note">note</a> <a name="x">y</a> <a>z</a>', "note y z"),
        ('<a href="javascript:alert(1)">x</a>', "x"),
        ('<a href="java\nscript:alert(1)">x</a>', "x"),
        ('<a href="&#1;javascript:alert(1)">x</a>', "x"),
        ('<a href="data:text/html,x">x</a><a href="ftp://a.example/">y</a><a href="vbscript:x">z</a>', "xyz"),
        ('<img src="data:image/png;base64,AA">', ""),
        ('<img src="javascript:x"><img alt="x">', ""),
        (
            '<img src="a.png" srcset="b.png 2x" onerror="x()" loading="lazy" width="50%">',
            '<img src="https://post.example/2026/a.png" alt="">',
        ),
        ("a<!-- c -->b", "ab"),
        (
            "<script>a</script><style>b</style><iframe>c</iframe><form>d</form><object>e</object><svg><text>f</text></svg>",
            "",
        ),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("a & b < c", "a &amp; b &lt; c"),
    ],
)
def test_what_is_changed(html: str, expected: str) -> None:
    assert clean(html) == expected


@pytest.mark.parametrize(
    "attributes",
    [
        'width="1" height="1"',
        "width=0 height=0",
        'height="1"',
        'style="width:1px;height:1px"',
        'style="DISPLAY: none"',
        "hidden",
    ],
)
def test_measuring_pixels_go(attributes: str) -> None:
    dropped: list[str] = []
    assert sanitise(f'<p>a<img src="https://t.example/p.gif" {attributes}></p>', dropped=dropped) == "<p>a</p>"
    assert dropped == []


def test_a_picture_with_an_honest_style_stays_without_it() -> None:
    assert clean('<img src="/a.jpg" style="width:100px;max-width:100%" width=100>') == (
        '<img src="https://post.example/a.jpg" alt="" width="100">'
    )


def test_addresses_become_absolute() -> None:
    html = clean(
        '<a href="a">1</a><a href="/b?x=1&y=2">2</a><a href="//c.example/d">3</a><a href="?q">4</a><img src="../e.jpg">'
    )
    assert re.findall(r'(?:href|src)="([^"]*)"', html) == [
        "https://post.example/2026/a",
        "https://post.example/b?x=1&amp;y=2",
        "https://c.example/d",
        "https://post.example/2026/story?q",
        "https://post.example/e.jpg",
    ]


def test_what_cannot_become_absolute_is_left_out_and_said() -> None:
    dropped: list[str] = []
    assert sanitise('<a href="a">1</a><img src="b.jpg"><a href="//[">2</a>', dropped=dropped) == "12"
    assert dropped == [
        "A link was left out: 'a' is not a web address.",
        "A picture was left out: 'b.jpg' is not a web address.",
        "A link was left out: '//[' is not a web address.",
    ]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (" https://a.example/b c ", "https://a.example/b%20c"),
        ("HTTPS://a.example", "HTTPS://a.example"),
        ("https://a.example:x/", None),
        ("https://", None),
        ("http:///x", None),
        ("mailto:a@b.example", None),
        ("", None),
    ],
)
def test_absolute_addresses(address: str, expected: str | None) -> None:
    found = absolute_url(address)
    assert found == expected or (found or "").lower() == (expected or "").lower()


def test_characters_that_xml_forbids_are_dropped_everywhere() -> None:
    bad = "a\x00b\x08c\x0bd\x1fe\ud800f\ufffeg\uffffh"
    assert without_controls(bad) == "abcdefgh"
    html = sanitise("<p title='x'>a\x08b&#8;c&#xFFFF;d</p><img src='https://a.example/&#7;.png' alt='&#1;x'>")
    assert without_controls(html) == html
    lxml.html.fragment_fromstring(html, create_parent=True)


def test_one_line() -> None:
    assert one_line(" A\r\nBcc: x\u2028y\x0bz\t\x07 ") == "A Bcc: x y z"
    assert one_line("a\u202eb\u2066c") == "abc"
    assert one_line("Quoi\u00a0?") == "Quoi\u00a0?"


@pytest.mark.parametrize(
    "html", ["<div>" * 201, "<b>" * 5_000, "".join(f"<i x={n}>" for n in range(150)) + "<p>" * 30_000]
)
def test_what_would_grow_beyond_measure_is_refused(html: str) -> None:
    with pytest.raises(BadInput, match="nested"):
        clean(html)


ATTACKS = [
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">',
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    '<img alt="<h1>" src="https://a.example/x.png"><img alt="</a><script>" src="https://a.example/x.png">',
    '<a href="https://a.example/" title="><script>alert(1)</script>">x</a>',
    "<table><td><a href=x><table><td><a href=y>z",
    "<plaintext><script>alert(1)</script>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<scr<script>ipt>alert(1)</script>",
    '<img src="https://a.example/x" width="1&quot; onerror=&quot;x">',
]
MARKUP = st.lists(
    st.one_of(
        st.sampled_from(
            ["<p>", "</p>", "<a href=x>", "<a href='javascript:x'>", "</a>", "<h1>", "</h1>", "<script>", "</script>"]
        ),
        st.sampled_from(
            ["<img src=x onerror=y>", "<svg>", "<style>", "</style>", "<!--", "-->", "<table>", "<td>", "<textarea>"]
        ),
        st.sampled_from(
            ["<b", " title='<p>'", '"', ">", "&lt;", "&#0;", "<![CDATA[", "]]>", "<section lang=en>", "<br/>"]
        ),
        st.text(max_size=8),
    ),
    max_size=20,
).map("".join)


@given(MARKUP)
@example(ATTACKS[0])
@example(ATTACKS[1])
@example(ATTACKS[2])
@example(ATTACKS[3])
@example(ATTACKS[4])
@example(ATTACKS[5])
@example(ATTACKS[6])
@example(ATTACKS[7])
@example(ATTACKS[8])
@example(ATTACKS[9])
@example("<h1><b<p><h1>")
def test_nothing_that_runs_is_ever_left(html: str) -> None:
    try:
        safe = clean(html)
    except BadInput:
        return
    assert without_controls(safe) == safe
    assert clean(safe) == safe, "what is safe is left as it is"
    if not safe:
        return
    for element in lxml.html.fragment_fromstring(safe, create_parent="div").iter():
        assert element.tag not in ("script", "style", "iframe", "svg", "math", "object", "form", "h1", "textarea")
        for name, value in element.attrib.items():
            assert not str(name).startswith("on") and name not in ("style", "class", "id")
            if name in ("href", "src"):
                assert str(value).split(":")[0].lower() in ("http", "https", "mailto")


# -- text and summary ------------------------------------------------------------------------------------------------


def test_the_text_has_one_line_for_each_block() -> None:
    html = "<h2>A</h2><p>b <em>c</em><br>d &amp;\ne</p><ul><li>f</li><li>g</li></ul>"
    html += "<table><tr><td>h</td><td>i</td></tr></table>"
    assert text_of(html) == "A\nb c\nd & e\nf\ng\nh i"
    assert text_of("") == ""


def test_the_lead_is_the_first_paragraph_of_the_story() -> None:
    long = "The ferry to the north shore sails at midnight again, the harbour office said on Friday morning."
    assert (
        lead_of(f"<figure><p>caption</p></figure><blockquote><p>{long}x</p></blockquote><p>By a desk</p><p>{long}</p>")
        == long
    )
    assert lead_of("<ul><li><p>item</p></li></ul><p>Short.</p>") == "Short."
    assert lead_of("<ul><li>item</li></ul>") == "item"
    assert lead_of("") == ""


S1 = "The ferry to the north shore sails at midnight again."
S2 = "It is the last boat of the day, and it waits for the last train when the last train is late, as it always is."
S3 = "The harbour office asks travellers to be on the quay ten minutes early, in boots, to bring patience and a lamp, "
S3 += (
    "and to let those go first who have a child, a dog, a bicycle or a cold with them, as the notice on the gate says."
)


@pytest.mark.parametrize(
    ("paragraph", "summary"),
    [
        (f"{S1} {S2} {S3}", f"{S1} {S2}"),
        (f"{S1} {S3} {S2}", f"{S1} {S3}"),
        (S1, S1),
        ("No full stop at all", "No full stop at all"),
        (f"{S2} “We sail. {S3} We always did,” she said. {S3}", S2),
        (f"{S2} « On part. {S3} Toujours. » {S3}", S2),
        (f"{S2} „Wir fahren. {S3} Immer.“ {S3}", S2),
        (f'{S2} "We sail. {S3} We always did," she said. {S3}', S2),
        (
            f"{S2} Mr. Sea and J. Shore of the U.S. met at no. 5. {S3} {S3}",
            f"{S2} Mr. Sea and J. Shore of the U.S. met at no. 5.",
        ),
        (f"{S2} She asked: “Why?” he wondered. {S3} {S3}", f"{S2} She asked: “Why?” he wondered."),
        (f"{S2} Really?! {S3} {S3}", f"{S2} Really?!"),
        (f"{S2} “We sail.” {S3} {S3}", f"{S2} “We sail.”"),
        ("東京で船が出る。" * 60, "東京で船が出る。" * 35),
    ],
)
def test_a_summary_ends_where_a_sentence_ends_outside_quotation_marks(paragraph: str, summary: str) -> None:
    assert summarise(f"<p>{paragraph}</p>") == summary


def test_a_very_long_sentence_is_cut_after_a_word() -> None:
    summary = summarise(f"<p>{'word ' * 400}</p>")
    assert summary.endswith("word…") and len(summary) <= 281


@given(st.text('ab. !?“”«»"A', max_size=700))
def test_a_summary_is_the_beginning_of_the_lead(text: str) -> None:
    lead = lead_of(sanitise(f"<p>{text}</p>"))
    summary = summarise(sanitise(f"<p>{text}</p>"))
    assert lead.startswith(summary.removesuffix("…").rstrip())
    assert len(summary) <= 561
