"""What stands in front of every page: names, sizes, headers, forms."""

from __future__ import annotations

import socket
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
import requests

from syndicate.core.user import User
from tests.web.newsroom_site import COOKIE, WebSite, running_site


def _raw(url: str, request: bytes) -> bytes:
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as wire:
        answer = b""
        with suppress(ConnectionError):
            wire.sendall(request)
            while chunk := wire.recv(65536):
                answer += chunk
    return answer


def test_it_is_up_under_any_name(web_site: WebSite) -> None:
    assert requests.get(web_site.url + "/up", headers={"Host": "10.0.0.7"}, timeout=60).text == "Up.\n"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "127.0.0.1.evil.example", "evil.example:127", "user@127.0.0.1", "127.0.0.1/x", "10.0.0.7", ""],
)
def test_a_foreign_name_gets_nothing(web_site: WebSite, host: str) -> None:
    answer = _raw(web_site.url, f"GET /console/sign-in HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    assert answer.split()[1] in (b"421", b"400")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9", "[::1]:80", "news.example.com", "NEWS.example.com."])
def test_its_own_names_are_known(web_site: WebSite, host: str) -> None:
    answer = requests.get(web_site.url + "/console/sign-in", headers={"Host": host}, timeout=60)
    assert answer.status_code == 200


def test_two_hosts_are_none(web_site: WebSite) -> None:
    request = b"GET /console/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"
    assert _raw(web_site.url, request).split()[1] in (b"421", b"400")


def test_every_answer_closes_what_a_page_does_not_need(web_site: WebSite) -> None:
    for path in ("/console/sign-in", "/console/nothing", "/nothing", "/static/nothing"):
        headers = web_site.stranger().get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
    policy = web_site.client().get("/console/").headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_pages_of_the_console_hold_nothing_inline(web_site: WebSite) -> None:
    for path in ("/console/sign-in", "/console/"):
        text = (web_site.client() if path == "/console/" else web_site.stranger()).get(path).text
        assert "<style" not in text
        assert " style=" not in text
        assert "<script>" not in text


def test_a_head_says_what_a_get_would_and_brings_nothing(web_site: WebSite) -> None:
    """RFC 9110 §9.3.2."""
    editor = web_site.client()
    for path in ("/", "/subscribe", "/archive/", "/console/", "/console/sign-in", "/nothing", "/api/v1/openapi.json"):
        got, head = editor.get(path), editor.request("HEAD", path)
        assert (head.status_code, head.content) == (got.status_code, b""), path
        for name in ("content-type", "cache-control", "x-content-type-options"):
            assert head.headers.get(name) == got.headers.get(name), (path, name)
        assert set(head.headers) == set(got.headers), path
    # A stream without end, and what only a POST does.
    assert editor.request("HEAD", "/console/live").headers["content-type"].startswith("text/event-stream")
    assert editor.request("HEAD", "/console/stop-sending").status_code == 405
    raw = b"HEAD /console/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    assert _raw(web_site.url, raw).endswith(b"\r\n\r\n")


def test_what_an_address_does_not_take_says_all_that_it_takes(web_site: WebSite) -> None:
    """RFC 9110 §15.5.6."""
    takes = {"/archive/": "GET, HEAD", "/subscribe": "GET, HEAD, POST", "/api/v1/articles/1": "DELETE, GET, HEAD"}
    for path, allowed in takes.items():
        answer = web_site.stranger().request("PUT", path)
        assert (answer.status_code, answer.headers["allow"]) == (405, allowed), path
    assert web_site.client().get("/console/stop-sending").headers["allow"] == "POST"


def test_static_files_stay_for_ever_and_nothing_else_is_there(web_site: WebSite) -> None:
    page = web_site.stranger().get("/console/sign-in").text
    (sheet,) = [each for each in page.split('"') if each.endswith("console.css")]
    answer = web_site.stranger().get(sheet)
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["content-encoding"] == "gzip"
    plain = requests.get(web_site.url + sheet, headers={"Accept-Encoding": "identity"}, timeout=60)
    assert plain.content == answer.content
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", sheet.replace("console.css", "../app.py"), "/static/"):
        assert _raw(
            web_site.url, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
        ).split()[1] in (b"404", b"400")


def test_the_mark_is_where_browsers_look_for_it_unasked(web_site: WebSite) -> None:
    client = web_site.stranger()
    mark = client.get("/favicon.ico")
    assert (mark.status_code, mark.headers["content-type"]) == (200, "image/svg+xml")
    assert mark.text.startswith("<svg") and "immutable" not in mark.headers["cache-control"]
    assert client.head("/favicon.ico").status_code == 200
    assert '<link rel="icon" href="/favicon.ico" type="image/svg+xml">' in client.get("/").text


def test_a_request_beyond_the_limit_is_refused_before_it_is_read(web_site: WebSite) -> None:
    said = b"POST /console/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000000\r\nConnection: close\r\n\r\n"
    assert _raw(web_site.url, said).split()[1] == b"413"
    form = b"POST /console/sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
    form += b"Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    form += b"".join(b"%x\r\n%b\r\n" % (100_000, b"a" * 100_000) for _ in range(10)) + b"1\r\na\r\n"
    # Who is cut off while still sending may see the connection end instead of the answer.
    assert _raw(web_site.url, form).split()[1:2] in ([b"413"], [])


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "https://127.0.0.1.evil.example"},
    ],
)
def test_a_form_from_elsewhere_is_refused_even_with_the_token(web_site: WebSite, headers: dict[str, str]) -> None:
    client = web_site.client()
    token = client.form_token()
    answer = client.post("/console/sign-out", data={"csrf": token}, headers=headers)
    assert answer.status_code == 403
    assert "nothing was changed" in answer.text
    assert client.get("/console/").url.endswith("/console/")


@pytest.mark.parametrize("token", [None, "", "0" * 64, "é" * 64])
def test_a_form_without_the_right_token_is_refused(web_site: WebSite, token: str | None) -> None:
    client = web_site.client()
    answer = client.post("/console/sign-out", data={} if token is None else {"csrf": token})
    assert answer.status_code == 403
    assert client.get("/console/").url.endswith("/console/")


def test_the_token_of_another_session_is_refused(web_site: WebSite) -> None:
    token = web_site.client("editor").form_token()
    assert web_site.client("admin").post("/console/sign-out", data={"csrf": token}).status_code == 403


def test_htmx_sends_it_as_a_header(web_site: WebSite) -> None:
    client = web_site.client()
    headers = {"X-CSRF-Token": client.form_token(), "Sec-Fetch-Site": "same-origin", "Origin": web_site.url}
    assert client.post("/console/sign-out", headers=headers).url.endswith("/console/sign-in")


def test_errors_are_pages_for_people_and_fragments_for_htmx(web_site: WebSite) -> None:
    client = web_site.client()
    whole = client.get("/console/nothing")
    assert (whole.status_code, "<!doctype html>" in whole.text) == (404, True)
    part = client.get("/console/nothing", headers={"HX-Request": "true"})
    assert (part.status_code, "<!doctype html>" in part.text) == (404, False)
    assert "There is no such page." in part.text
    assert client.get("/nothing").status_code == 404
    assert client.get("/console/sign-out").status_code == 405


def test_over_https_the_cookie_can_only_be_of_this_host(web_site: WebSite) -> None:
    answer = requests.get(
        web_site.url + "/console/sign-in",
        headers={"Host": "news.example.com", "X-Forwarded-Proto": "https"},
        timeout=60,
    )
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie
    assert "max-age" in answer.headers["strict-transport-security"]


def test_only_this_machine_is_let_in_without_a_sign_in(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("open") / "site"
    with running_site(folder, open_to_loopback=User("demo", "admin")) as site:
        client = site.stranger()
        assert "demo" in client.get("/console/").text
        for headers in (
            {"Host": "news.example.com"},
            {"X-Forwarded-For": "203.0.113.9"},
            {"Forwarded": "for=127.0.0.1"},
            {"X-Real-IP": "127.0.0.1"},
        ):
            assert client.get("/console/", headers=headers).url.endswith("/console/sign-in"), headers
        # Pages of other sites are still kept out.
        assert client.post("/console/sign-out").status_code == 403
        assert COOKIE not in client.cookies
