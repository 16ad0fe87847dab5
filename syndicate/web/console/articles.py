"""Articles: find them, and read one as it was collected beside its original."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Path, Query, Request, Response

from syndicate.core.article import Article, Content, Status
from syndicate.core.effect import Action, Effects, sentences
from syndicate.core.identity import PREFIX, page_url
from syndicate.core.line_difference import Line, changed, compare
from syndicate.errors import NotFound, SyndicateError
from syndicate.rendering.lines import lines_of
from syndicate.rendering.pages import render_article
from syndicate.services.article_effects import article_effects
from syndicate.site import Site
from syndicate.sources.base import AsItIs
from syndicate.storage.article_search import Wanted, find_articles
from syndicate.storage.articles import get_article
from syndicate.storage.feed_entries import feeds_of
from syndicate.storage.mailed import issues_with
from syndicate.storage.missed import missed_newsletters
from syndicate.storage.revisions import Revision, revision_contents
from syndicate.storage.source_items import Version, versions
from syndicate.web.pages import page, with_query
from syndicate.web.security.headers import untrusted_html
from syndicate.web.security.signed_in import Editor

router = APIRouter()

PAGE = 50
MOST_RAW = 100_000
"""Characters of a file that are shown as they are."""
STATES: dict[str, str] = {
    "released": "published",
    "waiting": "waiting",
    "held": "held",
    "gone": "retracted",
}
"""How the console calls them."""
assert set(STATES) == set(get_args(Status))

Name = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]
"""An article's id without `urn:uuid:`, as addresses have it."""
Text = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class ShownRevision:
    """One step of an article's history: the fields that changed, as (name, before, after), and the lines."""

    revision: Revision
    fields: tuple[tuple[str, str, str], ...]
    lines: tuple[Line, ...]


@router.get("/console/articles")
def articles(
    request: Request,
    user: Editor,
    q: Text = "",
    text: Annotated[str, Query(max_length=3)] = "",
    state: Text = "",
    section: Text = "",
    source: Text = "",
    tag: Text = "",
    after: Annotated[str, Query(max_length=36)] = "",
) -> Response:
    """Those that fit, the newest arrivals first; a page at a time, by key."""
    site: Site = request.app.state.site
    wanted = Wanted(q, bool(text), state if state in STATES else "", section, source, tag)
    with site.database.read() as connection:
        found = find_articles(connection, wanted, after=PREFIX + after if after else "", limit=PAGE + 1)
    given = {"q": q, "text": text, "state": state, "section": section, "source": source, "tag": tag}
    more = len(found) > PAGE
    return page(
        request,
        "web/console/articles.html",
        found=found[:PAGE],
        given=given,
        narrowed=any(given.values()),
        states=STATES,
        source_options=[(each.name, each.name) for each in site.sources],
        newest=with_query("/console/articles", **given) if after else "",
        older=with_query("/console/articles", **given, after=short(found[PAGE - 1].id)) if more else "",
        short=short,
    )


@router.get("/console/articles/{name}")
def article(request: Request, user: Editor, name: Name) -> Response:
    """Everything about one: what is published beside what was collected, where it is, and what can be done."""
    site: Site = request.app.state.site
    found = read_article(request, name)
    with site.database.read() as connection:
        places = versions(connection, found.id)
        history = revision_contents(connection, found.id)
        feeds = feeds_of(connection, found.id)
        issues = issues_with(connection, found.id)
        missed = missed_newsletters(connection, found, site.newsletters)
    original, problem = in_file(site, places, whole=True)
    raw = as_received(site, places)
    shown = lines_of(found.content.html)
    selected = [each for each in site.newsletters if each.selection.takes(found)]
    return page(
        request,
        "web/console/article.html",
        article=found,
        content=found.content,
        name=name,
        state=STATES[found.status],
        places=places,
        feeds=[each or "the site's own" for each in feeds],
        newsletters=[each.title for each in selected],
        others=[each.title for each in site.newsletters if each not in selected],
        issues=issues,
        missed=missed,
        original=compare(shown, lines_of(original.html)) if original is not None else None,
        original_title=original.title if original is not None else "",
        problem=problem,
        raw=raw[:MOST_RAW],
        raw_is_cut=len(raw) > MOST_RAW,
        warnings=[warning for each in places for warning in each.warnings],
        problems=[each.problem for each in places if each.problem and not each.gone],
        other_versions=[(each, _differences(found.content, each.carried)) for each in places if each.carried],
        history=_history(history),
        if_held=_would_do(site, found.id, "hold") if found.status in ("released", "waiting") else [],
        if_released=_would_do(site, found.id, "release") if found.status != "released" else [],
        page_url=page_url(found.id, site.publication.web_url) if found.own_page and found.published_at else "",
    )


@router.get("/console/articles/{name}/published")
def published(request: Request, user: Editor, name: Name) -> Response:
    """The article as its page shows it, for a frame that runs nothing."""
    site: Site = request.app.state.site
    found = read_article(request, name)
    html = render_article(site.templates, site.publication, found, []).decode()
    return untrusted_html(html)


def effects_on(site: Site, article_id: str, action: Action) -> Effects:
    """What that would do, place by place."""
    return article_effects(site.database, article_id, action, feeds=site.feeds, newsletters=site.newsletters)


def _would_do(site: Site, article_id: str, action: Action) -> list[str]:
    return sentences(effects_on(site, article_id, action), done=False)


def read_article(request: Request, name: str) -> Article:
    """Raises NotFound."""
    site: Site = request.app.state.site
    with site.database.read() as connection:
        return get_article(connection, PREFIX + name, site.publication.web_url)


def short(article_id: str) -> str:
    """As addresses have it."""
    return article_id.removeprefix(PREFIX)


def in_file(site: Site, places: list[Version], *, whole: bool) -> tuple[Content | None, str]:
    """What its file or entry holds now, or why that cannot be shown; `whole` leaves nothing out, whatever is published
    of it."""
    shown = next((each for each in places if not each.gone and each.carried is None), None)
    if shown is None:
        return None, "Its file is gone; what was collected from it stays."
    kind = next((each.kind for each in site.sources if each.name == shown.source), "")
    if kind == "feed":
        # Asking somebody else's server is for the collector: it waits, and knows when to leave it alone.
        return None, "It came from a feed, which is not asked again for this page."
    try:
        return site.source(shown.source).read(shown.key, whole=whole or shown.restored).content, ""
    except NotFound:
        return None, "Its file is gone; what was collected from it stays."
    except SyndicateError as error:
        return None, str(error)


def as_received(site: Site, places: list[Version]) -> str:
    """What was brought, before any reading: the file as it is, or what its feed said; "" when that is not to be had."""
    shown = next((each for each in places if not each.gone and each.carried is None), None)
    if shown is None or shown.received:
        return shown.received if shown is not None else ""
    try:
        source = site.source(shown.source)
        return source.raw(shown.key) if isinstance(source, AsItIs) else ""
    except SyndicateError:
        return ""


def _history(revisions: list[tuple[Revision, Content]]) -> list[ShownRevision]:
    """The newest first, each against the one before."""
    steps = []
    before: Content | None = None
    for revision, content in revisions:
        if before is None:
            steps.append(ShownRevision(revision, (), ()))
        else:
            lines = changed(compare(lines_of(before.html), lines_of(content.html)))
            steps.append(ShownRevision(revision, _fields(before, content), tuple(lines)))
        before = content
    return steps[::-1]


_FIELDS = ("title", "summary", "section", "tags", "authors", "language", "url", "date", "rights", "translated_by")


def _fields(before: Content, after: Content) -> tuple[tuple[str, str, str], ...]:
    pairs = ((name, getattr(before, name), getattr(after, name)) for name in _FIELDS)
    return tuple((name.replace("_", " "), _said(old), _said(new)) for name, old, new in pairs if old != new)


def _said(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)


def _differences(shown: Content, other: Content | None) -> tuple[tuple[tuple[str, str, str], ...], list[Line]]:
    if other is None:
        return (), []
    return _fields(shown, other), changed(compare(lines_of(shown.html), lines_of(other.html)))
