"""HTTP as nobody should speak it: heads and bodies without end, lengths that lie, requests hidden in requests, JSON
that readers disagree on."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from syndicate.services.create_token import create_token
from syndicate.sources.article_file import LARGEST_FILE
from syndicate.web import protocol
from tests.web.hostile import raw
from tests.web.hostile.site import HostileSite, rows
from tests.web.newsroom_site import WebSite

UP = b"GET /up HTTP/1.1\r\nHost: x\r\n\r\n"
"""Answered by "Up.": hidden in another request, it is not to be."""


def is_up(site: HostileSite) -> bool:
    return requests.get(f"{site.url}/up", timeout=60).text == "Up.\n"


# --- without end -------------------------------------------------------------------------------------------------


def test_a_head_without_end_is_cut_off(hostile: HostileSite) -> None:
    line = b"GET /subscribe HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    heads = {
        "one header": [line + b"X: ", *[b"a" * 50_000] * 100],
        "many headers": [line, *[b"".join(b"X-%d: a\r\n" % n for n in range(5_000))] * 100],
        "cookies": [line + b"Cookie: ", *[b"a=b; " * 10_000] * 100],
        "path": [b"GET /", *[b"a" * 50_000] * 100],
        "query": [b"GET /?", *[b"a=b&" * 10_000] * 100],
        "method": [*[b"A" * 50_000] * 100],
        "name": [line, *[b"A" * 50_000] * 100],
        "trailer": [
            b"POST /subscribe HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
            *[b"".join(b"X-%d: a\r\n" % n for n in range(5_000))] * 100,
        ],
        "one trailer": [
            b"POST /subscribe HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
            *[b"a" * 50_000] * 100,
        ],
        "an extension of a chunk": [
            b"POST /subscribe HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            *[b"a" * 50_000] * 100,
        ],
    }
    for name, parts in heads.items():
        sent = 0
        address = urlsplit(hostile.url)
        with socket.create_connection((address.hostname, address.port), timeout=60) as wire:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    wire.sendall(part)
                    sent += len(part)
                    time.sleep(0.002)  # so that it is taken in pieces
            answer = b""
            with contextlib.suppress(ConnectionError, TimeoutError):
                answer = wire.recv(65536)
        assert answer.split()[1:2] in ([], [b"400"], [b"405"]), (name, answer[:200])
        assert sent < 4_900_000, f"{name}: all of it was taken"
    assert is_up(hostile)


def test_an_ordinary_large_head_is_understood(hostile: HostileSite) -> None:
    cookies = "; ".join(f"name{number}={'v' * 100}" for number in range(400))
    answer = requests.get(f"{hostile.url}/subscribe", headers={"Cookie": cookies}, timeout=60)
    assert answer.status_code == 200
    assert requests.get(f"{hostile.url}/?{'a' * 20_000}", timeout=60).status_code == 200


def test_a_head_that_does_not_come_to_its_end_is_not_waited_for(
    hostile: HostileSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    address = urlsplit(hostile.url)
    assert address.port
    for begun in (b"", b"G", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", UP + b"GET / HTTP/1.1\r\nX: "):
        with socket.create_connection((address.hostname, address.port), timeout=60) as wire:
            wire.sendall(begun)
            answer = b""
            while chunk := wire.recv(65536):  # until the server closes
                answer += chunk
        assert answer.count(b"HTTP/1.1 200") == begun.count(b"/up")
    # One octet at a time does not make the time longer.
    with socket.create_connection((address.hostname, address.port), timeout=60) as wire:
        began = time.monotonic()
        with contextlib.suppress(ConnectionError):
            wire.sendall(b"GET / HTTP/1.1\r\nX: ")
            while time.monotonic() - began < 9:
                wire.sendall(b"a")
                time.sleep(0.05)
        assert time.monotonic() - began < 9
    assert is_up(hostile)


@pytest.mark.parametrize(
    ("path", "limit"), [("/subscribe", 1_000_000), ("/console/sign-in", 1_000_000), ("/api/v1/articles", 24_000_000)]
)
def test_a_body_beyond_the_limit_is_refused_however_it_comes(hostile: HostileSite, path: str, limit: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n".encode()
    said = raw.read(raw.exchange(hostile.url, head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % (limit + 1)))
    assert said.status == 413
    size = 500_000
    chunk = b"%x\r\n%b\r\n" % (size, b"a" * size)
    chunks = raw.exchange(
        hostile.url, head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n", *[chunk] * (limit // size + 3)
    )
    # Who is cut off while still sending may see the connection end instead of the answer.
    assert chunks.split()[1:2] in ([b"413"], [b"401"], []), chunks[:300]
    assert is_up(hostile)


def test_a_large_file_of_somebody_unknown_is_not_received(hostile: HostileSite) -> None:
    """An import may have 200 MB, of who may import."""
    head = (
        b"POST /console/readers/import HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 150000000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    )
    address = urlsplit(hostile.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as wire:
        wire.sendall(head)
        answer = raw.read(wire.recv(65536))
    assert (answer.status, answer.headers["location"]) == (303, "/console/sign-in")


# --- lengths that lie, requests in requests ----------------------------------------------------------------------

POST = b"POST /subscribe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n"
CHUNKED = b"0\r\n\r\n" + UP
AMBIGUOUS: dict[str, bytes] = {
    "length and chunks": POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % len(CHUNKED) + CHUNKED,
    "two lengths": POST + b"Content-Length: 0\r\nContent-Length: %d\r\n\r\n" % len(UP) + UP,
    "two lengths, one line": POST + b"Content-Length: 0, %d\r\n\r\n" % len(UP) + UP,
    "a length with a sign": POST + b"Content-Length: +%d\r\n\r\n" % len(UP) + UP,
    "a length below nothing": POST + b"Content-Length: -1\r\n\r\n" + UP,
    "a hexadecimal length": POST + b"Content-Length: 0x%x\r\n\r\n" % len(UP) + UP,
    "a length too long": POST + b"Content-Length: 99999999999999999999999\r\n\r\n" + UP,
    "a blank before the colon": POST + b"Content-Length : %d\r\n\r\n" % len(UP) + UP,
    "chunks, a blank before the colon": POST + b"Transfer-Encoding : chunked\r\nContent-Length: 3\r\n\r\n" + CHUNKED,
    "chunks by another name": POST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKED,
    "chunks, then not": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKED,
    "not, then chunks": POST
    + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n"
    + CHUNKED,
    "chunks on a folded line": POST
    + b"X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: %d\r\n\r\n" % len(UP)
    + UP,
    "a vertical tab": POST + b"Transfer-Encoding:\x0bchunked\r\nContent-Length: 3\r\n\r\n" + CHUNKED,
    "NUL in a name": POST + b"Content-Length\0: %d\r\n\r\n" % len(UP) + UP,
    "NUL in a value": POST + b"X: a\0b\r\nContent-Length: 0\r\n\r\n",
    "a line feed alone": b"POST /subscribe HTTP/1.1\nHost: 127.0.0.1\nContent-Length: %d\n\n" % len(UP) + UP,
    "a return alone": POST + b"X: y\rContent-Length: %d\r\n\r\n" % len(UP) + UP,
    "a chunk too long": POST + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + UP,
    "a chunk below nothing": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + UP,
    "a chunk with a prefix": POST + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n" + UP,
    "a chunk that ends late": POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\naXX\r\n0\r\n\r\n" + UP,
    "no version": b"GET /subscribe\r\n\r\n" + UP,
    "another version": b"GET /subscribe HTTP/3.0\r\nHost: 127.0.0.1\r\n\r\n" + UP,
    "a blank line in between": b"GET /subscribe HTTP/1.1 \r\n x\r\nHost: 127.0.0.1\r\n\r\n" + UP,
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_no_request_hides_in_another(hostile: HostileSite, name: str) -> None:
    """What two servers could read in two ways is refused, and the connection ends (RFC 9112 sections 6 and 11)."""
    before = rows(hostile.web)
    answer = raw.exchange(hostile.url, AMBIGUOUS[name])
    assert b"Up." not in answer, answer
    assert raw.read(answer).status in (0, 400, 405, 413, 421, 422), answer
    assert rows(hostile.web) == before
    assert is_up(hostile)


def test_a_length_that_is_too_small_or_never_reached(hostile: HostileSite) -> None:
    body = b"email=a&newsletter=morning"
    short = raw.exchange(hostile.url, POST + b"Content-Length: 5\r\n\r\n" + body)
    assert b"HTTP/1.1 400" in short, "the rest is no request"
    address = urlsplit(hostile.url)
    with socket.create_connection((address.hostname, address.port), timeout=60) as wire:
        wire.sendall(POST + b"Content-Length: 500\r\n\r\n" + body)
    assert is_up(hostile), "nobody waits for who has gone"


def test_pipelined_requests_are_answered_in_their_order(hostile: HostileSite) -> None:
    close = b"GET /up HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answer = raw.exchange(hostile.url, UP + b"GET /subscribe HTTP/1.1\r\nHost: evil.example\r\n\r\n" + close)
    assert [part.split()[0] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"421", b"200"]


def test_odd_requests_get_an_answer(hostile: HostileSite) -> None:
    for target in ("*", "http://127.0.0.1/up", "//up", "/up?", "/up#x", "/;x", "/?a[]=1&a[b]=2&=&&", "/%", "/%zz"):
        assert raw.get(hostile.url, target).status in (200, 400, 404), target
    for method in ("CONNECT", "TRACE", "OPTIONS", "PRI", "FOO", "get"):
        assert raw.get(hostile.url, "/subscribe", method=method).status in (400, 404, 405), method
    upgrade = raw.get(hostile.url, "/console/live", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Key: x")
    assert upgrade.status in (303, 400, 426)
    for header in ("Range: bytes=0-1,0-1", "Expect: 999-x", "Accept-Language: " + "a," * 10_000, "Cookie: =;;=\xff"):
        assert raw.get(hostile.url, "/subscribe", header).status in (200, 400, 417), header


def test_a_parameter_that_stands_twice_is_one_of_them(hostile: HostileSite) -> None:
    before = rows(hostile.web)
    admin = hostile.web.client("admin")
    wrong, right = "0" * 64, admin.form_token("/console/password")
    twice = admin.post("/console/sources/desk/pause", data=[("csrf", right), ("csrf", wrong)])
    assert twice.status_code == 403
    for query in ("q=a&q=b", "state=held&state=x", "before=1&before=x", "after=x&after=y", "lang=fr&lang=en&lang=xx"):
        for path in ("/console/articles", "/console/log", "/console/readers", "/console/issues", "/subscribe"):
            assert admin.get(f"{path}?{query}").status_code in (200, 404, 422), (path, query)
    assert rows(hostile.web) == before


# --- JSON --------------------------------------------------------------------------------------------------------


class Pushing:
    """A program with a token, and the description by which each answer is judged."""

    def __init__(self, site: HostileSite) -> None:
        self.site = site
        self.session = requests.Session()
        self.described: dict[str, Any] = self.session.get(f"{site.url}/api/v1/openapi.json", timeout=60).json()
        self.token = create_token(
            site.web.site.database, "odd", source="", actor="Ada", random=b"o" * 32, now=site.web.now
        )

    def push(self, body: bytes) -> requests.Response:
        self.site.web.clock.pass_by(timedelta(seconds=1))  # so that no rate is in the way
        answer = self.session.post(
            f"{self.site.url}/api/v1/articles", data=body, headers={"Authorization": f"Bearer {self.token}"}, timeout=60
        )
        operation = self.described["paths"]["/api/v1/articles"]["post"]
        response = operation["responses"][str(answer.status_code)]
        schema = response["content"]["application/json"]["schema"]
        Draft202012Validator({**schema, "components": self.described["components"]}).validate(answer.json())
        return answer


@pytest.fixture(scope="module")
def pushing(hostile: HostileSite) -> Pushing:
    return Pushing(hostile)


NO_ARTICLES: dict[str, bytes] = {
    "nothing": b"",
    "deep": b"[" * 100_000,
    "deep in a field": b'{"id":"1","title":"t","text":"x","tags":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep in an object": b'{"id":"1","image":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}",
    "not a number": b'{"id":"1","title":"t","text":"x","section":NaN}',
    "without end": b'{"id":"1","title":"t","text":"x","tags":[Infinity]}',
    "too large for a number": b'{"id":"1","title":"t","text":"x","tags":[1e999]}',
    "a name twice": b'{"id":"1","title":"mine","title":"yours","text":"x"}',
    "an id twice": b'{"id":"1","title":"t","text":"x","id":"2"}',
    "a name twice, spelled in two ways": b'{"id":"1","title":"t","text":"x","\\u0069d":"2"}',
    "a name twice inside": b'{"id":"1","title":"t","text":"x","image":{"src":"https://a.example/","src":"https://b.example/"}}',
    "too many digits": b'{"id":' + b"9" * 100_000 + b',"title":"t","text":"x"}',
    "half a character": b'{"id":"\\ud800","title":"t","text":"x"}',
    "half a character in a name": b'{"id":"1","title":"t","text":"x","\\udfff":"y"}',
    "NUL": b'{"id":"1","title":"a\\u0000b","text":"x"}',
    "a list": b'[{"id":"1","title":"t","text":"x"}]',
    "a text": b'"id"',
    "two": b'{"id":"1","title":"t","text":"x"}{"id":"2"}',
    "a comment": b'{"id":"1",/* */"title":"t","text":"x"}',
    "a comma too many": b'{"id":"1","title":"t","text":"x",}',
    "not UTF-8": b'{"id":"1","title":"\xff","text":"x"}',
    "single quotes": b"{'id':'1','title':'t','text':'x'}",
    "many keys": json.dumps({"id": "1", "text": "x", **{f"k{n}": 1 for n in range(60)}}).encode(),
    "three kinds": b'{"id":"1","title":"t","text":"x","html":"x","markdown":"x"}',
    "a list of ids": b'{"id":["1"],"title":"t","text":"x"}',
    "a script for an address": b'{"id":"1","title":"t","text":"x","url":"javascript:alert(1)"}',
}


@pytest.mark.parametrize("name", NO_ARTICLES)
def test_json_that_readers_disagree_on_is_refused(pushing: Pushing, name: str) -> None:
    before = rows(pushing.site.web, but=("rate_limits", "api_tokens.used_at"))
    answer = pushing.push(NO_ARTICLES[name])
    assert answer.status_code == 422, answer.text
    assert rows(pushing.site.web, but=("rate_limits", "api_tokens.used_at")) == before


def test_an_article_is_as_large_as_it_may_be(pushing: Pushing) -> None:
    body = b'{"id":"1","title":"t","text":"' + b"x" * LARGEST_FILE + b'"}'
    assert pushing.push(body).status_code == 413


_text = st.text(max_size=20) | st.sampled_from(["", "2026-01-31T07:00", "https://ok.example/", "en", "true", "\u202e"])
_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=6,
)
FIELDS = (
    *("id", "source", "title", "html", "markdown", "text", "summary", "date", "updated", "url", "section", "tags"),
    *("author", "authors", "language", "image", "embargo", "draft", "breaking", "rights"),
    *("translated_from", "translated_by"),
)


@given(st.dictionaries(st.sampled_from(FIELDS) | _text, _value, max_size=8))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_pushed_is_answered_as_described(pushing: Pushing, article: dict[str, Any]) -> None:
    """Each answer has a status and a shape that the description names."""
    words = {} if {"html", "markdown"} & set(article) else {"text": "Words."}
    whole = {"id": "any", "title": "Any", **words, **article}
    for given_article in (article, whole):
        assert pushing.push(json.dumps(given_article).encode()).status_code in (200, 201, 422)


def test_the_fields_are_those_of_the_description(pushing: Pushing) -> None:
    body = pushing.described["paths"]["/api/v1/articles"]["post"]["requestBody"]
    assert set(body["content"]["application/json"]["schema"]["properties"]) == set(FIELDS)


def test_odd_ids_in_addresses(web_site: WebSite) -> None:
    token = create_token(web_site.site.database, "odd", source="", actor="Ada", random=b"o" * 32, now=web_site.now)
    for odd in ("..", "%2e%2e%2f", "%00", "%0d%0aX: y", "a" * 1100, "%F0%9F%98%80", "?source=%27;--", "*", "%", "é"):
        for method in ("GET", "DELETE"):
            answer = raw.get(
                web_site.url, f"/api/v1/articles/{odd}".encode(), f"Authorization: Bearer {token}", method=method
            )
            assert answer.status in (400, 404, 422), (odd, answer)
