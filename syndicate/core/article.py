"""Articles: as a source reads them, and as they are kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

ImageUse = Literal["all", "web", "none"]
Status = Literal["waiting", "held", "released", "gone"]
"""waiting: due later (embargo, future date); held: somebody or some mark holds it; released: published;
gone: retracted."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture. `use` says where it may be shown: everywhere, on the web only, or nowhere."""

    src: str
    alt: str = ""
    credit: str = ""
    use: ImageUse = "all"
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Content:
    """The words and their description: what an edit may change without touching identity, number or dates.

    `html` is sanitised, its URLs absolute, without control characters. `date` is the article's own, aware, or None when
    nothing outside the running text declares one (the article is then undated). `url` is None when the article has
    no page of its own elsewhere.
    """

    title: str
    html: str
    summary: str = ""
    section: str = ""
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    language: str = "en"
    url: str | None = None
    image: Image | None = None
    date: datetime | None = None
    rights: str = "ours"
    translated_from: str = ""
    translated_by: str = ""
    breaking: bool = False
    left_out: tuple[str, ...] = ()
    suspects: tuple[str, ...] = ()
    origin: str = ""
    """The name of the publication that it was taken from, and the address of its home page; "" when it is ours."""
    origin_url: str = ""


@dataclass(frozen=True, slots=True)
class Correction:
    """What an editor says of a correction to readers: on the article's page, and in feeds when `in_feeds`."""

    at: datetime
    note: str
    in_feeds: bool = False


@dataclass(frozen=True, slots=True)
class ArticleDraft:
    """One article as a source read it, before it has an identity.

    `key` is the source's own stable name for it (a folder: the path inside the folder, with `/`). `text_hash` is a
    hash of the normalised words (case, white space and markup folded), for renames and for the same article from two
    sources. `hold` is the reason why it must not go out (`draft`, an embargo mark, TK), or "". `not_before` is the
    embargo or the future date, whichever is later. `updated` is front matter's `updated:`.
    """

    key: str
    content: Content
    declared_id: str = ""
    text_hash: str = ""
    hold: str = ""
    not_before: datetime | None = None
    updated: datetime | None = None
    warnings: tuple[str, ...] = ()
    full: Content | None = None
    """The same article with nothing left out, for `articles restore`; None when nothing was left out."""
    url_is_its_own: bool = True
    """False when other articles give the same `url` (a home page, say): it then says nothing of what is the same."""


@dataclass(frozen=True, slots=True)
class Article:
    """One article as it is kept.

    `id` is `urn:uuid:…`, minted once. `number` is None until it is released to newsletters (backlog has none).
    `published_at` is the moment of release (backlog: its own date, else the file's). `updated_at` is what feeds show
    as updated: it starts as `published_at`. `revision` counts edits of the content from 1. `own_page` is true when the
    article has no URL elsewhere and its page is written beside the feeds; `link` is then that page.
    """

    id: str
    source: str
    key: str
    content: Content
    link: str
    own_page: bool
    status: Status
    revision: int = 1
    number: int | None = None
    backlog: bool = False
    hold_reason: str = ""
    not_before: datetime | None = None
    arrived_at: datetime | None = None
    published_at: datetime | None = None
    updated_at: datetime | None = None
    missing_since: datetime | None = None
    text_hash: str = field(default="", repr=False)
    corrections: tuple[Correction, ...] = ()
    retracted_at: datetime | None = None
    retraction: str = ""
    """What its page says once it is retracted."""
