"""Signing in and out."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from syndicate.errors import BadInput
from syndicate.services.sign_in import Attempt, TooOften, sign_in, sign_out
from syndicate.web.pages import page
from syndicate.web.security.cookies import FORM, SESSION, Cookies
from syndicate.web.security.forms import given_form_token, local_path, require_own_form
from syndicate.web.security.signed_in import Editor, who_is

router = APIRouter()

FORM_SECONDS = 3600


@router.get("/console/sign-in")
def show(request: Request, next: Annotated[str, Query(max_length=2000)] = "") -> Response:
    """The form; those who are signed in already go on."""
    if who_is(request) is not None:
        return RedirectResponse(local_path(next), 303)
    return before_sign_in(request, "web/console/sign_in.html", next=local_path(next) if next else "", name="", fault="")


@router.post("/console/sign-in")
def enter(
    request: Request,
    given: Annotated[str, Depends(given_form_token)],
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Signs in under a new token, whatever cookie the browser had."""
    state = request.app.state
    cookies = Cookies(request)
    require_own_form(request, cookies.get(FORM), given)
    token = secrets.token_urlsafe(32)
    attempt = Attempt(name, password, request.client.host if request.client else "")
    try:
        sign_in(state.site.database, attempt, secret=state.site.address_key, session_token=token, now=state.clock())
    except (BadInput, TooOften) as error:
        late = isinstance(error, TooOften)
        response = before_sign_in(
            request,
            "web/console/sign_in.html",
            status=429 if late else 422,
            next=local_path(next) if next else "",
            name=name,
            fault=str(error) if late else error.message,
        )
        if isinstance(error, TooOften):
            response.headers["Retry-After"] = str(max(1, round(error.wait.total_seconds())))
        return response
    return enter_console(request, token, next)


@router.post("/console/sign-out")
def leave(request: Request, user: Editor) -> Response:
    """Ends this sign-in."""
    cookies = Cookies(request)
    sign_out(request.app.state.site.database, cookies.get(SESSION))
    response = RedirectResponse("/console/sign-in", 303)
    cookies.drop(response, SESSION)
    return response


def enter_console(request: Request, token: str, next: str = "") -> Response:
    """Hands the browser its new session and goes on. An older session of the same browser ends."""
    cookies = Cookies(request)
    if old := cookies.get(SESSION):
        sign_out(request.app.state.site.database, old)
    response = RedirectResponse(local_path(next), 303)
    cookies.put(response, SESSION, token)
    cookies.drop(response, FORM)
    return response


def before_sign_in(request: Request, template: str, *, status: int = 200, **context: object) -> Response:
    """A page with a form for somebody who has no session: the form is tied to this browser by a cookie of its own."""
    cookies = Cookies(request)
    secret = cookies.get(FORM) or secrets.token_urlsafe(32)
    request.state.form_secret = secret
    response = page(request, template, status=status, **context)
    cookies.put(response, FORM, secret, seconds=FORM_SECONDS)
    return response
