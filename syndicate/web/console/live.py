"""Figures that move: as a stream for pages that hear it, one by one for those that cannot."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from syndicate.core.user import secret_hash
from syndicate.site import Site
from syndicate.web.console.issues import Number
from syndicate.web.console.looks import issue_look, newsletters_look, read_today, today_look, words_for
from syndicate.web.console.slots_ahead import newsletter_rows
from syndicate.web.live import Look, Read, Streams, TooMany
from syndicate.web.security.signed_in import Editor, who_is

router = APIRouter()

AGAIN_SECONDS = 30


@router.get("/console/live")
async def today_stream(request: Request, user: Editor) -> Response:
    """What runs, as long as somebody looks."""
    return await _stream(request, "today", _today(request))


@router.get("/console/figures")
async def today_figures(request: Request, user: Editor) -> Response:
    """What runs, now."""
    return _figures(await _streams(request).look("today", _today(request)))


@router.get("/console/newsletters/live")
async def newsletters_stream(request: Request, user: Editor) -> Response:
    """What becomes of the newsletters' next slots, as long as somebody looks."""
    return await _stream(request, "newsletters", _newsletters(request))


@router.get("/console/newsletters/figures")
async def newsletters_figures(request: Request, user: Editor) -> Response:
    """The same, now."""
    return _figures(await _streams(request).look("newsletters", _newsletters(request)))


@router.get("/console/issues/{number}/live")
async def issue_stream(request: Request, user: Editor, number: Number) -> Response:
    """One issue, until it has ended."""
    return await _stream(request, f"issue {number}", _issue(request, number))


@router.get("/console/issues/{number}/figures")
async def issue_figures(request: Request, user: Editor, number: Number) -> Response:
    """One issue, now."""
    return _figures(await _streams(request).look(f"issue {number}", _issue(request, number)))


async def _stream(request: Request, name: str, read: Read) -> Response:
    found = who_is(request)
    # The demo's own user on this machine has no sign-in that could end.
    lasting = found is None or found.secret == request.app.state.loopback_secret
    session = "" if found is None or lasting else secret_hash(found.secret)
    try:
        return await _streams(request).open(name, read, session)
    except TooMany as error:
        return Response(f"{error}\n", 503, {"Retry-After": str(AGAIN_SECONDS)}, "text/plain")


def _figures(look: Look) -> Response:
    return Response(look.as_json(), media_type="application/json")


def _issue(request: Request, number: int) -> Read:
    zone = _site(request).publication.timezone
    return lambda connection, now: issue_look(connection, number, now, words_for(zone, now))


def _today(request: Request) -> Read:
    site = _site(request)
    zone, newsletters = site.publication.timezone, site.newsletters
    return lambda connection, now: today_look(read_today(connection, newsletters, now, words_for(zone, now)))


def _newsletters(request: Request) -> Read:
    newsletters = _site(request).newsletters
    return lambda connection, now: newsletters_look(newsletter_rows(connection, newsletters, now))


def _site(request: Request) -> Site:
    site: Site = request.app.state.site
    return site


def _streams(request: Request) -> Streams:
    streams: Streams = request.app.state.streams
    return streams
