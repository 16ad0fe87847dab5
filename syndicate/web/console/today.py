"""Today: what needs somebody, what came in, what goes next and to how many, what runs. Readers are counted as they
come and go, not here."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from syndicate.site import Site
from syndicate.storage.issues import get_subjects
from syndicate.storage.windows import open_issue
from syndicate.web.console.looks import AHEAD, read_today, today_look, words_for
from syndicate.web.console.slots_ahead import readers_of
from syndicate.web.pages import page
from syndicate.web.security.signed_in import Editor

router = APIRouter()

@router.get("/console")
def without_stroke() -> Response:
    """The console's address as people type it."""
    return RedirectResponse("/console/", 303)


@router.get("/console/")
def today(request: Request, user: Editor) -> Response:
    """The page that the desk keeps open."""
    site: Site = request.app.state.site
    now: datetime = request.app.state.clock()
    with site.database.read() as connection:
        shown = read_today(connection, site.newsletters, now, words_for(site.publication.timezone, now))
        opened = {(each.newsletter.name, each.cadence) for each in shown.coming}
        numbers = [*(each.issue.id for each in shown.running), *(each.id for each in shown.awaiting)]
        return page(
            request,
            "web/console/today.html",
            today=shown,
            most_alerts=AHEAD,
            readers=readers_of(connection, shown.coming, now),
            open_issues={each: open_issue(connection, *each, lock=False) for each in opened},
            look=today_look(shown),
            subjects=get_subjects(connection, numbers),
        )
