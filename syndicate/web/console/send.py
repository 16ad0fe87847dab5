"""A send by hand: what, and to whom. When, is asked at the desk of the issue that it makes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from syndicate.core.address import normalise
from syndicate.core.identity import PREFIX
from syndicate.errors import BadInput, NothingToSend
from syndicate.services.draft_issue import draft_manual_issue
from syndicate.site import Site
from syndicate.storage.article_search import Wanted, find_articles
from syndicate.storage.articles import get_article
from syndicate.web.pages import done, page
from syndicate.web.security.signed_in import Editor

router = APIRouter()

RECENT = 30
MOST_ADDRESSES = 1_000

Text = Annotated[str, Query(max_length=60)]


@router.get("/console/send")
def choose(request: Request, user: Editor, article: Text = "", newsletter: Annotated[str, Query()] = "") -> Response:
    """Newsletter, articles and readers. An article or a newsletter that was named is chosen already."""
    site: Site = request.app.state.site
    with site.database.read() as connection:
        recent = [each for each in find_articles(connection, Wanted(status="released"), limit=RECENT) if each.number]
        named = get_article(connection, _urn(article)) if article else None
    return page(
        request,
        "web/console/send.html",
        newsletter_options=[(each.name, each.title) for each in site.newsletters],
        recent=[each for each in recent if named is None or each.id != named.id],
        named=named,
        newsletter=newsletter,
    )


@router.post("/console/send")
def compose_it(
    request: Request,
    user: Editor,
    newsletter: Annotated[str, Form(max_length=80)],
    article: Annotated[list[str] | None, Form()] = None,
    to: Annotated[str, Form(max_length=100_000)] = "",
    again: Annotated[str, Form(max_length=3)] = "",
) -> Response:
    """Composes it; the same again is the same issue. Nothing is sent yet."""
    site: Site = request.app.state.site
    now: datetime = request.app.state.clock()
    declared = site.newsletter(newsletter)
    with site.database.read() as connection:
        chosen = [get_article(connection, _urn(each), site.publication.web_url) for each in article or []]
    try:
        sealed = draft_manual_issue(
            site.database,
            declared,
            site.house,
            articles=chosen or None,
            to=_addresses(to) or None,
            again=bool(again),
            now=now,
            actor=user.name,
        )
    except NothingToSend as nothing:
        return done(request, "/console/send", str(nothing))
    return done(request, f"/console/issues/{sealed.issue.id}#send", "Composed. Look at it, then say when.")


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
