"""`/u/TOKEN`: out of one newsletter. GET shows one button; POST acts at once, from a mail program (RFC 8058) as from
the page, and never redirects."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException

from syndicate.core.reader_steps import just_left
from syndicate.core.subscriber import Subscriber
from syndicate.rendering.reader_words import reader_words
from syndicate.services.leave_newsletter import leave, undo_leave
from syndicate.storage.reader_steps import get_person
from syndicate.storage.renames import newsletter_of_link
from syndicate.web.public.page import (
    broken_link,
    language_of,
    masked,
    now_of,
    proof_of,
    read_form,
    read_token,
    show,
    site_of,
    text_of,
)

router = APIRouter()


async def _form(request: Request) -> FormData:
    """Whatever a mail program sends: what cannot be read is no reason to keep somebody."""
    try:
        return await read_form(request)
    except HTTPException:
        return FormData()


@router.get("/u/{token}", response_class=HTMLResponse)
def ask(request: Request, token: str) -> HTMLResponse:
    """The page with one button. Whoever follows the link changes nothing."""
    return _page(request, token, "")


@router.post("/u/{token}", response_class=HTMLResponse)
def act(request: Request, token: str, form: Annotated[FormData, Depends(_form)]) -> HTMLResponse:
    """Leaves, or undoes that."""
    found = _read(request, token)
    if found is None:
        return _page(request, token, "")
    subscriber, newsletter = found
    database, now = site_of(request).database, now_of(request)
    one_click = text_of(form, "List-Unsubscribe") == "One-Click"
    if text_of(form, "action") == "undo" and not one_click:
        proof = proof_of(request, "unsubscribe page")
        undone = undo_leave(database, subscriber_id=subscriber, newsletter=newsletter, proof=proof, now=now)
        return _page(request, token, "undone" if undone else "too late")
    proof = proof_of(request, "one click" if one_click else "unsubscribe page")
    leave(database, subscriber_id=subscriber, newsletter=newsletter, proof=proof, now=now)
    return _page(request, token, "left")


def _read(request: Request, token: str) -> tuple[int, str] | None:
    """The subscriber, and the newsletter by the name that it has now; None for a link that is not ours."""
    found = read_token(request, "unsubscribe", token)
    if found is None:
        return None
    with site_of(request).database.read() as connection:
        return found[0], newsletter_of_link(connection, *found[1:])


def _page(request: Request, token: str, done: str) -> HTMLResponse:
    found = _read(request, token)
    if found is None:
        return _test_page(request) if read_token(request, "test", token) else broken_link(request)
    subscriber, newsletter = found
    site = site_of(request)
    with site.database.read() as connection:
        person = get_person(connection, subscriber)
    language = language_of(request, person.language if person is not None else "")
    words = reader_words(language)
    title = next((each.title for each in site.newsletters if each.name == newsletter), newsletter)
    preferences = site.signer().sign("preferences", subscriber, newsletter, 0)
    state = _state(person, newsletter)
    undo = done != "too late" and state == "left" and person is not None and _may_undo(request, person, newsletter)
    heading = {
        "undone": words.undone_title,
        "left": words.left_title.format(newsletter=title),
        "too late": words.left_title.format(newsletter=title),
    }.get(done) or (words.leave_title if state == "in" else words.left_title).format(newsletter=title)
    return show(
        request,
        "leave",
        language,
        title=heading,
        newsletter=title,
        newsletter_name=newsletter,
        address=masked(person.email) if person is not None else "",
        state=state,
        done=done,
        undo=undo,
        preferences=f"p/{preferences}",
    )


def _state(person: Subscriber | None, newsletter: str) -> str:
    subscription = person.subscription(newsletter) if person is not None else None
    if person is None or subscription is None or subscription.status == "left" or person.suppressed:
        return "left"
    return "in"


def _may_undo(request: Request, person: Subscriber, newsletter: str) -> bool:
    subscription = person.subscription(newsletter)
    return subscription is not None and just_left(subscription, now_of(request)) and not person.suppressed


def _test_page(request: Request) -> HTMLResponse:
    language = language_of(request)
    words = reader_words(language)
    return show(request, "message", language, title=words.test_link, paragraphs=[words.test_link_text])
