"""One article as feeds show it, before any format: the three formats say the same because they are given the same."""

from __future__ import annotations

import hashlib
import html as html_module
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal
from uuid import NAMESPACE_URL, uuid5

from syndicate.core.article import Article, Image
from syndicate.core.feed import Feed
from syndicate.core.publication import Publication
from syndicate.core.removal import Removal
from syndicate.errors import BadInput
from syndicate.rendering.page_words import page_words
from syndicate.rendering.text import one_line, web_address
from syndicate.rendering.words import language_tag

RENDERER = "2"
"""To be raised whenever the bytes of an entry change for the same article (a test holds the present bytes): cached
fragments of older renderers are then left alone and made anew."""

FeedContent = Literal["full", "summary"]

EMPTY_SINCE = datetime(1970, 1, 1, tzinfo=UTC)
"""What an empty feed gives as its last change: a feed depends on its entries alone, so never on a clock."""

# XML 1.0 allows no other control characters; a lone surrogate cannot be encoded at all.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Head:
    """What a feed says of itself. `folder` is its address, with a trailing slash."""

    id: str
    title: str
    description: str
    publisher: str
    home: str
    folder: str
    language: str

    def address(self, file_name: str) -> str:
        """The absolute address of one of its files."""
        return self.folder + file_name


@dataclass(frozen=True, slots=True)
class Entry:
    """Plain text everywhere but in `html`; nothing in it can break a document. `html` is None in a feed of summaries.
    `language` is "" where it is the feed's. `rights` is "" unless the article states its own; `origin` is
    the name of the publication that it was taken from, with the address of its home page, both "" when it is ours."""

    id: str
    link: str
    title: str
    summary: str
    html: str | None
    published: datetime
    updated: datetime
    language: str = ""
    authors: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    image: Image | None = None
    rights: str = ""
    translated_by: str = ""
    translated_from: str = ""
    origin: str = ""
    origin_url: str = ""


ANY_HEAD = Head(
    id="urn:uuid:00000000-0000-4000-8000-000000000000",
    title="-",
    description="-",
    publisher="-",
    home="https://site.example/",
    folder="https://site.example/feeds/",
    language="en",
)
ANY_ENTRY = Entry(
    id="urn:uuid:00000000-0000-4000-8000-000000000001",
    link="https://site.example/",
    title="-",
    summary="-",
    html=None,
    published=EMPTY_SINCE,
    updated=EMPTY_SINCE,
)
"""Stand-ins: what surrounds an entry in a document of one, when only the one or only the other is wanted."""


def clean(text: str) -> str:
    """The text without the characters that no document may hold, and with one kind of line end."""
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z` and whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_head(feed: Feed, publication: Publication) -> Head:
    """The head of that feed. Its id is derived from its address without being one (RFC 4287 §4.2.6)."""
    return _make_head(publication, feed.name, feed.folder, feed.title, feed.description, feed.language)


@lru_cache(maxsize=4096)
def _make_head(
    publication: Publication, name: str, subfolder: str, title: str, description: str, language: str
) -> Head:
    folder = publication.web(f"feeds/{subfolder}")
    title = one_line(title) or one_line(publication.title) or name or "Feed"
    return Head(
        id=uuid5(NAMESPACE_URL, f"feed {folder}").urn,
        title=title,
        description=one_line(description) or ("" if name else one_line(publication.description)) or title,
        publisher=one_line(publication.title) or title,
        home=web_address(publication.url) or publication.web(""),
        folder=folder,
        language=language_tag(language) or language_tag(publication.language) or "en",
    )


def entry_version(
    *, revision: int, link: str, published: datetime | None, updated: datetime | None, shows_language: bool
) -> str:
    """What a cached fragment depends on, besides its article, format and content. The last character says whether it
    names its own language, so that both forms can be kept while feeds of two languages carry the article."""
    moments = (each.timestamp() if each else None for each in (published, updated))
    text = f"{RENDERER} {revision} {link} {next(moments)} {next(moments)}"
    return hashlib.sha256(text.encode()).hexdigest()[:32] + ("-l" if shows_language else "-f")


@lru_cache(maxsize=1024)
def shows_language(article_language: str, feed_language: str) -> bool:
    """Whether an entry must name its language because it is not the feed's."""
    tag = language_tag(article_language)
    return bool(tag) and tag.casefold() != language_tag(feed_language).casefold()


def make_entry(article: Article, *, content: FeedContent, link: str, own_language: bool) -> Entry:
    """The article as an entry; `own_language` says that it names its language.

    Of an article of others (`rights = "theirs"`) only the summary and no image. An image is shown where its `use` is
    "all": feeds are shown again by third parties, so "web" (our own pages) keeps it out of them. It is no enclosure:
    RSS wants the length of one in bytes, which nobody measured.

    Raises BadInput that names the article and what no feed can carry.
    """
    body = article.content
    title = one_line(body.title)
    where = article.key or article.id
    if not title:
        raise BadInput(f"{where}: the article has no title.", cure="Give it one; until then feeds leave it out.")
    if not article.published_at:
        raise BadInput(f"{where}: the article was never released.", cure="Release it: syndicate articles release.")
    fitting_link = web_address(link)
    if not fitting_link:
        raise BadInput(f"{where}: {link!r} is no web address.", cure="Correct its url; until then feeds leave it out.")
    summary = clean(body.summary).strip() or title
    theirs = body.rights == "theirs"
    html = clean(body.html).strip() or f"<p>{html_module.escape(summary)}</p>"
    notes = [note for each in article.corrections if each.in_feeds and (note := one_line(each.note))]
    said = page_words(language_tag(body.language) or "en").correction
    html += "".join(f"<p><em>{html_module.escape(said.format(note=note))}</em></p>" for note in notes)
    if content == "summary" or theirs:
        summary = " ".join((summary, *(said.format(note=note) for note in notes)))
    return Entry(
        id=article.id,
        link=fitting_link,
        title=title,
        summary=summary,
        html=None if content == "summary" or theirs else html,
        published=article.published_at,
        updated=max(article.published_at, article.updated_at or article.published_at),
        language=language_tag(body.language) if own_language else "",
        authors=_names(body.authors),
        categories=_names((body.section, *body.tags)),
        image=None if theirs else _image(body.image),
        rights="" if body.rights in ("", "ours", "theirs") else one_line(body.rights),
        translated_by=one_line(body.translated_by),
        translated_from=one_line(body.translated_from),
        origin=one_line(body.origin),
        origin_url=web_address(body.origin_url) or "",
    )


def _names(names: Iterable[str]) -> tuple[str, ...]:
    """Each once, whatever its case; the first spelling stays."""
    kept: dict[str, str] = {}
    for each in names:
        if name := one_line(each):
            kept.setdefault(name.casefold(), name)
    return tuple(kept.values())


def _image(image: Image | None) -> Image | None:
    if image is None or image.use != "all" or not (src := web_address(image.src)):
        return None
    width, height = (size if size and size > 0 else None for size in (image.width, image.height))
    return Image(src=src, alt=one_line(image.alt), credit=one_line(image.credit), width=width, height=height)


def last_change(entries: Iterable[tuple[datetime, datetime]], removals: Iterable[Removal] = ()) -> datetime:
    """The newest of all (published, updated) and of what was taken out; EMPTY_SINCE when there are none."""
    return max((*(max(pair) for pair in entries), *(each.at for each in removals)), default=EMPTY_SINCE)
