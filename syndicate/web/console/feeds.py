"""Feeds: what is published, how each is, and where it is."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from syndicate.core.feed import Feed
from syndicate.core.health import FeedHealth, feed_health
from syndicate.services.pause_definition import pause_definition
from syndicate.site import Site
from syndicate.storage.feeds import FeedState, feed_states
from syndicate.web.pages import done, page
from syndicate.web.security.signed_in import Editor

router = APIRouter()

SITE_FEED = "site"
"""How addresses call the feed of the whole site, whose own name is empty."""
FORMATS = (("RSS", "rss.xml"), ("Atom", "atom.xml"), ("JSON", "feed.json"))


@dataclass(frozen=True, slots=True)
class Row:
    """One feed as the list shows it. `key` is its name in addresses; `state` is None before it was ever published."""

    key: str
    declared: Feed
    health: FeedHealth
    state: FeedState | None
    addresses: tuple[tuple[str, str], ...]


@router.get("/console/feeds")
def feeds(request: Request, user: Editor) -> Response:
    """All of them, the whole site's first."""
    site: Site = request.app.state.site
    with site.database.read() as connection:
        states = feed_states(connection)
    return page(request, "web/console/feeds.html", rows=[_row(each, states.get(each.name)) for each in site.feeds])


@router.post("/console/feeds/{key}/pause")
def pause(request: Request, user: Editor, key: str) -> Response:
    """Its files stay as they are."""
    return _paused(request, user.name, key, paused=True)


@router.post("/console/feeds/{key}/resume")
def resume(request: Request, user: Editor, key: str) -> Response:
    """Its files are kept up to date again."""
    return _paused(request, user.name, key, paused=False)


def _paused(request: Request, actor: str, key: str, *, paused: bool) -> Response:
    site: Site = request.app.state.site
    feed = site.feed("" if key == SITE_FEED and not any(each.name == key for each in site.feeds) else key)
    now = request.app.state.clock()
    pause_definition(site.database, "feeds", feed.name, paused=paused, actor=actor, now=now)
    return done(request, "/console/feeds", f"{feed.title} {'is paused' if paused else 'goes on'}.")


def _row(declared: Feed, state: FeedState | None) -> Row:
    health: FeedHealth = "not published yet"
    if state is not None:
        health = feed_health(
            paused=state.paused, problem=state.problem, published_at=state.published_at, behind=state.is_behind
        )
    # Of this server: an editor wants to see the file that is there, whatever name readers reach it by.
    addresses = tuple((format_, f"/feeds/{declared.folder}{file}") for format_, file in FORMATS)
    return Row(declared.name or SITE_FEED, declared, health, state, addresses)
