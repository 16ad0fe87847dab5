"""Published files as HTTP hands them out: validators, codings, types, and what is refused."""

from __future__ import annotations

import gzip
import os
import string
import time
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path

import feedparser
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from syndicate.publishing.local import Local
from syndicate.publishing.twins import put_with_twin, remove_with_twin
from syndicate.web.feed_file import is_plain, load
from syndicate.web.feeds import LOOK_SECONDS, FeedFiles
from tests.web.asking import Answer, ask
from tests.web.serving import serving

OLD = 1_700_000_000
FEED = b'<?xml version="1.0"?><rss version="2.0"><channel><title>Tides</title></channel></rss>' + b" " * 400


class Press:
    """A folder of feeds, what serves it, and the hand of its clock."""

    def __init__(self, folder: Path, *, pages_bytes: int = 1_000_000) -> None:
        self.folder = folder
        self.hand = 0.0
        self.target = Local(folder)
        self.app = FeedFiles(folder, pages_bytes=pages_bytes, clock=lambda: self.hand)

    def put(self, path: str, content: bytes, *, modified: float = OLD) -> None:
        put_with_twin(self.target, path, content)
        for name in (path, f"{path}.gz"):
            os.utime(self.folder / name, (modified, modified))

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return ask(self.app, path, method, **headers)

    def later(self) -> None:
        self.hand += LOOK_SECONDS


@pytest.fixture
def press(tmp_path: Path) -> Press:
    made = Press(tmp_path / "feeds")
    made.put("rss.xml", FEED)
    made.put("index.html", b"<!doctype html><title>Feeds</title>")
    made.put("world/atom.xml", b"<feed/>")
    made.put("articles/1.html", b"<!doctype html><title>One</title>")
    return made


def test_a_feed_is_served_byte_for_byte(press: Press) -> None:
    answer = press.get("/feeds/rss.xml")
    assert (answer.status, answer.body) == (200, FEED)
    assert answer.headers["content-type"] == "application/rss+xml; charset=utf-8"
    assert answer.headers["content-length"] == str(len(FEED))
    assert answer.headers["cache-control"] == "public, max-age=1800"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["last-modified"] == formatdate(OLD, usegmt=True)
    assert not answer.headers["etag"].startswith("W/")
    assert "content-encoding" not in answer.headers


def test_each_coding_has_its_own_tag_and_both_answer_304(press: Press) -> None:
    plain = press.get("/feeds/rss.xml")
    zipped = press.get("/feeds/rss.xml", accept_encoding="gzip, br")
    assert zipped.body == (press.folder / "rss.xml.gz").read_bytes()
    assert gzip.decompress(zipped.body) == plain.body
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.headers["content-type"] == plain.headers["content-type"]
    assert zipped.headers["etag"] != plain.headers["etag"]
    for whole in (plain, zipped):
        for accept in ("gzip", "identity"):
            named = whole.headers["etag"]
            again = press.get("/feeds/rss.xml", accept_encoding=accept, if_none_match=f'"other", W/{named}')
            assert (again.status, again.body) == (304, b"")
            assert again.headers["etag"] == named, "the tag that was named, or the cache would mix the codings"
            for name in ("cache-control", "vary", "access-control-allow-origin"):
                assert again.headers[name] == whole.headers[name]
            assert "content-length" not in again.headers


def test_the_tag_outranks_the_date(press: Press) -> None:
    tag = press.get("/feeds/rss.xml").headers["etag"]
    date = formatdate(OLD, usegmt=True)
    assert press.get("/feeds/rss.xml", if_modified_since=date).status == 304
    assert press.get("/feeds/rss.xml", if_modified_since=formatdate(OLD + 60, usegmt=True)).status == 304
    assert press.get("/feeds/rss.xml", if_modified_since=formatdate(OLD - 1, usegmt=True)).status == 200
    assert press.get("/feeds/rss.xml", if_none_match='"other"', if_modified_since=date).status == 200
    assert (
        press.get("/feeds/rss.xml", if_none_match=tag, if_modified_since="Thu, 01 Jan 1970 00:00:00 GMT").status == 304
    )
    assert press.get("/feeds/rss.xml", if_none_match="*").status == 304


def test_head_tells_what_get_would(press: Press) -> None:
    for headers in ({}, {"accept_encoding": "gzip"}):
        whole, head = press.get("/feeds/rss.xml", **headers), press.get("/feeds/rss.xml", "HEAD", **headers)
        assert (head.status, head.headers, head.body) == (whole.status, whole.headers, b"")
    assert press.get("/feeds/none.xml", "HEAD").body == b""


def test_the_tag_is_of_the_bytes_alone(press: Press, tmp_path: Path) -> None:
    other = Press(tmp_path / "other")
    other.put("rss.xml", FEED, modified=OLD + 5)
    assert other.get("/feeds/rss.xml").headers["etag"] == press.get("/feeds/rss.xml").headers["etag"]
    other.put("rss.xml", FEED + b" ")
    other.later()
    assert other.get("/feeds/rss.xml").headers["etag"] != press.get("/feeds/rss.xml").headers["etag"]


@pytest.mark.parametrize(
    ("path", "kind", "seconds"),
    [
        ("rss.xml", "application/rss+xml; charset=utf-8", 1800),
        ("world/atom.xml", "application/atom+xml; charset=utf-8", 1800),
        ("world/feed.json", "application/feed+json; charset=utf-8", 1800),
        ("feeds.opml", "text/x-opml; charset=utf-8", 1800),
        ("index.html", "text/html; charset=utf-8", 300),
        ("articles/x.html", "text/html; charset=utf-8", 300),
        ("picture.png", "image/png", 86400),
        ("unknown.xyz", "application/octet-stream", 1800),
        ("rss.xml.gz", "application/gzip", 1800),
    ],
)
def test_types(press: Press, path: str, kind: str, seconds: int) -> None:
    if path != "rss.xml.gz":
        press.put(path, b"something")
    answer = press.get(f"/feeds/{path}")
    assert answer.headers["content-type"] == kind
    assert answer.headers["cache-control"] == f"public, max-age={seconds}"
    assert ("content-security-policy" in answer.headers) is kind.startswith("text/html")


def test_a_twin_asked_for_by_its_name_is_a_file_of_its_own(press: Press) -> None:
    answer = press.get("/feeds/rss.xml.gz", accept_encoding="gzip")
    assert gzip.decompress(answer.body) == FEED
    assert "content-encoding" not in answer.headers


def test_folders(press: Press) -> None:
    assert press.get("/feeds/").body.startswith(b"<!doctype html>")
    for path, place in (("/feeds", "./feeds/"), ("/feeds/world", "./world/"), ("/feeds/articles", "./articles/")):
        answer = press.get(path)
        assert (answer.status, answer.headers["location"]) == (301, place)
    assert press.get("/feeds/world/").status == 404
    press.put("world/index.html", b"<p>World")
    assert press.get("/feeds/world/").body == b"<p>World"


def test_other_methods(press: Press) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        answer = press.get("/feeds/rss.xml", method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
        assert b"only be read" in answer.body
    answer = press.get("/feeds/rss.xml", "OPTIONS", origin="https://reader.example")
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "If-None-Match" in answer.headers["access-control-allow-headers"]


def test_what_is_published_later_is_found_in_time(press: Press) -> None:
    assert press.get("/feeds/news.xml").status == 404
    press.put("news.xml", b"first")
    assert press.get("/feeds/news.xml").body == b"first"
    press.put("news.xml", b"other")
    assert press.get("/feeds/news.xml").body == b"first", "not looked at for every request"
    press.later()
    assert press.get("/feeds/news.xml").body == b"other"
    zipped = press.get("/feeds/news.xml", accept_encoding="gzip")
    assert gzip.decompress(zipped.body) == b"other"


def test_what_is_taken_back_is_gone_and_may_return(press: Press) -> None:
    assert press.get("/feeds/articles/1.html").status == 200
    remove_with_twin(press.target, "articles/1.html")
    press.later()
    answer = press.get("/feeds/articles/1.html")
    assert (answer.status, answer.headers["cache-control"]) == (410, "no-cache")
    assert b"taken back" in answer.body
    assert press.get("/feeds/articles/2.html").status == 404
    press.put("articles/1.html", b"again")
    assert press.get("/feeds/articles/1.html").body == b"again"


def test_a_change_that_leaves_the_stamp_alike_is_still_found_while_it_is_fresh(press: Press) -> None:
    """Within one tick of the disk's clock, into the same file and of the same length."""
    moment = time.time()
    press.put("rss.xml", b"one", modified=moment)
    assert press.get("/feeds/rss.xml").body == b"one"
    kept = press.app._feeds.get("rss.xml")
    assert kept is not None and kept.file.fresh
    (press.folder / "rss.xml").write_bytes(b"two")
    os.utime(press.folder / "rss.xml", (moment, moment))
    press.later()
    assert press.get("/feeds/rss.xml").body == b"two"


def test_the_date_is_whole_and_never_in_the_future(press: Press) -> None:
    press.put("rss.xml", FEED, modified=time.time() + 5_000)
    told = parsedate_to_datetime(press.get("/feeds/rss.xml").headers["last-modified"]).timestamp()
    assert told <= time.time()


@pytest.mark.parametrize(("read_after", "told"), [(0.0, -1), (0.7, -1), (0.8, 0), (60.0, 0)])
def test_what_changes_again_within_the_same_second_is_newer(press: Press, read_after: float, told: int) -> None:
    """Read within the second of its change, a file is dated a second earlier: else who asks by date alone would never
    hear of what was written later in that second."""
    press.put("rss.xml", FEED, modified=OLD + 0.2)
    file = load(str(press.folder), "rss.xml", OLD + 0.2 + read_after)
    assert file is not None
    assert file.last_modified == OLD + told
    assert file.http_modified.decode() == formatdate(OLD + told, usegmt=True)


def test_a_twin_of_other_words_is_not_served(press: Press) -> None:
    """Between the two puts of a file and its twin, and when somebody edits a file by hand."""
    (press.folder / "rss.xml").write_bytes(FEED.replace(b"Tides", b"Ropes"))
    press.later()
    answer = press.get("/feeds/rss.xml", accept_encoding="gzip")
    assert b"Ropes" in answer.body
    assert "content-encoding" not in answer.headers
    (press.folder / "rss.xml.gz").unlink()
    assert b"Ropes" in press.get("/feeds/rss.xml", accept_encoding="gzip").body


def test_pages_take_no_more_memory_than_they_may(tmp_path: Path) -> None:
    press = Press(tmp_path / "feeds", pages_bytes=50_000)
    press.put("rss.xml", FEED)
    press.get("/feeds/rss.xml")
    for number in range(30):
        press.put(f"articles/{number}.html", b"%d" % number * 1_000)
        assert press.get(f"/feeds/articles/{number}.html").status == 200
        assert press.app._pages.bytes <= 50_000
    assert press.app._feeds.get("rss.xml") is not None
    assert press.get("/feeds/articles/0.html").body == b"0" * 1_000
    assert press.get("/feeds/articles/29.html").body == b"29" * 1_000


TRICKS = [
    "/feeds/../syndicate.toml",
    "/feeds/%2e%2e/syndicate.toml",
    "/feeds/%2E%2E%2Fsyndicate.toml",
    "/feeds/world/../../syndicate.toml",
    "/feeds/world/%2e%2e/%2e%2e/syndicate.toml",
    "/feeds/..%5csyndicate.toml",
    "/feeds/..\\syndicate.toml",
    "/feeds//etc/passwd",
    "/feeds/%2fetc/passwd",
    "/feeds/./rss.xml",
    "/feeds/rss.xml%00.html",
    "/feeds/rss.xml%0a",
    "/feeds/%ff%fe",
    "/feeds/C:/windows",
    "/feeds/.1-1.part",
    "/feeds/world/.hidden",
    "/feeds/rss.xml/",
    "/feeds/rss.xml/index.html",
    "/feeds/link/syndicate.toml",
    "/feeds/link",
    "/feeds/secret.xml",
    "/feeds/pipe.xml",
    "/feeds/" + "a/" * 2_000,
    "/feeds/" + "a" * 5_000,
    "/feedsrss.xml",
    "/feedsx/rss.xml",
    "/",
    "*",
    "",
]


@pytest.mark.parametrize("path", TRICKS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_no_path_leads_out_of_the_folder(press: Press, tmp_path: Path, path: str, method: str) -> None:
    (tmp_path / "syndicate.toml").write_text("secret")
    (press.folder / "link").symlink_to(tmp_path)
    (press.folder / "secret.xml").symlink_to(tmp_path / "syndicate.toml")
    (press.folder / ".1-1.part").write_text("secret")
    (press.folder / "world/.hidden").write_text("secret")
    os.mkfifo(press.folder / "pipe.xml")
    answer = press.get(path, method)
    assert answer.status == 404
    assert b"secret" not in answer.body


def test_a_twin_that_is_a_link_out_is_not_served(press: Press, tmp_path: Path) -> None:
    (press.folder / "rss.xml.gz").rename(tmp_path / "outside.gz")
    (press.folder / "rss.xml.gz").symlink_to(tmp_path / "outside.gz")
    assert "content-encoding" not in press.get("/feeds/rss.xml", accept_encoding="gzip").headers


def test_the_folder_itself_may_be_a_link(press: Press, tmp_path: Path) -> None:
    (tmp_path / "public").symlink_to(press.folder)
    assert Press(tmp_path / "public").get("/feeds/rss.xml").body == FEED


def test_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    press = Press(tmp_path / "later")
    assert press.get("/feeds/").status == 404
    press.put("index.html", b"here")
    assert press.get("/feeds/").body == b"here"


@given(st.text(string.printable + "./\\%é\x00", max_size=40))
def test_a_plain_path_stays_inside(path: str) -> None:
    if is_plain(path):
        assert os.path.normpath(path) == path
        assert not path.startswith(("/", ".."))
        assert not any(each.startswith(".") for each in path.split("/"))


@given(st.binary(max_size=60))
def test_any_path_gets_an_answer(path: bytes) -> None:
    app = FeedFiles(Path("/nonexistent"))
    assert ask(app, "/feeds/" + path.decode("latin-1")).status in (301, 404)


# --- through a real server ---------------------------------------------------------------------------------------


def test_a_real_client_reads_and_asks_again(press: Press) -> None:
    with serving(press.app) as address, requests.Session() as session:
        first = session.get(f"{address}/feeds/rss.xml", timeout=60)
        assert (first.status_code, first.content) == (200, FEED)
        assert first.headers["Content-Encoding"] == "gzip"
        again = session.get(f"{address}/feeds/rss.xml", headers={"If-None-Match": first.headers["ETag"]}, timeout=60)
        assert (again.status_code, again.content) == (304, b"")
        head = session.head(f"{address}/feeds/rss.xml", timeout=60)
        assert head.headers["Content-Length"] == first.headers["Content-Length"]
        assert session.get(f"{address}/feeds", timeout=60).url == f"{address}/feeds/"
        assert session.get(f"{address}/feeds/%2e%2e/%2e%2e/etc/passwd", timeout=60).status_code == 404


def test_feedparser_polls_for_nothing_until_something_changes(press: Press) -> None:
    with serving(press.app) as address:
        first = feedparser.parse(f"{address}/feeds/rss.xml")
        assert (first.status, first.feed.title, first.bozo) == (200, "Tides", False)
        assert feedparser.parse(f"{address}/feeds/rss.xml", etag=first.etag).status == 304
        assert feedparser.parse(f"{address}/feeds/rss.xml", modified=first.modified).status == 304
        press.put("rss.xml", FEED.replace(b"Tides", b"Ropes"), modified=OLD + 60)
        press.later()
        changed = feedparser.parse(f"{address}/feeds/rss.xml", etag=first.etag, modified=first.modified)
        assert (changed.status, changed.feed.title) == (200, "Ropes")


def test_readers_meet_the_old_words_or_the_new_ones(tmp_path: Path) -> None:
    """While another writes and replaces, without a clock's hand: every answer is whole, and the last is the newest."""
    folder = tmp_path / "feeds"
    target = Local(folder)
    versions = [b"%d;" % number * 20_000 for number in range(10)]
    put_with_twin(target, "rss.xml", versions[0])
    with serving(FeedFiles(folder)) as address, requests.Session() as session:
        for version in versions:
            put_with_twin(target, "rss.xml", version)
            for accept in ("gzip", "identity"):
                answer = session.get(f"{address}/feeds/rss.xml", headers={"Accept-Encoding": accept}, timeout=60)
                assert answer.content in versions
        ends = time.monotonic() + 1
        while session.get(f"{address}/feeds/rss.xml", timeout=60).content != versions[-1]:
            assert time.monotonic() < ends, "served within a second of its publication"
            time.sleep(0.02)
