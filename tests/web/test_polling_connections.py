"""Connections that poll: how long they stay open, what waits for what, and what another process publishes meanwhile."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from syndicate.web import protocol, server
from tests.process.waiting import until
from tests.web.newsroom_site import serving_for_real
from tests.web.published_feeds import FEED, LARGE, POLL, Published, published, request
from tests.web.wire import Reply, wired


@pytest.fixture
def alone(tmp_path: Path) -> Published:
    return published(tmp_path / "feeds")


def test_an_idle_connection_is_closed_and_one_that_polls_is_not(
    alone: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 1
    monkeypatch.setattr(server, "KEEP_ALIVE_SECONDS", seconds)
    with serving_for_real(alone) as url:
        # Where the machine itself sleeps for so long the connection was idle, and another one shows it.
        for _ in range(20):
            with wired(url) as wire:
                begun = time.monotonic()
                while not wire.ended and time.monotonic() - begun < 2.5 * seconds:
                    wire.send(POLL)
                    wire.reply()
                    time.sleep(0.01)
                if not wire.ended:
                    assert wire.end() == b""
                    break
        else:
            pytest.fail("no connection stayed open")
        assert alone.polls.answered > 0


def test_an_empty_line_keeps_no_connection_open(alone: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_for_real(alone) as url, wired(url) as wire:
        for poll in (POLL, request(path="/feeds/none")):
            wire.send(poll)
            assert wire.reply() is not None
        monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.2)
        wire.send(b"\r\n")
        assert wire.end() == b""


def test_a_poll_behind_what_is_under_way_waits_for_it(alone: Published) -> None:
    with serving_for_real(alone) as url, wired(url) as wire:
        wire.send(request(path="/slow"))
        assert alone.waits.wait(60)
        wire.send(POLL)
        time.sleep(0.05)  # so that it is there before the other may end
        alone.may_go_on.set()
        first, then = wire.reply(), wire.reply()
    assert first is not None and first.status == 404
    assert then is not None and then.body == FEED
    assert alone.polls.answered == 0


def test_who_does_not_read_is_not_answered_further(alone: Published) -> None:
    large = request(path="/feeds/large.bin")
    with serving_for_real(alone) as url, wired(url, window=65536) as wire:
        wire.send(large)
        until(lambda: alone.polls.answered == 1)
        for _ in range(3):
            wire.send(large)
            time.sleep(0.05)  # so that they come in pieces
        assert alone.polls.answered == 1
        for _ in range(4):
            reply = wire.reply()
            assert reply is not None and reply.body == LARGE
        wire.send(POLL)
        reply = wire.reply()
        assert reply is not None and reply.body == FEED
        until(lambda: alone.polls.answered == 2)


def test_a_server_that_stops_lets_an_answer_end_and_waits_for_no_idle_connection(
    alone: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "DRAIN_SECONDS", 600)  # more than `serving_for_real` waits for the server to end
    said: list[Any] = []
    with ExitStack() as stack:
        with serving_for_real(alone) as url:
            idle, slow = (stack.enter_context(wired(url, window=65536)) for _ in range(2))
            idle.send(POLL)
            assert idle.reply() is not None
            slow.send(request(path="/feeds/large.bin"))
            until(lambda: alone.polls.answered == 2)

            def read() -> None:
                said.append(idle.end())  # by then the server is leaving
                said.append(slow.reply())
                said.append(slow.end())

            reader = threading.Thread(target=read)
            reader.start()
        reader.join(60)
    assert said[0] == b""
    assert isinstance(said[1], Reply) and said[1].body == LARGE
    assert said[2] == b""


def test_what_another_process_changes_and_takes_back(alone: Published) -> None:
    path = alone.folder / "rss.xml"
    with serving_for_real(alone) as url, wired(url) as wire:

        def answer() -> tuple[int, bytes]:
            wire.send(POLL)
            reply = wire.reply()
            assert reply is not None
            return reply.status, reply.body

        assert answer() == (200, FEED)
        new = FEED.replace(b"Tides", b"Ropes")
        subprocess.run(
            [sys.executable, "-c", f"import pathlib; pathlib.Path({str(path)!r}).write_bytes({new!r})"], check=True
        )
        until(lambda: answer() == (200, new))
        path.unlink()
        until(lambda: answer()[0] == 410)
        path.write_bytes(FEED)
        until(lambda: answer() == (200, FEED))
    assert alone.polls.answered >= 3
