"""An editor at an issue: every edit is composed and sealed at once, voids approval, and outlives a wider window."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.core.edits import Change, EditorLink, Sponsor
from syndicate.core.issue import Issue
from syndicate.core.newsletter import Newsletter
from syndicate.errors import BadInput, NotFound, NothingToSend, Refused
from syndicate.services.approve_issue import approve, schedule
from syndicate.services.cancel_issue import cancel
from syndicate.services.draft_issue import draft_cadence_issue, draft_manual_issue
from syndicate.services.edit_issue import edit, recompose_issues
from syndicate.services.hold_article import hold_articles
from syndicate.storage import tables
from syndicate.storage.approvals import changes_since_approval
from syndicate.storage.articles import get_article
from syndicate.storage.database import Database
from syndicate.storage.issues import change_issue, get_composition, get_issue, get_variants, move_issue, take_back
from tests.services.composing_room import MORNING, article_id, enrol, house, open_newsroom, release
from tests.services.newsroom import Newsroom


@pytest.fixture
def newsroom(database: Database, now: datetime) -> Database:
    open_newsroom(database, now)
    enrol(database, 5, now)
    release(database, range(1, 6), now)
    return database


def draft(database: Database, now: datetime) -> Issue:
    return draft_cadence_issue(database, MORNING, "daily", house(), now=now, actor="desk").issue


def change(database: Database, issue_id: int, now: datetime, step: Change, seen: str | None = None) -> Issue:
    return edit(database, issue_id, step, MORNING, house(), seen=seen, now=now, actor="ada")


def numbers(database: Database, issue_id: int) -> dict[str, list[int]]:
    with database.read() as connection:
        composed = get_composition(connection, issue_id)
    found: dict[str, list[int]] = {}
    for each in composed:
        found.setdefault(each.role, []).append(each.number)
    return found


def body(database: Database, issue_id: int) -> str:
    with database.read() as connection:
        variant = get_variants(connection, issue_id, 1)[""]
    return f"{variant.subject}\n{variant.html}\n{variant.text}"


def test_order_skip_and_words_are_composed_at_once(newsroom: Database, now: datetime) -> None:
    issue = draft(newsroom, now)
    assert numbers(newsroom, issue.id) == {"full": [5, 4, 3], "title": [2, 1]}
    change(newsroom, issue.id, now, Change(order=(article_id(2), article_id(4))))
    assert numbers(newsroom, issue.id) == {"full": [2, 4, 5], "title": [3, 1]}
    change(newsroom, issue.id, now, Change(move=(article_id(4), -1)))
    edited = change(newsroom, issue.id, now, Change(skip=(article_id(5),)))
    assert numbers(newsroom, issue.id) == {"full": [4, 2, 3], "title": [1], "skipped": [5]}
    assert (edited.state, edited.hi, edited.expected) == ("awaiting", 5, 5)
    words = Change(
        subject="Ours", preheader="Before", intro="Good *morning*.",
        links=(EditorLink("Tides", "https://tides.example"),), sponsor=Sponsor("Quay & Sons"),
    )  # fmt: skip
    change(newsroom, issue.id, now, words)
    shown = body(newsroom, issue.id)
    for part in ("Ours\n", "Before", "<em>morning</em>", "https://tides.example", "Sponsored by Quay &amp; Sons"):
        assert part in shown
    assert "Story number 5" not in shown
    change(newsroom, issue.id, now, Change(unskip=(article_id(5),), subject="", sponsor=Sponsor("")))
    assert numbers(newsroom, issue.id) == {"full": [4, 2, 5], "title": [3, 1]}
    assert body(newsroom, issue.id).startswith("Story number 4\n")
    assert "Sponsored" not in body(newsroom, issue.id)


def test_any_edit_voids_approval_and_schedule(newsroom: Database, now: datetime) -> None:
    issue = draft(newsroom, now)
    approve(newsroom, issue.id, now=now, actor="desk")
    schedule(newsroom, issue.id, send_at=now + timedelta(hours=1), now=now, actor="desk")
    edited = change(newsroom, issue.id, now, Change(preheader="Other words"))
    assert (edited.state, edited.is_approved, edited.send_at) == ("awaiting", False, None)
    assert edited.seal != issue.seal


def test_edits_outlive_a_wider_window_and_a_held_article_drops_out(newsroom: Database, now: datetime) -> None:
    issue = draft(newsroom, now)
    change(newsroom, issue.id, now, Change(order=(article_id(1), article_id(2)), skip=(article_id(3),), subject="Ours"))
    release(newsroom, [6], now)
    wider = draft(newsroom, now + timedelta(days=1))
    assert (wider.id, wider.hi) == (issue.id, 6)
    assert numbers(newsroom, issue.id) == {"full": [1, 2, 5], "title": [4, 6], "skipped": [3]}
    assert body(newsroom, issue.id).startswith("Ours\n")
    hold_articles(newsroom, [article_id(2)], because="", actor="desk", feeds=[], now=now)
    assert numbers(newsroom, issue.id)["full"] == [1, 2, 5]
    (again,) = recompose_issues(newsroom, lambda name: MORNING, house(), now=now, actor="")
    assert (again.state, again.why) == ("awaiting", "")
    assert numbers(newsroom, issue.id) == {"full": [1, 5, 4], "title": [6], "skipped": [3]}
    assert recompose_issues(newsroom, lambda name: MORNING, house(), now=now, actor="") == []


def test_an_edit_on_what_has_changed_since_is_refused(newsroom: Database, now: datetime) -> None:
    issue = draft(newsroom, now)
    change(newsroom, issue.id, now, Change(subject="First"), seen=issue.seal)
    with pytest.raises(Refused, match="changed since you looked at it: ada changed its words"):
        change(newsroom, issue.id, now, Change(subject="Second"), seen=issue.seal)
    assert body(newsroom, issue.id).startswith("First\n")


def test_two_editors_at_once_lose_nothing(newsroom: Database, now: datetime) -> None:
    issue = draft(newsroom, now)
    five, four = Change(skip=(article_id(5),)), Change(skip=(article_id(4),))
    steps = [Change(subject="Ours"), five, Change(intro="Hello."), four]
    ended: list[str] = []
    barrier = threading.Barrier(len(steps))

    def work(step: Change) -> None:
        barrier.wait()
        ended.append(change(newsroom, issue.id, now, step).state)

    threads = [threading.Thread(target=work, args=(step,)) for step in steps]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(ended) == len(steps)
    with newsroom.read() as connection:
        found = get_issue(connection, issue.id)
    assert (found.state, found.subject, found.intro) == ("awaiting", "Ours", "Hello.")
    assert set(found.edits.skipped) == {article_id(5), article_id(4)}
    assert numbers(newsroom, issue.id)["skipped"] == [5, 4]


def test_what_is_being_sent_or_would_be_empty_is_refused(newsroom: Database, now: datetime) -> None:
    issue = draft(newsroom, now)
    with pytest.raises(BadInput, match="no article left"):
        change(newsroom, issue.id, now, Change(skip=tuple(map(article_id, range(1, 6)))))
    with newsroom.read() as connection:
        assert get_issue(connection, issue.id) == issue
    approve(newsroom, issue.id, now=now, actor="desk")
    with newsroom.write() as connection:
        move_issue(connection, get_issue(connection, issue.id), "freezing", frozen_at=now)
    with pytest.raises(Refused, match="is freezing"):
        change(newsroom, issue.id, now, Change(subject="Late"))


def test_a_killed_edit_is_taken_up(newsroom: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    issue = draft(newsroom, now)

    def killed(*arguments: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr("syndicate.services.edit_issue.compose", killed)
        change(newsroom, issue.id, now, Change(subject="Ours"))
    with newsroom.read() as connection:
        assert get_issue(connection, issue.id).state == "draft"
    assert draft(newsroom, now).state == "awaiting"
    assert body(newsroom, issue.id).startswith("Ours\n")


def test_an_article_is_put_in_by_hand_whatever_the_window(newsroom: Database, now: datetime) -> None:
    issue = draft(newsroom, now)
    release(newsroom, [6, 7], now)
    change(newsroom, issue.id, now, Change(add=(article_id(6),), order=(article_id(6),)))
    assert numbers(newsroom, issue.id)["full"][0] == 6
    with newsroom.write() as connection:
        connection.execute(sa.update(tables.articles).where(tables.articles.c.number == 7).values(status="held"))
    with pytest.raises(Refused, match="held and cannot"):
        change(newsroom, issue.id, now, Change(add=(article_id(7),)))
    with pytest.raises(Refused, match="not there"):
        change(newsroom, issue.id, now, Change(add=(article_id(99),)))


def test_a_manual_send_of_other_articles_is_another_request(newsroom: Database, now: datetime) -> None:
    with newsroom.read() as connection:
        three = [get_article(connection, article_id(n)) for n in (1, 2, 3)]

    def by_hand(count: int) -> Issue:
        return draft_manual_issue(
            newsroom, MORNING, house(), articles=three[:count], to=None, again=False, now=now, actor="desk"
        ).issue

    first = by_hand(3)
    change(newsroom, first.id, now, Change(skip=(article_id(3),)))
    assert numbers(newsroom, first.id) == {"full": [1, 2], "skipped": [3]}
    assert by_hand(2).id == first.id
    assert by_hand(3).id != first.id


def test_a_typo_after_approval_shows_the_difference_alone(database: Database, now: datetime) -> None:
    room = Newsroom(database, now).begin_empty()
    room.desk.put("a.md", "The mayor resigned.", section="world", summary="The mayr resigned at noon.")
    room.desk.put("b.md", "The harbour opened.", section="world")
    room.collect()
    enrol(database, 5, now)
    issue = draft(database, now)
    approve(database, issue.id, now=now, actor="desk")
    room.desk.put("a.md", "The mayor resigned.", section="world", summary="The mayor resigned at noon.")
    room.collect()
    (again,) = recompose_issues(database, lambda name: MORNING, house(), now=now, actor="")
    assert again.state == "awaiting"
    with database.read() as connection:
        (only,) = changes_since_approval(connection, again) or []
    assert (only.where, only.what) == ("Title of a.md", "summary")
    assert [(each.kind, each.text) for each in only.spans] == [
        ("same", "The "), ("gone", "mayr"), ("new", "mayor"), ("same", " resigned at noon."),
    ]  # fmt: skip
    approved = approve(database, issue.id, now=now, actor="desk", seal=again.seal)
    with database.read() as connection:
        assert changes_since_approval(connection, approved) is None


def test_one_that_cannot_be_composed_keeps_no_other_from_going_on(newsroom: Database, now: datetime) -> None:
    retired = draft(newsroom, now)
    with newsroom.write() as connection:
        connection.execute(sa.insert(tables.newsletters).values(name="evening", first_seen_at=now))
        change_issue(connection, retired.id, newsletter="evening")
    other = draft_manual_issue(
        newsroom, MORNING, house(), articles=None, to=None, again=False, now=now, actor="ada"
    ).issue
    hold_articles(newsroom, [article_id(1)], because="", actor="desk", feeds=[], now=now)

    def newsletter(name: str) -> Newsletter:
        if name != MORNING.name:
            raise NotFound(f"There is no newsletter {name!r}.")
        return MORNING

    with pytest.raises(NotFound, match="evening"):
        recompose_issues(newsroom, newsletter, house(), now=now, actor="")
    with newsroom.read() as connection:
        states = [get_issue(connection, each).state for each in (retired.id, other.id)]
    assert states == ["draft", "awaiting"]


def test_one_that_nothing_is_left_of_stays_a_draft_that_says_why(newsroom: Database, now: datetime) -> None:
    issue = draft(newsroom, now)
    hold_articles(newsroom, [article_id(n) for n in range(1, 6)], because="", actor="desk", feeds=[], now=now)
    assert recompose_issues(newsroom, lambda name: MORNING, house(), now=now, actor="") == []
    with newsroom.read() as connection:
        left = get_issue(connection, issue.id)
    assert left.state == "draft"
    assert "may not go out" in left.why
    with pytest.raises((BadInput, NothingToSend)):
        change(newsroom, issue.id, now, Change(subject="x"))
    assert cancel(newsroom, issue.id, actor="desk", now=now).state == "cancelled"


def test_automatic_approval_approves_what_was_edited(newsroom: Database, now: datetime) -> None:
    automatic = replace(MORNING, approval="automatic")
    issue = draft_cadence_issue(newsroom, automatic, "daily", house(), now=now, actor="clock").issue
    edited = edit(newsroom, issue.id, Change(subject="Ours"), automatic, house(), now=now, actor="ada")
    assert (edited.state, edited.is_approved) == ("approved", True)
    with newsroom.write() as connection:
        take_back(connection, edited, why="")
