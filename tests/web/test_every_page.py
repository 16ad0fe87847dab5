"""Every page, in light and dark, wide and narrow: nothing wrong for axe, nothing wider than the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from syndicate.sandbox.server import make_app
from syndicate.web.routes import routers
from tests.house.checkout import ROOT
from tests.web.axe import faults
from tests.web.filled_site import FilledSite, filled_site
from tests.web.visiting import Seats, go, path_of, unvisited
from tests.web.visits import NO_INBOX_PAGES, NO_PAGES, VISITS, Visit
from tests.web.windows import Windows, windows

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LOOKS: tuple[tuple[Any, int, bool], ...] = (
    ("light", 1280, False),
    ("dark", 1280, True),
    ("dark", 320, False),
    ("light", 320, True),
)
"""Scheme, width, and whether nothing but colours has changed since the look before."""
COLOUR = re.compile(r"(--[a-z-]+|color|background-color|border-color): #[0-9a-f]{3,6}( !important)?")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledSite]:
    with filled_site(tmp_path_factory.mktemp("filled")) as filled:
        yield filled


@pytest.fixture(scope="module")
def opened(chromium: Browser) -> Iterator[Windows]:
    with windows(chromium) as them:
        yield them


@pytest.fixture(scope="module")
def seats() -> Seats:
    return {}


@pytest.mark.browser
@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.name)
def test_it_is_for_everybody_in_light_and_dark_wide_and_narrow(
    opened: Windows, seats: Seats, site: FilledSite, visit: Visit
) -> None:
    page = go(opened, site, visit, seats)
    found: list[str] = []
    for scheme, width, colours_alone in LOOKS:
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 900})
        looked = faults(page, is_mail=visit.is_mail, colours_alone=colours_alone)
        found += [f"{scheme} {width}: {fault}" for fault in looked]
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{scheme} {width}: {wide} wide"] if wide > width else []
    found += opened.complaints
    opened.complaints.clear()
    assert not found, "\n".join(found)


def test_light_and_dark_differ_by_colours_alone() -> None:
    """So what axe finds beside colours it finds in either."""
    said = []
    folders = ROOT / "templates", ROOT / "syndicate/web/static"
    for path in (each for folder in folders for each in folder.rglob("*.*")):
        asks = path.read_text(encoding="utf-8").split("prefers-color-scheme")[1:]
        for text in asks:
            rules = re.match(r": dark\) \{\s*((?:[^{}]+\{[^{}]*\}\s*)+)\}", re.sub(r"\{\{.*?\}\}", "#000", text))
            assert rules, (path, text[:80])
            said += re.findall(r"[{;]\s*([^{};]+:[^{};]+)", rules[1])
    assert len(said) > 40
    assert [each for each in said if not COLOUR.fullmatch(each.strip())] == []


def test_no_route_is_left_out(site: FilledSite) -> None:
    def paths(*where: str) -> list[str]:
        there = [each for each in VISITS if each.where in where]
        return [path_of(each, site) for each in there] + [f"{each.leads_to}0" for each in there if each.leads_to]

    routes = [route for router in routers() for route in router.routes]  # type: ignore[attr-defined]
    assert unvisited(routes, [], []), "there are routes"
    assert unvisited(routes, paths("newsroom", "empty"), NO_PAGES) == []
    inbox = make_app(None, "").routes  # type: ignore[arg-type]
    assert unvisited(inbox, paths("inbox", "empty inbox"), NO_INBOX_PAGES) == []


def test_what_is_called_no_page_is_none(site: FilledSite) -> None:
    client = site.newsroom.client("admin")
    for address in NO_PAGES.values():
        path = address.format(**site.names)
        with client.get(path, stream=True, allow_redirects=False) as answer:
            assert answer.status_code == 303 or "html" not in answer.headers["content-type"], path
