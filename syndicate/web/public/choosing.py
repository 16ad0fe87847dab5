"""`/p/TOKEN`: a reader's preferences."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from syndicate.core.people import check_details
from syndicate.core.reader_steps import Choice, is_closed, just_left
from syndicate.core.subscriber import Subscriber
from syndicate.errors import BadInput, NotFound, Refused
from syndicate.rendering.cadence_words import how_often
from syndicate.rendering.reader_words import LANGUAGES, reader_words
from syndicate.services.change_preferences import change_preferences
from syndicate.services.leave_newsletter import leave, undo_leave
from syndicate.storage.reader_steps import get_person
from syndicate.web.public.page import (
    broken_link,
    day_of,
    language_of,
    masked,
    now_of,
    proof_of,
    read_form,
    read_token,
    show,
    site_of,
    text_of,
    texts_of,
)
from syndicate.web.security.forms import begun_elsewhere

if TYPE_CHECKING:
    from syndicate.site import Site

router = APIRouter()

PAUSES = (1, 2, 4, 8)
"""Weeks that can be chosen at once."""


@router.get("/p/{token}", response_class=HTMLResponse)
def look(request: Request, token: str) -> HTMLResponse:
    """The form, as things stand."""
    found = read_token(request, "preferences", token)
    return broken_link(request) if found is None else _page(request, found[0])


@router.post("/p/{token}", response_class=HTMLResponse)
def act(request: Request, token: str, form: Annotated[FormData, Depends(read_form)]) -> HTMLResponse:
    """Saves the form, leaves everything, or undoes that. Another site's page cannot press the button."""
    found = read_token(request, "preferences", token)
    if found is None:
        return broken_link(request)
    if begun_elsewhere(request):
        return _page(request, found[0])
    subscriber = found[0]
    site, now = site_of(request), now_of(request)
    proof = proof_of(request, "preferences page")
    action = text_of(form, "action")
    if action == "leave all":
        leave(site.database, subscriber_id=subscriber, newsletter=None, proof=proof, now=now)
        return _page(request, subscriber, done="left all")
    if action == "undo":
        undone = undo_leave(site.database, subscriber_id=subscriber, newsletter=None, proof=proof, now=now)
        return _page(request, subscriber, done="undone" if undone else "")
    with site.database.read() as connection:
        person = get_person(connection, subscriber)
    if person is None:
        return broken_link(request)
    mistakes: dict[str, str] = {}
    choice = _choice(site, person, form, now, mistakes, language_of(request, person.language))
    if not mistakes:
        try:
            change_preferences(
                site.database,
                subscriber_id=subscriber,
                choice=choice,
                newsletters=site.newsletters,
                proof=proof,
                now=now,
            )
            return _page(request, subscriber, done="saved")
        except (NotFound, Refused):
            return _page(request, subscriber)
        except BadInput as error:
            mistakes["form"] = str(error)
    return _page(request, subscriber, mistakes=mistakes, form=form)


def _choice(
    site: Site, person: Subscriber, form: FormData, now: datetime, mistakes: dict[str, str], language: str
) -> Choice:
    """What the form asks for; what cannot be goes into `mistakes`, by field."""
    words = reader_words(language)
    chosen = set(texts_of(form, "newsletter"))
    cadences: dict[str, str | None] = {}
    for newsletter in site.newsletters:
        if newsletter.name in chosen:
            cadence = text_of(form, f"cadence-{newsletter.name}")
            cadences[newsletter.name] = cadence if cadence in newsletter.cadences else None
    name = text_of(form, "name").strip()
    try:
        check_details(name, "", "")
    except ValueError:
        mistakes["name"] = words.bad_name
    spoken = text_of(form, "language")
    details = {"name": name, "language": spoken if spoken in LANGUAGES else person.language}
    return Choice(cadences, _pause(site, person, form, now, mistakes, language), details)


def _pause(
    site: Site, person: Subscriber, form: FormData, now: datetime, mistakes: dict[str, str], language: str
) -> datetime | None:
    words = reader_words(language)
    how = text_of(form, "pause")
    if how == "keep":
        return _paused_until(person, now)
    if (weeks := {str(each): each for each in PAUSES}.get(how)) is not None:
        return now + timedelta(weeks=weeks)
    if how != "date":
        return None
    try:
        day = date.fromisoformat(text_of(form, "until"))
    except ValueError:
        mistakes["until"] = words.bad_date
        return None
    until = datetime.combine(day, time(0), ZoneInfo(site.publication.timezone))
    if not now < until <= now + timedelta(days=365):
        mistakes["until"] = words.bad_pause
    return until


def _paused_until(person: Subscriber, now: datetime) -> datetime | None:
    paused = [each.paused_until for each in person.subscriptions if each.status == "active" and each.is_paused(now)]
    return max((each for each in paused if each is not None), default=None)


def _page(
    request: Request,
    subscriber: int,
    *,
    done: str = "",
    mistakes: dict[str, str] | None = None,
    form: FormData | None = None,
) -> HTMLResponse:
    site, now = site_of(request), now_of(request)
    with site.database.read() as connection:
        person = get_person(connection, subscriber)
    if person is None:
        return broken_link(request)
    language = language_of(request, person.language)
    words = reader_words(language)
    mistakes = mistakes or {}
    left_all = bool(person.suppressed) and not is_closed(person.suppressed)
    until = _paused_until(person, now)
    active = {each.newsletter: each for each in person.subscriptions if each.status == "active" and not left_all}
    offered = [
        {
            "name": each.name,
            "title": each.title,
            "description": each.description,
            "chosen": each.name in texts_of(form, "newsletter") if form is not None else each.name in active,
            "cadences": [(name, how_often(cadence, language)) for name, cadence in each.cadences.items()],
            "cadence": (text_of(form, f"cadence-{each.name}") if form is not None else "")
            or (active[each.name].cadence if each.name in active else next(iter(each.cadences), "")),
        }
        for each in site.newsletters
    ]
    title = words.preferences
    if is_closed(person.suppressed):
        title = words.closed_title
    elif done == "left all":
        title = words.left_all_title
    elif done == "undone":
        title = words.undone_title
    return show(
        request,
        "preferences",
        language,
        title=title,
        status=422 if mistakes else 200,
        address=masked(person.email),
        closed=is_closed(person.suppressed),
        done=done,
        mistakes=mistakes,
        newsletters=offered,
        anything=bool(active),
        undo=any(just_left(each, now) for each in person.subscriptions),
        back=", ".join(each.title for each in site.newsletters if each.name in active),
        paused=day_of(site, until, language) if until else "",
        pause=text_of(form, "pause") if form is not None else ("keep" if until else ""),
        until=text_of(form, "until") if form is not None else "",
        weeks=PAUSES,
        earliest=(now + timedelta(days=1)).date().isoformat(),
        latest=(now + timedelta(days=365)).date().isoformat(),
        name=text_of(form, "name")[:300] if form is not None else person.name,
        spoken=text_of(form, "language") if form is not None else (person.language.partition("-")[0] or language),
        languages=LANGUAGES,
    )
