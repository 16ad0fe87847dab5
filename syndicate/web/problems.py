"""What people see when something is wrong: one sentence and the next step, as a page, or as a fragment for htmx."""

from __future__ import annotations

import logging
from functools import cache

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import Match

from syndicate.errors import BadInput, NotFound, NothingToSend, Refused, StorageError, SyndicateError, UsageError
from syndicate.rendering.reader_words import reader_words
from syndicate.services.sign_in import TooOften
from syndicate.web.pages import page, with_query
from syndicate.web.public.page import language_of, show
from syndicate.web.routes import routers
from syndicate.web.security.forms import Forged, local_path
from syndicate.web.security.signed_in import NotAllowed, NotSignedIn, who_is

SIGN_IN = "/console/sign-in"
_STATUS: tuple[tuple[type[SyndicateError], int], ...] = (
    (TooOften, 429),
    (NotFound, 404),
    (Refused, 409),
    (NothingToSend, 409),
    (BadInput, 422),
    (UsageError, 422),
    (StorageError, 503),
)
_TITLES = {
    403: "Not allowed",
    404: "Not found",
    405: "Not possible",
    409: "Not now",
    422: "That does not fit",
    429: "Too often",
    503: "Out of order",
}
_FOR_SCRIPTS = ("text/event-stream", "application/json")
_log = logging.getLogger("syndicate.web")


def add_handlers(app: FastAPI) -> None:
    """Makes the application answer every error in these ways."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)
    app.add_exception_handler(NotAllowed, _not_allowed)
    app.add_exception_handler(Forged, _forged)
    app.add_exception_handler(SyndicateError, _told)
    app.add_exception_handler(RequestValidationError, _not_valid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(Exception, _unforeseen)


def status_of(error: SyndicateError) -> int:
    """The HTTP status that says the same as the error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(request: Request, status: int, sentence: str, cure: str = "", title: str = "") -> Response:
    """The error as people see it where they asked: in the console, on a public page, or in plain words."""
    title = title or _TITLES.get(status, "Something went wrong")
    path = request.url.path
    context = {"title": title, "problem": sentence, "cure": cure, "code": status, "back": _page_before(request, status)}
    try:
        if path == "/console" or path.startswith("/console/"):
            fragment = request.headers.get("hx-request") == "true"
            template = "web/console/problem_part.html" if fragment else "web/console/problem.html"
            return page(request, template, status=status, **context)
        return _for_readers(request, status)
    except SyndicateError as error:
        # The page itself needs the database, or a template that somebody changed.
        _log.error("The error page could not be made: %s", error)
        return PlainTextResponse(f"{sentence} {cure}\n", status)


@cache
def _pages() -> frozenset[str]:
    """The paths of all pages, as they are declared."""
    return frozenset(route.path for route in _routes() if "GET" in (route.methods or ()))


def _routes() -> list[APIRoute]:
    return [route for router in routers() for route in router.routes]  # type: ignore[attr-defined]


def _page_before(request: Request, status: int) -> str:
    """The nearest page of the console from which this was asked for: the address itself where it also shows a form,
    else one above it; "" when that is the first. Of what is not there, the list that it would be in."""
    shown = _pages()
    path = request.url.path.strip("/").split("/")
    declared = getattr(request.scope.get("route"), "path", "").strip("/").split("/")
    if status == 404 or len(declared) != len(path):
        path = declared = path[:2]
    longest = len(path) - (request.method in ("GET", "HEAD") and status != 404)
    for length in range(longest, 1, -1):
        if "/" + "/".join(declared[:length]) in shown:
            return "/" + "/".join(path[:length])
    return ""


def _for_readers(request: Request, status: int) -> Response:
    """In the reader's language. What is out of order here is nothing that a reader can do anything about."""
    language = language_of(request)
    words = reader_words(language)
    title, text = words.not_possible, words.not_possible_text
    if status == 404:
        title, text = words.no_page, words.no_page_text
    elif status >= 500:
        title, text = words.broken, words.broken_text
    return show(request, "message", language, title=title, status=status, paragraphs=[text])


def _not_signed_in(request: Request, _: Exception) -> Response:
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if request.headers.get("hx-request") == "true":
        return Response(status_code=401, headers={"HX-Redirect": SIGN_IN})
    if request.headers.get("accept", "").startswith(_FOR_SCRIPTS):
        # The sign-in page is no answer to a script, which would only follow to it.
        return PlainTextResponse("Nobody is signed in any more.\n", 401)
    asked = local_path(back) if request.method in ("GET", "HEAD") else ""
    return RedirectResponse(with_query(SIGN_IN, next=asked if asked != "/console/" else ""), 303)


def _not_allowed(request: Request, error: Exception) -> Response:
    assert isinstance(error, NotAllowed)
    sentence = f"This needs the role {error.needed}; {error.user.name} is signed in as {error.user.role}."
    return problem(request, 403, sentence, f"Ask an admin: `syndicate users role {error.user.name!r} {error.needed}`.")


def _forged(request: Request, _: Exception) -> Response:
    cure = "Open the page again and repeat it there." if who_is(request) else "Sign in, and repeat it."
    return problem(request, 403, "This form does not belong to your present sign-in, so nothing was changed.", cure)


def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, SyndicateError)
    status = status_of(error)
    if status >= 500:
        _log.error("%s %s: %s", request.method, request.url.path, error.message)
    response = problem(request, status, error.message, error.cure)
    if isinstance(error, TooOften):
        response.headers["Retry-After"] = str(max(1, round(error.wait.total_seconds())))
    return response


def _not_valid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = str(first["loc"][-1]).replace("_", " ")
    if first["loc"][0] in ("path", "query") and request.method == "GET":
        return problem(request, 404, "There is no such page.")
    return problem(request, 422, f"{place.capitalize()}: {str(first['msg'])[:1].lower()}{str(first['msg'])[1:]}.")


def _plain(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentences = {404: "There is no such page.", 405: "That address does not take such a request."}
    response = problem(request, error.status_code, sentences.get(error.status_code, "That cannot be done."))
    response.headers.update(error.headers or {})
    if error.status_code == 405:
        response.headers["Allow"] = ", ".join(_methods(request))
    return response


def _methods(request: Request) -> list[str]:
    """All that the address takes (RFC 9110 §10.2.1): the error knows those of one of its routes alone."""
    known = [route for route in _routes() if route.matches(request.scope)[0] is not Match.NONE]
    found = {method for route in known for method in route.methods or ()}
    return sorted(found | {"HEAD"} if "GET" in found else found)


def _unforeseen(request: Request, error: Exception) -> Response:
    # Starlette raises it again after this answer, so that the server logs it with its traceback.
    return problem(request, 500, "That did not work, through no fault of yours.", "Try again; the log says more.")
