"""What an editor must be able to do in a browser that runs no script: sign in, look, hold, approve, send, stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.newsroom import COUNTING, PASSWORD, figure, newsroom, press, wait_for_figure
from tests.process.waiting import until
from tests.web.windows import windows

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

READERS = 40


def test_sign_in_look_hold_approve_send_stop(chromium: Browser, tmp_path: Path) -> None:
    with newsroom(tmp_path / "site", readers=READERS) as room, windows(chromium) as opened:
        page = opened.open(scripts=False)
        room.invite(page, "Sandy", "sender")
        page.get_by_text("Signed in as").locator("..").click()
        press(page, "Sign out")
        page.get_by_label("Name").fill("Sandy")
        page.get_by_label("Password").fill(PASSWORD)
        press(page, "Sign in")
        page.get_by_role("heading", name="Today", level=1).wait_for()

        room.story(1)
        room.story(2)
        page.reload()
        page.get_by_role("link", name="Story number 2").click()
        page.get_by_text("Hold…").click()
        page.get_by_label("Why").fill("Not before noon")
        press(page, "Hold it")
        page.get_by_text("It is held. Feeds: it has left").wait_for()
        until(lambda: "Story number 2<" not in room.rss())

        page.get_by_role("link", name="Issues", exact=True).click()
        press(page, "Morning Briefing, daily")
        page.get_by_text("Composed of 1 article").wait_for()
        assert page.frame_locator("iframe").first.get_by_text("Story number 1").first.is_visible()
        press(page, "Approve only")
        page.get_by_text(f"Approved, for {READERS} readers.").wait_for()
        room.valve.let(READERS // 4)
        press(page, "Send in 10 seconds, or at that time")
        page.get_by_role("heading", name=COUNTING).wait_for()
        # The page comes again by itself, with its button in the same place.
        wait_for_figure(page, "accepted", READERS // 4)
        press(page, "Stop")
        page.get_by_text("Stopped: it is paused.").wait_for()
        room.valve.open()
        until(lambda: room.under_way() == 0)
        until(lambda: page.reload() and figure(page, "accepted") == sum(room.outbox("Story number 1").values()))
        assert 0 < figure(page, "waiting") < READERS
        page.get_by_text("End it…").click()
        press(page, "End it")
        page.get_by_text("Cancelled.").wait_for()
        assert set(room.outbox("Story number 1").values()) == {1}
