"""Addresses that are to make this server ask where only it can ask (server-side request forgery), and servers that do
not want to be done with."""

from __future__ import annotations

import contextlib
import gzip
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from syndicate.core.alert import AlertChannels
from syndicate.core.network_address import is_public
from syndicate.errors import MailAPIError, SettingsError
from syndicate.http import Client, Failure
from syndicate.mail.endpoint import base_url
from syndicate.process.alerting import Alerting
from syndicate.services.write_site import NEW_SETTINGS
from syndicate.site import open_site
from syndicate.sources import web_feed
from syndicate.sources.base import SourceSettings
from syndicate.storage.workers import worker_lock
from tests.sources.upstream import item, rss
from tests.test_http import OK, Server, always, answer, read_request, redirect, served
from tests.web.newsroom_site import WebSite

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SPELLINGS = (
    *("127.0.0.1", "127.1", "127.0.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.1", "017700000001"),
    *("127.0.0.2", "127.255.255.254", "localhost", "LOCALHOST", "localhost.", "[::1]", "[0:0:0:0:0:0:0:1]", "[::]"),
    *("[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"),
    *("0177.0.0.1", "①②⑦.⓪.⓪.①", "127。0。0。1", "１２７.0.0.1", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ"),
)
"""Ways to write this very machine."""

INSIDE = (
    *("10.0.0.7", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "169.254.169.254", "192.0.0.1"),
    *("198.18.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.0.2.1", "192.88.99.1"),
    *("fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1", "100::1"),
    *("::ffff:10.0.0.7", "::ffff:169.254.169.254", "::10.0.0.7", "64:ff9b::a00:7", "2002:a00:7::1", "2001::1"),
    *("::ffff:0:7f00:1", "64:ff9b:1::7f00:1", "64:ff9b:1:fffe::a00:7", "5f00::1", "::", "::1", "not an address", ""),
)
"""Networks of nobody else's, and of nobody."""


def test_which_addresses_are_everybodys() -> None:
    assert not [each for each in INSIDE if is_public(each)]
    everybodys = ("93.184.215.14", "1.1.1.1", "2606:2800:21f:cb07::1", "64:ff9b::101:101", "2002:101:101::")
    assert [each for each in everybodys if not is_public(each)] == []


@pytest.fixture(autouse=True)
def nothing_leaves(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Whatever goes wrong here, no packet goes to another machine; returns what was tried."""
    tried: list[Any] = []
    real = socket.socket.connect

    def connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1"):
            tried.append(address)
            raise OSError(f"{address} is not to be reached")
        real(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect)
    return tried


def feed(url: str, **options: Any) -> str:
    """What a source of kind feed at that address says is wrong."""
    source = web_feed.WebFeed(SourceSettings("wire", kind="feed", url=url, rights="theirs", **options), Path())
    look = source.look_again({}, NOW, {})
    found = list(look.sightings)
    assert not (found and look.problem)
    return look.problem


def test_no_spelling_leads_to_this_machine(web_site: WebSite, nothing_leaves: list[Any]) -> None:
    """A feed, the alerts' webhook and the sign of life."""
    with served(always(OK)) as server:
        for host in SPELLINGS:
            url = server.url.replace("127.0.0.1", host)
            assert feed(url), host
            problems = _alerted(web_site, AlertChannels(webhook=url, heartbeat_url=url))
            assert len(problems) == 1 and "heartbeat_url" in problems[0], problems
            failure = Client(deadline_seconds=5, public_only=True).post(url, b"{}", {})
            assert isinstance(failure, Failure) and not failure.left
            assert not server.connections, host
    assert nothing_leaves == []


def _alerted(web_site: WebSite, channels: AlertChannels) -> list[str]:
    site = replace(web_site.site, settings=replace(web_site.site.settings, alerts=channels))
    with contextlib.ExitStack() as stay:
        stay.callback(site.database.dispose)
        # The sign of life is only given while both live.
        for role in ("web", "work"):
            stay.enter_context(worker_lock(site.database, site.directory, role, web_site.now))
        return Alerting(site).round(web_site.now)


def names(monkeypatch: pytest.MonkeyPatch, **answers: list[str]) -> list[str]:
    """From now on these names have these addresses, one after the other; returns the names that were asked for."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *arguments: Any, **options: Any) -> list[Any]:
        name = str(host).rstrip(".").replace(".example", "")
        if name not in answers:
            return real(host, port, *arguments, **options)
        asked.append(name)
        address = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return asked


@pytest.mark.parametrize("address", ["10.0.0.7", "169.254.169.254", "::ffff:10.0.0.7", "fd00:ec2::254", "127.0.0.1"])
def test_no_name_leads_inside(monkeypatch: pytest.MonkeyPatch, nothing_leaves: list[Any], address: str) -> None:
    names(monkeypatch, inside=[address])
    assert f"leads to {address}" in feed("http://inside.example/feed.xml")
    assert nothing_leaves == []


def test_a_name_that_changes_its_mind_is_asked_once_for_each_connection(
    monkeypatch: pytest.MonkeyPatch, nothing_leaves: list[Any]
) -> None:
    """DNS rebinding: what was judged is what is connected to."""
    with served(always(OK)) as server:
        port = server.url.split(":")[2].rstrip("/")
        asked = names(monkeypatch, twice=["93.184.215.14", "127.0.0.1"])
        feed(f"http://twice.example:{port}/")
        assert asked == ["twice"] and nothing_leaves == [("93.184.215.14", int(port))]
        assert "127.0.0.1" in feed(f"http://twice.example:{port}/"), "the second look is judged anew"
        assert not server.connections


@pytest.mark.parametrize(
    "location",
    [
        *("http://127.0.0.2/", "//127.0.0.2/latest/meta-data/", "http://[::1]/", "http://2130706433/", "http://localhost/"),
        *("http://inside.example/", "http://127.0.0.2:22/", "https://127.0.0.2/", "http://0/", "http://[::ffff:7f00:2]/"),
        *("http://public.example\\@127.0.0.2/", "http://public.example#@127.0.0.2/", "http://user@127.0.0.2/"),
        *("http://127.0.0.2\t/", "http://127.0.0.2%2f@public.example/", "http://public.example@127.0.0.2:80/"),
        *("file:///etc/passwd", "gopher://127.0.0.2:6379/_INFO", "ftp://127.0.0.2/", "dict://127.0.0.2:11211/"),
        *("jar:http://127.0.0.2!/", "unix:///run/x.sock", "http:", "http:///x", "\\\\127.0.0.2\\x", "http://[::1"),
        *("data:,x", "http://", "http://127.0.0.1:0/"),
    ],
)
def test_no_redirect_leads_inside(monkeypatch: pytest.MonkeyPatch, nothing_leaves: list[Any], location: str) -> None:
    """The first server counts as public here; where it sends us does not."""
    monkeypatch.setattr("syndicate.http.is_public", lambda address: address == "127.0.0.1")
    names(monkeypatch, inside=["10.0.0.7"], public=["127.0.0.3"], localhost=["127.0.0.2"])
    hops: list[bytes] = []

    def serve(server: Server, connection: socket.socket) -> None:
        while request := read_request(connection):
            hops.append(request.split()[1])
            connection.sendall(redirect(302, location) if hops == [b"/"] else answer(rss(item(1)).encode()))

    with served(serve) as server:
        problem = feed(server.url)
    assert problem or hops[1:], location
    assert nothing_leaves == []
    assert all(not each.startswith((b"/latest", b"http")) for each in hops)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "ftp://a.example/", "gopher://127.0.0.1/", "javascript:x()", "data:,x", "//a.example/"),
        *("http://user:secret@a.example/", "http://user@a.example/", "http://a.example\\\\@b.example/", "http://@a.example/"),
        *("http://", "https:///x", "http://[::1", "http://a.example:99999/", "http://a.example:0/", "http://a.example:x/"),
        *("http://a b.example/", "http://a.example/\\r\\nX: y", "http://a.example/\\u0000", "a.example", "", " "),
    ],
)
def test_no_setting_takes_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    for place, text in {
        "sources": f'[[sources]]\nname = "wire"\nkind = "feed"\nurl = "{url}"\n',
        "webhook": f'[alerts]\nwebhook = "{url}"\n',
        "heartbeat_url": f'[alerts]\nheartbeat_url = "{url}"\n',
        "mail": "",
    }.items():
        settings = NEW_SETTINGS + text
        if place == "mail":
            settings = NEW_SETTINGS.replace('api = "sandbox"', f'api = "mailpit"\nurl = "{url}"')
        (tmp_path / "syndicate.toml").write_text(settings, encoding="utf-8")
        with pytest.raises((SettingsError, MailAPIError)) as refused:
            open_site(tmp_path, {}).mail_api()
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    ["http://a.example/path", "http://a.example?x", "http://u:p@a.example", "http://a.example#x", "http://a\\b", "x:y"],
)
def test_a_mail_api_is_a_host_and_nothing_else(url: str) -> None:
    with pytest.raises(MailAPIError):
        base_url(url, "")


# --- servers without end -----------------------------------------------------------------------------------------


def drip(server: Server, connection: socket.socket, head: bytes, *, every: float = 0.02, what: bytes = b"a") -> None:
    read_request(connection)
    connection.sendall(head)
    while not server.over.wait(every):
        connection.sendall(what)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/rss+xml\r\n"
ENDLESS: dict[str, Callable[[Server, socket.socket], None]] = {
    "an octet at a time": lambda server, wire: drip(server, wire, HEAD + b"Content-Length: 100000\r\n\r\n"),
    "no length": lambda server, wire: drip(server, wire, HEAD + b"\r\n"),
    "a chunk at a time": lambda server, wire: drip(
        server, wire, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", what=b"1\r\na\r\n"
    ),
    "a head without end": lambda server, wire: drip(server, wire, HEAD + b"X: "),
    "headers without end": lambda server, wire: drip(server, wire, HEAD, what=b"X: y\r\n"),
    "a status line without end": lambda server, wire: drip(server, wire, b"HTTP/1.1 200 "),
    "always to be continued": lambda server, wire: drip(server, wire, b"", what=b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints": lambda server, wire: drip(server, wire, b"", what=b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
    "nothing": lambda server, wire: drip(server, wire, b"", every=60),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_nobody_is_waited_for_beyond_the_time(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(web_feed, "DEADLINE_SECONDS", 0.5)
    with served(ENDLESS[name]) as server:
        began = time.monotonic()
        assert feed(server.url, allow_private=True)
        assert time.monotonic() - began < 30, name


@contextlib.contextmanager
def flooding(head: bytes, piece: bytes) -> Iterator[tuple[Server, list[int]]]:
    """A server that sends as much as it can; how much that was."""
    sent = [0]

    def serve(server: Server, connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(head)
        while not server.over.is_set() and sent[0] < 200_000_000:
            connection.sendall(piece)
            sent[0] += len(piece)

    with served(serve) as server:
        yield server, sent


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (HEAD + b"\r\n", b"a" * 65_536),
        (HEAD + b"Content-Length: 10\r\nTransfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"a" * 65_536 + b"\r\n"),
        (HEAD + b"X: ", b"a" * 65_536),
        (HEAD, b"X: y\r\n" * 10_000),
        (b"HTTP/1.1 302 Elsewhere\r\nLocation: /\r\n\r\n", b"a" * 65_536),
        (b"HTTP/1.1 404 No\r\n\r\n", b"a" * 65_536),
    ],
)
def test_no_more_is_taken_than_there_is_room_for(head: bytes, piece: bytes) -> None:
    with flooding(head, piece) as (server, sent):
        assert feed(server.url, allow_private=True)
        assert sent[0] < 80_000_000


def test_nothing_small_becomes_large(monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = gzip.compress(bytes(40_000_000), mtime=0)  # 39 kB
    laughs = "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    bombs = {
        "gzip": answer(zeros, "Content-Encoding: gzip"),
        "gzip in gzip": answer(gzip.compress(gzip.compress(zeros, mtime=0), mtime=0), "Content-Encoding: gzip"),
        "two codings": answer(gzip.compress(zeros, mtime=0), "Content-Encoding: gzip, gzip"),
        "laughs": answer(
            f'<!DOCTYPE rss [<!ENTITY a "{"ha" * 50}">{laughs}]><rss version="2.0"><channel><title>&i;</title>'
            f"<item><title>&i;</title><guid>1</guid></item></channel></rss>".encode()
        ),
        "a file": answer(
            b'<!DOCTYPE rss [<!ENTITY e SYSTEM "file:///etc/passwd">]><rss version="2.0"><channel><title>x</title>'
            b"<item><guid>1</guid><description>&e;</description></item></channel></rss>"
        ),
    }
    for name, bomb in bombs.items():
        with served(always(bomb)) as server:
            source = web_feed.WebFeed(
                SourceSettings("wire", kind="feed", url=server.url, rights="ours", allow_private=True), Path()
            )
            began = time.monotonic()
            look = source.look_again({}, NOW, {})
            found = [each.draft.content for each in look.sightings if each.draft]
            assert sum(len(each.html) + len(each.title) for each in found) < 100_000, name
            assert not [each for each in found if "root:" in each.html + each.title], name
            assert time.monotonic() - began < 20, name


def test_redirects_end() -> None:
    asked: list[bytes] = []

    def serve(server: Server, connection: socket.socket) -> None:
        while request := read_request(connection):
            asked.append(request.split()[1])
            connection.sendall(redirect(302, f"/{len(asked)}"))

    with served(serve) as server:
        assert "redirects more than 5 times" in feed(server.url, allow_private=True)
    assert len(asked) == 6


def test_nothing_of_ours_is_told_to_who_is_redirected_to() -> None:
    """Neither a cookie, nor a referrer, nor the marks of another server's feed."""
    heads: list[bytes] = []

    def serve(server: Server, connection: socket.socket) -> None:
        while request := read_request(connection):
            heads.append(request)
            elsewhere = redirect(302, "/b").replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\nETag: x\r\n\r\n", 1)
            connection.sendall(elsewhere if len(heads) == 1 else answer(rss(item(1)).encode()))

    with served(serve) as server:
        source = web_feed.WebFeed(
            SourceSettings("wire", kind="feed", url=f"{server.url}?key=secret", rights="ours", allow_private=True),
            Path(),
        )
        assert list(source.look_again({}, NOW, {}).sightings)
    assert len(heads) == 2
    for word in (b"cookie", b"referer", b"authorization", b"secret"):
        assert word not in heads[1].lower()
