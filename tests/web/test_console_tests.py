"""A test of an issue from its page: to whom it says, once, told of as it goes, and outside of the count."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from syndicate.process.posting import posting
from syndicate.services.deliver_transactional import deliver_transactional
from syndicate.storage import tables
from syndicate.storage.users import get_user
from syndicate.storage.workers import worker_lock
from tests.process.waiting import until
from tests.web.axe import faults
from tests.web.newsroom_site import Client, WebSite
from tests.web.sending_desk import SendingDesk, open_sending_desk

if TYPE_CHECKING:
    from playwright.sync_api import Page

DESK = "desk@example.com"


@pytest.fixture
def desk(web_site: WebSite) -> SendingDesk:
    return open_sending_desk(web_site)


def mails(site: WebSite) -> list[sa.Row[tuple[object, ...]]]:
    with site.site.database.read() as connection:
        return list(connection.execute(sa.select(tables.transactional_mails).order_by(tables.transactional_mails.c.id)))


def request_of(client: Client, page: str) -> str:
    found = re.search(r'name="request" value="([0-9a-f]{16})"', client.get(page).text)
    assert found
    return found[1]


def test_an_editor_sends_one_to_the_desk_and_to_themselves(desk: SendingDesk) -> None:
    at = f"/console/issues/{desk.draft()}"
    editor = desk.site.client("editor")
    assert f'value="{DESK}" checked' in editor.get(at).text
    form = {"request": request_of(editor, at), "to": DESK, "me": "yes", "address": "Ed@Post.example"}
    sent = editor.submit(at, f"{at}/test", **form)
    assert "A test is on its way to desk@example.com, Ed@post.example." in sent.text
    assert sent.text.split('id="test"')[1].count("on its way") == 2
    # A double click.
    assert "That test was sent already." in editor.submit(at, f"{at}/test", **form).text
    first, second = mails(desk.site)
    assert (first.kind, first.state, first.to_email) == ("test", "planned", DESK)
    assert second.to_email == "Ed@post.example"
    assert first.subject.startswith("[Test] Story") and "Story 3" in first.html and "Story 3" in first.text
    names = [name for name, _ in first.headers]
    assert "List-Unsubscribe" in names and "Message-ID" not in names and "Date" not in names
    # The address is kept, and the books know of nothing.
    assert 'value="Ed@post.example"' in editor.get(at).text
    with desk.site.site.database.read() as connection:
        assert get_user(connection, "Ed").email == "Ed@post.example"
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.issue_recipients)).scalar_one() == 0


def test_one_of_what_is_being_sent_is_what_goes_out_or_is_refused(desk: SendingDesk) -> None:
    at = f"/console/issues/{desk.begin()}"
    editor = desk.site.client("editor")
    sent = editor.submit(at, f"{at}/test", request=request_of(editor, at), to=DESK)
    assert "A test is on its way to desk@example.com." in sent.text
    [mail] = mails(desk.site)
    with desk.site.site.database.read() as connection:
        going = connection.execute(sa.select(tables.variants.c.subject, tables.variants.c.text)).one()
        planned = sa.select(sa.func.count()).select_from(tables.issue_recipients)
        assert connection.execute(planned).scalar_one() == 2, "who gets it is frozen, and a test is none of them"
    assert mail.subject == f"[Test] {going.subject}"
    articles = [
        [line for line in text.splitlines() if line.startswith("Story")] for text in (going.text, mail.text)
    ]
    assert articles[0] == articles[1] and len(articles[0]) == 3
    # What is changed meanwhile goes into no mail that is sealed.
    with desk.site.site.database.write() as connection:
        connection.execute(sa.update(tables.articles).values(summary="Another summary."))
    answer = editor.submit(at, f"{at}/test", request=request_of(editor, at), to=DESK)
    assert answer.status_code == 409 and "would not be the mail that goes out" in answer.text
    assert len(mails(desk.site)) == 1
    desk.end()
    assert 'id="test"' not in editor.get(at).text


def test_the_lane_posts_it(desk: SendingDesk) -> None:
    at = f"/console/issues/{desk.draft()}"
    editor = desk.site.client("editor")
    editor.submit(at, f"{at}/test", request=request_of(editor, at), to=DESK)
    site, now = desk.site.site, desk.site.now
    with posting(site, hurry=True) as mail_api, worker_lock(site.database, site.directory, "work", now) as worker:
        deliver_transactional(site.database, mail_api, site.sender, site.publication, worker, clock=lambda: now)
    assert "accepted" in editor.get(at).text.split('id="test"')[1]
    [eml] = site.outbox.glob("*.eml")
    mail = message_from_bytes(eml.read_bytes(), policy=default)
    assert (mail["To"], mail["Subject"]) == (DESK, "[Test] Story 3")
    assert len(mail.get_all("Message-ID") or ()) == len(mail.get_all("Date") or ()) == 1


def test_what_became_of_it_is_told(desk: SendingDesk) -> None:
    number = desk.draft()
    at = f"/console/issues/{number}"
    editor = desk.site.client("editor")
    editor.submit(at, f"{at}/test", request=request_of(editor, at), to=DESK)
    before = editor.get(f"{at}/figures").json()["token"]
    with desk.site.site.database.write() as connection:
        connection.execute(sa.update(tables.transactional_mails).values(state="refused", why="No such mailbox."))
    until(lambda: editor.get(f"{at}/figures").json()["token"] != before)
    shown = editor.get(at).text.split('id="test"')[1]
    assert "refused" in shown and "No such mailbox." in shown


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Nobody is ticked"),
        ({"to": "stranger@post.example"}, "not in test_to"),
        ({"me": "yes", "address": ""}, "Your address is missing"),
        ({"me": "yes", "address": "no address"}, "name@place.example"),
        ({"to": DESK, "request": "../../etc"}, "Request"),
    ],
)
def test_what_does_not_fit_is_said_and_nothing_is_sent(desk: SendingDesk, fields: dict[str, str], said: str) -> None:
    at = f"/console/issues/{desk.draft()}"
    editor = desk.site.client("editor")
    answer = editor.submit(at, f"{at}/test", **{"request": request_of(editor, at), **fields})
    assert answer.status_code == 422 and said in answer.text
    assert mails(desk.site) == []


def test_too_many_have_to_wait_and_a_get_sends_nothing(desk: SendingDesk) -> None:
    at = f"/console/issues/{desk.draft()}"
    editor = desk.site.client("editor")
    assert editor.get(f"{at}/test").status_code == 405
    assert editor.post(f"{at}/test", data={"to": DESK}).status_code == 403
    assert mails(desk.site) == []
    token, rng = editor.form_token(at), random.Random(7)
    answers = [
        editor.post(f"{at}/test", data={"csrf": token, "request": f"{rng.getrandbits(64):016x}", "to": DESK})
        for _ in range(21)
    ]
    assert [each.status_code for each in answers] == [200] * 20 + [409]
    assert "Wait" in answers[-1].text
    assert len(mails(desk.site)) == 20


@pytest.mark.browser
def test_the_page_shows_it_arrive_by_itself(desk: SendingDesk, open_page: Callable[..., Page]) -> None:
    number = desk.draft()
    page = open_page(f"/console/issues/{number}", role="editor")
    page.get_by_role("button", name="Send the test").click()
    page.locator(".tests").get_by_text("on its way").wait_for()
    with desk.site.site.database.write() as connection:
        connection.execute(sa.update(tables.transactional_mails).values(state="accepted"))
    page.locator(".tests .badge.good", has_text="accepted").wait_for()
    assert not faults(page)
