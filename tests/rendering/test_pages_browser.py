"""Pages in a real browser: they fit a narrow telephone and can be read in light and dark."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syndicate.core.article import Image
from syndicate.core.feed import Feed
from syndicate.rendering.environment import make_environment
from syndicate.rendering.pages import render_article, render_index
from tests.rendering.feed_documents import MOMENT, PUBLICATION, SITE, an_article
from tests.rendering.test_email_browser import CONTRASTS

pytestmark = pytest.mark.browser

LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"
BODY = f"""<p>With <a href="https://post.example/">a link</a>, <code>code</code>, <mark>mark</mark>. {LONG}</p>
<h2>A heading</h2><h3>Another</h3><ul><li>one<ul><li>two</li></ul></li></ul><ol><li>{LONG}</li></ol>
<blockquote><p>Quoted.</p></blockquote><pre><code>{"a line of code that does not fit " * 6}</code></pre>
<table><caption>Boats</caption><tr>{"<th>Heading</th>" * 9}</tr><tr>{"<td>Value</td>" * 9}</tr></table>
<figure><img src="http://127.0.0.1:9/wide.jpg" alt="" width="2400" height="400"><figcaption>Wide</figcaption></figure>
<hr><p>https://post.example/{"no-blank-in-it" * 20}</p>"""


def _article(**content: Any) -> str:
    values = {
        "url": None,
        "html": BODY,
        "title": f"A title that goes on for quite a while and holds {LONG}",
        "section": "World & what is beyond " * 2,
        "tags": ("ferries", LONG, *(f"tag {number}" for number in range(12))),
        "date": MOMENT,
        "image": Image("http://127.0.0.1:9/boat.jpg", "A boat leaves the quay", "Photo desk", "all", 1600, 900),
        **content,
    }
    made = render_article(make_environment(), PUBLICATION, an_article(1, **values), (SITE,))
    return made.decode()


PAGES = {
    "article": lambda: _article(rights="CC BY 4.0"),
    "moved": lambda: _article(url="https://post.example/elsewhere"),
    "arabic": lambda: _article(language="ar", title="العبّارات تغادر الرصيف القديم", authors=("مكتب الميناء",)),
    "list": lambda: render_index(
        make_environment(),
        PUBLICATION,
        (SITE, Feed("a-rather-long-name-" * 4, LONG, description=f"{LONG} " * 3), Feed("b", "B", language="fr")),
    ).decode(),
}


@pytest.fixture(params=sorted(PAGES))
def document(request: pytest.FixtureRequest) -> str:
    return PAGES[request.param]()


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_nothing_overflows(chromium: Any, document: str, width: int) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.set_content(document)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(chromium: Any, document: str, scheme: str) -> None:
    page = chromium.new_page(viewport={"width": 800, "height": 800}, color_scheme=scheme)
    page.set_content(document)
    found = page.evaluate(CONTRASTS)
    assert len(found) > 8
    assert [each for each in found if each[0] < 4.5] == []
    assert [each for each in found if each[1] < 12] == []
    page.close()


def test_dark_is_dark_and_light_is_light(chromium: Any, document: str) -> None:
    paper = {}
    for scheme in ("light", "dark"):
        page = chromium.new_page(color_scheme=scheme)
        page.set_content(document)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        paper[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
        page.close()
    assert paper["light"] > 240 and paper["dark"] < 60


def test_one_click_selects_a_whole_address_and_no_more(chromium: Any) -> None:
    page = chromium.new_page(viewport={"width": 360, "height": 800})
    page.set_content(PAGES["list"]())
    page.locator("code").nth(1).click()
    assert page.evaluate("getSelection().toString()").strip() == "https://news.post.example/feeds/atom.xml"
    page.close()


def test_the_days_are_read_by_machines_too(chromium: Any) -> None:
    page = chromium.new_page()
    page.set_content(PAGES["article"]())
    assert page.locator("time").first.get_attribute("datetime") == "2026-11-01T08:30:15Z"
    assert datetime(2026, 11, 1, tzinfo=UTC) < MOMENT < datetime(2026, 11, 1, tzinfo=UTC) + timedelta(days=1)
    page.close()
