"""A reader from sign-up to goodbye, by the keyboard, on a narrow telephone, in a browser that runs no script; the mails
are read where they arrived."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from syndicate.core.sign_up import FASTEST
from tests.end_to_end.newsroom import Newsroom, newsroom
from tests.process.waiting import until
from tests.web.windows import windows

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ANN = "ann@post.example"
WIDTH = 320


def test_from_sign_up_to_goodbye(chromium: Browser, tmp_path: Path) -> None:
    with newsroom(tmp_path / "site", readers=2) as room, windows(chromium) as opened:
        page = opened.open(width=WIDTH, height=640, scripts=False)
        page.goto(f"{room.url}/")
        enter(page, page.get_by_role("link", name="Sign up").first)
        sign_up(room, page)
        page = follow(room, page, "Please confirm", re.compile("Yes|Confirm"))
        enter(page, page.get_by_role("button"))
        page.get_by_role("heading", name="You are subscribed").wait_for()
        enter(page, page.get_by_role("link", name=re.compile("preferences", re.IGNORECASE)).last)
        choose(page)

        room.story(1)
        room.call("issues", "draft", "morning")
        room.call("issues", "approve", "1")
        room.send(1)
        until(lambda: room.outbox("Story number 1")[ANN] == 1)
        page = follow(room, page, "Story number 1", "Unsubscribe")
        leave_and_come_back(page)
        assert room.standing(ANN) == {"morning": "active"}
        leave_by_one_click(room, page)
        assert room.standing(ANN) == {"morning": "left"}

        # The next issue is for those who stayed.
        room.story(2)
        room.call("issues", "draft", "morning")
        room.call("issues", "approve", "2")
        room.send(2)
        until(lambda: len(room.outbox("Story number 2")) == 2)
        assert set(room.outbox("Story number 2")) == {"reader1@example.com", "reader2@example.com"}


def sign_up(room: Newsroom, page: Page) -> None:
    page.get_by_role("heading", name="Sign up", level=1).wait_for()
    reach(page, page.locator("#email"))
    page.keyboard.type(ANN)
    enter(page, page.get_by_role("button", name="Sign up"))
    again = page.get_by_text("That was very quick")
    done = page.get_by_role("heading", name="Look into your mailbox")
    again.or_(done).wait_for()
    if again.is_visible():  # as a program would be: a person reads that, and presses once more
        page.wait_for_timeout(FASTEST.total_seconds() * 1000 + 500)
        page.get_by_role("button", name="Sign up").press("Enter")
    done.wait_for()
    fits(page)


def choose(page: Page) -> None:
    page.get_by_role("heading", name="Your preferences", level=1).wait_for()
    reach(page, page.locator("#name"))
    page.keyboard.type("Ann")
    enter(page, page.get_by_role("button", name="Save", exact=True))
    page.get_by_text("Saved. It holds from now on.").wait_for()
    assert page.locator("#name").input_value() == "Ann"
    fits(page)


def leave_and_come_back(page: Page) -> None:
    page.get_by_role("heading", name="Unsubscribe from Morning Briefing?").wait_for()
    enter(page, page.get_by_role("button", name="Unsubscribe"))
    page.get_by_role("heading", name="You are unsubscribed").wait_for()
    enter(page, page.get_by_role("button", name="Undo"))
    page.get_by_role("heading", name="Welcome back").wait_for()
    fits(page)


def leave_by_one_click(room: Newsroom, page: Page) -> None:
    """As a mail program offers it above the mail."""
    page.goto(f"{room.inbox}/?query=to:{ANN}")
    enter(page, page.get_by_role("link", name=re.compile("Story number 1")).first)
    page.get_by_text("One click, as mail programs offer it.").wait_for()
    with page.context.expect_page() as opening:
        enter(page, page.get_by_role("button", name="Unsubscribe"))
    there = opening.value
    there.get_by_role("heading", name="You are unsubscribed").wait_for()
    fits(there)


def follow(room: Newsroom, page: Page, subject: str, link: str | re.Pattern[str]) -> Page:
    """Opens the newest mail of that subject to her in the sandbox's inbox, and follows a link of it."""
    until(lambda: any(each.startswith(subject) for each in room.subjects(ANN)))
    page.goto(f"{room.inbox}/?query=to:{ANN}")
    fits(page)
    enter(page, page.get_by_role("link", name=re.compile(subject)).first)
    mail = page.frame_locator("iframe").first
    with page.context.expect_page() as opening:
        mail.get_by_role("link", name=link).first.click()
    there = opening.value
    there.wait_for_url(f"{room.url}/**")
    fits(there)
    return there


def reach(page: Page, element: Locator) -> None:
    """By Tab alone, from where the keyboard is."""
    fits(page)
    for _ in range(60):
        page.keyboard.press("Tab")
        if element.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"{element} cannot be reached by the keyboard")


def enter(page: Page, element: Locator) -> None:
    """Goes there and presses Enter."""
    reach(page, element)
    page.keyboard.press("Enter")


def fits(page: Page) -> None:
    """Nothing is wider than the screen."""
    page.wait_for_load_state()
    assert page.evaluate("document.documentElement.scrollWidth") <= WIDTH, page.url
