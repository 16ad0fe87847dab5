"""What becomes of an issue when one of its articles is held, taken back, released again, edited or deleted."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from syndicate.core.issue import Issue, State
from syndicate.core.newsletter import Newsletter
from syndicate.errors import NothingToSend, Refused
from syndicate.rendering.environment import make_environment
from syndicate.rendering.issue import Composition, compose
from syndicate.services import draft_issue
from syndicate.services.approve_issue import approve, schedule
from syndicate.services.draft_issue import draft_cadence_issue, draft_manual_issue
from syndicate.services.freeze_issue import freeze
from syndicate.services.hold_article import hold_articles
from syndicate.services.release_articles import release_articles
from syndicate.storage.articles import get_article
from syndicate.storage.compositions import composed_articles
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue, get_variants, list_issues, move_issue
from tests.mailing import SHEET
from tests.services.composing_room import MORNING, PUBLICATION, SENDER, enrol, house
from tests.services.newsroom import FEEDS, Newsroom

UP_TO: dict[str, int] = {"awaiting": 0, "approved": 1, "scheduled": 2, "freezing": 3, "sending": 4}


@pytest.fixture
def room(database: Database, now: datetime) -> Newsroom:
    room = Newsroom(database, now).begin_empty()
    room.desk.put("a.md", "The mayor resigned.", section="world")
    room.desk.put("b.md", "The harbour opened.", section="world")
    room.collect()
    enrol(database, 5, now)
    return room


def id_of(room: Newsroom, title: str) -> str:
    return room.articles()[f"Title of {title}"].id


def hold(room: Newsroom, title: str) -> None:
    hold_articles(room.database, [id_of(room, title)], because="", actor="desk", feeds=FEEDS, now=room.now)


def release(room: Newsroom, title: str) -> None:
    release_articles(room.database, [id_of(room, title)], actor="desk", feeds=FEEDS, now=room.now)


def draft(room: Newsroom, newsletter: Newsletter = MORNING) -> Issue:
    return draft_cadence_issue(room.database, newsletter, "daily", house(), now=room.now, actor="desk").issue


def issue_in(room: Newsroom, state: str) -> Issue:
    """The daily issue with both articles, in that state."""
    issue = draft(room)
    steps = UP_TO[state]
    if steps >= 1:
        approve(room.database, issue.id, now=room.now, actor="desk")
    if steps >= 2:
        schedule(room.database, issue.id, send_at=room.now, now=room.now, actor="desk")
    if steps == 3:
        with room.database.write() as connection:
            move_issue(connection, get_issue(connection, issue.id), "freezing", frozen_at=room.now)
    if steps >= 4:
        assert freeze_it(room, issue.id) == "sending"
    return look(room, issue.id)


def look(room: Newsroom, issue_id: int) -> Issue:
    with room.database.read() as connection:
        return get_issue(connection, issue_id)


def freeze_it(room: Newsroom, issue_id: int) -> str:
    return freeze(
        room.database,
        issue_id,
        newsletter=MORNING,
        publication=PUBLICATION,
        sender=SENDER,
        environment=make_environment(),
        sheet=SHEET,
        now=room.now,
    )


def titles(room: Newsroom, issue_id: int) -> set[str]:
    with room.database.read() as connection:
        return {article.content.title for article, _ in composed_articles(connection, issue_id)}


@pytest.mark.parametrize("state", ["awaiting", "approved", "scheduled"])
def test_held_before_freezing_it_goes_back_to_draft_and_says_why(room: Newsroom, state: State) -> None:
    issue = issue_in(room, state)
    hold(room, "a.md")
    back = look(room, issue.id)
    assert (back.state, back.why) == ("draft", "It carries what may not go out any more: Title of a.md.")
    assert (back.seal, back.is_approved, back.send_at, back.lo, back.hi) == (None, False, None, 0, 2)
    with pytest.raises(Refused):
        freeze_it(room, issue.id)
    again = draft(room)
    assert (again.id, again.state, again.why) == (issue.id, "awaiting", "")
    assert titles(room, issue.id) == {"Title of b.md"}


@pytest.mark.parametrize("state", ["freezing", "sending"])
def test_held_after_that_the_issue_goes_on(room: Newsroom, state: State) -> None:
    issue = issue_in(room, state)
    hold(room, "a.md")
    assert look(room, issue.id) == issue


@pytest.mark.parametrize("how", ["mark", "embargo"])
def test_taken_back_by_an_edit_it_goes_back_to_draft_too(room: Newsroom, how: str) -> None:
    issue = issue_in(room, "approved")
    if how == "mark":
        room.desk.put("a.md", "The mayor resigned.", section="world", hold="draft: true")
    else:
        room.desk.put("a.md", "The mayor resigned.", section="world", not_before=room.now + timedelta(days=1))
    assert [each.taken_back for each in room.collect().outcomes] == [True]
    back = look(room, issue.id)
    assert (back.state, back.why) == ("draft", "It carries what may not go out any more: Title of a.md.")


def test_a_manual_issue_goes_back_too(room: Newsroom) -> None:
    by_hand = draft_manual_issue(
        room.database, MORNING, house(), articles=None, to=None, again=False, now=room.now, actor="desk"
    ).issue
    daily = draft(room)
    hold(room, "b.md")
    assert (look(room, by_hand.id).state, look(room, daily.id).state) == ("draft", "draft")


def test_other_issues_stay_as_they_are(room: Newsroom, now: datetime) -> None:
    issue = issue_in(room, "scheduled")
    room.desk.put("c.md", section="world")
    room.collect()
    hold(room, "c.md")
    assert look(room, issue.id) == issue


def test_every_held_article_is_named(room: Newsroom) -> None:
    issue = issue_in(room, "awaiting")
    hold(room, "a.md")
    hold(room, "b.md")
    assert look(room, issue.id).why.count("Title of") == 2
    with pytest.raises(NothingToSend):
        draft(room)
    assert look(room, issue.id).state == "draft"


def test_released_again_it_is_in_the_widened_issue(room: Newsroom) -> None:
    issue = issue_in(room, "approved")
    hold(room, "a.md")
    release(room, "a.md")
    again = draft(room)
    assert (again.id, again.lo, again.hi) == (issue.id, 0, 3)
    assert titles(room, issue.id) == {"Title of a.md", "Title of b.md"}


def test_released_again_it_is_not_mailed_to_those_who_got_it(room: Newsroom) -> None:
    first = issue_in(room, "sending")
    hold(room, "a.md")
    release(room, "a.md")
    room.desk.put("c.md", section="world")
    room.collect()
    second = draft(room)
    assert titles(room, second.id) == {"Title of a.md", "Title of c.md"}
    approve(room.database, second.id, now=room.now, actor="desk")
    assert freeze_it(room, second.id) == "sending"
    with room.database.read() as connection:
        variants = get_variants(connection, second.id, 1)
    assert set(variants[f"-{first.id}"].article_ids) == {id_of(room, "c.md")}


@pytest.mark.parametrize("state", ["awaiting", "approved", "scheduled"])
def test_an_edit_that_readers_would_see_takes_a_sealed_issue_back(room: Newsroom, state: State) -> None:
    issue = issue_in(room, state)
    room.desk.put("a.md", "The mayor stays.", section="world", title="Another title")
    room.collect()
    back = look(room, issue.id)
    assert (back.state, back.is_approved) == ("draft", False)
    assert "Another title" in back.why
    assert "Title of a.md" in titles(room, issue.id)


def test_an_edit_that_no_mail_shows_leaves_the_approval(room: Newsroom) -> None:
    room.desk.put("a.md", "The mayor stays.\n\nOn page 2.", section="world", title="Title of a.md", summary="Short.")
    room.collect()
    issue = issue_in(room, "approved")
    room.desk.put("a.md", "The mayor stays.\n\nOn page 3.", section="world", title="Title of a.md", summary="Short.")
    room.collect()
    assert look(room, issue.id) == issue


@pytest.mark.parametrize("state", ["freezing", "sending"])
def test_an_edit_after_freezing_changes_no_sealed_byte(room: Newsroom, state: State) -> None:
    issue = issue_in(room, state)
    with room.database.read() as connection:
        sealed = get_variants(connection, issue.id, 1)
    room.desk.put("a.md", "The mayor stays.", section="world", title="Another title")
    room.collect()
    assert look(room, issue.id) == issue
    with room.database.read() as connection:
        assert get_variants(connection, issue.id, 1) == sealed
        assert get_article(connection, id_of_title(room, "Another title")).revision == 2
    assert "Title of a.md" in titles(room, issue.id)


def id_of_title(room: Newsroom, title: str) -> str:
    return room.articles()[title].id


@pytest.mark.parametrize("state", ["awaiting", "scheduled"])
def test_a_deleted_file_is_reported_and_the_issue_goes(room: Newsroom, state: State) -> None:
    issue = issue_in(room, state)
    del room.desk.items["a.md"]
    assert [each.kind for each in room.collect().outcomes] == ["missing"]
    assert look(room, issue.id) == issue


def test_held_while_it_is_composed_it_is_not_sealed(room: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def held_meanwhile(*arguments: Any, **named: Any) -> Composition:
        made = compose(*arguments, **named)
        monkeypatch.undo()
        hold(room, "a.md")
        return made

    monkeypatch.setattr(draft_issue, "compose", held_meanwhile)
    with pytest.raises(Refused, match="Title of a"):
        draft(room)
    with room.database.read() as connection:
        (issue,) = list_issues(connection)
    assert (issue.state, issue.seal) == ("draft", None)
    assert draft(room).state == "awaiting"


def test_never_mailed_after_a_hold_that_returned_before_freezing(room: Newsroom) -> None:
    """A hold and a freezing at the same moment: one of them is first, and that decides."""
    for place in range(8):
        room.desk.put(f"more-{place}.md", section="world")
        room.collect()
        issue = issue_in(room, "scheduled")
        barrier = threading.Barrier(2)
        told: list[str] = []

        def send(issue_id: int = issue.id, barrier: threading.Barrier = barrier, told: list[str] = told) -> None:
            barrier.wait()
            try:
                told.append(freeze_it(room, issue_id))
            except Refused:
                told.append("refused")

        thread = threading.Thread(target=send)
        thread.start()
        barrier.wait()
        hold(room, f"more-{place}.md")
        state = look(room, issue.id).state
        thread.join()
        assert (state == "draft") == (told == ["refused"])
