"""What is done with an issue: composed, edited, approved, sent, stopped, ended. Every verb is a POST, and once."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request, Response

from syndicate.core.edits import Change, EditorLink, Sponsor
from syndicate.core.send_effect import is_past
from syndicate.errors import BadInput, NothingToSend, Refused
from syndicate.services.approve_issue import approve
from syndicate.services.cancel_issue import cancel
from syndicate.services.draft_issue import draft_cadence_issue
from syndicate.services.edit_issue import edit, recompose
from syndicate.services.pause_issue import resume
from syndicate.services.plan_send import plan_issue
from syndicate.services.resolve_issue import resolve
from syndicate.services.send_soon import send_soon, stop
from syndicate.site import Site
from syndicate.storage.issues import get_issue
from syndicate.web.console.issues import Number, show_desk
from syndicate.web.pages import done, many
from syndicate.web.problems import status_of
from syndicate.web.security.signed_in import Editor, Sender

router = APIRouter()

Words = Annotated[str, Form(max_length=20_000)]
Short = Annotated[str, Form(max_length=400)]


@router.post("/console/issues/draft")
def draft(request: Request, user: Editor, newsletter: Short, cadence: Short) -> Response:
    """Composes the next issue of a cadence, of everything new."""
    site: Site = request.app.state.site
    declared = site.newsletter(newsletter)
    if cadence not in declared.cadences:
        raise BadInput(f"{newsletter} has no cadence {cadence!r}.", cure="Choose one of the list.")
    try:
        sealed = draft_cadence_issue(site.database, declared, cadence, site.house, now=_now(request), actor=user.name)
    except NothingToSend as nothing:
        return done(request, "/console/issues", str(nothing))
    return _back(request, sealed.issue.id, f"Composed of {many(len(sealed.articles), 'article')}.")


@router.post("/console/issues/{number}/edit")
def change_words(
    request: Request,
    user: Editor,
    number: Number,
    seal: Short,
    subject: Words = "",
    preheader: Words = "",
    intro: Words = "",
    links: Words = "",
    sponsor: Short = "",
    sponsor_url: Short = "",
    sponsor_text: Words = "",
) -> Response:
    """The words around the articles. Any approval is void. What does not fit is shown as it was typed."""
    given = {"subject": subject, "preheader": preheader, "intro": intro, "links": links}
    given |= {"sponsor": sponsor, "sponsor_url": sponsor_url, "sponsor_text": sponsor_text}
    where = "links"
    try:
        read = tuple(_link(line) for line in links.splitlines() if line.strip())
        where = "words"
        change = Change(
            subject=subject.strip(),
            preheader=preheader.strip(),
            intro=intro.strip(),
            links=read,
            sponsor=Sponsor(sponsor.strip(), sponsor_url.strip(), sponsor_text.strip()),
        )
        return _edited(request, user.name, number, change, seal, "It is composed anew.")
    except (BadInput, Refused) as error:
        return show_desk(
            request, user, number, status=status_of(error), given=given, faults={where: str(error)}
        )


@router.post("/console/issues/{number}/articles")
def change_articles(
    request: Request,
    user: Editor,
    number: Number,
    seal: Short,
    article: Short,
    act: Annotated[Literal["up", "down", "skip", "unskip", "add"], Form()],
) -> Response:
    """One article up or down, out of the issue, in again, or another one put in."""
    change = {
        "up": Change(move=(article, -1)),
        "down": Change(move=(article, 1)),
        "skip": Change(skip=(article,)),
        "unskip": Change(unskip=(article,)),
        "add": Change(add=(article,)),
    }[act]
    return _edited(request, user.name, number, change, seal, "")


@router.post("/console/issues/{number}/compose")
def compose_again(request: Request, user: Editor, number: Number) -> Response:
    """A draft anew, from its articles as they are now."""
    site: Site = request.app.state.site
    with site.database.read() as connection:
        newsletter = site.newsletter(get_issue(connection, number).newsletter)
    recompose(site.database, number, newsletter, site.house, now=_now(request), actor=user.name)
    return _back(request, number, "It is composed anew.")


@router.post("/console/issues/{number}/approve")
def approve_it(request: Request, user: Sender, number: Number, seal: Short) -> Response:
    """Binds the content that was seen, the audience rule and the count of now."""
    issue = approve(request.app.state.site.database, number, now=_now(request), actor=user.name, seal=seal)
    return _back(request, number, f"Approved, for {many(issue.expected or 0, 'reader')}.")


@router.post("/console/issues/{number}/send")
def send(
    request: Request,
    user: Sender,
    number: Number,
    seal: Short,
    at: Short = "",
    typed: Short = "",
    again: Short = "",
    hour: Short = "",
) -> Response:
    """In ten seconds, or at a time of the newsletter's zone; asked twice it is one send. A time that wakes many is
    asked about once: `hour` is the one that was agreed to. What does not fit is shown as it was typed."""
    site: Site = request.app.state.site
    with site.database.read() as connection:
        issue = get_issue(connection, number)
    newsletter, now = site.newsletter(issue.newsletter), _now(request)
    given = {"at": at, "typed": typed, "again": again}
    digits = typed.replace(",", "").replace(" ", "").strip()
    where = "at"
    try:
        send_at = _moment(at, newsletter.timezone) if at.strip() else None
        if send_at is not None and at != hour and issue.state in ("awaiting", "approved") and not is_past(send_at, now):
            plan = plan_issue(site.database, newsletter, number, at=send_at, now=now)
            if plan.effect.wakes_many:
                fault = f"{plan.words} Press the button once more if it is to be so."
                return show_desk(
                    request, user, number, status=409, given={**given, "hour": at}, faults={where: fault}
                )
        where = "send"
        send_soon(
            site.database,
            number,
            seal=seal,
            typed=int(digits) if digits.isascii() and digits.isdigit() else None,
            send_at=send_at,
            again=bool(again),
            now=now,
            actor=user.name,
        )
    except (BadInput, Refused) as error:
        return show_desk(
            request, user, number, status=status_of(error), given=given, faults={where: str(error)}
        )
    return _back(request, number, "")


@router.post("/console/issues/{number}/stop")
def stop_it(request: Request, user: Sender, number: Number) -> Response:
    """Before it starts: as if nothing had been. After that: paused; no request begins any more."""
    issue = stop(request.app.state.site.database, number, actor=user.name, now=_now(request))
    sentence = "Stopped: it is paused." if issue.state == "paused" else "Stopped before it began: nothing was sent."
    return _back(request, number, sentence)


@router.post("/console/issues/{number}/resume")
def resume_it(request: Request, user: Sender, number: Number) -> Response:
    """Goes on where it stopped."""
    resume(request.app.state.site.database, number, actor=user.name, now=_now(request))
    return _back(request, number, "It goes on.")


@router.post("/console/issues/{number}/cancel")
def cancel_it(request: Request, user: Sender, number: Number, drop: Short = "") -> Response:
    """Ends it; its articles go into the next issue, or count as used."""
    cancel(request.app.state.site.database, number, actor=user.name, now=_now(request), drop=bool(drop))
    return _back(request, number, "Cancelled.")


@router.post("/console/issues/{number}/resolve")
def resolve_it(
    request: Request, user: Sender, number: Number, how: Annotated[Literal["resend", "count-as-sent"], Form()]
) -> Response:
    """Decides what nobody can prove."""
    people = resolve(request.app.state.site.database, number, how, actor=user.name, now=_now(request))
    what = "Sent again to" if how == "resend" else "Counted as sent:"
    return _back(request, number, f"{what} {many(people, 'reader')}.")


def _edited(request: Request, actor: str, number: int, change: Change, seal: str, sentence: str) -> Response:
    site: Site = request.app.state.site
    with site.database.read() as connection:
        newsletter = site.newsletter(get_issue(connection, number).newsletter)
    edit(site.database, number, change, newsletter, site.house, seen=seal, now=_now(request), actor=actor)
    return _back(request, number, sentence)


def _link(line: str) -> EditorLink:
    title, _, url = line.strip().rpartition(" ")
    if not title.strip() or "://" not in url:
        raise BadInput(f"{line.strip()[:80]!r} is not a title and an address.", cure="Write: The title https://….")
    return EditorLink(title.strip(), url)


def _moment(text: str, zone: str) -> datetime:
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(f"{text[:40]!r} is not a time.", cure="Write it as 2026-01-31T07:00.") from None
    return read if read.tzinfo is not None else read.replace(tzinfo=ZoneInfo(zone))


def _back(request: Request, number: int, sentence: str) -> Response:
    return done(request, f"/console/issues/{number}", sentence)


def _now(request: Request) -> datetime:
    now: datetime = request.app.state.clock()
    return now
