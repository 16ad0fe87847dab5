"""The same pages and forms on PostgreSQL, which refuses what SQLite lets pass: NUL in a text, locks where one reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import requests

from syndicate.core.user import form_token
from tests.web.hostile.markup import faults
from tests.web.hostile.site import HostileSite, begin, hostile_site, routes
from tests.web.hostile.test_csrf import BY_SESSION, of
from tests.web.hostile.test_xss import fields_of
from tests.web.newsroom_site import COOKIE

pytestmark = pytest.mark.xdist_group("hostile on postgresql")
STRANGE = ("a\0b", "\0", "a\ud800b".encode("utf-8", "surrogatepass").decode("latin-1"), "😀" * 50, "\x85\u2028", "%00")


@pytest.fixture(scope="module")
def served(
    _cloned_postgresql: Callable[[], tuple[str, Callable[[], None]]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[HostileSite]:
    url, drop = _cloned_postgresql()
    with hostile_site(tmp_path_factory.mktemp("postgresql"), url.replace("+psycopg", "")) as site:
        yield site
    drop()


def test_every_page_opens(served: HostileSite) -> None:
    admin = served.web.client("admin")
    for _, route in routes("GET"):
        answer = begin(admin, "GET", served.path(route), headers={"Authorization": f"Bearer {served.token}"})
        assert answer.status_code == 200, (route, answer.status_code, answer.text)


def test_no_text_is_too_strange_to_be_asked_for(served: HostileSite) -> None:
    admin = served.web.client("admin")
    headers = {"Authorization": f"Bearer {served.token}"}
    for path, names in fields_of("GET").items():
        for text in STRANGE:
            answer = begin(admin, "GET", served.path(path), params=dict.fromkeys(names, text), headers=headers)
            assert answer.status_code < 500, (path, text, answer.text)
            assert not names or not faults(answer.text, inline_style=True) or path.startswith("/api"), path
    for start in ("/archive/morning/", "/archive/", "/u/", "/console/articles/", "/api/v1/articles/", "/confirm/"):
        for text in ("%00", "a%00b", "%ED%A0%80", "%FF", "%F0%9F%98%80"):
            answer = admin.get(start + text, headers=headers)
            assert answer.status_code < 500, (start, text, answer.text)


def test_no_text_is_too_strange_to_be_sent(served: HostileSite) -> None:
    names = fields_of("POST")
    for number, path in enumerate(of(BY_SESSION)):
        text = STRANGE[number % 4]
        session = served.web.session("admin")
        fields = dict.fromkeys(names[path], text)
        files = {"file": (fields.pop("file"), text.encode())} if "file" in fields else None
        answer = requests.post(
            served.url + served.path(path),
            data={**fields, "csrf": form_token(session)},
            files=files,
            headers={"Cookie": f"{COOKIE}={session}"},
            allow_redirects=False,
            timeout=60,
        )
        assert answer.status_code < 500, (path, text, answer.text)
        assert ("NUL" in answer.text) is ("\0" in text and bool(names[path])), (path, text, answer.text)
    for path in ("/subscribe", served.path("/p/{token}"), served.path("/u/{token}")):
        for text in STRANGE:
            fields = dict.fromkeys(("email", "newsletter", "name", "until", "cadence-morning", "form"), text)
            answer = served.web.stranger().post(path, data=fields, headers={"User-Agent": "a\x01b\x85"})
            assert answer.status_code < 500, (path, text, answer.text)


def test_of_a_field_that_stands_twice_both_are_looked_at(served: HostileSite) -> None:
    names = fields_of("POST")
    for path in of(BY_SESSION):
        session = served.web.session("admin")
        twice = [(name, text) for name in names[path] if name != "file" for text in ("a\0b", "1")]
        answer = requests.post(
            served.url + served.path(path),
            data=[*twice, ("csrf", form_token(session))],
            headers={"Cookie": f"{COOKIE}={session}"},
            allow_redirects=False,
            timeout=60,
        )
        assert answer.status_code < 500, (path, answer.text)
        assert ("NUL" in answer.text) is bool(twice), (path, answer.text)
