"""`/subscribe`: the form, also sent from other sites. All that it can lead to is one mail that asks to confirm."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse
from starlette.datastructures import FormData

from syndicate.core.address import normalise
from syndicate.core.newsletter import Newsletter
from syndicate.core.sign_up import MOST_NEWSLETTERS, form_age
from syndicate.errors import BadInput
from syndicate.rendering.cadence_words import how_often
from syndicate.rendering.reader_words import reader_words
from syndicate.services.sign_up import sign_up
from syndicate.web.public.page import (
    language_of,
    minutes,
    now_of,
    proof_of,
    read_form,
    show,
    site_of,
    text_of,
    texts_of,
)
from syndicate.web.security.forms import begun_elsewhere

router = APIRouter()

TRAP = "website"
"""A field that people do not see and programs fill in."""


@router.get("/subscribe", response_class=HTMLResponse)
def form(request: Request) -> HTMLResponse:
    """The form; `?newsletter=NAME` chooses beforehand."""
    return _form(request, "", request.query_params.getlist("newsletter"))


@router.post("/subscribe", response_class=HTMLResponse)
def act(request: Request, form: Annotated[FormData, Depends(read_form)]) -> HTMLResponse:
    """Asks the owner of the address to confirm. A form that came from elsewhere, too fast or too late is shown once
    more, filled in."""
    site, now = site_of(request), now_of(request)
    language = language_of(request)
    words = reader_words(language)
    email, names = text_of(form, "email").strip()[:320], texts_of(form, "newsletter")
    chosen = _chosen(site.newsletters, names)
    mistakes: dict[str, str] = {}
    try:
        shown = normalise(email).email
        if not shown.isascii():
            mistakes["email"] = words.unmailable.format(address=email)
    except ValueError:
        mistakes["email"] = words.bad_address.format(address=email)
    if not chosen:
        mistakes["newsletter"] = words.no_newsletter
    if mistakes:
        return _form(request, email, names, mistakes=mistakes, status=422)
    age = form_age(_shown_at(request, text_of(form, "form")), now)
    # A form of ours may stand on any site, and what proves its age may be copied along: it would make strangers'
    # browsers sign people up, each from a network of its own.
    elsewhere = begun_elsewhere(request)
    if age != "good" or elsewhere:
        note = words.press_again if age == "too fast" else words.too_old
        if elsewhere or not text_of(form, "form"):
            note = words.one_more_step
        return _form(request, email, names, note=note)
    if text_of(form, TRAP):
        # A program: it is told what everybody is told.
        return _asked(request, shown)
    done = sign_up(
        site.database,
        email=email,
        newsletters=chosen,
        language=language,
        house=site.house,
        signer=site.signer(),
        proof=proof_of(request, "form"),
        now=now,
    )
    if done.state == "asked":
        return _asked(request, shown)
    wait = {"Retry-After": str(60 * minutes(done.wait))}
    note = words.too_many.format(minutes=minutes(done.wait))
    return _form(request, email, names, note=note, status=429, headers=wait)


@router.get("/subscribe/embed", response_class=HTMLResponse)
def embed(request: Request) -> HTMLResponse:
    """A form to be copied into other pages."""
    site = site_of(request)
    language = language_of(request)
    words = reader_words(language)
    return show(
        request,
        "embed",
        language,
        title=words.embed_title,
        private=False,
        newsletters=_chosen(site.newsletters, request.query_params.getlist("newsletter")) or site.newsletters,
        target=site.publication.web(f"subscribe?lang={language}"),
    )


def _chosen(newsletters: tuple[Newsletter, ...], names: list[str]) -> list[Newsletter]:
    return [each for each in newsletters if each.name in names][:MOST_NEWSLETTERS]


def _shown_at(request: Request, token: str) -> datetime | None:
    """When the form was shown, by its own signed word; None for one that is not ours."""
    try:
        (moment,) = site_of(request).signer().read("form", token)
        return datetime.fromtimestamp(int(moment), UTC)
    except (BadInput, ValueError):
        return None


def _form(
    request: Request,
    email: str,
    names: list[str],
    *,
    mistakes: dict[str, str] | None = None,
    note: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> HTMLResponse:
    site = site_of(request)
    language = language_of(request)
    words = reader_words(language)
    chosen = {each.name for each in _chosen(site.newsletters, names)}
    if len(site.newsletters) == 1:
        chosen = {site.newsletters[0].name}
    return show(
        request,
        "subscribe",
        language,
        title=words.sign_up_title,
        status=status,
        headers=headers,
        newsletters=site.newsletters,
        chosen=chosen,
        often={
            each.name: how_often(cadence, language)
            for each in site.newsletters
            for cadence in list(each.cadences.values())[:1]
        },
        email=email,
        mistakes=mistakes or {},
        note=note,
        trap=TRAP,
        form_token=site.signer().sign("form", int(now_of(request).timestamp())),
    )


def _asked(request: Request, address: str) -> HTMLResponse:
    language = language_of(request)
    words = reader_words(language)
    paragraphs = [words.asked_text.format(address=address), words.asked_hint]
    return show(request, "message", language, title=words.asked_title, paragraphs=paragraphs)
