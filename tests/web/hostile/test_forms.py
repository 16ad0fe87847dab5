"""Forms and addresses with anything in any field: each gets a plain answer, however far beyond bounds it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from syndicate.web.routes import routers
from tests.web.hostile.site import HostileSite, hostile_site
from tests.web.newsroom_site import Client

HOSTILE = (
    b"%00",
    b"%ED%A0%80%FF",
    b"9" * 400,
    b"9" * 5_000,
    b"%C2%B2",
    b"-1e999",
    b"0001-01-01T00:00",
    b"9999-12-31T23:59",
    b"a%40b.example%0D%0ABcc:%20x%40y.example",
)
"""As they stand in a form: no text, beyond all numbers, at the edges of time, of several lines."""


BY_NAME = {
    "/subscribe": ("email", "newsletter", "form"),
    "/u/{token}": ("action", "List-Unsubscribe"),
    "/p/{token}": ("action", "newsletter", "cadence-morning", "name", "language", "pause", "until"),
}
"""What the readers' pages read of a form by themselves."""
REST = b"newsletter=morning&email=ann%40post.example&action=save&pause=date&until=2026-12-01&"
"""The rest of it: of a field that stands twice they take the last."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileSite]:
    """One of its own: what is well-formed is done."""
    with hostile_site(tmp_path_factory.mktemp("forms")) as made:
        yield made


def fields(dependant: Dependant, kind: str) -> set[str]:
    """The names of a route's fields of that kind, those of what it depends on among them."""
    mine = {each.alias for each in getattr(dependant, kind)}
    return mine.union(*(fields(each, kind) for each in dependant.dependencies))


def declared() -> list[tuple[str, APIRoute]]:
    found: list[tuple[str, APIRoute]] = []
    for router in routers():
        for route in router.routes:  # type: ignore[attr-defined]
            assert isinstance(route, APIRoute)
            found += [(method, route) for method in route.methods or () if method != "HEAD"]
    return sorted(found, key=lambda each: (each[1].path, each[0]))


def answered(client: Client, method: str, path: str, **options: Any) -> None:
    answer = client.request(method, path, allow_redirects=False, stream=True, **options)
    assert answer.status_code < 500, (method, path[:300], options, answer.text)
    answer.close()


@pytest.mark.parametrize(
    ("method", "route"), declared(), ids=lambda each: each if isinstance(each, str) else each.path
)
def test_a_request_with_anything_in_any_field_is_answered(site: HostileSite, method: str, route: APIRoute) -> None:
    client = Client(site.url)
    client.cookies.set("syndicate", site.web.session("admin"), domain="127.0.0.1", path="/")
    token = client.form_token("/console/password")
    headers = {"X-CSRF-Token": token} if route.path.startswith("/console/") else {}
    if route.path.startswith("/api/"):
        headers["Authorization"] = f"Bearer {site.token}"
    if method == "POST":
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    path = site.path(route.path)
    names = sorted(fields(route.dependant, "body_params") - {"csrf"})
    for text in HOSTILE:
        for name in names:
            others = b"".join(b"&%b=1" % each.encode() for each in names if each != name)
            for rest in (others, b""):
                answered(client, method, path, data=b"%b=%b" % (name.encode(), text) + rest, headers=headers)
        for name in BY_NAME.get(route.path, ()):
            answered(client, method, path, data=REST + b"%b=%b" % (name.encode(), text), headers=headers)
        if method != "GET":
            answered(client, method, path, data=text + b"=1&csrf=" + text, headers=headers)
        for name in sorted(fields(route.dependant, "query_params")):
            answered(client, method, f"{path}?{name}={text.decode()}", headers=headers)
        for name in re.findall(r"\{([^}:]*)", route.path):
            hostile = re.sub(rf"\{{{name}[^}}]*\}}", text.decode(), route.path)
            answered(client, method, site.path(hostile), headers=headers)
