"""Polls that are answered at once are answered as by way of ASGI, and nothing else is taken for a poll."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from email.utils import formatdate, parsedate_to_datetime

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from syndicate.publishing.local import Local
from syndicate.publishing.twins import put_with_twin
from syndicate.web import polls
from syndicate.web.conditions import Asked
from syndicate.web.feeds import FeedFiles
from syndicate.web.polls import LONGEST, Polls, poll_in
from syndicate.web.whole_request import Headers
from tests.web.mangling import pieces
from tests.web.newsroom_site import WebSite, serving_for_real
from tests.web.published_feeds import FEED, LARGE, OLD, POLL, Published, published, request
from tests.web.wire import Reply, conversation, wired


@dataclass
class Press:
    """The same folder, served in both ways."""

    app: Published
    at_once: str
    by_asgi: str

    def require_same(self, *pieces: bytes) -> list[Reply | None]:
        """What both say to these."""
        said = conversation(self.at_once, list(pieces))
        assert said == conversation(self.by_asgi, list(pieces))
        return said


@pytest.fixture(scope="module")
def press(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Press]:
    app = published(tmp_path_factory.mktemp("polls") / "feeds")
    with ExitStack() as stack:
        yield Press(app, *(stack.enter_context(serving_for_real(each)) for each in (app, FeedFiles(app.folder))))


def tag(app: Published, accept: bytes | None = None) -> str:
    chosen = app.feeds.choose(b"/feeds/rss.xml", Asked(None, None, accept))
    assert chosen is not None
    return chosen[0].tag.decode()


# --- what is a poll ----------------------------------------------------------------------------------------------

NO_POLLS = {
    "a part": POLL[:-1],
    "two": POLL * 2,
    "one and a part": POLL + b"GET /",
    "an empty line first": b"\r\n" + POLL,
    "another method": request(method="POST"),
    "a method in lower case": request(method="get"),
    "another version": request(version="HTTP/1.0"),
    "another version, kept": request("Connection: keep-alive", version="HTTP/1.0"),
    "no version": b"GET /feeds/rss.xml\r\n\r\n",
    "another folder": request(path="/console/"),
    "an address with a host": request(path="http://127.0.0.1/feeds/rss.xml"),
    "a question": request(path="/feeds/rss.xml?a=b"),
    "a fragment": request(path="/feeds/rss.xml#a"),
    "an address that is coded": request(path="/feeds/%72ss.xml"),
    "a blank in the address": request(path="/feeds/rss.xml x"),
    "beyond ASCII": request(path="/feeds/é.xml"),
    "a length": request("Content-Length: 4") + b"\r\n\r\n",
    "a length, and a poll in it": request(f"Content-Length: {len(POLL)}") + POLL,
    "a length of what does not come": request("Content-Length: 4"),
    "chunks": request("Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "a trailer": request("Transfer-Encoding: chunked") + b"0\r\nIf-None-Match: *\r\n\r\n",
    "length and chunks": request("Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "two lengths": request("Content-Length: 0", "Content-Length: 4") + b"\r\n\r\n",
    "a length with a sign": request("Content-Length: +0"),
    "chunks by another name": request("Transfer-Encoding: xchunked"),
    "the last on the connection": request("Connection: close"),
    "the last, among others": request("Connection: x, Close"),
    "an upgrade": request("Connection: upgrade", "Upgrade: websocket"),
    "a folded line": request("X: y", " z: a"),
    "a blank before the colon": request("Content-Length : 0"),
    "no colon": request("X"),
    "a line feed alone": POLL.replace(b"\r\n", b"\n"),
    "a return alone": request("X: y\rContent-Length: 3"),
    "NUL": request("X: a\0b"),
}


@pytest.mark.parametrize("name", NO_POLLS)
def test_what_is_no_whole_ordinary_request_goes_the_ordinary_way(press: Press, name: str) -> None:
    assert poll_in(NO_POLLS[name]) is None
    before = press.app.polls.answered
    press.require_same(NO_POLLS[name])
    assert press.app.polls.answered == before


def test_ordinary_requests_are_polls() -> None:
    assert poll_in(POLL) == (b"/feeds/rss.xml", True, Asked(None, None, None))
    asked = ("If-None-Match: *", "Accept-Encoding: gzip, br", "If-Modified-Since: never", "IF-NONE-MATCH: x")
    assert poll_in(request(*asked, path="/feeds/a-b/~c_d.xml", method="HEAD")) == (
        b"/feeds/a-b/~c_d.xml",
        False,
        Asked(b"*,x", b"never", b"gzip, br"),
    )


def test_no_part_of_a_request_is_a_poll() -> None:
    whole = request("If-None-Match: *", "Accept-Encoding: gzip")
    assert [length for length in range(len(whole) + 1) if poll_in(whole[:length])] == [len(whole)]


def test_long_requests_are_not_remembered(press: Press) -> None:
    before = poll_in.cache_info()
    assert before.maxsize == polls.REMEMBERED
    long = request("X: " + "a" * LONGEST)
    known = press.app.polls.answered
    assert [each.status for each in press.require_same(long) if each] == [200, 404]
    assert (poll_in.cache_info().misses, press.app.polls.answered) == (before.misses, known)


# --- the same answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_both_ways_answer_with_the_same_octets(press: Press, method: str) -> None:
    date = formatdate(OLD, usegmt=True)
    plain, zipped = tag(press.app), tag(press.app, b"gzip")
    assert plain != zipped
    for fields, status in (
        ([], 200),
        (["Accept-Encoding: gzip"], 200),
        (["Accept-Encoding: gzip;q=0"], 200),
        (["If-None-Match: " + plain], 304),
        (["If-None-Match: " + zipped, "Accept-Encoding: gzip"], 304),
        (['If-None-Match: "a", W/' + zipped], 304),
        (['If-None-Match: "a"', "If-Modified-Since: " + date], 200),
        (["If-Modified-Since: " + date], 304),
        (["If-Modified-Since: x"], 200),
        (["Content-Length: 0"], 200),
        (["Expect: 100-continue"], 200),
        (["Host: another"], 200),
    ):
        for path in ("/feeds/rss.xml", "/feeds/articles/1.html", "/feeds/"):
            before = press.app.polls.answered
            said = press.require_same(request(*fields, path=path, method=method))
            assert press.app.polls.answered == before + 1, (fields, path)
            if path == "/feeds/rss.xml":
                assert said[0] is not None and said[0].status == status, fields
                assert said[0].body == b"" or (method, status) == ("GET", 200)


def test_what_is_not_there_is_told_the_ordinary_way(press: Press) -> None:
    for path in ("/feeds/none.xml", "/feeds/world", "/feeds/world/", "/feeds/../x", "/feeds//x", "/feeds/.x"):
        before = press.app.polls.answered
        press.require_same(request(path=path), request(path=path, method="HEAD"))
        assert press.app.polls.answered == before
    # A name that looks as if it were coded is not taken for what it would say.
    coded, plain = (request(path=f"/feeds/world/{name}") for name in ("100%2525.xml", "100%25.xml"))
    assert [each.status for each in press.require_same(coded, plain, coded) if each] == [200, 404, 200, 404]


FIELDS = st.sampled_from(
    [
        "Accept-Encoding: gzip, deflate, br",
        "accept-encoding: identity",
        "ACCEPT-ENCODING: *;q=0.5",
        'If-None-Match: "x"',
        "If-None-Match: *",
        "If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT",
        "If-Modified-Since: Mon, 13 Nov 2023 22:13:20 GMT",
        "Connection: keep-alive",
        "Connection: close",
        "Connection: Upgrade, keep-alive",
        "Upgrade: websocket",
        "Expect: 100-continue",
        "Content-Length: 0",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
        "Cookie: a=b",
        "X: y",
        "X:",
        " x",
        "User-Agent: a reader (of 3)",
    ]
)
REQUESTS = st.builds(
    lambda fields, path, method, version: request(*fields, path=path, method=method, version=version),
    st.lists(FIELDS, max_size=5),
    st.sampled_from(["/feeds/rss.xml"] * 6 + ["/feeds/", "/feeds/none", "/feeds/%72ss.xml", "/feeds/rss.xml?x", "/"]),
    st.sampled_from(["GET"] * 6 + ["HEAD", "POST", "OPTIONS", "BREW"]),
    st.sampled_from(["HTTP/1.1"] * 8 + ["HTTP/1.0", "HTTP/2.0", "http/1.1"]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(pieces(REQUESTS), min_size=1, max_size=4))
def test_whatever_is_sent_both_ways_answer_alike(press: Press, sent: list[bytes]) -> None:
    press.require_same(*sent)


def test_a_request_that_comes_octet_by_octet(press: Press) -> None:
    before = press.app.polls.answered
    with wired(press.at_once) as wire:
        for number in range(2):
            for octet in request("Accept-Encoding: identity"):
                wire.send(bytes([octet]))
            reply = wire.reply()
            assert reply is not None and reply.body == FEED, number
        wire.send(POLL)
        reply = wire.reply()
        assert reply is not None and reply.body == FEED
    assert press.app.polls.answered >= before + 1, "a connection is at rest again after that"


def test_requests_one_behind_another_are_answered_in_their_order(press: Press) -> None:
    paths = ("/feeds/rss.xml", "/feeds/none", "/feeds/", "/feeds/large.bin", "/feeds/rss.xml")
    said = press.require_same(b"".join(request(path=path) for path in paths), POLL, POLL * 2 + POLL[:9], POLL[9:])
    assert [each.status for each in said if each] == [200, 404, 200, 200, 200, 200, 200, 200, 200, 404]
    assert said[3] is not None and said[3].body == LARGE


@pytest.mark.parametrize("line", [b"\r\n", b"\r", b"\n"])
def test_a_poll_behind_an_empty_line_goes_the_ordinary_way(press: Press, line: bytes) -> None:
    """Else lines would add up over the polls of a connection, to a head that is too long."""
    before = press.app.polls.answered
    with wired(press.at_once) as wire:
        for number, piece in enumerate((POLL, line, POLL, POLL)):
            wire.send(piece)
            if piece is POLL:
                reply = wire.reply()
                assert reply is not None and reply.body == FEED
            else:
                time.sleep(0.05)  # so that it comes by itself
            assert press.app.polls.answered - before == (1, 1, 1, 2)[number]
    press.require_same(POLL, line, POLL, POLL)


def test_the_date_is_that_of_the_ordinary_answers(press: Press) -> None:
    for url in (press.at_once, press.by_asgi):
        said = requests.get(f"{url}/feeds/rss.xml", timeout=60).headers["Date"]
        assert abs(parsedate_to_datetime(said).timestamp() - time.time()) < 30
    first, then = ([(b"date", b"1"), (b"x", b"y")], [(b"date", b"2")])
    polls = Polls(press.app.feeds)
    for defaults, lines in ((first, b"date: 1\r\nx: y\r\n"), (then, b"date: 2\r\n"), (first, b"date: 1\r\nx: y\r\n")):
        answer = polls.answer(POLL, defaults)
        assert answer is not None and answer[0].startswith(b"HTTP/1.1 200 OK\r\n" + lines + b"content-type: ")


def test_a_whole_site_answers_polls_at_once(web_site: WebSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The web application offers it, and the server takes it up."""
    seen: list[bytes] = []

    def noted(self: Polls, data: bytes, defaults: Headers) -> None:
        seen.append(data)

    put_with_twin(Local(web_site.site.feeds_folder), "rss.xml", FEED)
    with monkeypatch.context() as patched:
        patched.setattr(Polls, "answer", noted)
        assert web_site.stranger().get("/feeds/rss.xml").content == FEED
    assert len(seen) == 1 and poll_in(seen[0]) is not None
    assert web_site.stranger().get("/feeds/rss.xml").content == FEED
