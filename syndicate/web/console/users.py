"""Users: who may use the console. For admins; and everybody's own password."""

from __future__ import annotations

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from syndicate.core.user import ROLES, SHORTEST_PASSWORD, Role
from syndicate.errors import BadInput, NotFound, Refused
from syndicate.services.change_password import change_password
from syndicate.services.first_user import WELCOME
from syndicate.services.sign_in import PER_USER
from syndicate.services.users import add_user, change_role, remove_user, reset_user
from syndicate.site import Site
from syndicate.storage.users import list_users
from syndicate.web.pages import done, page
from syndicate.web.security.cookies import SESSION, Cookies
from syndicate.web.security.hosts import console_address
from syndicate.web.security.signed_in import Admin, Editor

router = APIRouter()

USERS = "/console/users"
_EXPLAINED = (
    ("editor", "Editor: prepares, holds, corrects"),
    ("sender", "Sender: sends too"),
    ("admin", "Admin: manages the users besides"),
)
assert tuple(role for role, _ in _EXPLAINED) == ROLES


@router.get(USERS)
def users(request: Request, user: Admin) -> Response:
    """Everybody."""
    return _page(request)


@router.post(USERS)
def add(
    request: Request, user: Admin, name: Annotated[str, Form(max_length=200)], role: Annotated[Role, Form()]
) -> Response:
    """Lets somebody in, and shows their link: once."""
    state = request.app.state
    token = secrets.token_urlsafe(32)
    try:
        added = add_user(state.site.database, name, role, actor=user.name, token=token, now=state.clock())
    except (BadInput, Refused) as error:
        return _page(request, status=422, name=name, chosen=role, fault=error.message)
    return _page(request, link=_link(request, token), link_for=added.name)


@router.post(USERS + "/{key}/role")
def give_role(request: Request, user: Admin, key: int, role: Annotated[Role, Form()]) -> Response:
    """Another role for a user."""
    state = request.app.state
    name = _named(request, key)
    changed = change_role(state.site.database, name, role, actor=user.name, now=state.clock())
    return done(request, USERS, f"{name} is {role}{'. Their sign-ins have ended.' if changed else ', as before.'}")


@router.post(USERS + "/{key}/reset")
def reset(request: Request, user: Admin, key: int) -> Response:
    """A new link, shown once."""
    state = request.app.state
    token = secrets.token_urlsafe(32)
    known = reset_user(state.site.database, _named(request, key), actor=user.name, token=token, now=state.clock())
    return _page(request, link=_link(request, token), link_for=known.name)


@router.post(USERS + "/{key}/remove")
def remove(request: Request, user: Admin, key: int) -> Response:
    """Shuts a user out."""
    state = request.app.state
    removed = remove_user(state.site.database, _named(request, key), actor=user.name, now=state.clock())
    return done(request, USERS, f"{removed.name} is shut out, and signed out everywhere.")


@router.get("/console/password")
def password_form(request: Request, user: Editor) -> Response:
    """One's own password."""
    return page(request, "web/console/password.html", fault="", shortest=SHORTEST_PASSWORD)


@router.post("/console/password")
def password(
    request: Request,
    user: Editor,
    present: Annotated[str, Form(max_length=2000)] = "",
    new: Annotated[str, Form(max_length=2000)] = "",
    again: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """Changes it; other sign-ins of the user end."""
    state = request.app.state
    token = secrets.token_urlsafe(32)
    try:
        if new != again:
            raise BadInput("The two new passwords are not the same.")
        change_password(
            state.site.database,
            user,
            present=present,
            new=new,
            rate=PER_USER,
            secret=state.site.address_key,
            session_token=token,
            now=state.clock(),
        )
    except BadInput as error:
        return page(request, "web/console/password.html", status=422, fault=str(error), shortest=SHORTEST_PASSWORD)
    response = RedirectResponse("/console/", 303)
    Cookies(request).put(response, SESSION, token)
    return response


def _page(
    request: Request,
    *,
    status: int = 200,
    link: str = "",
    link_for: str = "",
    name: str = "",
    chosen: str = "editor",
    fault: str = "",
) -> Response:
    with request.app.state.site.database.read() as connection:
        known = list_users(connection)
    return page(
        request,
        "web/console/users.html",
        status=status,
        rows=known,
        roles=_EXPLAINED,
        link=link,
        link_for=link_for,
        name=name,
        chosen=chosen,
        fault=fault,
    )


def _named(request: Request, key: int) -> str:
    """Names may hold anything that stands on a line, addresses may not: in them a user is a number."""
    with request.app.state.site.database.read() as connection:
        for each in list_users(connection):
            if each.user.id == key:
                return each.user.name
    raise NotFound("There is no such user any more.")


def _link(request: Request, token: str) -> str:
    site: Site = request.app.state.site
    return f"{console_address(site)}/{WELCOME}/{token}"
