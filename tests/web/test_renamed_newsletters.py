"""A newsletter is called otherwise (`was =`): every link that was ever mailed still does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.issue import Audience
from syndicate.storage import tables
from syndicate.storage.issues import insert_issue, put_variant
from tests.mailing import BODY
from tests.web.reading_site import ANN, EVENING, ReadingSite, reading_site, with_other_settings

TO_DAWN = ('name = "morning"', 'name = "dawn"\nwas = "morning"')
ANOTHER = EVENING.replace("evening", "morning").replace("Evening", "Another")
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def served(database_url: str, tmp_path: Path) -> Iterator[ReadingSite]:
    with reading_site(tmp_path / "site", database_url) as site:
        yield site


def issue_of(served: ReadingSite, newsletter: str) -> int:
    """One that went out."""
    with served.site.database.write() as connection:
        issue = insert_issue(
            connection,
            newsletter=newsletter,
            kind="manual",
            state="sent",
            lo=0,
            hi=0,
            audience=Audience(),
            drafted_at=served.now,
        )
        put_variant(
            connection, issue, 1, "", language="en", subject=f"News of {newsletter}", html=BODY.html, text=BODY.text,
            sha256=BODY.sha256, article_ids=[],
        )  # fmt: skip
        began = {"started_at": served.now, "planned": 1}
        connection.execute(sa.update(tables.issues).where(tables.issues.c.id == issue).values(began))
    return issue


def link(served: ReadingSite, path: str, newsletter: str, issue: int) -> str:
    """As the mail of that issue to the first reader has it."""
    purpose = {"u": "unsubscribe", "p": "preferences"}[path]
    return f"/{path}/{served.site.signer().sign(purpose, served.person().id, newsletter, issue)}"


def test_whoever_wants_out_by_a_mail_of_before_is_out(served: ReadingSite) -> None:
    served.join()
    issue = issue_of(served, "morning")
    leave, choose = link(served, "u", "morning", issue), link(served, "p", "morning", issue)
    unknown = link(served, "u", "morning", 999)  # of an issue that a restored database does not have
    with with_other_settings(served, TO_DAWN) as later:
        assert later.statuses() == {"dawn": "active", "evening": "active"}
        before = later.everything()
        assert "<button" in later.get(leave).text and later.get(choose).status_code == 200
        assert later.everything() == before
        assert later.post(leave, ONE_CLICK).status_code == 200
        assert later.statuses() == {"dawn": "left", "evening": "active"}
        assert "Welcome back" in later.post(leave, {"action": "undo"}).text
        assert later.statuses() == {"dawn": "active", "evening": "active"}
        assert "You are unsubscribed" in later.post(leave, {"action": "leave"}).text
        later.post(leave, {"action": "undo"})
        later.post(unknown, ONE_CLICK)
        assert later.statuses() == {"dawn": "left", "evening": "active"}
        later.post(choose, {"newsletter": ["dawn"], "action": "save"})
        assert later.statuses() == {"dawn": "active", "evening": "left"}


def test_a_confirmation_that_was_asked_for_before_is_good(served: ReadingSite) -> None:
    served.sign_up()
    confirm = served.link("/confirm/")
    with with_other_settings(served, TO_DAWN) as later:
        assert "Confirm your subscription" in later.get(confirm).text
        assert later.statuses() == {"dawn": "pending", "evening": "pending"}
        assert "You are subscribed" in later.post(confirm).text
        assert later.statuses() == {"dawn": "active", "evening": "active"}


def test_an_issue_is_read_again_at_the_address_that_its_mail_names(served: ReadingSite) -> None:
    issue, other = issue_of(served, "morning"), issue_of(served, "evening")
    with with_other_settings(served, TO_DAWN) as later:
        page = later.get(f"/archive/morning/{issue}")
        assert page.status_code == 200 and f'/archive/dawn/{issue}">' in page.text
        assert later.get(f"/archive/dawn/{issue}").status_code == 200
        assert later.get(f"/archive/morning/{other}").status_code == 404


def test_a_name_that_is_another_newsletters_now_leads_out_of_the_right_one(served: ReadingSite) -> None:
    served.join()
    old = link(served, "u", "morning", issue_of(served, "morning"))
    served.now += timedelta(days=1)
    served.sign_up("ben@post.example", "morning")
    confirm = served.link("/confirm/")
    titled = 'title = "Morning Briefing"'
    with (
        with_other_settings(served, TO_DAWN, (titled, 'title = "Dawn"')) as renamed,
        with_other_settings(renamed, ('was = "morning"\n', ""), (EVENING, EVENING + ANOTHER)) as later,
    ):
        later.join(ANN, "morning")
        assert later.statuses() == {"dawn": "active", "evening": "active", "morning": "active"}
        new = link(later, "u", "morning", issue_of(later, "morning"))
        later.post(old, ONE_CLICK)
        assert later.statuses() == {"dawn": "left", "evening": "active", "morning": "active"}
        later.post(old, {"action": "undo"})
        later.post(new, ONE_CLICK)
        assert later.statuses() == {"dawn": "active", "evening": "active", "morning": "left"}
        later.post(confirm)
        assert later.statuses("ben@post.example") == {"dawn": "active"}


def test_two_newsletters_that_take_each_others_names_keep_their_readers_and_links(served: ReadingSite) -> None:
    served.join()
    issue = issue_of(served, "morning")
    leave = link(served, "u", "morning", issue)
    served.sign_up("ben@post.example", "morning")
    confirm = served.link("/confirm/")
    steps = [
        [('name = "morning"', 'name = "aside"\nwas = "morning"')],
        [('was = "morning"\n', ""), ('name = "evening"', 'name = "morning"\nwas = "evening"')],
        [('was = "evening"\n', ""), ('name = "aside"', 'name = "evening"\nwas = "aside"')],
    ]
    with ExitStack() as stack:
        later = served
        for step in steps:
            later = stack.enter_context(with_other_settings(later, *step))
        later.post(leave, ONE_CLICK)
        assert later.statuses() == {"evening": "left", "morning": "active"}
        later.post(confirm)
        assert later.statuses("ben@post.example") == {"evening": "active"}
        assert "News of morning" in later.get(f"/archive/morning/{issue}").text
