"""The one-time link: choose a password, and as the first user a name."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Path, Request, Response

from syndicate.core.user import SHORTEST_PASSWORD
from syndicate.errors import BadInput
from syndicate.services.welcome_user import look_at_link, welcome_user
from syndicate.web.console.sign_in import before_sign_in, enter_console
from syndicate.web.security.cookies import FORM, Cookies
from syndicate.web.security.forms import given_form_token, require_own_form

router = APIRouter()

Token = Annotated[str, Path(max_length=100)]


@router.get("/console/welcome/{token}")
def show(request: Request, token: Token) -> Response:
    """The form. Looking at it spends nothing: mail programs and chat rooms look at links too."""
    return _form(request, token)


@router.post("/console/welcome/{token}")
def choose(
    request: Request,
    token: Token,
    given: Annotated[str, Depends(given_form_token)],
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    again: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Keeps the password and signs in."""
    state = request.app.state
    require_own_form(request, Cookies(request).get(FORM), given)
    if password != again:
        return _form(request, token, status=422, name=name, fault="The two passwords are not the same.")
    session = secrets.token_urlsafe(32)
    try:
        welcome_user(state.site.database, token, name=name, password=password, session_token=session, now=state.clock())
    except BadInput as error:
        return _form(request, token, status=422, name=name, fault=str(error))
    return enter_console(request, session)


def _form(request: Request, token: str, *, status: int = 200, name: str = "", fault: str = "") -> Response:
    state = request.app.state
    link = look_at_link(state.site.database, token, state.clock())
    return before_sign_in(
        request,
        "web/console/welcome.html",
        status=status,
        link=link,
        name=link.user.name if link.user else name,
        fault=fault,
        shortest=SHORTEST_PASSWORD,
    )
