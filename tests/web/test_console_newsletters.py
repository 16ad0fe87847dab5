"""Newsletters in the console: pause and go on, skip and plan again, and what was missed settled in three ways."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from syndicate.core.alert import Trouble, slot_key
from syndicate.core.slot import KnownSlot, Slot, SlotState
from syndicate.storage import tables
from syndicate.storage.alerts import begin_alert
from syndicate.storage.issues import get_issue, list_issues
from syndicate.storage.slots import get_slot, settle_slot
from tests.web.axe import faults
from tests.web.newsroom_site import WebSite
from tests.web.sending_desk import SendingDesk, open_sending_desk

if TYPE_CHECKING:
    from playwright.sync_api import Page

AT = "/console/newsletters"
FRIDAY = Slot(datetime(2026, 11, 20, 7, tzinfo=UTC), "2026-11-20T07:00")
MONDAY = "2026-11-23T07:00"


@pytest.fixture
def desk(web_site: WebSite) -> SendingDesk:
    return open_sending_desk(web_site)


@pytest.fixture
def missed(desk: SendingDesk) -> SendingDesk:
    """Friday's slot was missed, and an alert tells of it."""
    why = "Nobody was there at its time."
    with desk.site.site.database.write() as connection:
        assert settle_slot(
            connection, "morning", "daily", FRIDAY, "missed", actor="clock", now=desk.site.now, why=why
        )
        known = get_slot(connection, "morning", "daily", FRIDAY.wall_time)
        assert known is not None
        key = slot_key(known)
        trouble = Trouble("slot", key.removeprefix("slot "), "The slot morning, daily was missed.")
        begin_alert(connection, trouble, desk.site.now, webhook=False)
    return desk


def slot(desk: SendingDesk, wall_time: str = FRIDAY.wall_time) -> KnownSlot | None:
    with desk.site.site.database.read() as connection:
        return get_slot(connection, "morning", "daily", wall_time)


def state(desk: SendingDesk, wall_time: str = FRIDAY.wall_time) -> SlotState | None:
    known = slot(desk, wall_time)
    return known.state if known is not None else None


def test_a_newsletter_pauses_and_goes_on(desk: SendingDesk) -> None:
    sender = desk.site.client("sender")
    before = sender.get(AT).text
    assert "Mon 23 Nov 07:00" in before and before.count(">planned<") == 4
    paused = sender.submit(AT, f"{AT}/morning/pause").text
    assert "Morning Briefing is paused." in paused and ">planned<" not in paused
    assert "as before" in sender.submit(AT, f"{AT}/morning/pause").text
    assert ">paused<" in sender.get("/console/").text.split('id="next"')[1]
    assert ">planned<" in sender.submit(AT, f"{AT}/morning/resume").text
    assert sender.submit(AT, f"{AT}/evening/pause").status_code == 404


def test_every_slot_says_to_how_many_and_warns_when_it_is_nobody(desk: SendingDesk) -> None:
    editor = desk.site.client("editor")

    def shown() -> tuple[str, str]:
        today = editor.get("/console/").text
        return today.split('id="next"')[1].split('id="awaiting"')[0], today.split('id="awaiting"')[1]

    assert "to 2 readers" in shown()[0] and "to nobody" not in shown()[0]
    assert editor.get(AT).text.count("to 2 readers") == 4
    with desk.site.site.database.write() as connection:
        connection.execute(sa.update(tables.subscriptions).values(status="left"))
    assert ">to nobody<" in shown()[0] and "to 2 readers" not in shown()[0]
    assert editor.get(AT).text.count(">to nobody<") == 4
    desk.draft_for_its_slot()
    assert all(">to nobody<" in each for each in shown())


def test_the_next_slot_is_skipped_and_planned_again(desk: SendingDesk) -> None:
    sender = desk.site.client("sender")
    skipped = sender.submit(AT, f"{AT}/morning/daily/skip").text
    assert "Mon 23 Nov 07:00, is skipped" in skipped and "Plan it again" in skipped
    assert state(desk, MONDAY) == "skipped"
    assert "is planned again" in sender.submit(AT, f"{AT}/morning/daily/unskip").text
    assert state(desk, MONDAY) is None
    assert sender.submit(AT, f"{AT}/morning/daily/unskip").status_code == 409
    assert sender.submit(AT, f"{AT}/morning/hourly/skip").status_code == 404


def test_today_and_the_page_ask_what_shall_become_of_a_missed_one(missed: SendingDesk) -> None:
    sender = missed.site.client("sender")
    for path in ("/console/", AT):
        shown = sender.get(path).text
        assert "Fri 20 Nov 07:00" in shown and "Nobody was there at its time." in shown
        assert "go with the next issue, Mon 23 Nov 07:00" in shown
        # What can be settled here is not told twice.
        assert "The slot morning, daily was missed." not in shown
    editor = missed.site.client("editor").get("/console/").text
    assert "Send now: Morning Briefing, daily" in editor and "missed/merge" not in editor


def test_it_is_composed_looked_at_and_sent_in_its_place(missed: SendingDesk) -> None:
    editor, sender = missed.site.client("editor"), missed.site.client("sender")
    page = editor.submit("/console/", f"{AT}/morning/daily/missed/send")
    assert "This makes up for 2026-11-20 07:00" in page.text and "To send it now is to settle that." in page.text
    again = editor.submit("/console/", f"{AT}/morning/daily/missed/send")
    assert again.url == page.url
    with missed.site.site.database.read() as connection:
        [issue] = list_issues(connection)
    at = f"/console/issues/{issue.id}"
    assert issue.seal is not None
    assert "Starts in 10 s" in sender.submit(at, f"{at}/send", seal=issue.seal).text
    assert state(missed) == "missed"
    missed.issue = issue.id
    missed.freeze()
    known = slot(missed)
    assert known is not None and (known.state, known.issue_id) == ("going", issue.id)
    assert ">missed<" not in sender.get("/console/").text.split('id="needs"')[1].split("</section>")[0]
    assert sender.submit("/console/", f"{AT}/morning/daily/missed/send").status_code == 409


def test_it_goes_with_the_next_or_with_none(missed: SendingDesk) -> None:
    sender = missed.site.client("sender")
    merged = sender.submit("/console/", f"{AT}/morning/daily/missed/merge", back="today")
    assert merged.url.endswith("/console/") and "goes with the next issue" in merged.text
    assert state(missed) == "merged"
    assert sender.submit("/console/", f"{AT}/morning/daily/missed/skip").status_code == 409


def test_who_skips_it_cancels_what_was_composed_for_it(missed: SendingDesk) -> None:
    sender = missed.site.client("sender")
    sender.submit("/console/", f"{AT}/morning/daily/missed/send")
    with missed.site.site.database.read() as connection:
        [issue] = list_issues(connection)
    back = f"issue {issue.id}"
    page = sender.get(f"/console/issues/{issue.id}").text
    assert f"Issue {issue.id} is cancelled." in page and f'name="back" value="{back}"' in page
    skipped = sender.submit("/console/", f"{AT}/morning/daily/missed/skip", back=back)
    assert skipped.url.endswith(f"/console/issues/{issue.id}") and "goes with no issue" in skipped.text
    assert state(missed) == "skipped"
    with missed.site.site.database.read() as connection:
        assert get_issue(connection, issue.id).state == "cancelled"


def test_editors_prepare_and_a_get_changes_nothing(missed: SendingDesk) -> None:
    editor, sender = missed.site.client("editor"), missed.site.client("sender")
    for verb in ("morning/pause", "morning/resume", "morning/daily/skip", "morning/daily/missed/merge"):
        assert editor.submit(AT, f"{AT}/{verb}").status_code == 403
        assert sender.get(f"{AT}/{verb}").status_code == 405
        assert sender.post(f"{AT}/{verb}").status_code == 403
    for elsewhere in ("//evil.example", "https://evil.example/", "issue ../readers", "issue 1/../.."):
        settled = sender.post(
            f"{AT}/morning/daily/missed/merge",
            data={"csrf": sender.form_token(AT), "back": elsewhere[:40]},
            allow_redirects=False,
        )
        assert settled.status_code == 409 or settled.headers["Location"] == AT
    assert state(missed) == "merged"


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_by_keyboard_without_scripts_and_for_everybody(
    missed: SendingDesk, open_page: Callable[..., Page], width: int, scheme: str
) -> None:
    page = open_page(AT, role="sender", width=width, scheme=scheme)
    assert not faults(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    plain = open_page("/console/", role="sender", width=width, scripts=False)
    merge = plain.get_by_label("Merge: Morning Briefing, daily")
    merge.focus()
    merge.press("Enter")
    plain.get_by_text("Nothing is sent now.").wait_for()
    plain.get_by_role("button", name="Let it go with the next").press("Enter")
    plain.get_by_text("goes with the next issue").wait_for()
    assert state(missed) == "merged"
