"""Signing in and out, and all that is tried at a sign-in."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest

from syndicate.core.user import secret_hash
from syndicate.services.first_user import first_user_link
from syndicate.storage.audit import record
from tests.web.newsroom_site import COOKIE, Client, WebSite

PASSWORD = "correct horse battery staple"


def _first_user(web_site: WebSite) -> Client:
    link = first_user_link(web_site.site.database, web_site.url, web_site.now, "t" * 43)
    assert link
    client = web_site.stranger()
    path = urlsplit(link).path
    answer = client.submit(path, path, name="Ada", password=PASSWORD, again=PASSWORD)
    assert answer.status_code == 200
    assert urlsplit(answer.url).path == "/console/"
    return client


def _sign_in(client: Client, password: str = PASSWORD, name: str = "Ada", **fields: str) -> int:
    return client.submit("/console/sign-in", "/console/sign-in", name=name, password=password, **fields).status_code


def test_the_first_user_is_made_by_a_link_that_works_once(web_site: WebSite) -> None:
    client = _first_user(web_site)
    assert "Ada" in client.get("/console/").text
    assert first_user_link(web_site.site.database, web_site.url, web_site.now, "u" * 43) is None
    again = web_site.stranger().get("/console/welcome/" + "t" * 43)
    assert again.status_code == 404
    assert "not good any more" in again.text


def test_looking_at_the_link_spends_nothing(web_site: WebSite) -> None:
    assert first_user_link(web_site.site.database, web_site.url, web_site.now, "t" * 43)
    for _ in range(3):
        assert web_site.stranger().get("/console/welcome/" + "t" * 43).status_code == 200
    web_site.clock.pass_by(timedelta(hours=24))
    assert web_site.stranger().get("/console/welcome/" + "t" * 43).status_code == 404


@pytest.mark.parametrize("password", ["short", "Ada Ada Ada Ada", "aaaaaaaaaaaaaaaaaa"])
def test_a_password_must_be_worth_its_name(web_site: WebSite, password: str) -> None:
    path = urlsplit(first_user_link(web_site.site.database, web_site.url, web_site.now, "t" * 43) or "").path
    answer = web_site.stranger().submit(path, path, name="Ada", password=password, again=password)
    assert answer.status_code == 422
    assert web_site.stranger().get(path).status_code == 200


def test_nobody_gets_in_without_signing_in(web_site: WebSite) -> None:
    for path in ("/console/", "/console"):
        answer = web_site.stranger().get(path)
        assert urlsplit(answer.url).path == "/console/sign-in"
    part = web_site.stranger().get("/console/", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (401, "/console/sign-in")


def test_sign_out_and_in_again(web_site: WebSite) -> None:
    client = _first_user(web_site)
    assert urlsplit(client.submit("/console/", "/console/sign-out").url).path == "/console/sign-in"
    assert urlsplit(client.get("/console/").url).path == "/console/sign-in"
    assert _sign_in(client, "not the password at all") == 422
    assert _sign_in(client, name=" ada ") == 200
    assert "Ada" in client.get("/console/").text


def test_a_sign_in_never_takes_over_a_token_that_was_there_before(web_site: WebSite) -> None:
    """Session fixation."""
    _first_user(web_site)
    client = web_site.stranger()
    client.cookies.set(COOKIE, "planted-by-somebody", domain="127.0.0.1", path="/")
    assert _sign_in(client) == 200
    assert client.cookies.get(COOKIE) not in (None, "planted-by-somebody")
    planted = web_site.stranger()
    planted.cookies.set(COOKIE, "planted-by-somebody", domain="127.0.0.1", path="/")
    assert urlsplit(planted.get("/console/").url).path == "/console/sign-in"


def test_a_session_ends_when_idle_and_after_thirty_days(web_site: WebSite) -> None:
    client = _first_user(web_site)
    for _ in range(59):
        web_site.clock.pass_by(timedelta(hours=11, minutes=59))
        assert urlsplit(client.get("/console/").url).path == "/console/"
    for _ in range(2):
        web_site.clock.pass_by(timedelta(hours=11, minutes=59))
        client.get("/console/")
    assert urlsplit(client.get("/console/").url).path == "/console/sign-in"
    assert _sign_in(client) == 200
    web_site.clock.pass_by(timedelta(hours=12, minutes=1))
    assert urlsplit(client.get("/console/").url).path == "/console/sign-in"


def test_the_cookie_is_for_the_server_alone(web_site: WebSite) -> None:
    client = _first_user(web_site)
    _sign_in(client)
    answer = web_site.stranger()
    token = answer.form_token("/console/sign-in")
    entered = answer.post(
        "/console/sign-in", data={"csrf": token, "name": "Ada", "password": PASSWORD}, allow_redirects=False
    )
    (cookie,) = [each for each in entered.headers["set-cookie"].split(", ") if each.startswith(f"{COOKIE}=")]
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    with web_site.site.database.read() as connection:
        kept = connection.exec_driver_sql("SELECT token_hash FROM user_sessions").scalars().all()
    value = cookie.partition("=")[2].partition(";")[0]
    assert secret_hash(value) in kept
    assert value not in kept


@pytest.mark.parametrize(
    "there",
    [
        "https://evil.example/",
        "//evil.example/console/",
        "/\\evil.example",
        "/console/../../evil",
        "/console//evil.example",
        "/console/%2e%2e/",
        "javascript:alert(1)",
        "/feeds/",
        "/console/sign-out",
        "/console/\r\nSet-Cookie: a=b",
        "http:/console/",
        "/consolex",
    ],
)
def test_nobody_is_sent_elsewhere_after_the_sign_in(web_site: WebSite, there: str) -> None:
    client = web_site.client("admin")
    seen = client.get("/console/sign-in", params={"next": there}, allow_redirects=False)
    assert (seen.status_code, seen.headers["location"]) == (303, "/console/")


def test_it_goes_on_where_somebody_wanted_to_go(web_site: WebSite) -> None:
    _first_user(web_site)
    client = web_site.stranger()
    shown = client.get("/console/?day=1&x=%22%3E")
    assert 'value="/console/?day=1&amp;x=%22%3E"' in shown.text
    answer = client.submit("/console/sign-in", "/console/sign-in", name="Ada", password=PASSWORD, next="/console/?a=1")
    assert answer.url.endswith("/console/?a=1")


def test_guessing_is_slowed_down(web_site: WebSite) -> None:
    _first_user(web_site)
    client = web_site.stranger()
    token = client.form_token("/console/sign-in")
    statuses = [
        client.post("/console/sign-in", data={"csrf": token, "name": "Ada", "password": f"guess {number}"}).status_code
        for number in range(12)
    ]
    assert statuses[:10] == [422] * 10
    assert statuses[10:] == [429] * 2
    # Nor does the right password help then; after a while it does.
    assert _sign_in(web_site.stranger()) == 429
    web_site.clock.pass_by(timedelta(seconds=31))
    assert _sign_in(web_site.stranger()) == 200


def test_a_forged_sign_in_is_refused(web_site: WebSite) -> None:
    _first_user(web_site)
    fields = {"name": "Ada", "password": PASSWORD}
    assert web_site.stranger().post("/console/sign-in", data=fields).status_code == 403
    # The token of somebody else's browser is no good in this one.
    token = web_site.stranger().form_token("/console/sign-in")
    assert web_site.stranger().post("/console/sign-in", data={**fields, "csrf": token}).status_code == 403


def test_names_and_notes_cannot_break_a_page(web_site: WebSite) -> None:
    with web_site.site.database.write() as connection:
        record(connection, at=web_site.now, actor="<script>alert(1)</script>", action="test", subject="'\"><img>")
    client = web_site.stranger()
    answer = client.submit("/console/sign-in", "/console/sign-in", name='"><script>alert(1)</script>', password="x")
    assert "<script>alert" not in answer.text
