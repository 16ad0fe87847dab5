"""Drafting, sealing, approving and scheduling issues."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.core.newsletter import Newsletter
from syndicate.errors import NothingToSend, Refused
from syndicate.services.approve_issue import approve, schedule
from syndicate.services.draft_issue import draft_cadence_issue, draft_manual_issue, sent_lately
from syndicate.storage import tables
from syndicate.storage.articles import get_article
from syndicate.storage.database import Database
from syndicate.storage.issues import get_composition, get_issue, get_variants, list_issues, move_issue, take_back
from tests.services.composing_room import MORNING, article_id, enrol, house, open_newsroom, release


@pytest.fixture
def newsroom(database: Database, now: datetime) -> Database:
    open_newsroom(database, now)
    enrol(database, 5, now)
    return database


def draft(database: Database, now: datetime, newsletter: Newsletter = MORNING, cadence: str = "daily"):  # type: ignore[no-untyped-def]
    return draft_cadence_issue(database, newsletter, cadence, house(), now=now, actor="desk")


def mark(database: Database, cadence: str = "daily") -> int:
    with database.read() as connection:
        table = tables.cadences
        return int(connection.execute(sa.select(table.c.mark).where(table.c.name == cadence)).scalar_one())


def test_an_issue_takes_everything_new_and_awaits_approval(newsroom: Database, now: datetime) -> None:
    release(newsroom, range(1, 6), now)
    issue = draft(newsroom, now).issue
    assert (issue.state, issue.lo, issue.hi, issue.expected) == ("awaiting", 0, 5, 5)
    assert mark(newsroom) == 5
    with newsroom.read() as connection:
        composed = get_composition(connection, issue.id)
        variant = get_variants(connection, issue.id, 1)[""]
    assert [each.number for each in composed] == [5, 4, 3, 2, 1]
    assert [each.role for each in composed] == ["full", "full", "full", "title", "title"]
    assert variant.subject == "Story number 5"
    for number in range(1, 6):
        assert f"Story number {number}" in variant.html
        assert f"Story number {number}" in variant.text
    assert f"https://news.post.example/feeds/articles/{article_id(5)[9:]}.html" in variant.html


def test_with_too_few_articles_nothing_changes(newsroom: Database, now: datetime) -> None:
    wants_three = replace(MORNING, min_articles=3)
    with pytest.raises(NothingToSend):
        draft(newsroom, now, wants_three)
    release(newsroom, [1, 2], now)
    with pytest.raises(NothingToSend, match="2 new"):
        draft(newsroom, now, wants_three)
    assert mark(newsroom) == 0
    with newsroom.read() as connection:
        assert list_issues(connection) == []


def test_a_later_draft_widens_the_open_issue_and_voids_its_approval(newsroom: Database, now: datetime) -> None:
    release(newsroom, [1, 2], now)
    first = draft(newsroom, now).issue
    approved = approve(newsroom, first.id, now=now, actor="desk", seal=first.seal)
    assert approved.is_approved
    release(newsroom, [3], now)
    second = draft(newsroom, now + timedelta(days=1)).issue
    assert (second.id, second.state, second.lo, second.hi) == (first.id, "awaiting", 0, 3)
    assert not second.is_approved
    assert second.seal != first.seal
    with pytest.raises(Refused, match="changed since"):
        approve(newsroom, first.id, now=now, actor="desk", seal=first.seal)


def test_two_cadences_have_windows_of_their_own(newsroom: Database, now: datetime) -> None:
    release(newsroom, [1, 2], now)
    draft(newsroom, now)
    release(newsroom, [3], now)
    weekly = draft(newsroom, now, cadence="weekly").issue
    assert (weekly.lo, weekly.hi) == (0, 3)
    assert mark(newsroom, "daily") == 2


def test_automatic_approval_needs_no_editor(newsroom: Database, now: datetime) -> None:
    release(newsroom, [1], now)
    issue = draft(newsroom, now, replace(MORNING, approval="automatic")).issue
    assert issue.state == "approved"
    assert issue.is_approved


def test_an_article_held_after_approval_is_not_sent(newsroom: Database, now: datetime) -> None:
    release(newsroom, [1, 2], now)
    issue = draft(newsroom, now).issue
    approve(newsroom, issue.id, now=now, actor="desk")
    with newsroom.write() as connection:
        table = tables.articles
        connection.execute(sa.update(table).where(table.c.number == 1).values(status="held", number=None))
    with pytest.raises(Refused, match="Story number 1"):
        schedule(newsroom, issue.id, send_at=now, now=now, actor="desk")
    with newsroom.read() as connection:
        back = get_issue(connection, issue.id)
    assert back.state == "draft"
    assert back.approved_seal is None
    again = draft(newsroom, now)
    assert [article.id for article in again.articles] == [article_id(2)]


def test_only_an_approved_issue_is_scheduled_and_twice_is_once(newsroom: Database, now: datetime) -> None:
    release(newsroom, [1], now)
    issue = draft(newsroom, now).issue
    with pytest.raises(Refused, match="only an approved one"):
        schedule(newsroom, issue.id, send_at=now, now=now, actor="desk")
    approve(newsroom, issue.id, now=now, actor="desk")
    first = schedule(newsroom, issue.id, send_at=now, now=now, actor="desk")
    second = schedule(newsroom, issue.id, send_at=now, now=now, actor="desk")
    assert first == second
    assert first.state == "scheduled"


def test_a_manual_send_takes_what_no_frozen_issue_used_and_moves_no_mark(newsroom: Database, now: datetime) -> None:
    release(newsroom, [1, 2, 3], now)
    with newsroom.read() as connection:
        second = get_article(connection, article_id(2))
    by_hand = draft_manual_issue(
        newsroom, MORNING, house(), articles=[second], to=None, again=False, now=now, actor="desk"
    )
    assert [article.id for article in by_hand.articles] == [article_id(2)]
    assert mark(newsroom) == 0
    with newsroom.write() as connection:
        table = tables.issues
        connection.execute(sa.update(table).where(table.c.id == by_hand.issue.id).values(state="sent", frozen_at=now))
    rest = draft_manual_issue(newsroom, MORNING, house(), articles=None, to=None, again=False, now=now, actor="desk")
    assert {article.id for article in rest.articles} == {article_id(1), article_id(3)}
    same = draft_manual_issue(
        newsroom, MORNING, house(), articles=[second], to=None, again=False, now=now, actor="desk"
    )
    assert same.issue.id != by_hand.issue.id
    earlier = sent_lately(newsroom, same.issue, now)
    assert earlier is not None
    assert earlier.id == by_hand.issue.id
    assert sent_lately(newsroom, same.issue, now + timedelta(hours=25)) is None


def test_the_same_manual_send_at_the_same_moment_is_one_issue(newsroom: Database, now: datetime) -> None:
    release(newsroom, [1, 2, 3], now)
    issues: list[int] = []
    barrier = threading.Barrier(4)

    def command() -> None:
        barrier.wait()
        sealed = draft_manual_issue(
            newsroom, MORNING, house(), articles=None, to=None, again=False, now=now, actor="desk"
        )
        issues.append(sealed.issue.id)

    threads = [threading.Thread(target=command) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(issues) == 4
    assert len(set(issues)) == 1


def test_slots_that_fire_twice_draft_one_issue(newsroom: Database, now: datetime) -> None:
    release(newsroom, [1, 2, 3], now)
    barrier = threading.Barrier(4)

    def command() -> None:
        barrier.wait()
        try:
            draft(newsroom, now)
        except Refused:
            pass

    threads = [threading.Thread(target=command) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with newsroom.read() as connection:
        (issue,) = list_issues(connection)
    assert (issue.lo, issue.hi, mark(newsroom)) == (0, 3, 3)
    assert issue.state == "awaiting"


def test_nothing_left_by_hand_says_so(newsroom: Database, now: datetime) -> None:
    with pytest.raises(NothingToSend):
        draft_manual_issue(newsroom, MORNING, house(), articles=None, to=None, again=False, now=now, actor="desk")


def test_a_draft_waits_for_the_one_that_is_being_sealed(newsroom: Database, now: datetime) -> None:
    release(newsroom, [1, 2], now)
    first = draft(newsroom, now).issue
    with newsroom.write() as connection:
        take_back(connection, first, why="")
    release(newsroom, [3], now)
    ended: list[tuple[str, int]] = []

    def widen() -> None:
        sealed = draft(newsroom, now).issue
        ended.append((sealed.state, sealed.hi))

    other = threading.Thread(target=widen)
    with newsroom.write() as connection:
        issue = get_issue(connection, first.id, lock=True)
        move_issue(connection, issue, "awaiting", seal="sealed meanwhile")
        other.start()
        other.join(0.5)
        assert ended == []
    other.join(30)
    assert ended == [("awaiting", 3)]
