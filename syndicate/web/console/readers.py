"""Readers: find one, and see everything that is known of them and why they get what they get."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from syndicate.core.subscriber import Subscriber
from syndicate.errors import NotFound
from syndicate.services.explain_subscriber import LEDGER, SUPPRESSED, explain_subscriber
from syndicate.site import Site
from syndicate.storage.issues import get_subjects
from syndicate.storage.mailings import mailings_of, suppression_of
from syndicate.storage.people import hash_of
from syndicate.storage.reader_search import Moment, find_readers, newest_readers, timeline
from syndicate.storage.reader_steps import get_person
from syndicate.web.pages import page
from syndicate.web.security.signed_in import Editor

router = APIRouter()

PAGE = 50
Id = Annotated[int, Path(ge=1, le=2**62)]


@router.get("/console/readers")
def readers(
    request: Request,
    user: Editor,
    q: Annotated[str, Query(max_length=320)] = "",
    before: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> Response:
    """Those whose address or name starts with the words; without words the last who came."""
    site: Site = request.app.state.site
    with site.database.read() as connection:
        if q.strip():
            found, older = find_readers(connection, q, limit=PAGE), ""
        else:
            found = newest_readers(connection, before=before, limit=PAGE + 1)
            older = f"/console/readers?before={found[PAGE - 1].id}" if len(found) > PAGE else ""
    return page(
        request,
        "web/console/readers.html",
        q=q,
        found=found[:PAGE],
        full=bool(q.strip()) and len(found) == PAGE,
        newest="/console/readers" if before else "",
        older=older,
        standing=standing,
    )


@router.get("/console/readers/{reader}")
def reader(request: Request, user: Editor, reader: Id) -> Response:
    """One person: subscriptions, the explanation, mails and everything that happened."""
    site: Site = request.app.state.site
    with site.database.read() as connection:
        person = get_person(connection, reader)
        if person is None:
            raise NotFound("Nobody of that number is known here: they may have been erased.")
        keyed = hash_of(connection, person.id)
        mails = mailings_of(connection, person.id, limit=PAGE)
        subjects = get_subjects(connection, [each.issue_id for each in mails])
        closed = suppression_of(connection, keyed)
        moments = timeline(connection, person, keyed, limit=100)
    explanation = explain_subscriber(
        site.database, email=person.email, newsletters=site.newsletters, now=request.app.state.clock()
    )
    declared = {each.name: each for each in site.newsletters}
    return page(
        request,
        "web/console/reader.html",
        person=person,
        standing=standing(person),
        explanation=explanation,
        mails=[(each, subjects.get(each.issue_id, ""), _said(each.state)) for each in mails],
        moments=moments,
        told=_told,
        closed=closed,
        closed_because=SUPPRESSED.get(closed[0], closed[0]) if closed else "",
        newsletters=declared,
        cadence_options=lambda newsletter: [(each, each) for each in newsletter.cadences],
        can_join=[
            each
            for each in site.newsletters
            if (mine := person.subscription(each.name)) is None or mine.status != "active"
        ],
    )


def standing(person: Subscriber) -> str:
    """One word for where somebody stands."""
    if person.suppressed:
        return "suppressed"
    states = {each.status for each in person.subscriptions}
    return next((each for each in ("active", "pending", "left") if each in states), "none")


_SHORT = {
    "accepted": "accepted",
    "refused": "refused",
    "suppressed": "left out",
    "withdrawn": "cancelled before it went out",
    "uncertain": "uncertain",
    "planned": "waiting",
    "retry": "waiting to be sent again",
    "sending": "being sent",
    "": "being prepared",
}
assert set(_SHORT) == set(LEDGER)


_CONSENT = {
    "asked": "Asked to get it",
    "confirmed": "Confirmed",
    "imported": "Added",
    "left": "Left",
    "rejoined": "Came back",
    "changed": "Changed how often",
}


def _told(moment: Moment) -> str:
    if moment.kind == "consent":
        return _CONSENT.get(moment.what, moment.what.capitalize())
    if moment.kind == "suppression":
        if moment.what == "lifted":
            return "The address was opened again"
        return f"Suppressed: {SUPPRESSED.get(moment.what, moment.what)}"
    return moment.what.capitalize()


def _said(state: str) -> str:
    return _SHORT.get(state, state)
