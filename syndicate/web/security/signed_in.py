"""Who is signed in, and what they may do. Every route of the console asks here.

    from syndicate.web.security.signed_in import Editor, Sender, Admin

    @router.post("/console/articles/{article}/hold")
    def hold(request: Request, user: Editor, …) -> Response: …

A GET needs the role; anything that may change something needs the form token of the session besides (`csrf_field()` in
the form, or the header that htmx sends).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from syndicate.core.user import Role, User
from syndicate.services.sign_in import recognise
from syndicate.web.security.cookies import SESSION, Cookies
from syndicate.web.security.forms import given_form_token, require_own_form
from syndicate.web.security.hosts import is_from_here


class NotSignedIn(Exception):
    """Nobody is signed in, or the sign-in has ended."""


class NotAllowed(Exception):
    """The user's role does not reach; `needed` is the role that does."""

    def __init__(self, user: User, needed: Role) -> None:
        super().__init__(f"{user.name} needs the role {needed}")
        self.user = user
        self.needed = needed


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The user of a request. `secret` is what the session's form tokens are made of."""

    user: User
    secret: str


def who_is(request: Request) -> SignedIn | None:
    """Who makes the request, read once for each; None when nobody is signed in."""
    if not hasattr(request.state, "signed_in"):
        request.state.signed_in = _look(request)
    found: SignedIn | None = request.state.signed_in
    return found


def _look(request: Request) -> SignedIn | None:
    state = request.app.state
    token = Cookies(request).get(SESSION)
    if token and (user := recognise(state.site.database, token, state.clock())) is not None:
        return SignedIn(user, token)
    if state.open_to_loopback is not None and is_from_here(request.scope):
        return SignedIn(state.open_to_loopback, state.loopback_secret)
    return None


async def _given(request: Request, known: Annotated[SignedIn | None, Depends(who_is)]) -> AsyncIterator[str]:
    """The form's token; what nobody in particular sends is not even read."""
    if known is None:
        yield ""
        return
    async with asynccontextmanager(given_form_token)(request) as token:
        yield token


def require(role: Role) -> Callable[..., User]:
    """A dependency: the signed-in user, who has that role or more. Raises NotSignedIn, NotAllowed or Forged."""

    def signed_in(
        request: Request, found: Annotated[SignedIn | None, Depends(who_is)], given: Annotated[str, Depends(_given)]
    ) -> User:
        if found is None:
            raise NotSignedIn
        require_own_form(request, found.secret, given)
        if not found.user.may(role):
            raise NotAllowed(found.user, role)
        return found.user

    return signed_in


Editor = Annotated[User, Depends(require("editor"))]
"""Whoever prepares: anybody signed in."""
Sender = Annotated[User, Depends(require("sender"))]
"""Whoever may send."""
Admin = Annotated[User, Depends(require("admin"))]
"""Whoever manages the users."""
