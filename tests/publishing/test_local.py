"""A folder as a target: whole files or none, nothing touched that holds the bytes already, no way out."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from time import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.errors import BadInput, SyndicateError
from syndicate.publishing.local import LEFTOVER_SECONDS, Local


@pytest.fixture
def target(tmp_path: Path) -> Local:
    return Local(tmp_path / "feeds")


def test_what_is_put_is_there(target: Local) -> None:
    assert target.put("world/rss.xml", b"bytes")
    assert target.get("world/rss.xml") == b"bytes" == (target.folder / "world" / "rss.xml").read_bytes()
    assert target.holds("world/rss.xml")
    assert target.get("none.xml") is None and target.get("world") is None and target.get("world/rss.xml/x") is None
    assert not target.holds("none.xml")


def test_the_same_bytes_touch_nothing(target: Local) -> None:
    target.put("rss.xml", b"bytes")
    before = (target.folder / "rss.xml").stat()
    assert not target.put("rss.xml", b"bytes")
    after = (target.folder / "rss.xml").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert target.put("rss.xml", b"other") and target.put("rss.xml", b"longer than before")


def test_an_empty_file_does_not_count_as_there(target: Local) -> None:
    target.put("rss.xml", b"")
    assert not target.holds("rss.xml")


def test_removing_twice_is_fine(target: Local) -> None:
    target.put("a.xml", b"a")
    assert target.remove("a.xml") and not target.remove("a.xml") and not target.remove("none/a.xml")


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", ".", "..", "/etc/passwd", "../out", "a/../../out", "a/./b", "a//b", "a/", "a\\b", "..\\out", "C:x"),
        *(".hidden", "a/.hidden", "a\x00b", "a\nb", "\u202egpj"),
    ],
)
def test_a_path_that_leads_out_is_refused(target: Local, path: str, tmp_path: Path) -> None:
    for act in (lambda: target.put(path, b"x"), lambda: target.get(path), lambda: target.remove(path)):
        with pytest.raises(BadInput, match="not a path inside"):
            act()
    assert list(tmp_path.iterdir()) == []


@given(st.text(max_size=12))
def test_no_path_at_all_leads_out(path: str) -> None:
    target = Local(Path("/nowhere/feeds"))
    try:
        target.get(path)
    except BadInput:
        return
    except (OSError, ValueError) as error:
        assert "too long" in str(error)
    assert os.path.normpath(f"/nowhere/feeds/{path}").startswith("/nowhere/feeds/")


def test_a_link_that_leads_out_is_refused_and_one_that_is_the_folder_is_not(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "feeds").symlink_to(tmp_path / "real")
    target = Local(tmp_path / "feeds")
    assert target.put("world/rss.xml", b"x")
    (tmp_path / "real" / "evil").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match="leads out"):
        target.put("evil/rss.xml", b"x")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_reader_never_meets_half_a_file(target: Local) -> None:
    bodies = [bytes([number]) * 200_000 for number in range(8)]
    target.put("rss.xml", bodies[0])
    stop = threading.Event()
    seen: set[bytes | None] = set()

    def read() -> None:
        while not stop.is_set():
            seen.add(target.get("rss.xml"))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(120):
        target.put("rss.xml", bodies[number % 8])
    stop.set()
    reader.join()
    assert seen and seen <= set(bodies)


def test_many_threads_put_one_file(target: Local) -> None:
    bodies = [bytes([number]) * 50_000 for number in range(6)]

    def work(body: bytes) -> None:
        for _ in range(20):
            target.put("a/b.xml", body)

    threads = [threading.Thread(target=work, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert target.get("a/b.xml") in bodies
    assert [path.name for path in target.folder.iterdir()] == ["a"]


def test_what_a_killed_publisher_left_is_swept_away(target: Local) -> None:
    target.folder.mkdir()
    old, young = target.folder / ".1-1.part", target.folder / ".1-2.part"
    for path in (old, young):
        path.write_bytes(b"half")
    past = time() - LEFTOVER_SECONDS - 5
    os.utime(old, (past, past))
    target.put("rss.xml", b"x")
    assert sorted(path.name for path in target.folder.iterdir()) == [".1-2.part", "rss.xml"]


def test_a_folder_removed_meanwhile_is_made_again(target: Local) -> None:
    target.put("world/rss.xml", b"x")
    (target.folder / "world" / "rss.xml").unlink()
    (target.folder / "world").rmdir()
    assert target.put("world/rss.xml", b"x")


def test_a_place_that_cannot_be_written_says_so_and_leaves_nothing(target: Local, tmp_path: Path) -> None:
    target.folder.mkdir()
    (target.folder / "world").write_bytes(b"a file where a folder should be")
    with pytest.raises(SyndicateError, match=r"rss\.xml cannot be written: .*permissions"):
        target.put("world/rss.xml", b"x")
    (target.folder / "rss.xml").mkdir()
    with pytest.raises(SyndicateError, match="cannot be written"):
        target.put("rss.xml", b"x")
    assert not list(target.folder.glob(".*"))
