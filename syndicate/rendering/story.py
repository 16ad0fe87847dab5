"""An article as a digest shows it: cleaned, shortened, and in words that a template only has to place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Day
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from syndicate.core.article import Article
from syndicate.rendering.text import one_line, web_address
from syndicate.rendering.words import Direction, direction, language_tag, near_date, words_for

COLUMN = 552
"""Pixels that a picture may be wide in the mail."""

_LONGEST_TITLE = 300


@dataclass(frozen=True, slots=True)
class Picture:
    """`height` is None when nobody said how high the picture is."""

    src: str
    alt: str
    credit: str
    width: int
    height: int | None


@dataclass(frozen=True, slots=True)
class Story:
    """What a template sees of an article. `language` is "" where it is the digest's own; `meta` is the line of authors,
    date, translator and origin, in the digest's language, "" when there is nothing to say (an undated article prints no
    date)."""

    title: str
    link: str
    summary: str
    section: str
    authors: str
    date: str
    translation: str
    origin: str
    language: str
    direction: Direction
    picture: Picture | None

    @property
    def meta(self) -> str:
        """Who, when, translated by whom, from where."""
        return " · ".join(part for part in (self.authors, self.date, self.translation, self.origin) if part)


def tell(
    article: Article, *, language: str, timezone: str, today: Day, summary_limit: int, fallback_link: str
) -> Story:
    """The article for a digest in `language`. `fallback_link` stands in for a link that cannot be used."""
    content = article.content
    words = words_for(language)
    tag = language_tag(content.language)
    link = web_address(article.link)
    ours = content.rights == "ours"
    return Story(
        title=one_line(content.title, _LONGEST_TITLE) or urlsplit(link or fallback_link).netloc,
        link=link or fallback_link,
        summary=one_line(content.summary, summary_limit),
        section=one_line(content.section, 60),
        authors=one_line(", ".join(filter(None, (one_line(author, 80) for author in content.authors[:12]))), 160),
        date=near_date(content.date.astimezone(ZoneInfo(timezone)).date(), today, language) if content.date else "",
        translation=words.translated_by(one_line(content.translated_by, 80)) if content.translated_by.strip() else "",
        origin=words.from_origin(_origin(article, link)) if link and not ours else "",
        language=tag if tag and tag.lower() != language_tag(language).lower() else "",
        direction=direction(tag or language),
        # The pictures of others are not ours to mail.
        picture=_picture(article) if ours else None,
    )


def _origin(article: Article, link: str) -> str:
    """Where an article of others is from: the publication's name, else the host of its page."""
    return one_line(article.content.origin, 80) or urlsplit(link).hostname or ""


def _picture(article: Article) -> Picture | None:
    image = article.content.image
    if image is None or image.use != "all":
        return None
    src = web_address(image.src)
    if not src:
        return None
    width = min(image.width, COLUMN) if image.width and image.width > 0 else COLUMN
    height = None
    if image.width and image.height and image.width > 0 and image.height > 0:
        height = max(1, round(image.height * width / image.width))
    return Picture(src, one_line(image.alt, 300), one_line(image.credit, 120), width, height)
