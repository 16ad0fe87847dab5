"""Two editors at one issue, in two browsers, with two tabs, double clicks and the back button: one issue, one send, and
the slower one is told what the other did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.newsroom import COUNTING, newsroom, press
from tests.web.windows import windows

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

READERS = 8


def test_one_issue_and_one_send_whoever_clicks_where(chromium: Browser, tmp_path: Path) -> None:
    with newsroom(tmp_path / "site", readers=READERS) as room, windows(chromium) as opened:
        sandy, grace = opened.open(), opened.open()
        room.invite(sandy, "Sandy", "sender")
        room.invite(grace, "Grace", "sender")
        room.story(1)
        room.story(2)
        for page in (sandy, grace):
            page.goto(f"{room.url}/console/issues")
        sandy.get_by_role("button", name="Morning Briefing, daily").dblclick()
        sandy.get_by_text("Composed of 2 articles.").wait_for()
        grace.get_by_role("button", name="Morning Briefing, daily").click()
        grace.get_by_role("button", name="Compose anew").wait_for()
        assert grace.url.partition("#")[0] == sandy.url.partition("#")[0]
        assert len(room.site.json("issues", "list")) == 1

        # Grace is quicker: Sandy is told so, on the page and when she acts on what she saw.
        sandy.get_by_label("Preheader").fill("What Sandy had begun to type")
        grace.get_by_label("Subject").fill("As Grace has it")
        press(grace, "Compose anew")
        grace.get_by_role("heading", name="As Grace has it", level=1).wait_for()
        sandy.get_by_text("This page has changed meanwhile.").wait_for()
        press(sandy, "Compose anew")
        sandy.get_by_text("has changed since you looked at it: Grace changed its words.").wait_for()
        sandy.goto(grace.url)
        press(sandy, "Approve only")
        sandy.get_by_text(f"Approved, for {READERS} readers.").wait_for()

        # A tab that is open with the button in it, a double click in another, and the way back.
        tab = sandy.context.new_page()
        tab.goto(sandy.url)
        tab.get_by_label("Preheader").fill("Nobody changes a page in which somebody types")
        grace.get_by_label("Preheader").fill("Nor this one")
        room.valve.let(0)
        sandy.get_by_role("button", name="Send in 10 seconds, or at that time").dblclick()
        sandy.get_by_role("heading", name=COUNTING).wait_for()
        for late in (tab, grace):
            press(late, "Send in 10 seconds, or at that time")
            late.get_by_role("heading", name=COUNTING).wait_for()
        sandy.go_back()
        sandy.get_by_role("heading", name=COUNTING).wait_for()
        assert not sandy.get_by_role("button", name="Send in 10 seconds, or at that time").is_visible()

        room.valve.open()
        for page in (sandy, grace, tab):
            page.locator("main .badge").get_by_text("sent", exact=True).first.wait_for()
        assert room.outbox("As Grace has it") == {f"reader{number}@example.com": 1 for number in range(1, READERS + 1)}
        assert len(room.site.json("issues", "list")) == 1
        assert room.log("issue.schedule") == ["Sandy"]
