"""The items of a feed as articles: what identifies each, and its draft. Pure.

An item is known by its id, else by its link, else by its words. Feeds change ids when they move house or when an editor
shortens an address; an item under a new id is the old one when their links agree, or their words and their dates.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

from syndicate.core.article import ArticleDraft, Content, Image
from syndicate.errors import BadInput
from syndicate.rendering.html import absolute_url, one_line, sanitise, summarise, text_of
from syndicate.rendering.summary import summary_of
from syndicate.sources.article_file import LONGEST_BODY
from syndicate.sources.base import Known
from syndicate.sources.declared import LONGEST, MOST_VALUES, Declared, declared
from syndicate.sources.feed_item import FeedDocument, FeedItem
from syndicate.sources.hold_marks import hold_mark
from syndicate.sources.sameness import canonical_url, text_hash

LONGEST_KEY = 500
"""Characters; PostgreSQL indexes some 2,700 bytes."""
FEWEST_WORDS = 8
"""Below that, equal words mean nothing: many items of many feeds say "Read more"."""
MOST_RECEIVED = 20_000
"""Bytes that are kept of what an item said."""
TITLE_FROM_TEXT = 80
"""Characters of its text that name an item without a title."""

# What its author made unique in the whole world (RFC 9562, RFC 4151, an address of its own).
_GLOBAL = re.compile(
    r"urn:uuid:[0-9a-fA-F-]{36}\Z|tag:[^,\s]+,\d{4}(?:-\d\d){0,2}:\S+\Z|https?://[^/?#\s]+/?[^/\s]\S*\Z"
)


@dataclass(frozen=True, slots=True)
class FeedHouse:
    """What the source's settings say of its articles. `language` is that of an item that does not say."""

    rights: str = "theirs"
    language: str = "en"
    defaults: Declared = field(default_factory=Declared)


class Mark(NamedTuple):
    """The parts of a fingerprint: of the settings, of the item, its date (seconds since 1970, or ""), and its link when
    that is its own. The latter two find the item again under another id."""

    settings: str
    item: str
    date: str
    link: str

    def __str__(self) -> str:
        return "~".join(self)

    @classmethod
    def of(cls, fingerprint: str) -> Mark | None:
        """From a fingerprint."""
        parts = fingerprint.split("~")
        return cls(*parts) if len(parts) == 4 else None


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """An item and what identifies it. `declared_id` is its id when that is unique in the whole world, else "";
    `link_is_its_own` is False when other items give the same link."""

    key: str
    item: FeedItem
    declared_id: str
    link_is_its_own: bool
    sha256: str

    def mark(self, settings: str) -> Mark:
        """Its fingerprint under these settings."""
        moment = self.item.published or self.item.updated
        link = canonical_url(self.item.link) if self.link_is_its_own else ""
        return Mark(settings, self.sha256[:16], str(int(moment.timestamp())) if moment else "", _digest(link)[:16])


def entries_of(document: FeedDocument, *, feed_url: str) -> dict[str, FeedEntry]:
    """The items by key, in the order of the document; of several with one key the first."""
    ids = Counter({(each.id, each.link) for each in document.items if each.id})
    links_of_id = Counter(id_ for id_, _ in ids)
    links = Counter(canonical_url(each.link) for each in document.items)
    nobodys = {"", *(canonical_url(each) for each in (document.home, feed_url))}
    found: dict[str, FeedEntry] = {}
    for item in document.items:
        # An id that several items with different links carry identifies none of them.
        id_ = item.id if links_of_id[item.id] == 1 else ""
        link = canonical_url(item.link)
        own = links[link] == 1 and link not in nobodys and urlsplit(link).path + urlsplit(link).query != "/"
        words = f"{item.title}\n{item.body}\n{item.summary}"
        key = id_ or (item.link if own else "") or f"words-{_digest(f'{item.link} {words}')[:32]}"
        declared_id = id_ if _GLOBAL.match(id_) and canonical_url(id_) not in nobodys - {""} else ""
        found.setdefault(
            _fitting(key),
            FeedEntry(
                _fitting(key),
                item,
                declared_id if len(declared_id) <= LONGEST["id"] else "",
                own,
                _digest(json.dumps(asdict(item), sort_keys=True, default=str)),
            ),
        )
    return found


def _fitting(key: str) -> str:
    return key if len(key) <= LONGEST_KEY else f"{key[: LONGEST_KEY - 33]}~{_digest(key)[:32]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest() if text else ""


class OldKeys:
    """The known items that the document no longer has: nearly all made room for newer ones, but one may have come back
    under a new id."""

    def __init__(self, known: Mapping[str, Known], present: Iterable[str]) -> None:
        self._by_link: dict[str, str] = {}
        self._by_words: dict[tuple[str, str], str] = {}
        here = set(present)
        for key in known:
            if key in here:
                continue
            item = known[key]
            mark = Mark.of(item.fingerprint)
            if mark is not None and mark.link:
                self._by_link[mark.link] = key
            if mark is not None and mark.date and item.text_hash:
                self._by_words[item.text_hash, mark.date] = key

    def claim(self, mark: Mark, draft: ArticleDraft) -> str:
        """The old key of the item, which is then taken; "" when it is a new one."""
        key = self._by_link.get(mark.link, "") if mark.link else ""
        key = key or (self._by_words.get((draft.text_hash, mark.date), "") if mark.date and draft.text_hash else "")
        if key:
            self._by_link = {link: each for link, each in self._by_link.items() if each != key}
            self._by_words = {words: each for words, each in self._by_words.items() if each != key}
        return key


def draft_of(
    entry: FeedEntry, document: FeedDocument, house: FeedHouse, *, now: datetime | None = None
) -> ArticleDraft:
    """The item as an article; with `now`, none of its dates is later. Of what is theirs only a summary is kept, as
    plain text, without pictures. Raises BadInput, without the key in its message, for what cannot be used."""
    item, rest = entry.item, house.defaults
    dropped: list[str] = []
    body = sanitise(item.body, base_url=item.base, dropped=dropped)
    if len(body) > LONGEST_BODY:
        raise BadInput(f"it has {len(body):,} characters and may have {LONGEST_BODY:,}.", cure="Tell its publisher.")
    words = text_of(body)
    if not words and "<img" not in body:
        body = ""
    said = one_line(text_of(sanitise(item.summary, base_url=item.base)))
    title = one_line(item.title) or one_line(summary_of(words.partition("\n")[0] or said, limit=TITLE_FROM_TEXT))
    if not title:
        raise BadInput("it has neither a title nor a text.", cure="Tell its publisher.")
    summary = one_line(summary_of(said)) or summarise(body)
    theirs = house.rights == "theirs"
    url = item.link or None
    content = Content(
        title=title if len(title) <= LONGEST["title"] else title[: LONGEST["title"] - 1] + "…",
        html=_told(summary, url, document) if theirs else body,
        summary=summary,
        section=rest.section or "",
        tags=_names(item.tags, "tags") or rest.tags or (),
        authors=_names(item.authors, "authors") or rest.authors or (),
        language=_language(item.language) or rest.language or house.language,
        url=url,
        image=_image(item) if not theirs else None,
        date=_not_after(item.published or item.updated, now),
        rights=house.rights,
        origin=document.title[: LONGEST["rights"]] or (urlsplit(document.home).hostname or "") if theirs else "",
        origin_url=document.home if theirs else "",
    )
    first_lines = words.split("\n")
    mark = hold_mark(title, said, first_lines)
    return ArticleDraft(
        key=entry.key,
        content=content,
        declared_id=entry.declared_id,
        text_hash=text_hash(title, body) if len(words.split()) >= FEWEST_WORDS else "",
        # Their public words may hold a TK; ours, or an agency's embargo, mean it.
        hold="" if theirs and mark.startswith("TK") else mark,
        updated=_not_after(item.updated if item.published != item.updated else None, now),
        warnings=() if theirs else tuple(dict.fromkeys(dropped)),
        url_is_its_own=entry.link_is_its_own,
    )


def received_of(item: FeedItem) -> str:
    """What the item said, in its own words and markup: its title, its link, and its text, else its summary. Cut after
    MOST_RECEIVED bytes."""
    said = (("Title", item.title), ("Link", item.link), ("Id", item.id))
    lines = [*(f"{name}: {text}" for name, text in said if text), "", item.body or item.summary]
    # PostgreSQL keeps no NUL in a text.
    text = "\n".join(lines).strip().replace("\0", "")
    whole = text.encode("utf-8", "replace")
    return whole[:MOST_RECEIVED].decode("utf-8", "ignore") + ("…" if len(whole) > MOST_RECEIVED else "")


def _told(summary: str, url: str | None, document: FeedDocument) -> str:
    """What is shown of their article: the summary, and where it is from when it has no page that could be linked."""
    text = f"<p>{html.escape(summary, quote=False)}</p>" if summary else ""
    if url is None and document.home:
        text += f'\n<p><a href="{html.escape(document.home)}">{html.escape(document.title or document.home)}</a></p>'
    return text.strip()


def _names(values: Iterable[str], kind: str) -> tuple[str, ...]:
    names = (one_line(each)[: LONGEST[kind]] for each in values)
    return tuple(dict.fromkeys(each for each in names if each))[:MOST_VALUES]


def _language(tag: str) -> str | None:
    try:
        return declared({"language": tag}, zone=UTC).language
    except BadInput:
        return None


def _image(item: FeedItem) -> Image | None:
    src = absolute_url(item.picture)
    return Image(src) if src and len(src) <= LONGEST["src"] else None


def _not_after(moment: datetime | None, now: datetime | None) -> datetime | None:
    if moment is None or not 1900 <= moment.year <= 2199:
        return None
    return moment if now is None or moment <= now else now


def newest_last(entries: Mapping[str, FeedEntry]) -> Iterator[FeedEntry]:
    """In the order of their dates, so that their numbers follow it; undated ones keep the place between their
    neighbours that feeds give them by standing newest first."""
    oldest = datetime(1, 1, 1, tzinfo=UTC)
    backwards = list(entries.values())[::-1]
    latest = oldest
    moments = []
    for each in backwards:
        moment = each.item.published or each.item.updated
        latest = moment if moment else latest
        moments.append(latest)
    order = sorted(range(len(backwards)), key=lambda place: moments[place])
    return (backwards[place] for place in order)
