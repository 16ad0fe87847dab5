"""`/confirm/TOKEN`: GET shows a button, POST confirms. A scanner that follows every link subscribes nobody."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from syndicate.core.asked import Asked, read_asked
from syndicate.errors import BadInput
from syndicate.rendering.reader_words import reader_words
from syndicate.services.confirm_sign_up import Confirmation, confirm, look_at
from syndicate.web.public.page import broken_link, language_of, masked, now_of, proof_of, show, site_of
from syndicate.web.security.forms import begun_elsewhere

router = APIRouter()


@router.get("/confirm/{token}", response_class=HTMLResponse)
def ask(request: Request, token: str) -> HTMLResponse:
    """The page with the button."""
    asked = _asked(request, token)
    if asked is None:
        return broken_link(request)
    site = site_of(request)
    return _page(request, asked, look_at(site.database, asked, site.newsletters, now_of(request)))


@router.post("/confirm/{token}", response_class=HTMLResponse)
def act(request: Request, token: str) -> HTMLResponse:
    """Confirms. Twice is once. Another site's page cannot press the button."""
    if begun_elsewhere(request):
        return ask(request, token)
    asked = _asked(request, token)
    if asked is None:
        return broken_link(request)
    site, proof = site_of(request), proof_of(request, "confirmation page")
    done = confirm(site.database, asked, newsletters=site.newsletters, proof=proof, now=now_of(request))
    return _page(request, asked, done)


def _asked(request: Request, token: str) -> Asked | None:
    try:
        return read_asked(site_of(request).signer(), token)
    except (BadInput, ValueError, OverflowError):
        return None


def _page(request: Request, asked: Asked, found: Confirmation) -> HTMLResponse:
    site, person = site_of(request), found.person
    language = language_of(request, person.language if person is not None else "")
    words = reader_words(language)
    titles = {
        "open": words.confirm_title,
        "confirmed": words.confirmed_title,
        "expired": words.expired_title,
        "closed": words.closed_title,
    }
    preferences = ""
    if person is not None and found.state == "confirmed":
        preferences = f"p/{site.signer().sign('preferences', person.id, found.newsletters[0].name, 0)}"
    return show(
        request,
        "confirm",
        language,
        title=titles[found.state],
        status=410 if found.state == "expired" else 200,
        state=found.state,
        address=masked(person.email) if person is not None else "",
        newsletters=found.newsletters,
        again="&".join(f"newsletter={name}" for name in asked.newsletters),
        preferences=preferences,
    )
