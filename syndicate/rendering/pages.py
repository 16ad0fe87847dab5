"""Web pages for people: an article's own page, and the list of all feeds. Both depend on what they show alone, never on
the time."""

from __future__ import annotations

import html as html_module
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import jinja2
from markupsafe import Markup

from syndicate.core.article import Article, Image
from syndicate.core.feed import Feed
from syndicate.core.identity import page_url
from syndicate.core.publication import Publication
from syndicate.rendering.entry import Head, clean, make_head, timestamp
from syndicate.rendering.environment import render
from syndicate.rendering.page_words import page_words
from syndicate.rendering.text import one_line, web_address
from syndicate.rendering.words import direction, language_tag, long_date

INDEX = "index.html"

_TAG = re.compile(r"<[^>]*>")
_NOT_WORDS = re.compile(r"\W+")


@dataclass(frozen=True, slots=True)
class ListedFeed:
    """One feed as the list shows it: `files` are (format, address, path from the list); `language` is "" where title
    and explanation are in the page's own."""

    head: Head
    explanation: str
    extent: str
    language: str
    files: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class ShownArticle:
    """An article as its own page shows it. `date` and `updated` are (for machines, for people), None for an undated
    article or one never updated. `standfirst` is "" when the text itself begins with it."""

    title: str
    standfirst: str
    description: str
    body: Markup
    section: str
    tags: tuple[str, ...]
    authors: str
    date: tuple[str, str] | None
    updated: tuple[str, str] | None
    translated_by: str
    image: Image | None
    rights: str
    elsewhere: str
    corrections: tuple[tuple[str, str, str], ...] = ()
    """(for machines, heading with the date, what was corrected), the newest first."""


def render_index(templates: jinja2.Environment, publication: Publication, feeds: Sequence[Feed]) -> bytes:
    """The list of all feeds, the site's own first as given. Raises BadInput for a template that cannot be used."""
    language = language_tag(publication.language) or "en"
    words = page_words(language)
    listed = []
    for feed in feeds:
        head = make_head(feed, publication)
        fallback = words.new_in.format(title=head.title) if feed.name else words.everything
        foreign = feed.description and head.language.lower() != language.lower()
        listed.append(
            ListedFeed(
                head,
                (one_line(feed.description) or fallback).removesuffix("."),
                words.whole_articles if feed.content == "full" else words.summaries,
                head.language if foreign else "",
                tuple(
                    (label, head.address(name), feed.folder + name)
                    for label, name in (("RSS", "rss.xml"), ("Atom", "atom.xml"), ("JSON", "feed.json"))
                ),
            )
        )
    return _page(
        templates,
        "web/public/feeds.html",
        publication,
        language,
        [each.head for each in listed],
        canonical=publication.web("feeds/"),
        feeds=listed,
        opml=publication.web("feeds/feeds.opml"),
    )


def render_article(
    templates: jinja2.Environment, publication: Publication, article: Article, feeds: Sequence[Feed]
) -> bytes:
    """The article's own page. `feeds` are those it is in, the site's own first.

    An image is shown here when its `use` is "all" or "web". A date is printed only when the article has one of its own.
    Raises BadInput for a template that cannot be used.
    """
    content = article.content
    language = language_tag(content.language) or language_tag(publication.language) or "en"
    words = page_words(language)
    here = page_url(article.id, publication.web_url)
    elsewhere = web_address(content.url)
    dated = content.date is not None
    moved = dated and article.updated_at and article.published_at and article.updated_at > article.published_at
    names = ", ".join(filter(None, map(one_line, content.authors)))
    shown = ShownArticle(
        title=one_line(content.title),
        standfirst=_standfirst(content.summary, content.html),
        description=one_line(content.summary, 300),
        # Sanitised when it was read; the page's own policy forbids scripts besides.
        body=Markup(clean(content.html)),
        section=one_line(content.section),
        tags=tuple(filter(None, map(one_line, content.tags))),
        # Names alone where "by" would be in another language.
        authors=words.by.format(names=names) if names and words.language == _primary(language) else names,
        date=_date(content.date, language, publication.timezone),
        updated=_date(article.updated_at if moved else None, language, publication.timezone),
        translated_by=words.translation.format(name=one_line(content.translated_by)) if content.translated_by else "",
        image=_image(content.image, content.html),
        rights="" if content.rights in ("", "ours", "theirs") else one_line(content.rights),
        elsewhere=elsewhere,
        corrections=tuple(
            (timestamp(each.at), words.corrected_on.format(date=date), note)
            for each in reversed(article.corrections)
            if (note := one_line(each.note)) and (date := _day(each.at, words.language, publication.timezone))
        ),
    )
    return _page(
        templates,
        "web/public/article.html",
        publication,
        language,
        [make_head(feed, publication) for feed in feeds],
        canonical=elsewhere or here,
        article=shown,
        elsewhere_host=urlsplit(elsewhere).hostname or "",
    )


def render_retraction(templates: jinja2.Environment, publication: Publication, article: Article) -> bytes:
    """What stands at the address of a retracted article: that it was retracted, when, and the editor's words. None of
    its own. Raises BadInput for a template that cannot be used."""
    language = language_tag(article.content.language) or language_tag(publication.language) or "en"
    words = page_words(language)
    when = article.retracted_at or article.updated_at
    return _page(
        templates,
        "web/public/retracted.html",
        publication,
        language,
        [],
        canonical=page_url(article.id, publication.web_url),
        retracted_on=words.retracted_on.format(date=_day(when, words.language, publication.timezone)) if when else "",
        note=one_line(article.retraction),
    )


def _page(
    templates: jinja2.Environment,
    name: str,
    publication: Publication,
    language: str,
    heads: Sequence[Head],
    **context: object,
) -> bytes:
    words = page_words(language)
    own_language = language_tag(publication.language) or "en"
    everything = {
        "publication": publication,
        "home": web_address(publication.url) or publication.web(""),
        "language": language,
        "direction": direction(language),
        # A reader program must not pronounce the fixed words, or the publication's name, as another language.
        "words": words,
        "words_language": words.language if words.language != _primary(language) else "",
        "publication_language": own_language if own_language.lower() != language.lower() else "",
        "discovery": [(head.title, head.address("atom.xml")) for head in heads],
        **context,
    }
    return render(templates, name, everything).encode("utf-8", "replace")


def _primary(language: str) -> str:
    return language.partition("-")[0].lower()


def _date(moment: datetime | None, language: str, timezone: str) -> tuple[str, str] | None:
    if moment is None:
        return None
    return timestamp(moment), _day(moment, language, timezone)


def _day(moment: datetime, language: str, timezone: str) -> str:
    return long_date(moment.astimezone(ZoneInfo(timezone)).date(), language)


def _image(image: Image | None, html: str) -> Image | None:
    """Unless it may not be shown here, or the text shows it itself."""
    src = web_address(image.src) if image and image.use in ("all", "web") else ""
    if image is None or not src or image.src in html or src in html:
        return None
    return Image(src, one_line(image.alt), one_line(image.credit), image.use, image.width or None, image.height or None)


def _standfirst(summary: str, html: str) -> str:
    """The summary, unless the text says the same at its start (as one made from the text does)."""
    text = one_line(summary)
    words = _words(text)
    beginning = html_module.unescape(_TAG.sub(" ", html[: 20 * len(text) + 2000]))
    return "" if not words or _words(beginning).startswith(words) else text


def _words(text: str) -> str:
    return _NOT_WORDS.sub(" ", text).strip().casefold()
