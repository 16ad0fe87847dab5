"""A send by hand: what, and to whom. When, is asked at the desk of the issue that it makes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from sqlalchemy.engine import Connection

from syndicate.core.address import normalise
from syndicate.core.identity import PREFIX
from syndicate.errors import BadInput, NothingToSend
from syndicate.services.draft_issue import draft_manual_issue
from syndicate.site import Site
from syndicate.storage.article_search import Found, Wanted, find_articles
from syndicate.storage.articles import get_article, select_articles
from syndicate.web.pages import done, page
from syndicate.web.problems import status_of
from syndicate.web.security.signed_in import Editor

router = APIRouter()

RECENT = 30
LOOKED_AT = 240
"""So many of the newest articles that fit the words are looked at for those that a newsletter selects."""
MOST_ADDRESSES = 1_000

Text = Annotated[str, Query(max_length=60)]
Short = Annotated[str, Form(max_length=200)]


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody has chosen so far: `articles` by id, `q` words to look for, `only` what the newsletter selects."""

    newsletter: str = ""
    articles: tuple[str, ...] = ()
    q: str = ""
    only: bool = False
    to: str = ""
    again: bool = False


@router.get("/console/send")
def choose(request: Request, user: Editor, article: Text = "", newsletter: Annotated[str, Query()] = "") -> Response:
    """Newsletter, articles and readers. An article or a newsletter that was named is chosen already."""
    named = (_urn(article),) if article else ()
    return _form(request, Choice(newsletter, named, only=bool(newsletter)))


@router.post("/console/send")
def compose_it(
    request: Request,
    user: Editor,
    newsletter: Annotated[str, Form(max_length=80)],
    q: Short = "",
    only: Short = "",
    find: Short = "",
    article: Annotated[list[str] | None, Form()] = None,
    to: Annotated[str, Form(max_length=100_000)] = "",
    again: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """Composes it; the same again is the same issue. Nothing is sent yet. `find` only looks for articles, and what was
    chosen stays; so it does when something does not fit."""
    chosen_ids = tuple(dict.fromkeys(map(_urn, article or [])))
    choice = Choice(newsletter, chosen_ids, q, bool(only), to, bool(again))
    if find:
        return _form(request, choice)
    site: Site = request.app.state.site
    now: datetime = request.app.state.clock()
    declared = site.newsletter(newsletter)
    with site.database.read() as connection:
        chosen = [get_article(connection, each, site.publication.web_url) for each in chosen_ids]
    try:
        sealed = draft_manual_issue(
            site.database,
            declared,
            site.house,
            articles=chosen or None,
            to=_addresses(to) or None,
            again=choice.again,
            now=now,
            actor=user.name,
        )
    except (BadInput, NothingToSend) as error:
        return _form(request, choice, status=status_of(error), fault=str(error))
    return done(request, f"/console/issues/{sealed.issue.id}#send", "Composed. Look at it, then say when.")


def _form(request: Request, choice: Choice, *, status: int = 200, fault: str = "") -> Response:
    site: Site = request.app.state.site
    with site.database.read() as connection:
        chosen = [get_article(connection, each) for each in choice.articles]
        offered, more = _offered(connection, site, choice)
    return page(
        request,
        "web/console/send.html",
        status=status,
        newsletter_options=[(each.name, each.title) for each in site.newsletters],
        choice=choice,
        chosen=chosen,
        offered=offered,
        more=more,
        fault=fault,
    )


def _offered(connection: Connection, site: Site, choice: Choice) -> tuple[list[Found], bool]:
    """The newest articles that fit, and whether there may be more."""
    wanted = Wanted(choice.q, status="released")
    narrow = choice.newsletter if choice.only else None
    selects = next((each.selection for each in site.newsletters if each.name == narrow), None)
    found: list[Found] = []
    looked_at, after = 0, ""
    while len(found) <= RECENT and looked_at < LOOKED_AT:
        lot = find_articles(connection, wanted, after=after, limit=2 * RECENT)
        taken: Collection[str] = {each.id for each in lot}
        if selects is not None and lot:
            taken = {each.id for each in select_articles(connection, ids=sorted(taken)) if selects.takes(each)}
        found += [each for each in lot if each.number and each.id in taken and each.id not in choice.articles]
        looked_at += len(lot)
        if len(lot) < 2 * RECENT:
            return found[:RECENT], len(found) > RECENT
        after = lot[-1].id
    return found[:RECENT], True


def _urn(name: str) -> str:
    return name if name.startswith(PREFIX) else PREFIX + name


def _addresses(text: str) -> list[str]:
    found = text.replace(",", "\n").replace(";", "\n").split()
    if len(found) > MOST_ADDRESSES:
        raise BadInput(f"{len(found):,} addresses are too many.", cure="Name at most 1,000, or send to all readers.")
    try:
        return list(dict.fromkeys(normalise(each).address for each in found))
    except ValueError as error:
        raise BadInput(f"{error}.", cure="Correct it, or leave it out.") from None
