"""Issues: the list, and the desk of one: what it says, to whom, how it stands, and how it goes out."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated, Literal, get_args

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import PlainTextResponse
from sqlalchemy.engine import Connection

from syndicate.core.article import Article
from syndicate.core.issue import BEFORE_FREEZING, Composed, Issue, State
from syndicate.core.request import TYPE_THE_NUMBER_OVER
from syndicate.errors import NothingToSend, Refused
from syndicate.rendering.scheme import Scheme, in_scheme
from syndicate.services.plan_send import Plan, plan_issue
from syndicate.services.preview_issue import Preview, preview
from syndicate.site import Site
from syndicate.storage.approvals import changes_since_approval
from syndicate.storage.article_search import Found, Wanted, find_articles
from syndicate.storage.compositions import composed_articles
from syndicate.storage.issues import get_issue, get_subjects, list_issues
from syndicate.storage.transactional import test_mails
from syndicate.storage.unsettled import reasons, refused_readers
from syndicate.storage.users import find_user
from syndicate.web.console.looks import SHOWN, issue_look, standing, words_for
from syndicate.web.console.slots_ahead import Missed, all_missed, by_itself
from syndicate.web.pages import page
from syndicate.web.security.headers import untrusted_html
from syndicate.web.security.signed_in import Editor

router = APIRouter()

STATES: tuple[State, ...] = get_args(State)
MOVING: frozenset[State] = frozenset({"freezing", "sending", "cancelling"})
PAGE = 60
MOST_REFUSED = 100
"""Refused readers that a page lists; a command writes all of them."""
MOST_OFFERED = 12
"""Articles that somebody looked for in order to put one in."""

Seen = Literal["phone", "desktop", "text"]
InScheme = Annotated[Scheme, Query()]
Number = Annotated[int, Path(ge=1, le=2**53)]


@router.get("/console/issues")
def issues(
    request: Request,
    user: Editor,
    newsletter: Annotated[str, Query(max_length=80)] = "",
    state: Annotated[str, Query(max_length=12)] = "",
) -> Response:
    """The newest, of all newsletters or of one, in any state or in one."""
    site: Site = request.app.state.site
    with site.database.read() as connection:
        found = list_issues(
            connection,
            newsletter=newsletter or None,
            states=[each for each in STATES if each == state] or None,
            limit=PAGE,
        )
        subjects = get_subjects(connection, [each.id for each in found])
    given = {"newsletter": newsletter, "state": state}
    return page(
        request,
        "web/console/issues.html",
        found=found,
        subjects=subjects,
        given=given,
        state_options=[(each, each) for each in STATES],
        newsletters=site.newsletters,
        newsletter_options=[(each.name, each.title) for each in site.newsletters],
    )


@router.get("/console/issues/{number}")
def desk(
    request: Request,
    user: Editor,
    number: Number,
    seen: Annotated[Seen, Query()] = "phone",
    scheme: InScheme = "light",
    find: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """One issue with everything that can be done about it, its mail `seen` in that way. `find` looks for articles that
    may be put into it."""
    return show_desk(request, user, number, seen=seen, scheme=scheme, find=find)


def show_desk(
    request: Request,
    user: Editor,
    number: int,
    *,
    seen: Seen = "phone",
    scheme: Scheme = "light",
    find: str | None = None,
    status: int = 200,
    given: Mapping[str, str] | None = None,
    faults: Mapping[str, str] | None = None,
) -> Response:
    """The desk. With `faults`, by field or by the card ("words", "send") that they are in: as somebody left it who has
    to mend what they typed, `given` in its fields."""
    site: Site = request.app.state.site
    now: datetime = request.app.state.clock()
    when = words_for(site.publication.timezone, now)
    with site.database.read() as connection:
        issue = get_issue(connection, number)
        composed = composed_articles(connection, number)
        changes = changes_since_approval(connection, issue)
        stands = standing(connection, issue, now, when)
        look = issue_look(connection, number, now, when)
        subject = get_subjects(connection, [number]).get(number, "")
        tests = test_mails(connection, number, SHOWN)
        known = find_user(connection, user.name)
        missed = _missed(connection, site, issue, now)
        goes = by_itself(connection, issue, now)
        why_not = reasons(connection, number) if stands.has_books else []
        offered = [] if find is None else _offered(connection, find, composed)
        refused = list(islice(refused_readers(connection, number), MOST_REFUSED)) if stands.books.refused else []
    shown = _preview(site, issue, now)
    before = issue.state in BEFORE_FREEZING
    return page(
        request,
        "web/console/issue.html",
        status=status,
        here=f"/console/issues/{number}",
        given={**_as_it_is(issue), **(given or {})},
        faults=faults or {},
        issue=issue,
        subject=subject,
        newsletter=site.newsletter(issue.newsletter),
        shown=_shown(composed, "full") + _shown(composed, "title"),
        skipped=_shown(composed, "skipped"),
        find=find,
        offered=offered,
        changes=changes,
        stands=stands,
        why_not=why_not,
        refused=refused,
        look=look,
        preview=shown,
        findings=shown.findings if shown else (),
        seen=seen,
        scheme=scheme,
        plan=_plan(site, issue, now) if before and issue.seal else None,
        before=before,
        missed=missed,
        goes=goes,
        tests=tests,
        test_to=site.sender.test_to,
        own_address=known.email if known else None,
        once=secrets.token_hex(8),
        moves=issue.state in MOVING or stands.seconds is not None,
        type_number=TYPE_THE_NUMBER_OVER,
        zone=site.newsletter(issue.newsletter).timezone,
    )


@router.get("/console/issues/{number}/mail.html")
def mail_html(request: Request, user: Editor, number: Number, scheme: InScheme = "light") -> Response:
    """The mail as one reader would get it whose mail program is light or dark, its links inert."""
    return untrusted_html(in_scheme(_must_preview(request, number).message.html, scheme))


@router.get("/console/issues/{number}/mail.txt")
def mail_text(request: Request, user: Editor, number: Number) -> Response:
    """Its text."""
    return PlainTextResponse(_must_preview(request, number).message.text)


def _must_preview(request: Request, number: int) -> Preview:
    site: Site = request.app.state.site
    with site.database.read() as connection:
        issue = get_issue(connection, number)
    return _seen(site, issue, request.app.state.clock())


def _preview(site: Site, issue: Issue, now: datetime) -> Preview | None:
    try:
        return _seen(site, issue, now)
    except Refused:
        return None


def _seen(site: Site, issue: Issue, now: datetime) -> Preview:
    return preview(
        site.database,
        issue.id,
        site.newsletter(issue.newsletter),
        site.publication,
        site.sender,
        signer=site.signer(),
        instance=site.instance,
        now=now,
    )


def _plan(site: Site, issue: Issue, now: datetime) -> Plan | None:
    try:
        return plan_issue(site.database, site.newsletter(issue.newsletter), issue.id, at=issue.send_at or now, now=now)
    except NothingToSend:
        return None


def _as_it_is(issue: Issue) -> dict[str, str]:
    """What stands in the fields of its desk before anybody types."""
    links, sponsor = issue.edits.links, issue.edits.sponsor
    return {
        "subject": issue.subject,
        "preheader": issue.preheader,
        "intro": issue.intro,
        "links": "\n".join(f"{each.title} {each.url}" for each in links),
        "sponsor": sponsor.name if sponsor else "",
        "sponsor_url": sponsor.url if sponsor else "",
        "sponsor_text": sponsor.text if sponsor else "",
    }


def _missed(connection: Connection, site: Site, issue: Issue, now: datetime) -> list[Missed]:
    """What this issue settles when it goes."""
    if issue.kind != "cadence" or issue.state not in BEFORE_FREEZING:
        return []
    return [
        each
        for each in all_missed(connection, [site.newsletter(issue.newsletter)], now)
        if each.cadence == issue.cadence and each.slots[0].issue_id in (None, issue.id)
    ]


def _offered(connection: Connection, words: str, composed: list[tuple[Article, Composed]]) -> list[Found]:
    """The newest released articles that fit the words and are not in the issue yet, shown or left out."""
    there = {article.id for article, _ in composed}
    found = find_articles(connection, Wanted(words, status="released"), limit=MOST_OFFERED + len(there))
    return [each for each in found if each.number and each.id not in there][:MOST_OFFERED]


def _shown(composed: list[tuple[Article, Composed]], role: str) -> list[tuple[Article, Composed]]:
    return [each for each in composed if each[1].role == role]
