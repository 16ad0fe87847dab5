"""A running site, and browsers that are signed in to it.

def test_…(web_site: WebSite) -> None:
    answer = web_site.client("editor").get("/console/sources")
    web_site.client("sender").submit("/console/sources", "/console/sources/desk/pause")

@pytest.mark.browser
def test_…(web_site: WebSite, open_page: Callable[..., Page]) -> None:
    page = open_page("/console/", role="editor", width=360, scheme="dark")
    assert not faults(page)        # axe, from tests.web.axe
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.web.newsroom_site import WebSite, running_site, session_cookie
from tests.web.windows import windows

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture
def web_site(tmp_path: Path) -> Iterator[WebSite]:
    """A new site on SQLite, with its server running."""
    with running_site(tmp_path / "site") as running:
        yield running


@pytest.fixture
def open_page(web_site: WebSite, chromium: Browser) -> Iterator[Callable[..., Page]]:
    """Opens a page at a path in a window of its own. `role` signs in first, "" does not; the rest is as
    `Windows.open` has it. What the page complains of on its console fails the test."""
    sessions: dict[str, str] = {}
    with windows(chromium) as opened:

        def open_at(path: str, *, role: Any = "admin", **options: Any) -> Page:
            if role and role not in sessions:
                sessions[role] = web_site.session(role)
            signed_in = (session_cookie(web_site.url, sessions[role]),) if role else ()
            page = opened.open(cookies=signed_in, **options)
            page.goto(web_site.url + path)
            return page

        yield open_at
