"""Today: what needs somebody, what came in, what goes next, what runs. Nothing here counts readers."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from syndicate.core.alert import slot_key
from syndicate.site import Site
from syndicate.storage.alerts import list_alerts
from syndicate.storage.arrivals import held_lots
from syndicate.storage.article_search import Wanted, find_articles
from syndicate.storage.issues import get_subjects
from syndicate.storage.windows import open_issue
from syndicate.web.console.looks import today_look, todays_issues, words_for
from syndicate.web.console.newsletters import all_missed, coming_slots
from syndicate.web.pages import page
from syndicate.web.security.signed_in import Editor

router = APIRouter()

CAME_IN = 12
HELD = 8
AHEAD = 6
"""How many of each are shown."""


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
        when = words_for(site.publication.timezone, now)
        running, awaiting = todays_issues(connection, now, when)
        coming = coming_slots(connection, site.newsletters, now, 1)[:AHEAD]
        missed = all_missed(connection, site.newsletters, now)
        # What can be settled here is not told a second time as an alert.
        told = {slot_key(slot) for each in missed for slot in each.slots}
        opened = {(each.newsletter.name, each.cadence) for each in coming}
        return page(
            request,
            "web/console/today.html",
            alerts=[each for each in list_alerts(connection) if each.key not in told],
            most_alerts=AHEAD,
            missed=missed,
            lots=sorted(held_lots(connection).items()),
            held=find_articles(connection, Wanted(status="held", without_lots=True), limit=HELD),
            came_in=find_articles(connection, Wanted(without_lots=True), limit=CAME_IN),
            coming=coming,
            open_issues={each: open_issue(connection, *each, lock=False) for each in opened},
            running=running,
            awaiting=awaiting,
            look=today_look(connection, now, when),
            subjects=get_subjects(connection, [*(each.issue.id for each in running), *(each.id for each in awaiting)]),
        )
