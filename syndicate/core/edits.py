"""What an editor changes on an issue, and the order in which its articles then stand.

Edits are kept by article ids, never by places: when a later slot widens the window they still mean the same.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from syndicate.core.article import Article
from syndicate.core.window import Role, with_roles
from syndicate.errors import BadInput

LONGEST_SUBJECT, LONGEST_PREHEADER, LONGEST_INTRO = 255, 255, 5_000
"""Characters. Every mail API takes a subject of 255."""
MOST_LINKS, LONGEST_LINK_TITLE, LONGEST_URL = 20, 200, 2_000
LONGEST_SPONSOR_NAME, LONGEST_SPONSOR_TEXT = 80, 600

# Control characters, lone surrogates, overrides of direction, and what Unicode keeps for the inside of programs.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)


@dataclass(frozen=True, slots=True)
class EditorLink:
    """A link of the editor's own, to an https address."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Sponsor:
    """Who paid for a place in the issue. It is never shown without "Sponsored by" and the name."""

    name: str
    url: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Edits:
    """`order`: article ids as an editor put them, () for the usual order. `skipped` are used but not shown; `added`
    were put in by hand, whatever the window says."""

    order: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    links: tuple[EditorLink, ...] = ()
    sponsor: Sponsor | None = None

    def as_json(self) -> dict[str, Any]:
        """As `issues.edits` keeps them; what is empty is left out."""
        kept: dict[str, Any] = {name: list(getattr(self, name)) for name in ("order", "skipped", "added")}
        kept["links"] = [{"title": each.title, "url": each.url} for each in self.links]
        if self.sponsor is not None:
            kept["sponsor"] = {"name": self.sponsor.name, "url": self.sponsor.url, "text": self.sponsor.text}
        return {name: value for name, value in kept.items() if value}


@dataclass(frozen=True, slots=True)
class Change:
    """One step of an editor; None leaves a thing as it is. `order` may name some of the articles: the others follow.
    `move` is an article and how many places it goes down (negative: up). A `sponsor` without a name takes it away."""

    subject: str | None = None
    preheader: str | None = None
    intro: str | None = None
    order: tuple[str, ...] | None = None
    move: tuple[str, int] | None = None
    skip: tuple[str, ...] = ()
    unskip: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    links: tuple[EditorLink, ...] | None = None
    sponsor: Sponsor | None = None


def edits_of(kept: Mapping[str, Any]) -> Edits:
    """From what `Edits.as_json` gave."""
    sponsor = kept.get("sponsor")
    return Edits(
        order=tuple(kept.get("order", ())),
        skipped=tuple(kept.get("skipped", ())),
        added=tuple(kept.get("added", ())),
        links=tuple(EditorLink(each["title"], each["url"]) for each in kept.get("links", ())),
        sponsor=Sponsor(**sponsor) if sponsor else None,
    )


def arrange(found: Sequence[Article], edits: Edits, max_articles: int) -> list[tuple[Article, Role]]:
    """The articles of an issue with their roles: in the editor's order, those that the editor has not placed after
    them as they come; what is skipped stands at the end. Edits of articles that are not in `found` mean nothing."""
    shown = [article for article in found if article.id not in edits.skipped]
    skipped: list[tuple[Article, Role]] = [(each, "skipped") for each in found if each.id in edits.skipped]
    if edits.order:
        place = {article_id: number for number, article_id in enumerate(edits.order)}
        # Stable: those without a place keep the order in which they came.
        shown.sort(key=lambda article: place.get(article.id, len(place)))
    return [*with_roles(shown, max_articles, arranged=bool(edits.order)), *skipped]


def changed(edits: Edits, change: Change, shown: Sequence[str], left_out: Collection[str] = ()) -> Edits:
    """The edits after one more step. `shown` are the ids in the issue as they stand now, `left_out` those skipped.
    Raises BadInput for an article that is not in the issue, and for a link or a sponsor that cannot be used."""
    known = {*shown, *left_out, *change.add}
    named = (*(change.order or ()), *((change.move[0],) if change.move else ()), *change.skip, *change.unskip)
    for article_id in named:
        if article_id not in known:
            raise BadInput(f"Article {article_id} is not in this issue.", cure="`syndicate issues show` lists them.")
    added = _without_repeats((*edits.added, *change.add))
    skipped = _without_repeats((*edits.skipped, *change.skip))
    skipped = tuple(each for each in skipped if each not in {*change.unskip, *change.add})
    order = edits.order
    if change.order is not None:
        order = _without_repeats((*change.order, *shown)) if change.order else ()
    if change.move is not None:
        order = _without_repeats((*(order or shown), *shown))
        if change.move[0] in shown:
            order = moved(order, *change.move, among=shown)
    links, sponsor = edits.links, edits.sponsor
    if change.links is not None:
        links = tuple(map(checked_link, change.links))
        if len(links) > MOST_LINKS:
            raise BadInput(f"An issue has room for {MOST_LINKS} links, not {len(links)}.", cure="Leave some out.")
    if change.sponsor is not None:
        sponsor = checked_sponsor(change.sponsor) if change.sponsor != Sponsor("") else None
    return replace(edits, order=order, skipped=skipped, added=added, links=links, sponsor=sponsor)


def moved(ids: Sequence[str], article_id: str, down: int, *, among: Sequence[str]) -> tuple[str, ...]:
    """The same ids with this one so many places further down, or up when negative, counted among those that are shown;
    it stops at the ends. What is not shown keeps its neighbours."""
    here = among.index(article_id)
    there = min(max(here + down, 0), len(among) - 1)
    if here == there:
        return tuple(ids)
    rest = [each for each in ids if each != article_id]
    place = rest.index(among[there]) + (1 if there > here else 0)
    return (*rest[:place], article_id, *rest[place:])


def checked_text(text: str, limit: int, what: str, *, lines: bool = False) -> str:
    """An editor's words without what no mail can carry; on one line unless `lines`. Raises BadInput when too long."""
    clean = _UNWANTED.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    clean = clean.strip() if lines else " ".join(clean.split())
    if len(clean) > limit:
        raise BadInput(f"The {what} has {len(clean):,} characters and may have {limit:,}.", cure="Shorten it.")
    return clean


def checked_link(link: EditorLink) -> EditorLink:
    """The link with its title on one line. Raises BadInput."""
    title = checked_text(link.title, LONGEST_LINK_TITLE, "title of a link")
    if not title:
        raise BadInput(f"The link to {link.url[:100]!r} has no title.", cure="Write what it leads to before it.")
    return EditorLink(title, _https(link.url, f"The link {title!r}"))


def checked_sponsor(sponsor: Sponsor) -> Sponsor:
    """The sponsor with its name on one line. Raises BadInput, also when it has no name: readers are told who paid."""
    name = checked_text(sponsor.name, LONGEST_SPONSOR_NAME, "name of the sponsor")
    if not name:
        raise BadInput("The sponsor has no name.", cure="Say who paid for it: readers see 'Sponsored by' and the name.")
    text = checked_text(sponsor.text, LONGEST_SPONSOR_TEXT, "text of the sponsor", lines=True)
    return Sponsor(name, _https(sponsor.url, "The sponsor's address") if sponsor.url.strip() else "", text)


def _https(url: str, what: str) -> str:
    clean = url.strip()
    try:
        parts = urlsplit(clean)
        usable = parts.scheme == "https" and bool(parts.hostname) and not parts.username
        _ = parts.port  # raises ValueError for a port that is no number
    except ValueError:
        usable = False
    if not usable or len(clean) > LONGEST_URL or re.search(r"\s", clean) or _UNWANTED.search(clean):
        raise BadInput(f"{what} has no https address: {clean[:100]!r}.", cure="Write it whole, as https://….")
    return clean


def _without_repeats(ids: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))
