"""The digest in a real browser: it fits a narrow telephone and can be read in light and dark, with its style element
and without."""

from __future__ import annotations

import re
from typing import Any

import pytest

from syndicate.core.article import Image
from syndicate.rendering.email import render_digest
from syndicate.rendering.environment import make_environment
from tests.rendering.digests import NEWSLETTER, article, digest, mail

pytestmark = pytest.mark.browser

PICTURE = Image("http://127.0.0.1:9/boat.jpg", "A boat leaves", "Photograph: Harbour desk", width=1600, height=900)
"""Never loads, as in many a mail program: its place and its alt text are what is looked at."""

DOCUMENTS = {
    "english": digest(
        article(1, summary="A long summary. " * 10, image=PICTURE),
        article(2, language="fr", title="Le port ouvre ses archives"),
        article(3, title="Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 2),
        article(4, date=None, summary="https://post.example/" + "no-blank-in-it" * 20, section="S" * 60),
        titles=(article(5), article(6, title="x" * 200)),
        intro="Good morning.",
        test=True,
    ),
    "arabic": digest(
        article(1, language="ar", title="العبّارات تعود إلى المضيق"), article(2), titles=(article(3),), language="ar",
        newsletter=type(NEWSLETTER)("morning", "موجز الصباح", "ar", "UTC"),
    ),
}  # fmt: skip

# WCAG 2.1: relative luminance, and the contrast of every element's own text with what lies behind it.
CONTRASTS = """() => {
  const numbers = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(each => each / 255)
    .map(each => each <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
    .reduce((sum, each, at) => sum + each * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = numbers(getComputedStyle(each).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll('body *')].filter(element => element.getClientRects().length
      && [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim()))
    .map(element => {
      const [one, other] = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
      return [(Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05),
        parseFloat(getComputedStyle(element).fontSize), element.textContent.slice(0, 40)];
    });
}"""


@pytest.fixture(params=sorted(DOCUMENTS))
def html(request: pytest.FixtureRequest) -> str:
    return mail(render_digest(make_environment(), DOCUMENTS[request.param])).html


def as_mailed(html: str, style: bool) -> str:
    return html if style else re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)


@pytest.mark.parametrize("style", [True, False], ids=["style", "no-style"])
@pytest.mark.parametrize("width", [320, 600, 1280])
def test_nothing_overflows(chromium: Any, html: str, width: int, style: bool) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 800})
    page.set_content(as_mailed(html, style))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    column = page.locator("table.sheet").bounding_box()
    assert column["width"] == min(width, 600)
    page.close()


@pytest.mark.parametrize("style", [True, False], ids=["style", "no-style"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(chromium: Any, html: str, scheme: str, style: bool) -> None:
    page = chromium.new_page(viewport={"width": 600, "height": 800}, color_scheme=scheme)
    page.set_content(as_mailed(html, style))
    found = [each for each in page.evaluate(CONTRASTS) if each[2].strip("\u00a0 ")]
    assert len(found) > 10
    assert [each for each in found if each[0] < 4.5] == []
    assert [each for each in found if each[1] < 12] == []
    page.close()


def test_dark_is_dark_and_light_is_light(chromium: Any, html: str) -> None:
    paper = {}
    for scheme in ("light", "dark"):
        page = chromium.new_page(color_scheme=scheme)
        page.set_content(html)
        colour = page.evaluate("getComputedStyle(document.querySelector('table.sheet')).backgroundColor")
        paper[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
        page.close()
    assert paper["light"] > 240 and paper["dark"] < 60


def test_the_preheader_is_not_seen(chromium: Any, html: str) -> None:
    for style in (True, False):
        page = chromium.new_page()
        page.set_content(as_mailed(html, style))
        assert not page.locator("body > div").first.is_visible()
        page.close()
