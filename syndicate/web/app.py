"""The web application of one site."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from fastapi import FastAPI

from syndicate.web.feeds import FeedFiles
from syndicate.web.front import Front
from syndicate.web.health import Readiness
from syndicate.web.live import Streams
from syndicate.web.problems import add_handlers
from syndicate.web.routes import routers
from syndicate.web.security.hosts import Hosts
from syndicate.web.static_files import shipped_files
from syndicate.web.webhooks import Webhooks

if TYPE_CHECKING:
    from syndicate.core.user import User
    from syndicate.site import Site


def make_app(site: Site, *, clock: Callable[[], datetime], open_to_loopback: User | None = None) -> Front:
    """The site as an ASGI application; it needs no lifespan. `clock` gives the time of each request.

    `open_to_loopback` is for the demo alone: requests from this very machine, to a loopback address by a loopback name,
    are that user's without a sign-in."""
    app = FastAPI(title="Syndicate", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    state = app.state
    state.site = site
    state.clock = clock
    state.open_to_loopback = open_to_loopback
    state.loopback_secret = secrets.token_urlsafe(32)
    state.stopping = threading.Event()
    state.streams = Streams(site.database, clock, state.stopping)
    add_handlers(app)
    for router in routers():
        app.include_router(router)  # type: ignore[arg-type]
    web_url = site.publication.web_url
    return Front(
        app,
        FeedFiles(site.feeds_folder),
        shipped_files(),
        Webhooks(site, clock),
        Hosts(web_url, site.settings.listen[0]),
        https=web_url.startswith("https:"),
        stopping=state.stopping,
        ready=Readiness(site.database).answer,
    )
