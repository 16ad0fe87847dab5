"""What an editor does with an article: hold, release, include, restore, correct, retract."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from syndicate.core.article import Article
from syndicate.core.effect import Effects, sentences
from syndicate.core.line_difference import changed, compare
from syndicate.errors import Refused
from syndicate.rendering.lines import lines_of
from syndicate.services.article_effects import article_effects
from syndicate.services.correct_article import correct_article
from syndicate.services.hold_article import hold_articles
from syndicate.services.include_backlog import include_backlog
from syndicate.services.release_articles import release_articles
from syndicate.services.restore_article import restore_article
from syndicate.services.retract_article import retract_article
from syndicate.site import Site
from syndicate.storage.source_items import versions
from syndicate.web.console.articles import Name, effects_on, in_file, read_article, short
from syndicate.web.console.looks import words_for
from syndicate.web.finishing import finish
from syndicate.web.pages import done, page
from syndicate.web.security.signed_in import Editor

router = APIRouter()

Words = Annotated[str, Form(max_length=2_000)]
Flag = Annotated[str, Form(max_length=3)]


@router.post("/console/articles/{name}/hold")
def hold(request: Request, user: Editor, name: Name, because: Words = "") -> Response:
    """Out of the feeds and of every issue that is not being sent, until somebody releases it."""
    site: Site = request.app.state.site
    found = read_article(request, name)
    effects = effects_on(site, found.id, "hold")
    hold_articles(
        site.database, [found.id], because=because.strip(), actor=user.name, feeds=site.feeds, now=_now(request)
    )
    return _done(request, user, name, effects, "It is held.")


@router.post("/console/articles/{name}/release")
def release(request: Request, user: Editor, name: Name, early: Flag = "", retracted: Flag = "") -> Response:
    """Lets it go; `early` before its time, `retracted` also when it was retracted."""
    site: Site = request.app.state.site
    found = read_article(request, name)
    effects = effects_on(site, found.id, "release")
    standings = release_articles(
        site.database,
        [found.id],
        actor=user.name,
        feeds=site.feeds,
        now=_now(request),
        before_its_time=bool(early),
        retracted=bool(retracted),
    )
    standing = standings[found.id]
    if not standing.published:
        told = words_for(site.publication.timezone, _now(request))
        waits = f"; it waits until {told(standing.not_before)}" if standing.not_before else ""
        return _back(request, user, found, f"Nobody holds it any more{waits}.")
    if standing.number:
        sentence = f"It is published, as number {standing.number}."
    else:
        sentence = "It is published, as backlog: in feeds, and in no newsletter until somebody includes it."
    return _done(request, user, name, effects, sentence)


@router.post("/console/articles/{name}/include")
def include(request: Request, user: Editor, name: Name) -> Response:
    """Numbers backlog, so that the next issues bring it."""
    site: Site = request.app.state.site
    found = read_article(request, name)
    numbers = include_backlog(site.database, [found.id], actor=user.name, feeds=site.feeds, now=_now(request))
    return _back(request, user, found, f"It is number {numbers[found.id]}: the next issues that select it bring it.")


@router.post("/console/articles/{name}/restore")
def restore(request: Request, user: Editor, name: Name) -> Response:
    """Brings back what the reading left out."""
    site: Site = request.app.state.site
    found = read_article(request, name)
    lines = restore_article(site.database, found.id, site.source, actor=user.name, feeds=site.feeds, now=_now(request))
    many = "1 line is" if lines == 1 else f"{lines} lines are"
    return _back(request, user, found, f"{many} back, now and after every later edit of the file.")


@router.get("/console/articles/{name}/correct")
def ask_correction(request: Request, user: Editor, name: Name) -> Response:
    """What a correction would do, and the form for it."""
    return _correction(request, read_article(request, name))


@router.post("/console/articles/{name}/correct")
def correct(
    request: Request,
    user: Editor,
    name: Name,
    note: Words = "",
    title: Words = "",
    summary: Annotated[str, Form(max_length=20_000)] = "",
    seen: Annotated[str, Form(max_length=12)] = "",
    in_feeds: Flag = "",
) -> Response:
    """Corrects it, if it is still as the form showed it. A field that was not changed says what the file says."""
    site: Site = request.app.state.site
    found = read_article(request, name)
    given = {"title": " ".join(title.split()), "summary": summary.replace("\r\n", "\n").strip()}
    if seen and seen != str(found.revision):
        raise Refused(
            "The article has changed since you opened the form.", cure="Open it again and look at what it says now."
        )
    if not note.strip() or not given["title"]:
        faults = {
            "note": "" if note.strip() else "Say what was corrected.",
            "title": "" if given["title"] else "An article needs a title.",
        }
        return _correction(request, found, status=422, note=note, given=given, in_feeds=bool(in_feeds), faults=faults)
    before = {"title": found.content.title, "summary": found.content.summary}
    effects = correct_article(
        site.database,
        found.id,
        site.source,
        note=note,
        changes={field: text for field, text in given.items() if text != before[field].strip()},
        in_feeds=bool(in_feeds),
        actor=user.name,
        feeds=site.feeds,
        now=_now(request),
    )
    return _done(request, user, name, effects, "Corrected.")


@router.get("/console/articles/{name}/retract")
def ask_retraction(request: Request, user: Editor, name: Name) -> Response:
    """What a retraction would do, place by place, and the form for it."""
    site: Site = request.app.state.site
    found = read_article(request, name)
    return page(
        request,
        "web/console/article_retract.html",
        article=found,
        name=name,
        effects=sentences(article_effects(site.database, found.id, "retract", feeds=site.feeds), done=False),
    )


@router.post("/console/articles/{name}/retract")
def retract(request: Request, user: Editor, name: Name, note: Words = "") -> Response:
    """Takes it back everywhere, at once."""
    site: Site = request.app.state.site
    found = read_article(request, name)
    effects = retract_article(
        site.database, found.id, note=note.strip(), actor=user.name, feeds=site.feeds, now=_now(request)
    )
    return _done(request, user, name, effects, "Retracted.")


def _correction(
    request: Request,
    found: Article,
    *,
    status: int = 200,
    note: str = "",
    given: dict[str, str] | None = None,
    in_feeds: bool = False,
    faults: dict[str, str] | None = None,
) -> Response:
    site: Site = request.app.state.site
    if found.status != "released":
        raise Refused("Only a published article is corrected.", cure="Edit its file.")
    with site.database.read() as connection:
        places = versions(connection, found.id)
    now, _ = in_file(site, places, whole=False)
    file = next((f"{each.source}/{each.key}" for each in places if not each.gone and each.carried is None), "")
    return page(
        request,
        "web/console/article_correct.html",
        status=status,
        article=found,
        name=short(found.id),
        file=file,
        pending=changed(compare(lines_of(found.content.html), lines_of(now.html))) if now is not None else [],
        note=note,
        given=given or {"title": found.content.title, "summary": found.content.summary},
        in_feeds=in_feeds,
        faults=faults or {},
        effects=sentences(article_effects(site.database, found.id, "correct", feeds=site.feeds), done=False),
    )


def _done(request: Request, user: Editor, name: str, effects: Effects, sentence: str) -> Response:
    finished = finish(request.app.state.site, actor=user.name, now=_now(request))
    told = [sentence, *sentences(effects, done=True), *finished.problems]
    return done(request, f"/console/articles/{name}", " ".join(told))


def _back(request: Request, user: Editor, found: Article, sentence: str) -> Response:
    """To its page, once the files show it too."""
    site: Site = request.app.state.site
    finished = finish(site, actor=user.name, now=_now(request))
    return done(request, f"/console/articles/{short(found.id)}", " ".join([sentence, *finished.problems]))


def _now(request: Request) -> datetime:
    now: datetime = request.app.state.clock()
    return now
