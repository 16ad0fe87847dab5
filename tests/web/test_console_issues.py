"""The desk of an issue and the send by hand: one send whatever is clicked, and a stop that holds."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from syndicate.core.selection import Selection
from syndicate.storage import tables
from syndicate.storage.issues import get_issue, list_issues
from tests.web.newsroom_site import WebSite
from tests.web.sending_desk import open_sending_desk

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def newsroom(web_site: WebSite) -> WebSite:
    """Three articles, two readers."""
    return open_sending_desk(web_site).site


def drafted(newsroom: WebSite) -> int:
    """The number of the issue that an editor composed."""
    answer = newsroom.client("editor").submit(
        "/console/issues", "/console/issues/draft", newsletter="morning", cadence="daily"
    )
    assert answer.status_code == 200
    with newsroom.site.database.read() as connection:
        [issue] = list_issues(connection)
    assert answer.url.endswith(f"/console/issues/{issue.id}")
    return issue.id


def issues_of(newsroom: WebSite) -> int:
    with newsroom.site.database.read() as connection:
        return len(list_issues(connection))


def state_of(newsroom: WebSite, number: int) -> str:
    with newsroom.site.database.read() as connection:
        return get_issue(connection, number).state


def seal_of(page: str) -> str:
    found = re.search(r'name="seal" value="([0-9a-f]{64})"', page)
    assert found
    return found[1]


def test_from_the_draft_to_the_countdown_and_back(newsroom: WebSite) -> None:
    number = drafted(newsroom)
    at = f"/console/issues/{number}"
    editor, sender = newsroom.client("editor"), newsroom.client("sender")
    page = editor.get(at).text
    assert "To 2 readers." in page and "Story 3" in page
    assert editor.submit(at, f"{at}/send", seal=seal_of(page)).status_code == 403
    sent = sender.submit(at, f"{at}/send", seal=seal_of(page))
    assert "Starts in 10 s" in sent.text
    # Whoever runs no script gets the page again by itself.
    assert '<noscript><meta http-equiv="refresh"' in sent.text
    # A double click, and another tab that was open before.
    assert "Starts in 10 s" in sender.submit(at, f"{at}/send", seal=seal_of(page)).text
    stopped = sender.submit(at, f"{at}/stop")
    assert "nothing was sent" in stopped.text
    with newsroom.site.database.read() as connection:
        issue = get_issue(connection, number)
        count = (
            sa.select(sa.func.count())
            .select_from(tables.audit_log)
            .where(tables.audit_log.c.action == "issue.schedule")
        )
        assert connection.execute(count).scalar_one() == 1
    assert (issue.state, issue.send_at) == ("approved", None)


def test_an_edit_is_seen_voids_the_approval_and_refuses_what_somebody_else_changed(newsroom: WebSite) -> None:
    number = drafted(newsroom)
    at = f"/console/issues/{number}"
    editor, sender = newsroom.client("editor"), newsroom.client("sender")
    old = seal_of(editor.get(at).text)
    assert "Approved, for 2 readers" in sender.submit(at, f"{at}/approve", seal=old).text
    edited = editor.submit(
        at,
        f"{at}/edit",
        seal=old,
        subject="Our own <words>",
        intro="Good morning.",
        links="The tide table https://tides.example/today",
        sponsor="Quay Bakery",
        sponsor_text="Bread at six.",
    )
    assert edited.status_code == 200
    assert "Our own &lt;words&gt;" in edited.text and "Changed since it was approved" in edited.text
    mail = editor.get(f"{at}/mail.html")
    assert "sandbox" in mail.headers["Content-Security-Policy"]
    assert "Quay Bakery" in mail.text and "tides.example" in mail.text and "Good morning." in mail.text
    assert editor.submit(at, f"{at}/edit", seal=old, subject="Too late").status_code == 409
    assert "Approved, for 2 readers" in sender.submit(at, f"{at}/approve", seal=seal_of(edited.text)).text


def test_articles_move_and_stay_out(newsroom: WebSite) -> None:
    number = drafted(newsroom)
    at = f"/console/issues/{number}"
    editor = newsroom.client("editor")

    def titles() -> list[str]:
        card = editor.get(at).text.split('id="articles"')[1]
        return re.findall(r'class="title" href="/console/articles/[^"]+">(Story \d)<', card)

    first, second, third = titles()
    page = editor.get(at).text
    up = rf'value="(urn:uuid:[0-9a-f-]+)"><input type="hidden" name="act" value="up">\s*<button[^>]+"Up: {second}"'
    [article] = re.findall(up, page)
    editor.submit(at, f"{at}/articles", seal=seal_of(page), article=article, act="up")
    assert titles() == [second, first, third]
    editor.submit(at, f"{at}/articles", seal=seal_of(editor.get(at).text), article=article, act="skip")
    assert titles() == [first, third]
    assert f"{second} (left out)" in editor.get(at).text
    editor.submit(at, f"{at}/articles", seal=seal_of(editor.get(at).text), article=article, act="unskip")
    assert second in titles()


def test_an_article_that_the_issue_does_not_have_is_found_and_put_in(newsroom: WebSite) -> None:
    with newsroom.site.database.write() as connection:
        other = sa.update(tables.articles).where(tables.articles.c.title == "Story 2")
        connection.execute(other.values(section="elsewhere"))
    with pytest.MonkeyPatch.context() as patch:
        world = tuple(replace(each, selection=Selection({"section": "world"})) for each in newsroom.site.newsletters)
        patch.setitem(newsroom.site.__dict__, "newsletters", world)
        number = drafted(newsroom)
        at = f"/console/issues/{number}"
        editor = newsroom.client("editor")
        page = editor.get(at).text
        assert "Story 2" not in page and "Story 3" in page
        # What it has already is not offered, and looking changes nothing.
        looked = editor.get(at, params={"find": "story"}).text
        assert re.findall(r'aria-label="Put in: ([^"]+)"', looked) == ["Story 2"]
        assert seal_of(looked) == seal_of(page)
        assert "No other released article fits." in editor.get(at, params={"find": "zeppelin"}).text
        [article] = re.findall(r'value="(urn:uuid:[0-9a-f-]+)"><input type="hidden" name="act" value="add"', looked)
        shown = editor.submit(at, f"{at}/articles", seal=seal_of(looked), article=article, act="add").text
        assert "Up: Story 2" in shown or "Down: Story 2" in shown
        # The mail has it, and a press on the page as it was before does not put it in twice.
        assert "Story 2" in editor.get(f"{at}/mail.html").text
        assert editor.submit(at, f"{at}/articles", seal=seal_of(looked), article=article, act="add").status_code == 409


def test_a_send_by_hand_is_composed_once_and_shows_whom_it_reaches(newsroom: WebSite) -> None:
    sender = newsroom.client("sender")
    page = sender.get("/console/send").text
    article = re.findall(r'name="article" value="(urn:uuid:[0-9a-f-]+)"', page)[0]
    made = [
        sender.submit("/console/send", "/console/send", newsletter="morning", article=article, to="ada@example.org")
        for _ in range(2)
    ]
    assert made[0].url == made[1].url
    assert "To 1 reader." in made[0].text
    assert sender.submit("/console/send", "/console/send", newsletter="morning", to="no address").status_code == 422
    with newsroom.site.database.read() as connection:
        assert len(list_issues(connection)) == 1


def test_articles_are_found_by_words_and_by_newsletter_and_what_is_chosen_stays(
    newsroom: WebSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = tuple(replace(each, selection=Selection({"section": "world"})) for each in newsroom.site.newsletters)
    monkeypatch.setitem(newsroom.site.__dict__, "newsletters", world)
    sender = newsroom.client("sender")
    at = "/console/send"
    page = sender.get(at).text
    ids = dict(re.findall(r'value="(urn:uuid:[0-9a-f-]+)"[^>]*>\s*<label[^>]*>(Story \d)<', page))
    by_title = {title: article for article, title in ids.items()}
    assert set(by_title) == {"Story 1", "Story 2", "Story 3"}
    looked = {"newsletter": "morning", "find": "yes", "to": "ada@example.org", "again": "yes"}
    found = sender.submit(at, at, **looked, q="story 3", article=by_title["Story 1"])
    assert found.status_code == 200 and not issues_of(newsroom)
    assert "Story 3" in found.text and "Story 2" not in found.text
    assert f'value="{by_title["Story 1"]}" checked' in found.text
    assert "ada@example.org</textarea>" in found.text and re.search(r'name="again" value="yes" checked', found.text)
    # What the newsletter does not select is there when nobody asks for that alone.
    with newsroom.site.database.write() as connection:
        other = sa.update(tables.articles).where(tables.articles.c.id == by_title["Story 2"])
        connection.execute(other.values(section="elsewhere"))
    narrow = sender.get(at, params={"newsletter": "morning"}).text
    assert 'name="only" value="yes" checked' in narrow and "Story 2" not in narrow and "Story 3" in narrow
    assert "Story 2" in sender.submit(at, at, **looked).text
    wrong = sender.submit(at, at, newsletter="morning", article=by_title["Story 1"], to="no address", q="story")
    assert wrong.status_code == 422 and not issues_of(newsroom)
    assert "no address</textarea>" in wrong.text and f'value="{by_title["Story 1"]}" checked' in wrong.text


def test_at_another_time_and_cancelled(newsroom: WebSite) -> None:
    number = drafted(newsroom)
    at = f"/console/issues/{number}"
    sender = newsroom.client("sender")
    later = (newsroom.now + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    shown = sender.submit(at, f"{at}/send", seal=seal_of(sender.get(at).text), at=later).text
    assert "Set for" in shown
    assert "Cancelled" in sender.submit(at, f"{at}/cancel").text
    refused = sender.submit("/console/issues", f"{at}/resume")
    assert refused.status_code == 409 and f'href="{at}">Back<' in refused.text


def test_a_time_in_the_past_is_refused_where_it_was_typed(newsroom: WebSite) -> None:
    number = drafted(newsroom)
    at = f"/console/issues/{number}"
    sender = newsroom.client("sender")
    refused = sender.submit(at, f"{at}/send", seal=seal_of(sender.get(at).text), at="2020-01-01T07:00")
    assert refused.status_code == 409
    assert "That time is past." in refused.text and 'value="2020-01-01T07:00"' in refused.text
    assert state_of(newsroom, number) == "awaiting"


def test_a_night_that_was_chosen_is_asked_about_once(newsroom: WebSite) -> None:
    number = drafted(newsroom)
    at = f"/console/issues/{number}"
    sender = newsroom.client("sender")
    seal = seal_of(sender.get(at).text)
    first, second = ((newsroom.now + timedelta(days=days)).strftime("%Y-%m-%dT03:00") for days in (2, 3))
    asked = sender.submit(at, f"{at}/send", seal=seal, at=first)
    assert asked.status_code == 409
    assert "03:00 at night for 2 of 2: then, or at 06:30?" in asked.text
    assert f'name="hour" value="{first}"' in asked.text
    # Who was asked about one night has not agreed to another.
    assert sender.submit(at, f"{at}/send", seal=seal, at=second, hour=first).status_code == 409
    assert state_of(newsroom, number) == "awaiting"
    assert "Set for" in sender.submit(at, f"{at}/send", seal=seal, at=second, hour=second).text
    assert state_of(newsroom, number) == "scheduled"


def test_what_does_not_fit_stays_as_it_was_typed(newsroom: WebSite) -> None:
    number = drafted(newsroom)
    at = f"/console/issues/{number}"
    editor, sender = newsroom.client("editor"), newsroom.client("sender")
    seal = seal_of(editor.get(at).text)
    typed = {"subject": "Ours <all>", "intro": "Good morning.", "links": "no address here", "sponsor": "Quay Bakery"}
    for faulty in ({}, {"links": "", "sponsor": "", "sponsor_text": "Nobody's words"}):
        back = editor.submit(at, f"{at}/edit", seal=seal, **{**typed, **faulty})
        assert back.status_code == 422
        assert 'value="Ours &lt;all&gt;"' in back.text and "\nGood morning.</textarea>" in back.text
        assert 'href="#words"' in back.text and 'role="alert"' in back.text
        # The page is no longer at an address that can be asked for: nothing asks for it by itself.
        assert "data-live" not in back.text and "http-equiv" not in back.text
    assert "no address here" in editor.submit(at, f"{at}/edit", seal=seal, **typed).text
    with newsroom.site.database.write() as connection:
        connection.execute(sa.update(tables.subscriptions).values(status="left"))
    nobody = sender.submit(at, f"{at}/send", seal=seal, at="2099-01-01T07:00")
    assert (nobody.status_code, 'value="2099-01-01T07:00"' in nobody.text) == (409, True)
    assert f"Nobody would get issue {number}." in nobody.text and 'href="#send"' in nobody.text


def test_the_mail_is_seen_as_its_readers_get_it(newsroom: WebSite) -> None:
    at = f"/console/issues/{drafted(newsroom)}"
    editor = newsroom.client("editor")
    plain = editor.get(at).text
    assert 'class="stage phone light"' in plain and f'src="{at}/mail.html?scheme=light"' in plain
    dark = editor.get(at, params={"seen": "desktop", "scheme": "dark"}).text
    assert 'class="stage desktop dark"' in dark and f'src="{at}/mail.html?scheme=dark"' in dark
    for name in ("seen-desktop", "scheme-dark"):
        assert re.search(rf'id="{name}"[^>]+ aria-current="true"', dark)
    # Each switch keeps what the other says.
    assert f'href="{at}?scheme=dark&amp;seen=text#mail"' in dark
    text = editor.get(at, params={"seen": "text"}).text
    assert "<iframe" not in text and "What happened, part 3." in text.split('class="mail-text"')[1]
    for shown in ("", "?scheme=dark"):
        mail = editor.get(f"{at}/mail.html{shown}")
        assert mail.headers["Content-Security-Policy"].startswith("sandbox;")
        assert "prefers-color-scheme" not in mail.text
    for bad in ({"seen": "watch"}, {"scheme": "<b>"}):
        assert editor.get(at, params=bad).status_code == 404


def test_nothing_is_done_by_a_get_and_what_is_not_there_is_not_found(newsroom: WebSite) -> None:
    admin = newsroom.client("admin")
    for verb in ("send", "approve", "stop", "cancel", "edit"):
        assert admin.get(f"/console/issues/1/{verb}").status_code in (404, 405)
    missing = admin.get("/console/issues/999")
    assert missing.status_code == 404 and 'href="/console/issues">Back<' in missing.text
    assert ">Back<" not in admin.get("/console/nowhere").text
    unknown = admin.submit("/console/issues", "/console/issues/draft", newsletter="morning", cadence="hourly")
    assert unknown.status_code == 422 and 'href="/console/issues">Back<' in unknown.text


@pytest.mark.browser
@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_dark_phone_shows_the_mail_dark_whatever_the_console_is(
    newsroom: WebSite, open_page: Callable[..., Page], scripts: bool
) -> None:
    at = f"/console/issues/{drafted(newsroom)}"
    page = open_page(at, scripts=scripts, scheme="light")
    page.frame_locator(".stage iframe").locator(".sheet").first.wait_for()
    assert page.locator(".stage iframe").evaluate("frame => frame.clientWidth") == 375
    page.get_by_role("link", name="Dark", exact=True).press("Enter")
    page.wait_for_url("**scheme=dark*")
    page.locator(".stage.dark iframe").wait_for()
    sheet = page.frame_locator(".stage.dark iframe").locator(".sheet").first
    colour = sheet.evaluate("sheet => getComputedStyle(sheet).backgroundColor")
    assert colour == "rgb(28, 32, 37)"
    current = page.get_by_role("navigation", name="In a mail program that is").locator("[aria-current]")
    assert current.text_content() == "Dark"
    if scripts:
        assert current.evaluate("link => link === document.activeElement")
