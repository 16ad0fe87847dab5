"""Sign-ins that somebody else planted, kept, guessed or outlived."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from syndicate.core.user import IDLE, LASTS, secret_hash
from syndicate.services.first_user import first_user_link
from syndicate.services.users import change_role, remove_user, reset_user
from syndicate.storage.users import add_link, list_users
from syndicate.web.security.cookies import FORM
from tests.end_to_end.site import SiteFolder
from tests.web.newsroom_site import COOKIE, Client, WebSite, running_site

PASSWORD = "correct horse battery staple"
OTHER = "quite another long password"
LINK = "l" * 43
PLANTED = "planted-by-somebody"


pytestmark = pytest.mark.usefixtures("cheap_hashes")


@pytest.fixture
def eve(web_site: WebSite) -> Client:
    """An editor called Eve with a password of hers, signed in."""
    web_site.client("admin")
    web_site.session("editor", "Eve")
    with web_site.site.database.write() as connection:
        add_link(connection, secret_hash(LINK), _user(web_site, "Eve"), web_site.now)
    client = web_site.stranger()
    path = f"/console/welcome/{LINK}"
    assert is_in(client.submit(path, path, password=PASSWORD, again=PASSWORD))
    return client


def _user(web_site: WebSite, name: str) -> int:
    with web_site.site.database.read() as connection:
        return next(each.user.id for each in list_users(connection) if each.user.name == name)


def is_in(answer: requests.Response) -> bool:
    return answer.status_code == 200 and urlsplit(answer.url).path == "/console/"


def sign_in(client: Client, name: str = "Eve", password: str = PASSWORD, **headers: str) -> requests.Response:
    fields = {"csrf": client.form_token("/console/sign-in"), "name": name, "password": password}
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return client.post("/console/sign-in", data=fields, headers=named)


def with_cookie(web_site: WebSite, value: str) -> Client:
    client = web_site.stranger()
    client.cookies.set(COOKIE, value, domain="127.0.0.1", path="/")
    return client


# --- planted -----------------------------------------------------------------------------------------------------


def test_every_way_in_makes_a_new_session_and_ends_the_old_one(web_site: WebSite, eve: Client) -> None:
    before = eve.cookies[COOKIE]

    def changed(act: Callable[[], requests.Response]) -> str:
        old = eve.cookies[COOKIE]
        assert is_in(act())
        new = eve.cookies[COOKIE]
        assert new != old and len(new) >= 43
        assert not is_in(with_cookie(web_site, old).get("/console/"))
        return new

    def sign_in_again() -> requests.Response:
        stranger = web_site.stranger()
        token = stranger.form_token("/console/sign-in")
        eve.cookies.set(FORM, stranger.cookies[FORM], domain="127.0.0.1", path="/")
        return eve.post("/console/sign-in", data={"csrf": token, "name": "Eve", "password": PASSWORD})

    after_sign_in = changed(sign_in_again)
    page = "/console/password"
    after_password = changed(lambda: eve.submit(page, page, present=PASSWORD, new=OTHER, again=OTHER))
    with web_site.site.database.write() as connection:
        add_link(connection, secret_hash("m" * 43), _user(web_site, "Eve"), web_site.now)
    welcome = f"/console/welcome/{'m' * 43}"
    after_link = changed(lambda: eve.submit(welcome, welcome, password=PASSWORD, again=PASSWORD))
    assert len({before, after_sign_in, after_password, after_link}) == 4
    # Nor does a session that was there become somebody's: planted ones stay nobody's.
    victim = with_cookie(web_site, PLANTED)
    assert is_in(sign_in(victim))
    assert victim.cookies[COOKIE] != PLANTED
    assert not is_in(with_cookie(web_site, PLANTED).get("/console/"))


def test_a_change_of_rights_asks_for_a_new_sign_in(web_site: WebSite, eve: Client) -> None:
    database = web_site.site.database
    for role in ("admin", "editor"):
        assert change_role(database, "Eve", role, actor="Ada", now=web_site.now)
        assert not is_in(eve.get("/console/"))
        assert eve.get("/console/users", allow_redirects=False).status_code == 303
        assert is_in(sign_in(eve))
    assert not change_role(database, "Eve", "editor", actor="Ada", now=web_site.now)
    assert is_in(eve.get("/console/")), "nothing was changed"


def test_only_the_cookie_that_no_other_host_can_set_counts_over_https(web_site: WebSite, eve: Client) -> None:
    """Neighbours under one domain, and whoever stands between, can set plain cookies; `__Host-` ones they cannot."""
    token = eve.cookies[COOKIE]
    for headers in ({"X-Forwarded-Proto": "https"}, {"Host": "news.example.com"}):
        for cookie, let_in in ((f"{COOKIE}={token}", False), (f"__Host-{COOKIE}={token}", True)):
            answer = requests.get(
                f"{web_site.url}/console/", headers={**headers, "Cookie": cookie}, timeout=60, allow_redirects=False
            )
            assert (answer.status_code == 200) is let_in, (headers, cookie)
    # In plain http on this machine the prefix means nothing, and is not asked for.
    plain = {"Cookie": f"__Host-{COOKIE}={token}"}
    assert not is_in(requests.get(f"{web_site.url}/console/", headers=plain, timeout=60))


@pytest.mark.parametrize("https", [True, False])
def test_every_cookie_is_for_the_server_alone(web_site: WebSite, eve: Client, https: bool) -> None:
    more = {"X-Forwarded-Proto": "https", "Origin": "https://news.example.com", "Host": "news.example.com"}
    headers = more if https else {}
    prefix = "__Host-" if https else ""
    shown = requests.get(f"{web_site.url}/console/sign-in", headers=headers, timeout=60)
    token = re.search(r'name="csrf" value="([^"]+)"', shown.text)
    form = re.search(r"syndicate-form=([^;]+)", shown.headers["set-cookie"])
    assert token and form
    entered = requests.post(
        f"{web_site.url}/console/sign-in",
        data={"csrf": token[1], "name": "Eve", "password": PASSWORD},
        headers={**headers, "Cookie": f"{prefix}syndicate-form={form[1]}"},
        timeout=60,
        allow_redirects=False,
    )
    assert entered.status_code == 303
    told = web_site.client("admin").submit("/console/sources", "/console/sources/desk/pause")
    seen = {}
    for answer in (shown, entered, *told.history):
        for cookie in answer.raw.headers.getlist("Set-Cookie"):
            name, _, rest = cookie.partition("=")
            seen[name.removeprefix("__Host-")] = True
            flags = {each.strip().lower() for each in rest.split(";")[1:]}
            assert {"httponly", "samesite=lax", "path=/"} <= flags, cookie
            assert not [each for each in flags if each.startswith("domain")], cookie
            if answer in (shown, entered):
                assert ("secure" in flags) is https and name.startswith("__Host-") is https, cookie
    assert set(seen) == {"syndicate", "syndicate-form", "syndicate-notice"}
    for path in ("/", "/subscribe", "/archive/", "/u/x", "/p/x", "/feeds/", "/api/v1/openapi.json"):
        assert "set-cookie" not in web_site.stranger().get(path).headers, path


def test_a_session_is_known_by_its_cookie_alone(web_site: WebSite, eve: Client) -> None:
    token = eve.cookies[COOKIE]
    ways: tuple[dict[str, dict[str, str]], ...] = (
        {"params": {COOKIE: token, "session": token}},
        {"headers": {"Authorization": f"Bearer {token}"}},
        {"headers": {"X-Session": token}},
        {"headers": {"Cookie": f"{COOKIE}={secret_hash(token)}"}},
        {"headers": {"Cookie": f'{COOKIE}="{token} "'}},
        {"headers": {"Cookie": f"{COOKIE}={token}x"}},
        {"headers": {"Cookie": f"{COOKIE.upper()}={token}"}},
    )
    for way in ways:
        assert not is_in(requests.get(f"{web_site.url}/console/", timeout=60, **way)), way  # type: ignore[arg-type]


# --- kept --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["sign-out", "password", "link", "role", "removal", "idle", "age"])
def test_what_ends_a_sign_in_ends_it_everywhere(web_site: WebSite, eve: Client, how: str) -> None:
    """For pages, for forms that were open, and for figures that move."""
    database, now = web_site.site.database, web_site.now
    token, form = eve.cookies[COOKIE], eve.form_token()
    thief = with_cookie(web_site, token)
    stream = thief.get("/console/live", stream=True)
    events = stream.iter_content(None)
    assert next(events)
    if how == "sign-out":
        eve.submit("/console/", "/console/sign-out")
    elif how == "password":
        eve.submit("/console/password", "/console/password", present=PASSWORD, new=OTHER, again=OTHER)
    elif how == "link":
        reset_user(database, "Eve", actor="Ada", token="r" * 43, now=now)
        path = f"/console/welcome/{'r' * 43}"
        assert is_in(web_site.stranger().submit(path, path, password=OTHER, again=OTHER))
    elif how == "role":
        change_role(database, "Eve", "sender", actor="Ada", now=now)
    elif how == "removal":
        remove_user(database, "Eve", actor="Ada", now=now)
    elif how == "idle":
        web_site.clock.pass_by(IDLE - timedelta(seconds=1))
        assert web_site.stranger().get("/console/").status_code == 200
        web_site.clock.pass_by(timedelta(seconds=1))
    else:
        for _ in range(LASTS // (IDLE / 2) - 1):
            web_site.clock.pass_by(IDLE / 2)
            assert is_in(thief.get("/console/"))
        web_site.clock.pass_by(IDLE / 2)
    assert not is_in(thief.get("/console/"))
    assert thief.post("/console/stop-sending", data={"csrf": form}, allow_redirects=False).status_code in (303, 403)
    for _ in events:
        pass  # it ends by itself
    stream.close()
    assert not is_in(with_cookie(web_site, token).get("/console/"))


# --- guessed -----------------------------------------------------------------------------------------------------


def test_a_name_is_guessed_ten_times_however_it_is_spelled_and_from_wherever(web_site: WebSite, eve: Client) -> None:
    spellings = ("Eve", "eve", " EVE ", "ｅｖｅ", "Ｅve", "eＶe", "E\u0076e")
    statuses = [
        sign_in(web_site.stranger(), spellings[number % 7], "guess", X_Forwarded_For=f"203.0.{number}.7").status_code
        for number in range(13)
    ]
    assert statuses == [422] * 10 + [429] * 3
    # The right password does not help meanwhile, wherever it comes from; other names are not shut out by it.
    late = sign_in(web_site.stranger(), X_Forwarded_For="198.51.100.1")
    assert late.status_code == 429 and 1 <= int(late.headers["Retry-After"]) <= 30
    assert sign_in(web_site.stranger(), "Somebody", X_Forwarded_For="198.51.100.1").status_code == 422
    assert is_in(eve.get("/console/")), "who is in stays in"
    # Two ways out: time, and a new link from an admin, which is no guess.
    reset_user(web_site.site.database, "Eve", actor="Ada", token="r" * 43, now=web_site.now)
    path = f"/console/welcome/{'r' * 43}"
    assert is_in(web_site.stranger().submit(path, path, password=OTHER, again=OTHER))
    web_site.clock.pass_by(timedelta(seconds=31))
    assert is_in(sign_in(web_site.stranger(), password=OTHER))


def test_a_network_guesses_thirty_times_whatever_the_names(web_site: WebSite) -> None:
    web_site.client("admin")
    stranger = web_site.stranger()
    statuses = [
        sign_in(stranger, f"Name {number}", "x", X_Forwarded_For=f"2001:db8:1:1{number % 10}::{number}").status_code
        for number in range(33)
    ]
    assert statuses == [422] * 30 + [429] * 3
    assert sign_in(stranger, "Name 99", "x", X_Forwarded_For="2001:db8:2::1").status_code == 422
    web_site.clock.pass_by(timedelta(seconds=11))
    assert sign_in(stranger, "Name 34", "x", X_Forwarded_For="2001:db8:1:1::1").status_code == 422


def test_the_present_password_is_guessed_no_oftener_from_within(web_site: WebSite, eve: Client) -> None:
    page = "/console/password"
    for _ in range(10):
        assert "not right" in eve.submit(page, page, present="guess", new=OTHER, again=OTHER).text
    assert "Too many" in eve.submit(page, page, present=PASSWORD, new=OTHER, again=OTHER).text
    assert sign_in(web_site.stranger()).status_code == 429


# --- the first user, and the way back ----------------------------------------------------------------------------


def test_of_two_who_use_the_first_link_at_once_one_is_too_late(database_url: str, tmp_path: Path) -> None:
    plain = database_url.replace("+psycopg", "")
    with running_site(tmp_path / "site", database_url=plain) as site:
        links = ["a" * 43, "b" * 43]
        for link in links:
            assert first_user_link(site.site.database, site.url, site.now, link)
        answers: list[requests.Response] = []
        gate = threading.Barrier(4)

        def use(name: str, link: str) -> None:
            client = site.stranger()
            path = f"/console/welcome/{link}"
            fields = {"csrf": client.form_token(path), "name": name, "password": PASSWORD, "again": PASSWORD}
            gate.wait(20)
            answers.append(client.post(path, data=fields))

        # Each of several servers prints a link; two people have each.
        threads = [
            threading.Thread(target=use, args=(f"User {number}", link)) for number, link in enumerate(links * 2)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        assert sorted(answer.status_code for answer in answers) == [200, 404, 404, 404]
        with site.site.database.read() as connection:
            [only] = list_users(connection)
        assert only.user.role == "admin"
        for link in links:
            assert site.stranger().get(f"/console/welcome/{link}").status_code == 404
        assert first_user_link(site.site.database, site.url, site.now, "c" * 43) is None


def test_the_way_back_in_by_command(tmp_path: Path) -> None:
    """Whoever may run commands on the machine gives a new link; it works once, and the one before it not at all."""
    with running_site(tmp_path / "site") as site:
        site.client("admin")
        command = SiteFolder(site.site.directory)
        site.clock.now = site.clock.now.replace(year=2020)
        first, second = (_link(command.call("users", "reset", "Ada").stdout) for _ in range(2))
        stranger = site.stranger()
        assert stranger.get(first).status_code == 404
        assert is_in(stranger.submit(second, second, password=PASSWORD, again=PASSWORD))
        assert site.stranger().get(second).status_code == 404
        assert not is_in(site.client("admin").get("/console/")), "the sign-in that was lost is gone"
        assert command.call("users", "reset", "Nobody").returncode == 1


def _link(text: str) -> str:
    found = re.search(r"/console/welcome/[\w-]{43}", html.unescape(text))
    assert found, text
    return found[0]
