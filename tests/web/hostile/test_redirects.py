"""Being sent elsewhere by an address that looks like ours, and names of ours that somebody else put in."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from urllib.parse import quote, urljoin, urlsplit

import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syndicate.storage import tables
from syndicate.web.security.forms import local_path
from tests.web.hostile import raw
from tests.web.hostile.site import HostileSite, routes
from tests.web.newsroom_site import WebSite
from tests.web.reading_site import ReadingSite

EVIL = "elsewhere.example"
ELSEWHERE = (
    f"https://{EVIL}/",
    f"https:{EVIL}",
    f"http:///{EVIL}",
    f"//{EVIL}",
    f"///{EVIL}",
    f"/\\{EVIL}",
    f"\\\\{EVIL}",
    f"/\t/{EVIL}",
    f"\t//{EVIL}",
    f" //{EVIL}",
    f"/%09/{EVIL}",
    f"/%2f/{EVIL}",
    f"%2f%2f{EVIL}",
    f"/%5c{EVIL}",
    f"//{EVIL}/console/",
    f"//{EVIL}%2f/console/",
    f"/console/..//{EVIL}",
    f"/console//{EVIL}",
    f"/console/%2e%2e//{EVIL}",
    f"/console/.%2e/%2f{EVIL}",
    f"/console@{EVIL}",
    f"https://news.example.com@{EVIL}/",
    f"/console/\r\nLocation: https://{EVIL}/",
    f"/console/\n{EVIL}",
    "javascript:alert(1)//console/",
    "data:text/html,<script>alert(1)</script>",
    f"/console/?next=//{EVIL}",
    f"/console#//{EVIL}",
    f"/console/\u2215\u2215{EVIL}",
    f"/consolé//{EVIL}",
    "/feeds/",
    "/console/sign-out",
    "/console/sign-in?next=/console/",
    "/console/welcome/x",
    "x" * 1900,
)


def leads_to(location: str, base: str) -> str:
    """Where a browser goes: it drops tabs and line ends, and takes \\ for / (WHATWG URL, section 4.4)."""
    return urljoin(base, re.sub(r"[\t\r\n]", "", location).strip("\0 ").replace("\\", "/"))


def is_console(location: str) -> bool:
    base = "http://127.0.0.1:8000/console/sign-in"
    there = urlsplit(leads_to(location, base))
    return (there.scheme, there.netloc) == ("http", "127.0.0.1:8000") and there.path.startswith("/console")


@given(
    st.lists(
        st.sampled_from(
            [
                *("/", "\\", "//", "console", "/console/", "..", "%2e", "%2f", "%5c", "@", ":", "?", "#", EVIL, "\t"),
                *("\r\n", "https:", "javascript:", " ", "\0", "é", "\u2028", ".", ";", "&", "=", "%09", "%00"),
            ]
        ),
        max_size=8,
    ).map("".join)
)
@example("/console/?x=//evil.example")
@settings(max_examples=300)
def test_whatever_is_asked_for_the_next_page_is_of_the_console(given_path: str) -> None:
    chosen = local_path(given_path)
    assert is_console(chosen), chosen
    assert "\r" not in chosen and "\n" not in chosen


def test_nobody_is_sent_elsewhere(hostile: HostileSite) -> None:
    """By the parameter, before and after signing in, by a header, or by how the path is spelled."""
    admin, stranger = hostile.web.client("admin"), hostile.web.stranger()
    for there in ELSEWHERE:
        known = admin.get("/console/sign-in", params={"next": there}, allow_redirects=False)
        assert known.status_code == 303 and is_console(known.headers["location"]), (there, known.headers["location"])
        shown = stranger.get("/console/sign-in", params={"next": there})
        for hidden in re.findall(r'name="next" value="([^"]*)"', shown.text):
            assert is_console(html.unescape(hidden)), (there, hidden)
    for route in ("/console", "/console/", "/console/articles", "/feeds/world"):
        for header in ("Referer", "Origin", "X-Forwarded-Host", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Path"):
            answer = stranger.get(route, headers={header: f"https://{EVIL}/"}, allow_redirects=False)
            assert EVIL not in str(answer.headers), (route, header)


def test_signing_in_leads_only_into_the_console(web_site: WebSite) -> None:
    password = "correct horse battery staple"
    web_site.client("admin")
    page = web_site.client("admin").submit("/console/users", "/console/users", name="Eve", role="editor").text
    welcome = re.search(r"/console/welcome/[\w-]+", page)
    assert welcome
    web_site.stranger().submit(welcome[0], welcome[0], password=password, again=password)
    for there in ELSEWHERE[::5]:  # a password takes its time; what is left out here is tried above
        client = web_site.stranger()
        fields = {"csrf": client.form_token("/console/sign-in"), "name": "Eve", "password": password, "next": there}
        answer = client.post("/console/sign-in", data=fields, allow_redirects=False)
        assert answer.status_code == 303, answer.text
        assert is_console(answer.headers["location"]), there


def test_no_spelling_of_a_path_is_sent_elsewhere(hostile: HostileSite) -> None:
    """As it stands on the request line, also in its absolute form (RFC 9112 section 3.2)."""
    seen = 0
    folders = (f"/feeds//{EVIL}", f"/feeds/\\{EVIL}", f"/feeds/..//{EVIL}", "/feeds", f"/feeds/world?{EVIL}")
    for there in (*ELSEWHERE, *folders):
        for target in dict.fromkeys((there, "/" + there, quote(there), f"http://{EVIL}{there}", f"/console/{there}")):
            if re.search(r"[\s\x00-\x20]", target) or not target.isascii():
                continue
            answer = raw.get(hostile.url, target, f"X-Forwarded-Prefix: //{EVIL}")
            assert answer.status < 500, target
            location = answer.headers.get("location")
            if location is not None:
                seen += 1
                went = urlsplit(leads_to(location, f"http://127.0.0.1:8000{urlsplit(target).path or '/'}"))
                assert went.netloc in ("127.0.0.1:8000", ""), (target, location)
                assert EVIL not in went.netloc
    assert seen > 5


POISONED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (EVIL, ()),
    (f"127.0.0.1@{EVIL}", ()),
    (f"127.0.0.1.{EVIL}", ()),
    (f"{EVIL}:80", ()),
    (f"127.0.0.1:80@{EVIL}", ()),
    (f"127.0.0.1/{EVIL}", ()),
    ("127.0.0.1", (f"Host: {EVIL}",)),
    ("127.0.0.1", (f"X-Forwarded-Host: {EVIL}", f"X-Host: {EVIL}", f"X-Forwarded-Server: {EVIL}")),
    ("127.0.0.1", (f"Forwarded: for=1.2.3.4;host={EVIL};proto=https",)),
    ("127.0.0.1", (f"X-Forwarded-Proto: {EVIL}",)),
    ("127.0.0.1", (f"X-Forwarded-For: {EVIL}",)),
    ("127.0.0.1", (f"X-Original-URL: https://{EVIL}/", f"X-Rewrite-URL: //{EVIL}/", f"X-Forwarded-Prefix: //{EVIL}")),
    (f"127.0.0.1:{EVIL}", ()),
)


@pytest.mark.parametrize(("host", "headers"), POISONED)
def test_a_name_that_somebody_put_in_comes_back_nowhere(
    hostile: HostileSite, host: str, headers: tuple[str, ...]
) -> None:
    cookie = f"Cookie: syndicate={hostile.web.client('admin').cookies['syndicate']}"
    statuses = set()
    for _, route in routes("GET"):
        if route.endswith("/live"):
            continue
        answer = raw.get(hostile.url, hostile.path(route), *headers, cookie, host=host)
        statuses.add(answer.status)
        assert EVIL.encode() not in answer.body, route
        assert EVIL not in str(answer.headers), route
        assert "domain" not in answer.headers.get("set-cookie", "").lower()
    named = host == "127.0.0.1" and not any(each.startswith("Host:") for each in headers)
    assert statuses <= ({200, 303, 401, 404} if named else {400, 421}), statuses


def test_no_mail_leads_to_a_name_that_somebody_put_in(readers: ReadingSite) -> None:
    """A mail's links are made of `[web] url` alone."""
    form = re.search(r'name="form" value="([^"]+)"', readers.get("/subscribe").text)
    assert form
    readers.now += timedelta(seconds=30)
    for number, (host, headers) in enumerate(POISONED):
        body = f"email=a{number}@post.example&newsletter=morning&form={form[1]}".encode()
        fields = [
            *(f"Host: {host}", "Connection: close", f"Referer: https://{EVIL}/", *headers),
            *("Content-Type: application/x-www-form-urlencoded", f"Content-Length: {len(body)}"),
        ]
        head = "\r\n".join(("POST /subscribe HTTP/1.1", *fields, "", "")).encode()
        answer = raw.read(raw.exchange(readers.url, head + body))
        assert answer.status in (200, 400, 421, 429), answer
        assert EVIL.encode() not in answer.body
    mails = readers.mails()
    assert len(mails) >= 3
    for mail in mails:
        assert EVIL not in mail.html + mail.text + mail.subject
        assert "https://news.example.com/confirm/" in mail.text


def test_no_link_for_a_new_user_leads_to_a_name_that_somebody_put_in(web_site: WebSite) -> None:
    admin = web_site.client("admin")
    for number, name in enumerate(("X-Forwarded-Host", "Forwarded", "X-Host", "Referer", "X-Forwarded-Server")):
        value = f"host={EVIL}" if name == "Forwarded" else EVIL
        fields = {"csrf": admin.form_token("/console/users"), "name": f"User {number}", "role": "editor"}
        answer = admin.post("/console/users", data=fields, headers={name: value})
        assert "/console/welcome/" in answer.text
        assert EVIL not in answer.text


def test_the_network_that_counts_is_the_one_that_the_server_in_front_saw(readers: ReadingSite) -> None:
    """Whoever asks may begin X-Forwarded-For with anything; the last entry is by the server in front of us."""
    form = re.search(r'name="form" value="([^"]+)"', readers.get("/subscribe").text)
    assert form
    readers.now += timedelta(seconds=30)
    statuses = [
        readers.post(
            "/subscribe",
            {"email": f"n{number}@post.example", "newsletter": "morning", "form": form[1]},
            headers={"X-Forwarded-For": f"198.51.{number}.1, 10.{number}.0.1, 203.0.113.{number}"},
        ).status_code
        for number in range(12)
    ]
    assert statuses == [200] * 10 + [429] * 2
    with readers.site.database.read() as connection:
        seen = connection.execute(sa.select(tables.consents.c.ip).distinct()).scalars().all()
    assert all(each.startswith("203.0.113.") for each in seen), seen
