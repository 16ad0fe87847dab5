"""Newsletters: when each goes next, whether it pauses, and what was missed and waits for somebody."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from syndicate.core.newsletter import Cadence, Newsletter
from syndicate.errors import NotFound, NothingToSend
from syndicate.services.draft_issue import draft_cadence_issue
from syndicate.services.pause_newsletter import pause_newsletter, resume_newsletter
from syndicate.services.settle_missed import attach_missed, merge_missed, missed_slots, skip_missed
from syndicate.services.skip_slot import skip_next, unskip_next
from syndicate.site import Site
from syndicate.storage.issues import get_issue
from syndicate.storage.slots import spoken
from syndicate.web.console.looks import newsletters_look
from syndicate.web.console.slots_ahead import newsletter_rows, readers_of
from syndicate.web.pages import done, page, wall
from syndicate.web.security.signed_in import Editor, Sender

router = APIRouter()

NEWSLETTERS = "/console/newsletters"
Back = Annotated[str, Form(max_length=40)]


@router.get(NEWSLETTERS)
def newsletters(request: Request, user: Editor) -> Response:
    """All of them."""
    site: Site = request.app.state.site
    now: datetime = request.app.state.clock()
    with site.database.read() as connection:
        rows = newsletter_rows(connection, site.newsletters, now)
        readers = readers_of(connection, [slot for row in rows for slot in row.coming], now)
    return page(request, "web/console/newsletters.html", rows=rows, readers=readers, look=newsletters_look(rows))


@router.post(NEWSLETTERS + "/{name}/pause")
def pause(request: Request, user: Sender, name: str) -> Response:
    """Nothing of it is drafted or sent by itself."""
    site, declared, now = _of(request, name)
    changed = pause_newsletter(site.database, name, actor=user.name, now=now)
    return done(request, NEWSLETTERS, f"{declared.title} is paused{'.' if changed else ', as before.'}")


@router.post(NEWSLETTERS + "/{name}/resume")
def resume(request: Request, user: Sender, name: str) -> Response:
    """Its next issue takes all that came since the last one."""
    site, declared, now = _of(request, name)
    changed = resume_newsletter(site.database, name, actor=user.name, now=now)
    return done(request, NEWSLETTERS, f"{declared.title} goes on{'.' if changed else ', as before.'}")


@router.post(NEWSLETTERS + "/{name}/{cadence}/skip")
def skip(request: Request, user: Sender, name: str, cadence: str) -> Response:
    """Its next slot alone."""
    site, declared, now = _of(request, name)
    slot = skip_next(site.database, declared, _cadence(declared, cadence), actor=user.name, now=now)
    return done(request, NEWSLETTERS, f"{declared.title}, {wall(slot.wall_time)}, is skipped. It can be planned again.")


@router.post(NEWSLETTERS + "/{name}/{cadence}/unskip")
def unskip(request: Request, user: Sender, name: str, cadence: str) -> Response:
    """Takes that back."""
    site, declared, now = _of(request, name)
    slot = unskip_next(site.database, declared, _cadence(declared, cadence), actor=user.name, now=now)
    return done(request, NEWSLETTERS, f"{declared.title}, {wall(slot.wall_time)}, is planned again.")


@router.post(NEWSLETTERS + "/{name}/{cadence}/missed/send")
def make_up(request: Request, user: Editor, name: str, cadence: str) -> Response:
    """Composes what was missed, or takes the issue that it has: when it goes, is said at that issue's page."""
    site, declared, now = _of(request, name)
    with site.database.read() as connection:
        missed = missed_slots(connection, name, _cadence(declared, cadence).name)
        issue = get_issue(connection, missed[0].issue_id) if missed and missed[0].issue_id else None
    if not missed:
        raise NothingToSend(f"{declared.title}, {cadence}: nothing is missed any more.")
    number = issue.id if issue is not None and issue.state in ("awaiting", "approved", "scheduled") else 0
    if not number:
        composed = draft_cadence_issue(site.database, declared, cadence, site.house, now=now, actor=user.name)
        number = composed.issue.id
    attach_missed(site.database, name, cadence, number, now=now)
    sentence = f"This makes up for {spoken(missed[0].wall_time)}. Look at it, then send it."
    return done(request, f"/console/issues/{number}#send", sentence)


@router.post(NEWSLETTERS + "/{name}/{cadence}/missed/merge")
def merge(request: Request, user: Sender, name: str, cadence: str, back: Back = "") -> Response:
    """Its articles go with the next one."""
    site, declared, now = _of(request, name)
    merge_missed(site.database, name, _cadence(declared, cadence).name, actor=user.name, now=now)
    return done(request, _back(back), f"{declared.title}: what was missed goes with the next issue.")


@router.post(NEWSLETTERS + "/{name}/{cadence}/missed/skip")
def leave_out(request: Request, user: Sender, name: str, cadence: str, back: Back = "") -> Response:
    """Its articles go with none."""
    site, declared, now = _of(request, name)
    skip_missed(site.database, name, _cadence(declared, cadence).name, actor=user.name, now=now)
    return done(request, _back(back), f"{declared.title}: what was missed goes with no issue.")


def _of(request: Request, name: str) -> tuple[Site, Newsletter, datetime]:
    site: Site = request.app.state.site
    return site, site.newsletter(name), request.app.state.clock()


def _cadence(declared: Newsletter, name: str) -> Cadence:
    if name not in declared.cadences:
        raise NotFound(f"{declared.title} has no cadence {name!r}.", cure=f"Known: {', '.join(declared.cadences)}.")
    return declared.cadences[name]


def _back(where: str) -> str:
    """The page of the console on which the button stood."""
    page_name, _, number = where.partition(" ")
    if page_name == "issue" and number.isascii() and number.isdigit():
        return f"/console/issues/{number}"
    return "/console/" if page_name == "today" else NEWSLETTERS
