"""What somebody here does for a reader: add, change how often, suppress, open again, erase."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from syndicate.core.subscriber import Subscriber
from syndicate.errors import NotFound, SyndicateError
from syndicate.services.add_subscriber import add_subscriber
from syndicate.services.change_cadence import change_cadence
from syndicate.services.erase_subscriber import erase_subscriber
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.services.unsuppress_subscriber import unsuppress_subscriber
from syndicate.site import Site
from syndicate.storage.reader_steps import get_person
from syndicate.web.console.readers import Id
from syndicate.web.pages import done, page
from syndicate.web.problems import status_of
from syndicate.web.security.signed_in import Editor, Sender

router = APIRouter()

Words = Annotated[str, Form(max_length=500)]


@router.get("/console/readers/add")
def ask_whom(request: Request, user: Editor, reader: Annotated[int, Query(ge=0, le=2**62)] = 0) -> Response:
    """The form for one reader who asked for it; with `reader` for one who is known."""
    person = _person(request, reader) if reader else None
    given = {"email": person.email, "name": person.name, "language": person.language} if person else {}
    return _form(request, given)


@router.post("/console/readers/add")
def add(
    request: Request,
    user: Editor,
    email: Words = "",
    newsletter: Words = "",
    cadence: Words = "",
    name: Words = "",
    language: Words = "",
    confirmed: Words = "",
    because: Words = "",
) -> Response:
    """Adds them, when somebody says that and how they asked."""
    site: Site = request.app.state.site
    given = {"email": email, "newsletter": newsletter, "cadence": cadence, "name": name, "language": language}
    given |= {"because": because, "confirmed": confirmed}
    if not confirmed or not because.strip():
        return _form(
            request,
            given,
            status=422,
            fault="Mail is for people who asked for it. Say that they did, and how: it is kept as the proof.",
        )
    try:
        person, change = add_subscriber(
            site.database,
            email=email,
            newsletter=site.newsletter(newsletter),
            because=because.strip(),
            cadence=cadence or None,
            name=name,
            language=language.strip(),
            actor=user.name,
            now=_now(request),
        )
    except SyndicateError as error:
        return _form(request, given, status=status_of(error), fault=str(error))
    said = {"new": "is added", "unchanged": "gets it already; nothing was changed"}.get(change.outcome, "is changed")
    return done(request, f"/console/readers/{person.id}", f"{person.email} {said}.")


@router.post("/console/readers/{reader}/cadence")
def cadence(request: Request, user: Editor, reader: Id, newsletter: Words = "", cadence: Words = "") -> Response:
    """Changes how often they get one newsletter."""
    site: Site = request.app.state.site
    changed = change_cadence(
        site.database,
        subscriber_id=reader,
        newsletter=site.newsletter(newsletter),
        cadence=cadence,
        actor=user.name,
        now=_now(request),
    )
    sentence = f"They get it {cadence} now; nothing is missed, and nothing comes twice." if changed else ""
    return done(request, f"/console/readers/{reader}", sentence or "They were on that already.")


@router.post("/console/readers/{reader}/suppress")
def suppress(request: Request, user: Editor, reader: Id, because: Words = "") -> Response:
    """Nothing is sent to the address any more."""
    site: Site = request.app.state.site
    person = _person(request, reader)
    new = suppress_subscriber(
        site.database, email=person.email, because=because.strip(), actor=user.name, now=_now(request)
    )
    sentence = "is suppressed: nothing is sent to it" if new else "was suppressed already"
    return done(request, f"/console/readers/{reader}", f"{person.email} {sentence}.")


@router.post("/console/readers/{reader}/unsuppress")
def unsuppress(request: Request, user: Sender, reader: Id, because: Words = "") -> Response:
    """Opens the address again; somebody says why."""
    site: Site = request.app.state.site
    person = _person(request, reader)
    if not because.strip():
        return done(request, f"/console/readers/{reader}", "Nothing was changed: say why it may be mailed again.")
    reasons = unsuppress_subscriber(
        site.database, email=person.email, because=because.strip(), actor=user.name, now=_now(request)
    )
    sentence = f"{person.email} is open again (it was closed for: {', '.join(reasons)})."
    return done(request, f"/console/readers/{reader}", sentence)


@router.post("/console/readers/{reader}/erase")
def erase(request: Request, user: Sender, reader: Id, address: Words = "") -> Response:
    """Erases them for good, when the address is typed once more."""
    site: Site = request.app.state.site
    person = _person(request, reader)
    if address.strip().lower() not in (person.email.lower(), person.address):
        sentence = "Nothing was erased: the address that was typed is another one."
        return done(request, f"/console/readers/{reader}", sentence)
    identity = erase_subscriber(site.database, email=person.email, actor=user.name, now=_now(request))
    sentence = (
        f"Erased. The counts of past mailings keep a line that says erased:{identity}. Copies that are not in the "
        "database are yours to look for: backups, imported files."
    )
    return done(request, "/console/readers", sentence)


def _person(request: Request, reader: int) -> Subscriber:
    site: Site = request.app.state.site
    with site.database.read() as connection:
        person = get_person(connection, reader)
    if person is None:
        raise NotFound("Nobody of that number is known here: they may have been erased.")
    return person


def _form(request: Request, given: dict[str, str], *, status: int = 200, fault: str = "") -> Response:
    site: Site = request.app.state.site
    cadences = list(dict.fromkeys(name for each in site.newsletters for name in each.cadences))
    return page(
        request,
        "web/console/reader_add.html",
        status=status,
        given=given,
        fault=fault,
        newsletters=[(each.name, each.title) for each in site.newsletters],
        cadences=[("", "The newsletter's first"), *((each, each) for each in cadences)],
    )


def _now(request: Request) -> datetime:
    now: datetime = request.app.state.clock()
    return now
