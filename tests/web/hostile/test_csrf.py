"""Pages of other sites make the browsers of our people send what they never meant to (cross-site request forgery)."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from syndicate.web.security.cookies import FORM
from tests.web.hostile.site import HostileSite, begin, files, routes, rows
from tests.web.newsroom_site import Client, running_site
from tests.web.reading_site import ReadingSite

UNSAFE = ("POST", "PUT", "PATCH", "DELETE")
BY_SESSION = re.compile(r"/console/(?!sign-in$|welcome/)")
"""Somebody signed in, and the token of that session's forms."""
BY_BROWSER = re.compile(r"/console/(sign-in$|welcome/)")
"""Nobody yet: the token is of a cookie that this browser alone got with the form."""
BY_ADDRESS = re.compile(r"/(p|confirm)/")
"""The token in the address is the proof, and no browser has it by itself; still no other page presses buttons."""
BY_ONE_CLICK = re.compile(r"/u/")
"""Mail programs post here without ever having seen the page (RFC 8058): the one exception."""
BY_SIGN_UP = re.compile(r"/subscribe$")
"""Other sites carry our form; sent from there it leads to our own page with a button."""
BY_BEARER = re.compile(r"/api/")
"""Programs: a browser never adds that header by itself."""
WAYS = (BY_SESSION, BY_BROWSER, BY_ADDRESS, BY_ONE_CLICK, BY_SIGN_UP, BY_BEARER)

FROM_ELSEWHERE: tuple[dict[str, str], ...] = (
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "https://evil.example"},
    {"Origin": "https://news.example.com.evil.example"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:1"},
    {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
)
BOOKKEEPING = ("user_sessions.seen_at", "api_tokens.used_at", "rate_limits")
"""What looking may write: that a sign-in, or a program's token, was used, and how often."""


BOOKKEEPING_EVERY = timedelta(minutes=6)


def of(way: re.Pattern[str]) -> list[str]:
    """The routes that are authorised in that way."""
    return [path for _, path in routes(*UNSAFE) if way.match(path)]


def test_every_route_that_acts_says_why_no_other_site_can_use_it() -> None:
    acting = routes(*UNSAFE)
    assert len(acting) > 40
    for method, path in acting:
        assert sum(bool(way.match(path)) for way in WAYS) == 1, f"{method} {path}: by what is it authorised?"
        assert method == "POST" or path.startswith("/api/"), f"{method} {path}: forms can only post"


def attacks(token: str, other: str) -> list[dict[str, Any]]:
    """Requests with everything that another site's page can do: `token` is right, `other` of somebody else."""
    return [
        {"data": {}},
        {"data": {"csrf": ""}},
        {"data": {"csrf": "0" * 64}},
        {"data": {"csrf": token[:-1]}},
        {"data": {"csrf": token.upper() + "0"}},
        {"data": {"csrf": other}},
        {"headers": {"X-CSRF-Token": other}},
        {"data": {"csrf": other}, "headers": {"Sec-Fetch-Site": "same-origin"}},
        # Not where a page of ours puts it: addresses are known to logs, other types are what plain forms can send too.
        {"params": {"csrf": token}},
        {"data": f"csrf={token}", "headers": {"Content-Type": "text/plain"}},
        {"json": {"csrf": token}},
        {"data": f"csrf={token}", "headers": {"Content-Type": ""}},
        {"files": {"csrf": ("csrf", token)}},
        *({"data": {"csrf": token}, "headers": headers} for headers in (*FROM_ELSEWHERE, {"Origin": "null"})),
        *({"headers": {"X-CSRF-Token": token, **headers}} for headers in FROM_ELSEWHERE[:3:2]),
    ]


def test_nothing_is_done_for_a_form_that_is_not_of_this_session(hostile: HostileSite) -> None:
    before = rows(hostile.web, but=BOOKKEEPING)
    admin, stranger = hostile.web.client("admin"), hostile.web.stranger()
    token = admin.form_token("/console/password")
    other = hostile.web.client("sender").form_token("/console/password")
    for path in map(hostile.path, of(BY_SESSION)):
        for attack in attacks(token, other):
            answer = admin.post(path, allow_redirects=False, **attack)
            assert answer.status_code == 403, (path, attack, answer.text)
            assert "nothing was changed" in answer.text
        unknown = stranger.post(path, data={"csrf": token}, allow_redirects=False)
        assert (unknown.status_code, unknown.headers["location"]) == (303, "/console/sign-in"), path
    assert rows(hostile.web, but=BOOKKEEPING) == before


def test_with_the_token_each_of_them_is_heard(tmp_path_factory: pytest.TempPathFactory, hostile: HostileSite) -> None:
    """Else the refusals above would show nothing."""
    with running_site(tmp_path_factory.mktemp("heard") / "site") as site:
        for route in of(BY_SESSION):
            client = Client(site.url)
            client.cookies.set("syndicate", site.session("admin"), domain="127.0.0.1", path="/")
            data = {"csrf": client.form_token("/console/password")}
            answer = client.post(hostile.path(route), data=data, allow_redirects=False)
            assert answer.status_code in (200, 303, 404, 409, 422), (route, answer.text)


@pytest.mark.parametrize("route", of(BY_BROWSER))
def test_nobody_is_signed_in_by_another_site(hostile: HostileSite, route: str) -> None:
    """Whoever is signed in as somebody else without knowing writes into the wrong account."""
    path = hostile.path(route)
    before = rows(hostile.web)
    mine, other = hostile.web.stranger(), hostile.web.stranger()
    token, theirs = mine.form_token(path), other.form_token(path)
    for attack in attacks(token, theirs):
        answer = mine.post(path, allow_redirects=False, **attack)
        assert answer.status_code == 403, (attack, answer.text)
    # The right token without the cookie, and with one that is empty.
    assert hostile.web.stranger().post(path, data={"csrf": token}).status_code == 403
    bare = hostile.web.stranger()
    bare.cookies.set(FORM, "", domain="127.0.0.1", path="/")
    assert bare.post(path, data={"csrf": token}).status_code == 403
    assert rows(hostile.web) == before


@pytest.mark.parametrize("headers", FROM_ELSEWHERE[:-2] + FROM_ELSEWHERE[-1:])
def test_no_other_page_presses_a_readers_buttons(hostile: HostileSite, headers: dict[str, str]) -> None:
    before = rows(hostile.web)
    shown = hostile.web.stranger().get("/subscribe").text
    form = re.search(r'name="form" value="([^"]+)"', shown)
    assert form
    hostile.web.clock.now = hostile.web.clock.now.replace(microsecond=0)
    for route in (*of(BY_ADDRESS), *of(BY_SIGN_UP)):
        fields = {"action": "leave all", "email": "new@post.example", "newsletter": "morning", "form": form[1]}
        answer = hostile.web.stranger().post(hostile.path(route), data=fields, headers=headers)
        assert answer.status_code == 200 and "<button" in answer.text, (route, answer.text)
    assert rows(hostile.web) == before


def test_one_click_does_its_one_thing(readers: ReadingSite) -> None:
    """From anywhere, without a page, a cookie or a token of a form: out of one newsletter, and nothing else."""
    readers.join()
    readers.join("other@post.example")
    path = readers.path_to("unsubscribe", readers.person().id)
    before = rows(readers)
    fields = {
        "List-Unsubscribe": "One-Click",
        # What the page's own buttons, and other pages' forms, would say besides.
        "action": ["undo", "leave all"],
        "newsletter": ["evening"],
        "name": "Mallory",
        "email": "mallory@post.example",
    }
    for headers in ({}, *FROM_ELSEWHERE):
        answer = readers.post(path, fields, headers=headers)
        assert (answer.status_code, answer.is_redirect) == (200, False)
        assert "set-cookie" not in answer.headers
        assert readers.statuses() == {"morning": "left", "evening": "active"}
    assert readers.statuses("other@post.example") == {"morning": "active", "evening": "active"}
    after = rows(readers)
    # The journal stands beside the database, so that a restored one knows who left.
    written = {"subscriptions", "audience_counts", "standing_changes", "consents", "suppression_journals"}
    assert {table for table in after if after[table] != before[table]} == written


def test_a_request_to_look_changes_nothing(hostile: HostileSite) -> None:
    """GET and HEAD of everything, by everybody, also when the address says to do something (RFC 9110 section 9.2.1)."""
    web = hostile.web
    # Long enough for what is noted about a sign-in to be noted again.
    web.clock.pass_by(BOOKKEEPING_EVERY)
    people = [web.stranger(), *(web.client(role) for role in ("editor", "sender", "admin"))]
    token = people[-1].form_token("/console/password")
    before, written = rows(web, but=BOOKKEEPING), files(web)
    looks: list[tuple[str, dict[str, str], dict[str, str]]] = [
        ("GET", {}, {}),
        ("HEAD", {}, {}),
        (
            "GET",
            {"csrf": token, "action": "leave all", "_method": "POST", "role": "admin", "lang": "fr"},
            {"X-HTTP-Method-Override": "DELETE", "X-CSRF-Token": token, "Purpose": "prefetch", "HX-Request": "true"},
        ),
    ]
    shown = set()
    for _, route in routes("GET"):
        for method, query, more in looks:
            # The plain look by everybody; the strange ones by who may do most.
            for person in people if not query and method == "GET" else people[-1:]:
                headers = {"Authorization": f"Bearer {hostile.token}", **more}
                answer = begin(
                    person, method, hostile.path(route), params=query, headers=headers, allow_redirects=False
                )
                assert answer.status_code < 500, (route, answer.text)
                assert method == "GET" or (answer.status_code != 405 and not answer.content), route
                shown |= {route} if answer.status_code in (200, 303) else set()
    missing = {route for _, route in routes("GET")} - shown
    assert not missing, "say in site.py what stands for the parameters, so that a page is really there"
    for path in ("/feeds/", "/feeds/atom.xml", "/static/", "/up", "/console/nothing", "/feeds/../syndicate.toml"):
        for method in ("GET", "HEAD"):
            assert web.stranger().request(method, path).status_code < 500
    assert rows(web, but=BOOKKEEPING) == before
    assert files(web) == written


def test_a_method_is_what_the_request_line_says(hostile: HostileSite) -> None:
    before = rows(hostile.web, but=BOOKKEEPING)
    admin = hostile.web.client("admin")
    fields = {"csrf": admin.form_token("/console/password"), "_method": "POST"}
    headers = {"X-HTTP-Method-Override": "POST", "X-Method-Override": "POST"}
    declared = routes(*UNSAFE, "GET")
    for route in sorted({path for _, path in routes(*UNSAFE)}):
        for method in {"PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"}:
            # A HEAD is answered where a GET is, and does as little.
            if ("GET" if method == "HEAD" else method, route) not in declared:
                answer = begin(admin, method, hostile.path(route), data=fields, headers=headers)
                assert answer.status_code in (400, 401, 404, 405), (method, route, answer.status_code)
    assert rows(hostile.web, but=BOOKKEEPING) == before


def test_a_report_of_the_mail_api_is_not_taken_for_a_sign_in(hostile: HostileSite) -> None:
    """What proves it, and what does not, is in test_tokens.py."""
    before = rows(hostile.web)
    admin = hostile.web.client("admin")
    headers = {"X-CSRF-Token": admin.form_token("/console/password")}
    for api in ("sandbox", "resend", "mailjet", "<xss>"):
        assert admin.post(f"/webhooks/{api}", data=b"{}", headers=headers).status_code in (401, 404)
    assert rows(hostile.web) == before


def test_a_program_is_not_let_in_by_a_sign_in(hostile: HostileSite) -> None:
    before = rows(hostile.web, but=BOOKKEEPING)
    admin = hostile.web.client("admin")
    for method, route in [each for each in routes(*UNSAFE, "GET") if BY_BEARER.match(each[1])]:
        if route.endswith("openapi.json"):
            continue
        answer = admin.request(
            method,
            hostile.path(route),
            json={"id": "1", "title": "Forged", "text": "Words."},
            headers={"X-CSRF-Token": admin.form_token("/console/password")},
        )
        assert answer.status_code == 401, (method, route)
        # Nor does a browser of another site learn, or send, anything by asking first.
        asked = admin.options(
            hostile.path(route),
            headers={"Origin": "https://evil.example", "Access-Control-Request-Headers": "authorization"},
        )
        assert not [name for name in asked.headers if name.lower().startswith("access-control")]
    assert rows(hostile.web, but=BOOKKEEPING) == before
