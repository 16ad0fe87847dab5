"""Going to the pages of `tests.web.visits`, and telling which routes nobody goes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.routing import Match

from tests.web.filled_site import FilledSite
from tests.web.newsroom_site import session_cookie
from tests.web.visits import Visit
from tests.web.windows import Windows

if TYPE_CHECKING:
    from playwright.sync_api import Page


Seats = dict[tuple[str, str], "Page"]
"""Windows that stay open, by site and role: a new one for each page takes longer than the page."""
WIDE = {"width": 1280, "height": 900}


def go(windows: Windows, site: FilledSite, visit: Visit, seats: Seats | None = None) -> Page:
    """The page, wide and light, ready to be looked at. It stays as it is: none comes again by itself. With `seats` in
    the window that somebody of that role has open there."""
    base = {
        "newsroom": site.newsroom.url,
        "empty": site.empty.url,
        "inbox": site.inbox,
        "empty inbox": site.empty_inbox,
    }[visit.where]
    seat = visit.where, visit.role
    page = seats.get(seat) if seats is not None else None
    if page is None:
        of = site.empty if visit.where == "empty" else site.newsroom
        signed_in = (session_cookie(base, of.session(visit.role)),) if visit.role else ()
        page = windows.open(cookies=signed_in)
        page.route("**/*", _still)
        if seats is not None:
            seats[seat] = page
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="light")
    answer = page.goto(base + path_of(visit, site), wait_until="load")
    assert answer is not None and answer.status == visit.status, answer and answer.status
    if visit.act is not None:
        visit.act(page)
    page.get_by_text(visit.shows).filter(visible=True).first.wait_for()
    assert urlsplit(page.url).path.startswith(visit.leads_to), page.url
    return page


def path_of(visit: Visit, site: FilledSite) -> str:
    """Its address, without the host."""
    return visit.path.format(**site.names)


def unvisited(routes: Iterable[Any], paths: Iterable[str], no_pages: Iterable[str]) -> list[str]:
    """The routes that answer a GET and that none of the addresses leads to."""
    known = [route for route in routes if "GET" in (getattr(route, "methods", None) or ())]
    seen = {route.path for path in paths for route in _led_to(known, path)}
    return [route.path for route in known if route.path not in {*seen, *no_pages}]


def _led_to(routes: list[Any], path: str) -> Iterator[Any]:
    scope = {"type": "http", "method": "GET", "path": path.partition("?")[0], "root_path": "", "headers": []}
    for route in routes:
        if route.matches(scope)[0] is Match.FULL:
            yield route
            return


def _still(route: Any) -> None:
    """Passes a page on without what makes it come again, or forbids the very looking: no script runs in a document
    that its policy puts into a sandbox."""
    if route.request.resource_type != "document" or route.request.method != "GET" or route.request.frame.parent_frame:
        route.fallback()
        return
    answer = route.fetch(max_redirects=0)
    headers = {name: value for name, value in answer.headers.items() if name != "refresh"}
    if "sandbox" in headers.get("content-security-policy", "").partition(";")[0]:
        del headers["content-security-policy"]
    route.fulfill(response=answer, headers=headers)
