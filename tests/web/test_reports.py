"""Reports that are taken in at once are answered as by way of ASGI, and nothing else is taken for a report."""

from __future__ import annotations

import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.web import protocol, reports, server
from syndicate.web.reports import LONGEST_BODY, LONGEST_HEAD, head_in
from tests.mail.events.signing import SHARED, basic, mailgun
from tests.process.waiting import until
from tests.web.mangling import pieces
from tests.web.newsroom_site import serving_for_real
from tests.web.reading_site import START
from tests.web.reporting_site import HOST, Both, Reported, both_ways, reported
from tests.web.wire import Reply, Wire, wired

AUTH = f"Authorization: {basic(SHARED)['authorization']}"
_numbers = itertools.count(1)


def opened(number: int | None = None, **more: Any) -> bytes:
    """An event of Postmark's that changes nothing; another one each time."""
    told = {"RecordType": "Open", "MessageID": str(number or next(_numbers)), "Recipient": "ann@post.example"}
    return json.dumps(told | {"ReceivedAt": "2026-11-20T09:00:00Z"} | more).encode()


def request(
    *fields: str,
    body: bytes | None = None,
    path: str = "/webhooks/postmark",
    method: str = "POST",
    version: str = "HTTP/1.1",
    host: str = "127.0.0.1",
    auth: bool = True,
    length: str | None = None,
) -> bytes:
    """The octets of a report with those header fields."""
    body = opened() if body is None else body
    lines = [f"{method} {path} {version}", f"Host: {host}", *([AUTH] if auth else []), *fields]
    lines += [f"Content-Length: {len(body)}"] if length is None else [length] if length else []
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory, _migrated_sqlite: Path) -> Iterator[Both]:
    with both_ways(tmp_path_factory.mktemp("reports"), _migrated_sqlite) as sites:
        yield sites


@pytest.fixture
def alone(tmp_path: Path, _migrated_sqlite: Path) -> Iterator[Reported]:
    with reported(tmp_path / "site", _migrated_sqlite) as site:
        yield site


# --- what is a report --------------------------------------------------------------------------------------------

ONE = request(body=opened(0))
EMPTY_CHUNKS = b"0\r\n\r\n"
NO_REPORTS = {
    "a part": ONE[:-1],
    "a head": ONE[: ONE.index(b"\r\n\r\n") + 4],
    "two": ONE * 2,
    "one and a part": ONE + b"POST /",
    "one and more than it says": ONE + b"x",
    "an empty line first": b"\r\n" + ONE,
    "another method": request(method="PUT"),
    "a method in lower case": request(method="post"),
    "another version": request(version="HTTP/1.0"),
    "another version, kept": request("Connection: keep-alive", version="HTTP/1.0"),
    "another folder": request(path="/static/none"),
    "no mail API of this site": request(path="/webhooks/sendgrid"),
    "no mail API": request(path="/webhooks/"),
    "an address with a host": request(path="http://127.0.0.1/webhooks/postmark"),
    "a question": request(path="/webhooks/postmark?a=b"),
    "a fragment": request(path="/webhooks/postmark#a"),
    "an address that is coded": request(path="/webhooks/%70ostmark"),
    "a NUL that is coded": request(path="/webhooks/postmark%00"),
    "a longer address": request(path="/webhooks/postmark/"),
    "a blank in the address": request(path="/webhooks/postmark x"),
    "another host": request(host="evil.example"),
    "two hosts": request("Host: 127.0.0.1"),
    "no host": ONE.replace(b"Host: 127.0.0.1\r\n", b""),
    "no secret": request(auth=False),
    "another secret": request("Authorization: Bearer x", auth=False),
    "two secrets": request("Authorization: Bearer x"),
    "no length": request(length=""),
    "no length and no body": request(length="", body=b""),
    "a length with a sign": request(length="Content-Length: +4", body=b"{  }"),
    "a length below nothing": request(length="Content-Length: -1", body=b""),
    "a hexadecimal length": request(length="Content-Length: 0x4", body=b"{  }"),
    "lengths on a line": request(length="Content-Length: 4, 4", body=b"{  }"),
    "a length with a blank": request(length="Content-Length : 4", body=b"{  }"),
    "two lengths": request("Content-Length: 4", body=b"{  }"),
    "two lengths that differ": request("Content-Length: 0", body=ONE),
    "a length that is too small": request(length="Content-Length: 2", body=b"{}" + ONE),
    "a length that is too large": request(length="Content-Length: 99", body=b"{}"),
    "length and chunks": request("Transfer-Encoding: chunked", body=EMPTY_CHUNKS),
    "chunks": request(length="Transfer-Encoding: chunked", body=b"2\r\n{}\r\n" + EMPTY_CHUNKS),
    "chunks by another name": request("Transfer-Encoding: xchunked", body=EMPTY_CHUNKS),
    "chunks on a folded line": request("X: y", " Transfer-Encoding: chunked", body=EMPTY_CHUNKS),
    "a length on a folded line": request("X: y", length=" Content-Length: 4", body=b"{  }"),
    "the last on the connection": request("Connection: close"),
    "the last, among others": request("Connection: x, Close"),
    "an upgrade": request("Connection: upgrade", "Upgrade: websocket"),
    "what waits for a word": request("Expect: 100-continue"),
    "a blank before the colon": request("X : 0"),
    "no colon": request("X"),
    "a line feed alone": request(body=b"{}").replace(b"\r\n", b"\n"),
    "an end by line feeds": request("X: y\n\nPOST / HTTP/1.1"),
    "a return alone": request("X: y\rContent-Length: 3"),
    "NUL": request("X: a\0b"),
    "a long head": request("X: " + "a" * LONGEST_HEAD),
    "a long body": request(body=b" " * (LONGEST_BODY + 1)),
}


@pytest.mark.parametrize("name", NO_REPORTS)
def test_what_is_no_whole_ordinary_request_goes_the_ordinary_way(both: Both, name: str) -> None:
    def told(_for_good: bool, _answer: object) -> None:
        pytest.fail("it is taken in")

    assert not both.fast.app.reports.take(NO_REPORTS[name], told)
    both.require_same(NO_REPORTS[name])
    both.require_same_kept()


def test_no_part_of_a_head_is_one() -> None:
    whole = ONE[: ONE.index(b"\r\n\r\n") + 4]
    assert [length for length in range(len(whole) + 1) if head_in(whole[:length])] == [len(whole)]
    found = head_in(whole)
    assert found is not None and (found.path, found.host) == ("/webhooks/postmark", "127.0.0.1")
    assert found.length == len(ONE) - len(whole)


def test_long_heads_are_not_remembered(both: Both) -> None:
    before = head_in.cache_info()
    assert before.maxsize == reports.REMEMBERED
    both.require_same(request("X: " + "a" * LONGEST_HEAD))
    assert head_in.cache_info().misses == before.misses


# --- the same answers --------------------------------------------------------------------------------------------


def test_both_ways_answer_with_the_same_octets(both: Both) -> None:
    again, signed = request(), request(path="/webhooks/mailgun", body=mailgun(opened(), START, "token")[0], auth=False)
    forged = signed.replace(b"Open", b"open")
    for piece, status, said in (
        (again, 200, b'{"results": ["unknown"]}'),
        (again, 200, b'{"results": ["again"]}'),
        (request("X: y", "x-z: "), 200, b'{"results": ["unknown"]}'),
        (signed, 200, b'{"results": ["unknown"]}'),
        (signed, 200, b'{"results": ["again"]}'),
        (forged, 401, b""),
        (request(path="/webhooks/mailgun", body=b"{}", auth=False), 401, b""),
        (request(body=b"{}"), 400, b""),
        (request(body=b"\xff"), 400, b""),
        (request(body=b""), 400, b""),
        (request(body=b" " * LONGEST_BODY), 400, b""),
        (request(host=HOST), 200, b'{"results": ["unknown"]}'),
        (request(host=f"{HOST.upper()}.:80"), 200, b'{"results": ["unknown"]}'),
    ):
        before = both.fast.at_once
        (reply, end) = both.require_same(piece)
        assert both.fast.at_once == before + 1, piece
        assert reply is not None and end is not None and (reply.status, end.status) == (status, 404), piece
        assert reply.body == said or (not said and b'"error"' in reply.body), piece
        assert ("www-authenticate", 'Basic realm="Syndicate"') in reply.headers or status != 401
        assert (HOST in piece.decode("latin-1").lower()) == ("strict-transport-security" in dict(reply.headers))
    both.require_same_kept()


def test_what_cannot_be_kept_is_told_in_the_same_way(both: Both) -> None:
    piece, before = request(), both.fast.at_once
    for site in (both.fast, both.plain):
        site.rename("events", "elsewhere")
    try:
        reply, *none = both.require_same(piece)
    finally:
        for site in (both.fast, both.plain):
            site.rename("elsewhere", "events")
    assert reply is not None and reply.status == 500 and ("connection", "close") in reply.headers
    assert none == [None]
    assert both.fast.at_once == before + 1
    (reply, _) = both.require_same(piece)
    assert reply is not None and reply.body == b'{"results": ["unknown"]}'


FIELDS = st.sampled_from(
    [
        "Content-Type: application/json",
        "Connection: keep-alive",
        "Connection: close",
        "Connection: Upgrade, keep-alive",
        "Upgrade: websocket",
        "Expect: 100-continue",
        "Content-Length: 0",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        "X: y",
        "X:",
        " x",
        "User-Agent: Postmark",
        "X-Forwarded-For: 192.0.2.1",
        "Authorization: Bearer x",
        AUTH,
    ]
)
BODIES = st.sampled_from([opened(-number) for number in range(1, 9)] + [b"{}", b"", b"x", b"\r\n\r\n"])
REQUESTS = st.builds(
    lambda fields, body, path, method, version, auth: request(
        *fields, body=body, path=path, method=method, version=version, auth=auth
    ),
    st.lists(FIELDS, max_size=4),
    BODIES,
    st.sampled_from(["/webhooks/postmark"] * 7 + ["/webhooks/mailgun", "/webhooks/brevo", "/webhooks/postmark?x"]),
    st.sampled_from(["POST"] * 9 + ["GET", "HEAD", "PUT", "BREW"]),
    st.sampled_from(["HTTP/1.1"] * 9 + ["HTTP/1.0", "http/1.1"]),
    st.sampled_from([True] * 5 + [False]),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(pieces(REQUESTS), min_size=1, max_size=4))
def test_whatever_is_sent_both_ways_answer_alike(both: Both, sent: list[bytes]) -> None:
    both.require_same(*sent)
    both.require_same_kept()


def test_a_report_that_comes_octet_by_octet(both: Both) -> None:
    before = both.fast.at_once
    with wired(both.at_once) as wire:
        for octet in request():
            wire.send(bytes([octet]))
        assert _results(wire) == ["unknown"]
        wire.send(request())
        assert _results(wire) == ["unknown"]
    assert both.fast.at_once >= before + 1, "a connection is at rest again after that"


# --- while it is under way ---------------------------------------------------------------------------------------


def _results(wire: Wire) -> Any:
    reply = wire.reply()
    assert reply is not None and reply.status == 200, reply
    return json.loads(reply.body)["results"]


def test_what_comes_behind_a_report_waits_for_it(alone: Reported) -> None:
    poll = b"GET /feeds/none HTTP/1.1\r\nHost: x\r\n\r\n"
    with serving_for_real(alone.app) as url, wired(url) as wire:
        with alone.site.database.write():
            wire.send(request())
            until(lambda: alone.at_once == 1)
            for piece in (poll, request(), request() + poll):
                wire.send(piece)
                time.sleep(0.05)  # so that it is there by itself before the first is answered
            assert alone.at_once == 1
        replies = [wire.reply() for _ in range(5)]
        wire.send(request())
        assert _results(wire) == ["unknown"]
    assert [each.status for each in replies if each] == [200, 404, 200, 200, 404]
    assert alone.at_once == 2
    assert alone.kept() == ["other"] * 4


def test_a_head_behind_a_report_that_does_not_come_to_its_end(
    alone: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.5)
    with serving_for_real(alone.app) as url, wired(url) as wire:
        with alone.site.database.write():
            wire.send(request())
            until(lambda: alone.at_once == 1)
            wire.send(b"POST /webhooks/postmark HTTP/1.1\r\nX: ")
            time.sleep(0.05)
        wire.end()
    assert alone.kept() == ["other"]


def test_who_goes_before_the_answer_is_kept_all_the_same(alone: Reported) -> None:
    with serving_for_real(alone.app) as url:
        with alone.site.database.write():
            with wired(url) as wire:
                wire.send(request())
                until(lambda: alone.at_once == 1)
            with wired(url) as wire:
                wire.send(request())
                until(lambda: alone.at_once == 2)
                wire._wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # so that it is reset
        until(lambda: len(alone.kept()) == 2)
        with wired(url) as wire:
            wire.send(request())
            assert _results(wire) == ["unknown"]


def _refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 60).close()
    except OSError:
        return True
    return False


@contextmanager
def wired_while_serving(site: Reported) -> Iterator[tuple[Wire, int, Callable[[], None]]]:
    """A connection to a server, its port, and what tells it to leave."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.serve, args=(site.app, listener, stop))
        thread.start()
        port = listener.getsockname()[1]
        try:
            with wired(f"http://127.0.0.1:{port}") as wire:
                yield wire, port, stop.set
        finally:
            stop.set()
            thread.join(60)
            assert not thread.is_alive()


def test_a_server_that_stops_answers_what_is_under_way(alone: Reported) -> None:
    said: list[Reply | None] = []
    with wired_while_serving(alone) as (wire, port, stop):
        with alone.site.database.write():
            wire.send(request())
            until(lambda: alone.at_once == 1)
            stop()
            until(lambda: _refuses(port))
        said.append(wire.reply())
        assert wire.end() == b""
    (reply,) = said
    assert reply is not None and reply.body == b'{"results": ["unknown"]}'
    assert ("connection", "close") in reply.headers


def test_a_connection_stays_open_as_long_as_a_report_takes_and_no_longer(
    alone: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "KEEP_ALIVE_SECONDS", 1)
    with serving_for_real(alone.app) as url:
        # Where the machine itself sleeps for so long the connection was idle, and another one shows it.
        for _ in range(20):
            with wired(url) as wire:
                wire.send(request())
                assert _results(wire) == ["unknown"]
                before = alone.at_once
                with alone.site.database.write():
                    wire.send(request())
                    time.sleep(2.5)
                    was_idle = alone.at_once == before
                if not was_idle:
                    assert _results(wire) == ["unknown"]
                    assert wire.end() == b"", "an idle one is closed"
                    break
        else:
            pytest.fail("no connection stayed open")
