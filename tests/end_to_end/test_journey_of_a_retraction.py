"""An article is taken back in the console while it is being sent: nobody else gets it, and it is gone everywhere."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.newsroom import AT_ONCE, HEEDED_SECONDS, figure, newsroom, press
from tests.process.waiting import until
from tests.web.windows import windows

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

READERS = 40
GOOD, BAD = "Story number 1", "Story number 2"


def test_an_article_is_taken_back_while_it_is_being_sent(chromium: Browser, tmp_path: Path) -> None:
    with newsroom(tmp_path / "site", readers=READERS) as room, windows(chromium) as opened:
        page = opened.open()
        room.invite(page, "Sandy", "sender")
        room.story(1)
        room.story(2)
        room.call("issues", "draft", "morning")
        room.call("issues", "edit", "1", "--subject", "Both of them")
        room.call("issues", "approve", "1")
        page.goto(f"{room.url}/console/issues/1")
        page.get_by_role("link", name=BAD).first.click()
        address = page.get_by_role("link", name="Its page").get_attribute("href")
        assert address is not None
        its_page = "/feeds/" + address.partition("/feeds/")[2]
        assert BAD.encode() in room.run.get(its_page)
        page.get_by_role("link", name="Retract…").click()
        page.get_by_label("Why, for readers").fill("It was not so.")
        room.valve.let(READERS // 4)
        room.send(1)
        until(lambda: sum(room.outbox("Both of them").values()) == READERS // 4)
        press(page, "Retract it")
        told = page.get_by_text(re.compile(r"is paused with \d+ of 40 sent"))
        told.first.wait_for()
        time.sleep(HEEDED_SECONDS)
        room.valve.open()
        until(lambda: room.under_way() == 0)
        taken = sum(room.outbox("Both of them").values())
        assert READERS // 4 <= taken <= READERS // 4 + AT_ONCE

        page.goto(f"{room.url}/console/issues/1")
        assert page.locator("main .badge").get_by_text("paused", exact=True).is_visible()
        until(lambda: figure(page, "accepted") == taken)
        for path in ("/feeds/rss.xml", "/feeds/atom.xml", "/feeds/feed.json"):
            until(lambda: BAD.encode() not in room.run.get(path))  # noqa: B023
            assert GOOD.encode() in room.run.get(path)
        until(lambda: b"It was not so." in room.run.get(its_page))
        assert BAD.encode() not in room.run.get(its_page)
        archived = room.run.get("/archive/morning/1")
        assert GOOD.encode() in archived and BAD.encode() not in archived

        # What is left goes without it, once somebody has looked.
        page.reload()
        press(page, "Approve again")
        press(page, "Go on")
        page.locator("main .badge").get_by_text("sent", exact=True).first.wait_for()
        got = room.outbox("Both of them")
        assert got == {f"reader{number}@example.com": 1 for number in range(1, READERS + 1)}
        with_it = [text for text in room.texts("Both of them") if BAD in text]
        assert len(with_it) == taken
        assert all(GOOD in text for text in room.texts("Both of them"))
