"""Whether a request that changes something comes from a page of ours (cross-site request forgery)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from fastapi import Request
from starlette.datastructures import FormData

from syndicate.core.user import is_form_token
from syndicate.errors import BadInput

FIELD = "csrf"
HEADER = "X-CSRF-Token"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM_TYPES = ("application/x-www-form-urlencoded", "multipart/form-data")


class Forged(Exception):
    """The request was not made by a page of this session."""


async def given_form_token(request: Request) -> AsyncIterator[str]:
    """A dependency: the token that came with the request, as a header or a field of its form; "" without one."""
    if request.method in SAFE_METHODS:
        yield ""
        return
    header = request.headers.get(HEADER, "")
    if not request.headers.get("content-type", "").startswith(_FORM_TYPES):
        yield header
        return
    form: FormData = await request.form()
    try:
        if holds_nul(form):
            raise BadInput("A field holds NUL, which is part of no text.", cure="Type it anew.")
        value = header or form.get(FIELD, "")
        yield value if isinstance(value, str) else ""
    finally:
        # Files that came with it: no route need have asked for them.
        await request.close()


def holds_nul(form: FormData) -> bool:
    """Whether a field, or the name of a file, holds what PostgreSQL keeps in no text."""
    # Each value of a field that stands several times.
    values = (value for _, value in form.multi_items())
    return any("\0" in (value if isinstance(value, str) else value.filename or "") for value in values)


def require_own_form(request: Request, secret: str, given: str) -> None:
    """Raises Forged unless the request changes nothing, or comes from our own page and carries that session's token."""
    if request.method in SAFE_METHODS:
        return
    if begun_elsewhere(request) or request.headers.get("origin") == "null":
        raise Forged
    if not secret or not is_form_token(secret, given):
        raise Forged


def begun_elsewhere(request: Request) -> bool:
    """Whether the browser says that a page of another site began the request; no page can make it lie (Fetch Metadata;
    RFC 6454 §7). What says nothing, as mail programs do, was not. "Origin: null" says nothing either: browsers send it
    with forms of our own pages, too, where those keep their address to themselves."""
    if request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
        return True
    origin = request.headers.get("origin")
    return origin not in (None, "null") and not _is_ours(request, origin or "")


def _is_ours(request: Request, origin: str) -> bool:
    web_url: str = request.app.state.site.publication.web_url
    ours = urlsplit(web_url)
    if origin == f"{ours.scheme}://{ours.netloc}":
        return True
    # A server in front may speak https where this one hears http.
    scheme, _, authority = origin.partition("://")
    return scheme in ("http", "https") and authority == request.headers.get("host", "")


def local_path(given: str) -> str:
    """`given` when it is a path of the console, else the console's first page: nobody is sent elsewhere."""
    parts = urlsplit(given) if given.isascii() and given.isprintable() and "\\" not in given else None
    if (
        parts is None
        or parts.scheme
        or parts.netloc
        or not (parts.path == "/console" or parts.path.startswith("/console/"))
        or "//" in parts.path
        or any(each in (".", "..") for each in parts.path.replace("%2e", ".").replace("%2E", ".").split("/"))
        or parts.path.startswith(("/console/sign-", "/console/welcome"))
    ):
        return "/console/"
    return given
