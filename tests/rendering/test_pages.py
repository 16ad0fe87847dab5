"""The articles' own pages and the list of feeds, as they are written."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jinja2
import pytest
from lxml import html

from syndicate.core.article import Article, Image
from syndicate.core.feed import Feed
from syndicate.core.selection import Selection
from syndicate.errors import BadInput
from syndicate.rendering.environment import make_environment
from syndicate.rendering.pages import render_article, render_index
from tests.rendering.feed_documents import PUBLICATION, SITE, TITLES, an_article

WORLD = Feed("world", "World", Selection({"section": "World"}), description="What happens elsewhere.")


@pytest.fixture(scope="module")
def templates() -> jinja2.Environment:
    return make_environment()


def page_of(templates: jinja2.Environment, article: Article, *feeds: Feed) -> Any:
    document = render_article(templates, PUBLICATION, article, feeds or (SITE,))
    return html.document_fromstring(document.decode())


def own(**content: Any) -> Article:
    """An article with its own page."""
    return an_article(1, **{"url": None, **content})


def texts(page: Any, path: str) -> list[str]:
    return [" ".join(element.text_content().split()) for element in page.xpath(path)]


def test_a_page_names_itself_and_its_feeds(templates: jinja2.Environment) -> None:
    article = own(language="fr")
    page = page_of(templates, article, SITE, WORLD)
    assert page.xpath("//link[@rel='canonical']/@href") == [
        "https://news.post.example/feeds/articles/00000000-0000-4000-8000-000000000001.html"
    ]
    assert (page.get("lang"), page.get("dir")) == ("fr", "ltr")
    assert page.xpath("//link[@rel='alternate']/@href") == [
        "https://news.post.example/feeds/atom.xml",
        "https://news.post.example/feeds/world/atom.xml",
    ]
    assert texts(page, "//h1") == ["Title 1"]
    assert "Par Harbour desk, Quay desk" in texts(page, "//p[@class='byline']")[0]
    assert "Traduction\u00a0: Translation desk" in page.text_content()


def test_a_page_written_from_the_right(templates: jinja2.Environment) -> None:
    page = page_of(templates, own(language="ar", authors=("مكتب الميناء",)))
    assert (page.get("lang"), page.get("dir")) == ("ar", "rtl")
    assert "مكتب الميناء" in texts(page, "//p[@class='byline']/span")
    [footer] = page.xpath("//footer")
    assert (footer.get("lang"), footer.get("dir")) == ("en", "ltr"), "English words are not to be read as Arabic"


def test_an_undated_article_prints_no_date(templates: jinja2.Environment) -> None:
    article = replace(own(), updated_at=datetime(2027, 3, 4, tzinfo=UTC))
    page = page_of(templates, article)
    assert not page.xpath("//time") and not page.xpath("//meta[contains(@property, 'time')]")
    for year in ("2026", "2027"):
        assert year not in page.text_content()


def test_a_dated_one_prints_its_own_day_where_the_publication_is(templates: jinja2.Environment) -> None:
    late = own(date=datetime(2026, 6, 30, 23, 30, tzinfo=UTC))
    page = page_of(templates, replace(late, updated_at=late.published_at))
    # Lisbon is an hour ahead of UTC in summer.
    assert texts(page, "//time") == ["July 1, 2026"]
    corrected = replace(late, updated_at=late.published_at and late.published_at + timedelta(days=2))
    assert texts(page_of(templates, corrected), "//time") == ["July 1, 2026", "Updated November 3, 2026"]


@pytest.mark.parametrize("title", TITLES)
def test_hostile_text_stays_text(templates: jinja2.Environment, title: str) -> None:
    article = own(
        title=title,
        summary=f"s {title}",
        section=title,
        tags=(title, '"><script>alert(2)</script>'),
        authors=(title,),
        translated_by=title,
        rights=title,
        image=Image('https://post.example/"onload="x', title, title, "web"),
    )
    document = render_article(templates, PUBLICATION, article, (replace(SITE, title=title),)).decode()
    page: Any = html.document_fromstring(document)
    assert not page.xpath("//script") and not page.xpath("//@onload")
    assert len(page.xpath("//h1")) == 1 and "\x00" not in document
    assert "{{ 7 * 7 }}" in document if "7 * 7" in title else "49" not in page.text_content()


def test_scripts_are_forbidden_even_if_one_came_through(templates: jinja2.Environment) -> None:
    [policy] = page_of(templates, own()).xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert "default-src 'none'" in policy and "script-src" not in policy


def test_a_summary_that_the_text_begins_with_is_not_said_twice(templates: jinja2.Environment) -> None:
    body = "<p>The <b>last</b> ferry&nbsp;left on Sunday. Nobody minded.</p>"
    same = page_of(templates, own(html=body, summary="The last ferry left on Sunday."))
    assert not same.xpath("//p[@class='standfirst']")
    other = page_of(templates, own(html=body, summary="Forty years of waiting end."))
    assert texts(other, "//p[@class='standfirst']") == ["Forty years of waiting end."]


def test_a_picture_of_the_text_is_not_shown_twice(templates: jinja2.Environment) -> None:
    image = Image("https://post.example/a.jpg", "A pier", "Photo desk", "web", 800, 600)
    page = page_of(templates, own(image=image, html="<p>x</p>"))
    [shown] = page.xpath("//figure/img")
    assert (shown.get("alt"), shown.get("width"), shown.get("height")) == ("A pier", "800", "600")
    assert texts(page, "//figcaption") == ["Photo desk"]
    assert not page_of(templates, own(image=image, html=f'<p><img src="{image.src}" alt=""></p>')).xpath("//figure")


def test_the_list_names_every_feed_with_addresses_to_copy(templates: jinja2.Environment) -> None:
    brief = Feed("brief", "In brief", content="summary")
    page: Any = html.document_fromstring(render_index(templates, PUBLICATION, (SITE, WORLD, brief)).decode())
    assert texts(page, "//h2") == ["The Harbour Post", "World", "In brief", "All feeds at once"]
    assert texts(page, "//p[@class='explanation']") == [
        "News from the quay & beyond Whole articles",
        "What happens elsewhere Whole articles",
        "Every new article in “In brief” Summaries",
    ]
    addresses = texts(page, "//code")
    assert addresses[:3] == [f"https://news.post.example/feeds/{name}" for name in ("rss.xml", "atom.xml", "feed.json")]
    assert addresses[3] == "https://news.post.example/feeds/world/rss.xml"
    assert addresses[-1] == "https://news.post.example/feeds/feeds.opml"
    assert page.xpath("//dt/a/@href")[3:6] == ["world/rss.xml", "world/atom.xml", "world/feed.json"]
    # One format per feed, the main feed first: what feed readers look for.
    assert page.xpath("//link[@rel='alternate']/@href") == [
        f"https://news.post.example/feeds/{folder}atom.xml" for folder in ("", "world/", "brief/")
    ]
    assert page.xpath("//link[@rel='canonical']/@href") == ["https://news.post.example/feeds/"]
    assert not page.xpath("//script")


def test_pages_are_the_same_every_time(templates: jinja2.Environment) -> None:
    fresh = make_environment()
    assert render_index(templates, PUBLICATION, (SITE,)) == render_index(fresh, PUBLICATION, (SITE,))
    article = own()
    first = render_article(templates, PUBLICATION, article, (SITE,))
    assert first == render_article(fresh, PUBLICATION, article, (SITE,))


def test_a_site_may_extend_what_it_replaces(tmp_path: Path) -> None:
    template = tmp_path / "web" / "public" / "article.html"
    template.parent.mkdir(parents=True)
    template.write_text('{% extends "shipped/web/public/article.html" %}{% block footer %}<p>Ours</p>{% endblock %}')
    page = page_of(make_environment(tmp_path), own())
    assert texts(page, "//footer") == ["Ours"] and texts(page, "//h1") == ["Title 1"]
    template.write_text("{{ article.tittle }}")
    with pytest.raises(BadInput, match=r"article\.html, line 1"):
        page_of(make_environment(tmp_path), own())
