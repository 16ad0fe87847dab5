"""Figures that move: told to many by one look a second, to nobody who is signed out, and not beyond the end."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import requests
import sqlalchemy as sa

from syndicate.errors import StorageError
from syndicate.storage import tables
from syndicate.web import live, server
from syndicate.web.live import Look
from tests.process.waiting import until
from tests.web.newsroom_site import Client, WebSite, running_site
from tests.web.sending_desk import SendingDesk, open_sending_desk

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

READERS = 8


@pytest.fixture
def desk(web_site: WebSite) -> SendingDesk:
    return open_sending_desk(web_site, readers=READERS)


@pytest.fixture
def either_desk(database_url: str, tmp_path: Path) -> Iterator[SendingDesk]:
    """On SQLite, and on PostgreSQL."""
    with running_site(tmp_path / "site", database_url=database_url.replace("+psycopg", "")) as site:
        yield open_sending_desk(site, readers=READERS)


class Stream:
    """A page's stream, read in the order in which it comes."""

    def __init__(self, client: Client, path: str) -> None:
        self.answer = client.get(path, stream=True, headers={"Accept": "text/event-stream"})
        self._lines = self.answer.iter_lines()

    def next(self) -> dict[str, Any] | None:
        """The next look; None when the server has ended the stream."""
        for line in self._lines:
            if line.startswith(b"data: "):
                look: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
                return look
        return None

    def until(self, name: str, text: str) -> dict[str, Any]:
        """The first look whose text of that name is that one."""
        while (look := self.next()) is not None:
            if look["texts"][name] == text:
                return look
        raise AssertionError(f"{name} never became {text}")


def watchers(site: WebSite) -> int:
    return sum(len(each.watchers) for each in site.app.app.state.streams._subjects.values())


def looking(site: WebSite) -> bool:
    """Whether anything is read again and again."""
    return any(each.task is not None for each in site.app.app.state.streams._subjects.values())


@pytest.fixture
def looks(web_site: WebSite) -> Iterator[list[float]]:
    """When the books were read."""
    moments: list[float] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "placed" in statement:
            moments.append(time.monotonic())

    sa.event.listen(web_site.site.database.engine, "before_cursor_execute", note)
    yield moments
    sa.event.remove(web_site.site.database.engine, "before_cursor_execute", note)


def test_the_count_is_told_as_it_moves_and_the_stream_ends_with_the_issue(either_desk: SendingDesk) -> None:
    desk = either_desk
    number = desk.schedule()
    stream = Stream(desk.site.client("editor"), f"/console/issues/{number}/live")
    assert stream.answer.headers["Content-Type"].startswith("text/event-stream")
    first = stream.until("title", "Starts in 10 s")
    desk.freeze()
    begun = stream.until("title", "Being sent")
    assert begun["token"] != first["token"]
    assert (begun["texts"]["waiting"], begun["texts"]["balance"]) == ("8", "it balances")
    desk.accept()
    moved = stream.until("accepted", "2")
    assert moved["token"] == begun["token"]
    assert moved["bars"] == {"accepted": [2, READERS]}
    assert moved["said"] == "Being sent: 2 of 8 accepted, 6 waiting."
    desk.end()
    assert stream.until("title", "Sent")["ended"]
    assert stream.next() is None


def test_today_follows_what_runs(desk: SendingDesk) -> None:
    client = desk.site.client("editor")
    stream = Stream(client, "/console/live")
    first = stream.next()
    assert first is not None and first["texts"] == {}
    number = desk.begin()
    desk.accept()
    look = stream.until(f"{number} accepted", "2") if (stream.next() or {}).get("texts") else stream.next()
    assert look is not None and look["token"] != first["token"]
    asked = client.get("/console/figures").json()
    assert asked["texts"][f"{number} accepted"] == "2" and asked["said"].startswith(f"Issue {number}: Being sent")


def test_what_one_editor_does_to_a_newsletter_is_told_to_the_others(either_desk: SendingDesk) -> None:
    """On each page that shows it: its newsletter's, the day's and that of the issue that would go."""
    desk = either_desk
    sender, editor = desk.site.client("sender"), desk.site.client("editor")
    number = desk.draft_for_its_slot()
    pages = ("/console/newsletters", "/console", f"/console/issues/{number}")
    streams = [Stream(editor, f"{page}/live") for page in pages]
    known = [token_of(stream) for stream in streams]
    for act in ("daily/skip", "daily/unskip", "pause", "resume"):
        assert sender.submit("/console/newsletters", f"/console/newsletters/morning/{act}").status_code == 200
        for place, stream in enumerate(streams):
            known[place] = token_of(stream, besides=known[place])
            assert editor.get(f"{pages[place]}/figures").json()["token"] == known[place]


def token_of(stream: Stream, besides: str = "") -> str:
    """The first that is another one."""
    while (look := stream.next()) is not None:
        if look["token"] != besides:
            token: str = look["token"]
            return token
    raise AssertionError("the stream ended")


def test_many_watchers_are_one_look_a_second(desk: SendingDesk, looks: list[float]) -> None:
    number = desk.begin()
    path = f"/console/issues/{number}/"
    client = desk.site.client("editor")
    streams = [Stream(client, path + "live") for _ in range(10)]
    began = time.monotonic()
    looks.clear()
    desk.accept()
    for stream in streams:
        stream.until("accepted", "2")
    for _ in range(20):
        assert client.get(path + "figures").json()["texts"]["accepted"] == "2"
    until(lambda: time.monotonic() - began > 2.5)
    seen = list(looks)
    assert all(later - earlier > 0.9 * live.EVERY_SECONDS for earlier, later in pairwise(seen))
    for stream in streams:
        stream.answer.close()
    until(lambda: watchers(desk.site) == 0 and not looking(desk.site))
    # Nobody watches: nothing is read any more.
    looks.clear()
    time.sleep(1.5 * live.EVERY_SECONDS)
    assert not looks


def test_nobody_who_is_signed_out_is_told_anything(desk: SendingDesk) -> None:
    number = desk.begin()
    site = desk.site
    for path in (f"/console/issues/{number}/live", f"/console/issues/{number}/figures", "/console/live"):
        for accept in ("text/event-stream", "application/json"):
            answer = site.stranger().get(path, headers={"Accept": accept}, allow_redirects=False)
            assert answer.status_code == 401 and "accepted" not in answer.text
    editor, other = site.client("editor"), site.client("sender")
    stream, stays = (Stream(each, f"/console/issues/{number}/live") for each in (editor, other))
    assert stream.next() and stays.next()
    editor.submit("/console/", "/console/sign-out")
    desk.accept()
    stays.until("accepted", "2")
    while (look := stream.next()) is not None:
        assert look["texts"]["accepted"] == "0"


def test_a_database_that_fails_ends_the_stream_and_the_next_one_goes_on(
    desk: SendingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = desk.begin()
    path = f"/console/issues/{number}/live"
    client = desk.site.client("editor")
    stream = Stream(client, path)
    assert stream.next()

    def fail(*_: object) -> Look:
        raise StorageError("The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr("syndicate.web.console.live.issue_look", fail)
        while stream.next():
            pass
        until(lambda: client.get(f"/console/issues/{number}/figures").status_code == 503)
    assert watchers(desk.site) == 0
    desk.accept()
    Stream(client, path).until("accepted", "2")


def test_what_is_not_there_is_no_stream(desk: SendingDesk) -> None:
    for path in ("/console/issues/77/live", "/console/issues/77/figures"):
        assert desk.site.client("editor").get(path).status_code == 404
    assert watchers(desk.site) == 0


def test_there_is_a_limit_and_beyond_it_one_asks(desk: SendingDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_EACH", 2)
    monkeypatch.setattr(live, "MOST_STREAMS", 3)
    number = desk.begin()
    path = f"/console/issues/{number}/live"
    client = desk.site.client("editor")
    streams = [Stream(client, path) for _ in range(2)]
    assert all(each.next() for each in streams)
    refused = client.get(path)
    assert refused.status_code == 503 and int(refused.headers["Retry-After"]) > 0
    streams.append(Stream(desk.site.client("sender"), path))
    assert streams[2].next()
    assert desk.site.client("admin").get(path).status_code == 503
    assert client.get(f"/console/issues/{number}/figures").status_code == 200
    streams[0].answer.close()
    until(lambda: watchers(desk.site) == 2)
    assert Stream(desk.site.client("admin"), path).next()


def test_a_server_that_leaves_keeps_no_stream_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Its patience with open requests is longer than that of `running_site` with it: none of it is needed.
    monkeypatch.setattr(server, "DRAIN_SECONDS", 600)
    ended = threading.Event()
    with running_site(tmp_path / "site") as site:
        stream = Stream(site.client("editor"), "/console/live")
        assert stream.next()

        def read_on() -> None:
            try:
                while stream.next():
                    pass
            except requests.RequestException:
                return
            ended.set()

        reader = threading.Thread(target=read_on)
        reader.start()
    reader.join(60)
    assert ended.is_set(), "the stream came to its own end"


@pytest.mark.browser
@pytest.mark.parametrize("blocked", [False, True], ids=["by stream", "by asking"])
def test_the_page_follows_without_being_loaded_again(
    desk: SendingDesk, open_page: Callable[..., Page], blocked: bool
) -> None:
    number = desk.schedule()
    page = open_page("/console/log")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    if blocked:
        page.route("**/live", lambda route: route.abort())
    page.goto(f"{desk.site.url}/console/issues/{number}")
    page.evaluate("window.stillHere = true")
    stop = page.get_by_role("button", name="Stop", exact=True).element_handle()
    assert stop is not None
    stop.focus()
    desk.freeze()
    page.get_by_role("heading", name="Being sent").wait_for()
    # Other cards have come and gone around it; the button is the same, and still has the focus.
    page.locator("#send").wait_for(state="detached")
    assert page.evaluate("button => button.isConnected && document.activeElement === button", stop)
    desk.accept()
    page.locator('.count [data-text="accepted"]', has_text="2").wait_for()
    assert page.locator(".progress .figures").text_content() == "2 of 8"
    assert page.locator("#live-said").text_content()
    assert page.evaluate("window.stillHere")
    assert ("figures" in asked) == blocked
    stop.click()
    page.get_by_text("Stopped: it is paused.").wait_for()


@pytest.mark.browser
@pytest.mark.parametrize("blocked", [False, True], ids=["by stream", "by asking"])
def test_an_open_page_shows_what_another_editor_pauses_and_skips(
    desk: SendingDesk, open_page: Callable[..., Page], blocked: bool
) -> None:
    number = desk.draft_for_its_slot()
    sender = desk.site.client("sender")
    paths = ("/console/newsletters", "/console/", f"/console/issues/{number}")
    opened = {path: open_page("/console/log") for path in paths}
    for path, page in opened.items():
        if blocked:
            page.route("**/live", lambda route: route.abort())
        page.goto(desk.site.url + path)
        page.evaluate("window.stillHere = true")
    newsletters, today, issue = opened.values()
    planned = issue.get_by_text("planned for Mon 23 Nov 07:00")
    planned.wait_for()
    for act, shown, told in (
        ("daily/skip", "skipped", "Mon 23 Nov 07:00 is skipped: Skipped by Sandy."),
        ("daily/unskip", "drafted", ""),
        ("pause", "paused", "Morning Briefing is paused."),
    ):
        sender.submit("/console/newsletters", f"/console/newsletters/morning/{act}")
        newsletters.locator(".slots > li").first.get_by_text(shown, exact=True).wait_for()
        today.locator("#next").get_by_text(shown, exact=True).first.wait_for()
        (issue.get_by_text(told) if told else planned).wait_for()
    for page in opened.values():
        assert page.evaluate("window.stillHere")


@pytest.mark.browser
def test_a_box_that_is_opened_while_the_page_is_fetched_stays_open(
    desk: SendingDesk, open_page: Callable[..., Page]
) -> None:
    number = desk.begin()
    page = open_page(f"/console/issues/{number}", role="sender")
    fetched: list[Any] = []
    page.route(f"**/console/issues/{number}", lambda route: route.continue_() if fetched else fetched.append(route))
    with desk.site.site.database.write() as connection:
        connection.execute(sa.update(tables.issues).values(why="somebody else was here"))
    until(lambda: page.evaluate("fetching") and fetched)
    page.get_by_text("End it…").click()
    fetched[0].continue_()
    until(lambda: not page.evaluate("fetching"))
    assert page.locator("details.confirm[open]").count() == 1
    assert not page.get_by_text("Somebody else was here").is_visible()
    page.keyboard.press("Escape")
    page.get_by_text("Somebody else was here").wait_for()


@pytest.mark.browser
def test_words_that_are_being_typed_are_not_lost(desk: SendingDesk, open_page: Callable[..., Page]) -> None:
    number = desk.draft()
    page = open_page(f"/console/issues/{number}")
    page.get_by_label("Intro").fill("Good morning, and")
    with desk.site.site.database.write() as connection:
        connection.execute(sa.update(tables.issues).values(why="somebody else was here"))
    page.get_by_text("This page has changed meanwhile").wait_for()
    assert page.get_by_label("Intro").input_value() == "Good morning, and"


@pytest.mark.browser
def test_an_ended_sign_in_leads_to_its_page(desk: SendingDesk, open_page: Callable[..., Page]) -> None:
    number = desk.begin()
    page = open_page(f"/console/issues/{number}")
    page.get_by_role("heading", name="Being sent").wait_for()
    with desk.site.site.database.write() as connection:
        connection.execute(sa.delete(tables.user_sessions))
    page.wait_for_url("**/console/sign-in?*")
