"""An editor from the first start to the end of a send, in a real browser, beside processes that really run."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.newsroom import (
    AT_ONCE,
    COUNTING,
    HEEDED_SECONDS,
    Newsroom,
    begin,
    figure,
    newsroom,
    press,
    wait_for_figure,
)
from tests.process.waiting import until
from tests.web.windows import windows

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

READERS = 60
SUBJECT = "What the day brought"
TYPO = "What the day brouhgt"


def test_from_the_first_start_to_closed_books(chromium: Browser, tmp_path: Path) -> None:
    with newsroom(tmp_path / "site", readers=READERS) as room, windows(chromium) as opened:
        page = opened.open()
        become_the_first_user(room, page, opened.open())
        watch_articles_come_in(room, page)
        hold_and_release(room, page)
        compose(page)
        approve_and_correct_a_typo(page)
        number = send_and_stop_half_way(room, page)
        stop_everything_from_another_page(room, page)
        let_it_end(room, page, number)
        cancel_another_half_way(room, page)


def become_the_first_user(room: Newsroom, page: Page, other: Page) -> None:
    link = room.run.invitation()
    page.goto(link)
    other.goto(link)
    begin(page, "Ada")
    assert page.get_by_text("Nothing has come in yet.").is_visible()
    # The link was good for one.
    other.get_by_label("Name").fill("Eve")
    other.get_by_label("Password", exact=True).fill("another password")
    other.get_by_label("The same again").fill("another password")
    press(other, "Begin")
    other.get_by_text("link").first.wait_for()
    other.goto(f"{room.url}/console/")
    assert other.get_by_role("heading", name="Sign in").is_visible()


def watch_articles_come_in(room: Newsroom, page: Page) -> None:
    for number in (1, 2, 3):
        room.story(number)
    page.reload()
    for number in (1, 2, 3):
        assert page.get_by_role("link", name=f"Story number {number}").is_visible()


def hold_and_release(room: Newsroom, page: Page) -> None:
    page.get_by_role("link", name="Story number 2").click()
    page.get_by_text("Hold…").click()
    page.get_by_label("Why").fill("Who said so?")
    press(page, "Hold it")
    page.get_by_text("It is held. Feeds: it has left").wait_for()
    until(lambda: "Story number 2<" not in room.rss())
    page.get_by_text("Release…").click()
    press(page, "Release it")
    page.get_by_text("It is published, as number 4.").wait_for()
    until(lambda: "Story number 2<" in room.rss())


def compose(page: Page) -> None:
    page.get_by_role("link", name="Issues", exact=True).click()
    press(page, "Morning Briefing, daily")
    page.get_by_text("Composed of 3 articles.").wait_for()
    page.get_by_label("Subject").fill(TYPO)
    press(page, "Compose anew")
    page.get_by_role("heading", name=TYPO, level=1).wait_for()
    last = titles(page)[-1]
    press(page, f"Up: {last}")
    until(lambda: titles(page)[1] == last)
    mail = page.frame_locator("iframe").first
    heads = mail.locator("a").filter(has_text="Story number").all_inner_texts()
    assert [each for each in dict.fromkeys(heads) if each in titles(page)] == titles(page)


def titles(page: Page) -> list[str]:
    return page.locator("#articles .title").all_inner_texts()


def approve_and_correct_a_typo(page: Page) -> None:
    assert page.get_by_text(f"To {READERS} readers.").first.is_visible()
    press(page, "Approve only")
    page.get_by_text(f"Approved, for {READERS} readers.").wait_for()
    page.get_by_label("Subject").fill(SUBJECT)
    press(page, "Compose anew")
    card = page.locator("#changes")
    card.get_by_role("heading", name="Changed since it was approved").wait_for()
    assert (card.locator("del").all_inner_texts(), card.locator("ins").all_inner_texts()) == (["brouhgt"], ["brought"])
    assert card.locator("li").count() == 1
    assert card.get_by_role("button").all_inner_texts() == ["Approve again"]
    press(page, "Approve again")
    page.get_by_text(f"Approved, for {READERS} readers.").wait_for()
    assert not card.is_visible()


def send_and_stop_half_way(room: Newsroom, page: Page) -> str:
    room.valve.let(READERS // 4)
    press(page, "Send in 10 seconds, or at that time")
    page.get_by_role("heading", name=COUNTING).wait_for()
    assert page.get_by_role("button", name="Stop", exact=True).is_enabled()
    number = page.url.rpartition("/")[2].partition("#")[0].partition("?")[0]
    wait_for_figure(page, "accepted", READERS // 4)
    assert room.waited(int(number)) >= timedelta(seconds=10)
    press(page, "Stop")
    page.get_by_text("Stopped: it is paused.").wait_for()
    stands_still(room, page, SUBJECT, READERS // 4)
    assert 0 < figure(page, "waiting") <= READERS * 3 // 4
    return number


def stands_still(room: Newsroom, page: Page, subject: str, taken: int) -> None:
    """What had begun when it was stopped, with that many `taken`, comes to its end, and nothing else begins, though the
    sandbox would take it: the page, the ledger and the sandbox's own record come to the same number and stay there."""
    time.sleep(HEEDED_SECONDS)
    room.valve.open()
    until(lambda: room.under_way() == 0)
    stopped_at = sum(room.outbox(subject).values())
    assert taken <= stopped_at <= taken + AT_ONCE
    until(lambda: figure(page, "accepted") == stopped_at)
    time.sleep(1.5)  # nothing happens: that is what is tried
    assert figure(page, "accepted") == sum(room.outbox(subject).values()) == stopped_at


def stop_everything_from_another_page(room: Newsroom, page: Page) -> None:
    before = figure(page, "accepted")
    other = page.context.new_page()
    other.goto(f"{room.url}/console/articles")
    other.locator("details.person summary").click()
    room.valve.let(5)
    press(page, "Go on")
    wait_for_figure(page, "accepted", before + 5)
    press(other, "Stop all sending")
    other.get_by_text("All sending is stopped").first.wait_for()
    page.get_by_text("All sending is stopped").first.wait_for()
    stands_still(room, page, SUBJECT, before + 5)
    assert figure(page, "waiting") > 0
    press(page, "Go on sending")
    page.get_by_text("Sending goes on").wait_for()
    other.close()


def let_it_end(room: Newsroom, page: Page, number: str) -> None:
    page.goto(f"{room.url}/console/issues/{number}")
    page.locator("main .badge").get_by_text("sent", exact=True).first.wait_for()
    assert page.get_by_text("it balances").is_visible()
    assert [figure(page, name) for name in ("planned", "accepted", "waiting", "uncertain")] == [READERS, READERS, 0, 0]
    assert room.outbox(SUBJECT) == {f"reader{number}@example.com": 1 for number in range(1, READERS + 1)}
    books = json.loads(room.call("issues", "books", number, "--json"))
    assert (books["accepted"], books["balanced"]) == (READERS, True)


def cancel_another_half_way(room: Newsroom, page: Page) -> None:
    room.story(4)
    page.get_by_role("link", name="Articles", exact=True).click()
    page.get_by_role("link", name="Story number 4").click()
    page.get_by_role("link", name="Send…").click()
    press(page, "Compose it and look")
    page.get_by_role("heading", name="Story number 4", level=1).wait_for()
    room.valve.let(READERS // 4)
    press(page, "Send in 10 seconds, or at that time")
    wait_for_figure(page, "accepted", READERS // 4)
    page.get_by_text("End it…").click()
    press(page, "End it")
    page.get_by_text("Cancelled.").wait_for()
    stands_still(room, page, "Story number 4", READERS // 4)
    until(lambda: figure(page, "waiting") == 0)
    planned, accepted, withdrawn, waiting = (
        figure(page, name) for name in ("planned", "accepted", "withdrawn", "waiting")
    )
    assert (planned, waiting) == (READERS, 0)
    assert accepted + withdrawn == READERS and withdrawn > 0
    assert set(room.outbox("Story number 4").values()) == {1}
