"""Sources: where articles come from, how each is, and what is held of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import APIRouter, Request, Response

from syndicate.core.health import SourceHealth, source_health
from syndicate.services.pause_definition import pause_definition
from syndicate.services.release_lot import release_lot
from syndicate.site import Site, find_named
from syndicate.sources.base import SourceSettings
from syndicate.storage.arrivals import HeldLot, held_lots, quiet_after
from syndicate.storage.sources import SourceState, list_sources
from syndicate.web.pages import done, page
from syndicate.web.security.signed_in import Editor

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Row:
    """One source as the list shows it. `state` is None before its first look."""

    declared: SourceSettings
    health: SourceHealth
    state: SourceState | None
    held: HeldLot
    quiet: timedelta | None


@router.get("/console/sources")
def sources(request: Request, user: Editor) -> Response:
    """All that the settings declare."""
    site: Site = request.app.state.site
    now: datetime = request.app.state.clock()
    with site.database.read() as connection:
        states = {each.name: each for each in list_sources(connection)}
        held = held_lots(connection)
        quiet = {each.name: quiet_after(connection, each.name, each.quiet_after_seconds) for each in site.sources}
    rows = [
        _row(each, states.get(each.name), held.get(each.name, HeldLot()), quiet[each.name], now)
        for each in site.sources
    ]
    return page(request, "web/console/sources.html", rows=rows)


@router.post("/console/sources/{name}/pause")
def pause(request: Request, user: Editor, name: str) -> Response:
    """It is not looked at until it goes on."""
    return _paused(request, user.name, name, paused=True)


@router.post("/console/sources/{name}/resume")
def resume(request: Request, user: Editor, name: str) -> Response:
    """It is looked at again; what came meanwhile is new."""
    return _paused(request, user.name, name, paused=False)


@router.post("/console/sources/{name}/release")
def release(request: Request, user: Editor, name: str) -> Response:
    """What is held because too much looked new at once goes out, and the next issues bring it."""
    return _released(request, user.name, name, backlog=False)


@router.post("/console/sources/{name}/backlog")
def backlog(request: Request, user: Editor, name: str) -> Response:
    """What is held so was there all along: in the feeds, in no newsletter."""
    return _released(request, user.name, name, backlog=True)


def _paused(request: Request, actor: str, name: str, *, paused: bool) -> Response:
    site: Site = request.app.state.site
    find_named(site.sources, name, "source")
    now = request.app.state.clock()
    pause_definition(site.database, "sources", name, paused=paused, actor=actor, now=now)
    return done(request, "/console/sources", f"{name} {'is paused' if paused else 'goes on'}.")


def _released(request: Request, actor: str, name: str, *, backlog: bool) -> Response:
    site: Site = request.app.state.site
    find_named(site.sources, name, "source")
    now = request.app.state.clock()
    released = release_lot(site.database, name, backlog=backlog, actor=actor, feeds=site.feeds, now=now)
    where = "published, in no newsletter" if backlog else "published; the next issues bring them"
    return done(request, "/console/sources", f"{len(released):,} of {name} {where}.")


def _row(
    declared: SourceSettings, state: SourceState | None, held: HeldLot, quiet: timedelta | None, now: datetime
) -> Row:
    if state is None:
        return Row(declared, "not heard from", None, held, quiet)
    health = source_health(
        paused=state.paused,
        problem=state.problem,
        last_ok_at=state.last_ok_at,
        last_new_at=state.last_new_at,
        now=now,
        began_at=state.first_look_at,
        quiet_after=quiet,
    )
    return Row(declared, health, state, held, quiet)
