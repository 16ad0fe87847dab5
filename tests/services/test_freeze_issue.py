"""Freezing: who gets which version of an issue, and that it can be killed, watched and taken back."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core import history
from syndicate.core.issue import Issue
from syndicate.errors import Refused
from syndicate.services import freeze_issue
from syndicate.services.approve_issue import approve
from syndicate.services.cancel_issue import cancel
from syndicate.services.pause_issue import pause, resume
from syndicate.services.retract_article import retract_article
from syndicate.services.sweep_issues import sweep
from syndicate.storage import freezing, tables
from syndicate.storage.database import Database
from syndicate.storage.issues import change_issue, get_issue, get_variants, take_back
from tests.mailing import (
    BODY,
    NOW,
    SHEET,
    add_readers,
    address,
    batches_of,
    books_now,
    freeze_it,
    make_issue,
    make_newsroom,
)


def issue_of(database: Database, issue_id: int) -> Issue:
    with database.read() as connection:
        return get_issue(connection, issue_id)


def recipients(database: Database, issue_id: int) -> list[Any]:
    table = tables.issue_recipients
    with database.read() as connection:
        return list(connection.execute(sa.select(table).where(table.c.issue_id == issue_id).order_by(table.c.ordinal)))


def change_people(database: Database, ids: Sequence[int], **values: object) -> None:
    with database.write() as connection:
        connection.execute(sa.update(tables.subscribers).where(tables.subscribers.c.id.in_(ids)).values(**values))


def change_subscriptions(database: Database, ids: Sequence[int], **values: object) -> None:
    table = tables.subscriptions
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.subscriber_id.in_(ids)).values(**values))


def mark_accepted(database: Database, issue_id: int) -> None:
    """As if every request of the issue had been accepted, and the issue closed."""
    with database.write() as connection:
        table = tables.batches
        connection.execute(sa.update(table).where(table.c.issue_id == issue_id).values(state="accepted", recipients=1))
    assert sweep(database, NOW) == [issue_id]


class LeavingAfter(threading.Event):
    """Of a process that is told to leave once it has looked so often whether it is."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze_issue, "CHUNK", 7)


def test_everybody_active_is_frozen_once_and_planned_once(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 25)
    add_readers(database, 5, cadence="weekly", first=26)
    change_people(database, [3], suppressed="complaint")
    change_people(database, [4], erased_at=NOW, address=None, email="")
    change_subscriptions(database, [5], status="left")
    change_subscriptions(database, [6], status="pending")
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id, sheet=replace(SHEET, recipients_per_request=4)) == "sending"
    frozen = recipients(database, issue_id)
    assert {row.address for row in frozen} == {address(n) for n in range(1, 26) if n not in (3, 4, 5, 6)}
    assert [row.ordinal for row in frozen] == list(range(1, 22))
    assert issue_of(database, issue_id).planned == 21
    ranges = [(batch.first, batch.last) for batch in batches_of(database, issue_id)]
    assert [ordinal for first, last in ranges for ordinal in range(first, last + 1)] == list(range(1, 22))
    assert all(last - first < 4 for first, last in ranges)
    assert books_now(database, issue_id).as_dict() == {
        **dict.fromkeys(("accepted", "refused", "suppressed", "withdrawn", "uncertain"), 0),
        "planned": 21,
        "waiting": 21,
        "balanced": True,
    }
    assert freeze_it(database, issue_id) == "already"


@pytest.mark.parametrize(
    "out",
    [
        pytest.param(range(18, 26), id="the last"),
        pytest.param(range(1, 19), id="the first"),
        pytest.param(range(8, 16), id="a whole chunk"),
        pytest.param([7, 14, 21, 25], id="the ends of chunks"),
        pytest.param(range(2, 26), id="all but the first"),
        pytest.param(range(1, 25), id="all but the last"),
    ],
)
@pytest.mark.parametrize("how", ["suppressed", "paused", "left"])
@pytest.mark.parametrize("alike", [True, False], ids=["alike", "one starts earlier"])
def test_whoever_is_out_everybody_else_is_frozen(
    database: Database, out: Sequence[int], how: str, alike: bool
) -> None:
    articles = make_newsroom(database)
    add_readers(database, 25)
    if how == "suppressed":
        change_people(database, out, suppressed="complaint")
    else:
        paused = {"paused_until": NOW + timedelta(days=9)}
        change_subscriptions(database, out, **(paused if how == "paused" else {"status": "left"}))
    inside = [number for number in range(1, 26) if number not in out]
    if not alike:
        change_subscriptions(database, inside[:1], resume_from=0)
    assert freeze_it(database, issue_id := make_issue(database, articles)) == "sending"
    assert sorted(row.subscriber_id for row in recipients(database, issue_id)) == inside
    assert [row.ordinal for row in recipients(database, issue_id)] == list(range(1, len(inside) + 1))


def test_requests_are_full_when_everybody_gets_the_same(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freeze_issue, "CHUNK", 20)
    articles = make_newsroom(database)
    add_readers(database, 55)
    issue_id = make_issue(database, articles)
    freeze_it(database, issue_id)
    assert [batch.size for batch in batches_of(database, issue_id)] == [10, 10, 10, 10, 10, 5]


def test_a_narrowed_audience(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 20)
    add_readers(database, 5, cadence="weekly", first=21)
    change_subscriptions(database, [9], status="left")
    issue_id = make_issue(database, articles, kind="manual", to=[address(n) for n in (2, 9, 21, 99)])
    assert freeze_it(database, issue_id) == "sending"
    assert [row.address for row in recipients(database, issue_id)] == [address(2), address(21)]


def test_nobody_to_send_to(database: Database) -> None:
    articles = make_newsroom(database)
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id) == "sending"
    assert sweep(database, NOW) == [issue_id]
    assert issue_of(database, issue_id).state == "sent"


def test_request_size_follows_the_bytes(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 9)
    issue_id = make_issue(database, articles, body=replace(BODY, html="<p>" + "é" * 10_000))
    freeze_it(database, issue_id, sheet=replace(SHEET, bytes_per_request=200_000))
    assert max(batch.size for batch in batches_of(database, issue_id)) == 3
    assert freeze_issue.people_per_request(replace(SHEET, bytes_per_request=1), "x", "x") == 1


@given(st.integers(0, 300_000), st.integers(1, 30_000_000), st.integers(1, 2_000))
def test_one_body_with_values_makes_room_for_more(letters: int, octets: int, count: int) -> None:
    sheet = replace(SHEET, bytes_per_request=octets, recipients_per_request=count)
    whole = freeze_issue.people_per_request(sheet, "x" * letters, "")
    once = freeze_issue.people_per_request(replace(sheet, substitution="%name%"), "x" * letters, "")
    assert 1 <= whole <= once <= count
    if once > 1:
        assert letters + once * freeze_issue.VALUES_BYTES <= octets


def test_not_approved_not_due_or_held_is_refused(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 3)
    issue_id = make_issue(database, articles)
    with database.write() as connection:
        change_issue(connection, issue_id, approved_seal="another seal")
    with pytest.raises(Refused, match="not approved"):
        freeze_it(database, issue_id)
    with database.write() as connection:
        change_issue(connection, issue_id, approved_seal="a seal", state="scheduled", send_at=NOW + timedelta(hours=1))
    with pytest.raises(Refused, match="not due"):
        freeze_it(database, issue_id)
    with database.write() as connection:
        change_issue(connection, issue_id, send_at=NOW)
        connection.execute(sa.update(tables.articles).values(status="held"))
    with pytest.raises(Refused, match="may not go out"):
        freeze_it(database, issue_id)
    assert issue_of(database, issue_id).state == "draft"
    assert recipients(database, issue_id) == []


@pytest.mark.parametrize(
    ("approved", "outcome"), [(30, "sending"), (33, "sending"), (34, "awaiting"), (27, "awaiting")]
)
def test_an_audience_more_than_a_tenth_off_awaits_again(database: Database, approved: int, outcome: str) -> None:
    articles = make_newsroom(database)
    add_readers(database, 30)
    issue_id = make_issue(database, articles, expected=approved)
    assert freeze_it(database, issue_id) == outcome
    issue = issue_of(database, issue_id)
    assert issue.state == outcome
    assert books_now(database, issue_id).balanced
    if outcome == "awaiting":
        assert (issue.why, issue.expected) == (f"It would go to 30, but {approved} were approved.", 30)
        assert (issue.is_approved, issue.planned, issue.frozen_at, issue.frozen_through) == (False, None, None, 0)
        assert recipients(database, issue_id) == batches_of(database, issue_id) == []


def test_paused_while_freezing_goes_on_later(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    articles = make_newsroom(database)
    add_readers(database, 30)
    issue_id = make_issue(database, articles)
    whole = freezing.freeze_chunk

    def pause_then_freeze(*arguments: Any, **named: Any) -> Any:
        if named["base"] == 14:
            raise KeyboardInterrupt
        return whole(*arguments, **named)

    monkeypatch.setattr(freezing, "freeze_chunk", pause_then_freeze)
    with pytest.raises(KeyboardInterrupt):
        freeze_it(database, issue_id)
    balance = books_now(database, issue_id)
    assert (balance.planned, balance.waiting, balance.balanced) == (14, 14, True)
    monkeypatch.undo()
    assert pause(database, issue_id, why="look", actor="an editor", now=NOW).state == "paused"
    assert freeze_it(database, issue_id) == "already"
    assert resume(database, issue_id, actor="an editor", now=NOW).state == "freezing"
    assert freeze_it(database, issue_id) == "sending"
    assert [row.ordinal for row in recipients(database, issue_id)] == list(range(1, 31))


def test_cancelled_while_freezing_leaves_nothing_and_gives_the_articles_back(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    articles = make_newsroom(database, mark=1)
    add_readers(database, 30)
    issue_id = make_issue(database, articles)
    whole = freezing.freeze_chunk

    def cancelled_elsewhere(*arguments: Any, **named: Any) -> Any:
        result = whole(*arguments, **named)
        if named["base"] == 14:
            monkeypatch.setattr(freezing, "freeze_chunk", whole)
            stopped.append(True)
        return result

    stopped: list[bool] = []
    monkeypatch.setattr(freezing, "freeze_chunk", cancelled_elsewhere)
    progressed: list[int] = []

    def progress(done: int, _total: int | None) -> None:
        progressed.append(done)
        if stopped:
            cancel(database, issue_id, actor="an editor", now=NOW)

    assert (freeze_it(database, issue_id, progress=progress), progressed) == ("already", [7, 14, 21])
    assert issue_of(database, issue_id).state == "cancelling"
    assert books_now(database, issue_id).balanced
    assert sweep(database, NOW) == [issue_id]
    assert issue_of(database, issue_id).state == "cancelled"
    assert recipients(database, issue_id) == batches_of(database, issue_id) == []
    with database.read() as connection:
        mark = connection.execute(
            sa.select(tables.cadences.c.mark).where(tables.cadences.c.name == "daily")
        ).scalar_one()
    assert mark == 0


@pytest.mark.parametrize(("approved", "outcome"), [(25, "sending"), (50, "awaiting")])
def test_told_to_leave_it_does_so_between_two_steps_and_the_next_goes_on(
    database: Database, approved: int, outcome: str
) -> None:
    articles = make_newsroom(database, articles=2)
    add_readers(database, 25)
    by_hand = make_issue(database, articles[:1], kind="manual", to=[address(n) for n in range(1, 4)])
    freeze_it(database, by_hand)
    mark_accepted(database, by_hand)
    # A chunk of nobody, in which no progress is told of.
    change_subscriptions(database, range(8, 15), paused_until=NOW + timedelta(days=9))
    issue_id = make_issue(database, articles)
    with database.write() as connection:
        change_issue(connection, issue_id, approved_expected=approved - 7)
    outcomes: list[str] = []
    while (not outcomes or outcomes[-1] == "stopped") and len(outcomes) < 30:
        assert books_now(database, issue_id).balanced
        outcomes.append(freeze_it(database, issue_id, stop=LeavingAfter(2)))
    assert (outcomes[-1], outcomes.count("stopped") > 1) == (outcome, True)
    frozen = [] if outcome == "awaiting" else [*range(1, 8), *range(15, 26)]
    assert sorted(row.subscriber_id for row in recipients(database, issue_id)) == frozen
    assert sum(batch.size for batch in batches_of(database, issue_id)) == len(frozen)


# --- versions ---------------------------------------------------------------------------------------------------------


def test_who_got_an_article_by_hand_does_not_get_it_again(database: Database) -> None:
    articles = make_newsroom(database, articles=3)
    add_readers(database, 20)
    by_hand = make_issue(database, articles[:1], kind="manual", to=[address(n) for n in range(5, 10)])
    freeze_it(database, by_hand)
    mark_accepted(database, by_hand)
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id) == "sending"
    keys = {row.subscriber_id: row.variant_key for row in recipients(database, issue_id)}
    assert keys == {n: f"-{by_hand}" if 5 <= n < 10 else "" for n in range(1, 21)}
    with database.read() as connection:
        variants = get_variants(connection, issue_id, 1)
    assert set(variants[f"-{by_hand}"].article_ids) == set(articles[1:])
    assert "Article number 1<" not in variants[f"-{by_hand}"].html
    assert variants[""].html == BODY.html
    # A request carries one version.
    by_ordinal = {row.ordinal: row.variant_key for row in recipients(database, issue_id)}
    for batch in batches_of(database, issue_id):
        assert len({by_ordinal[n] for n in range(batch.first, batch.last + 1)}) == 1


def test_for_whom_nothing_is_left_is_not_in_the_audience(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 20)
    by_hand = make_issue(database, articles, kind="manual", to=[address(n) for n in range(5, 10)])
    freeze_it(database, by_hand)
    mark_accepted(database, by_hand)
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id) == "sending"
    frozen = recipients(database, issue_id)
    assert {row.subscriber_id for row in frozen} == set(range(1, 21)) - set(range(5, 10))
    assert [row.ordinal for row in frozen] == list(range(1, 16))


def test_sent_again_uncertain_refused_and_split_count_as_they_should(database: Database) -> None:
    articles = make_newsroom(database, articles=2)
    add_readers(database, 12)
    again = make_issue(database, articles[:1], kind="manual", again=True)
    freeze_it(database, again)
    mark_accepted(database, again)
    by_hand = make_issue(database, articles[:1], kind="manual")
    freeze_it(database, by_hand, sheet=replace(SHEET, recipients_per_request=4))
    table, outcomes = tables.batches, tables.recipient_outcomes
    # 1–4 accepted but for 2; 5–7 split and 5 accepted; 8–12 uncertain or refused.
    with database.write() as connection:
        def settle(first: int, state: str) -> int:
            moved = (
                sa.update(table)
                .where(table.c.issue_id == by_hand, table.c.first == first)
                .values(state=state)
                .returning(table.c.id)
            )
            return int(connection.execute(moved).scalar_one())

        whole = settle(1, "accepted")
        parent = settle(5, "split")
        settle(8, "uncertain")
        settle(12, "refused")
        change_issue(connection, by_hand, state="sent")  # closed: nothing of it may still be accepted
        for first, last, state in ((5, 5, "accepted"), (6, 7, "refused")):
            connection.execute(
                sa.insert(table).values(issue_id=by_hand, first=first, last=last, parent_id=parent, state=state)
            )
        connection.execute(
            sa.insert(outcomes).values(issue_id=by_hand, ordinal=2, batch_id=whole, outcome="refused", at=NOW)
        )
    issue_id = make_issue(database, articles)
    freeze_it(database, issue_id)
    left_out = {row.subscriber_id for row in recipients(database, issue_id) if row.variant_key == f"-{by_hand}"}
    assert left_out == {1, 3, 4, 5}


def test_that_one_reader_surely_has_it_says_nothing_of_another(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 4)
    earlier = make_issue(database, articles, kind="manual", to=[address(1), address(2), address(3)])
    assert freeze_it(database, earlier) == "sending"
    batches, outcomes = tables.batches, tables.recipient_outcomes
    with database.write() as connection:
        connection.execute(sa.update(batches).where(batches.c.issue_id == earlier).values(state="refused"))
        first = connection.execute(sa.select(batches.c.id).where(batches.c.issue_id == earlier, batches.c.first == 1))
        row = {"issue_id": earlier, "ordinal": 1, "batch_id": first.scalar_one(), "outcome": "accepted", "at": NOW}
        connection.execute(sa.insert(outcomes).values(why="a report shows it", **row))
        connection.execute(sa.update(tables.issues).where(tables.issues.c.id == earlier).values(state="sent"))
    daily = make_issue(database, articles, expected=4)
    assert freeze_it(database, daily) == "sending"
    assert [each.address for each in recipients(database, daily)] == [address(2), address(3), address(4)]


def readers_of_more_and_more(database: Database, monkeypatch: pytest.MonkeyPatch) -> tuple[int, dict[int, list[str]]]:
    """An issue of five articles, of which three readers have one, two and three by others, so that their versions have
    keys as long as the longest that is stored, and longer; and what they are still to get."""
    for module in (history, freezing):
        monkeypatch.setattr(module, "LONGEST_KEY", len("-1-2"))
    articles = make_newsroom(database, articles=5)
    add_readers(database, 3)
    for place in range(3):
        one = make_issue(database, [articles[place]], kind="manual", to=[address(n) for n in range(place + 1, 4)])
        freeze_it(database, one)
        mark_accepted(database, one)
    return make_issue(database, articles), {n: articles[n:] for n in (1, 2, 3)}


def articles_by_reader(database: Database, issue_id: int) -> dict[int, list[str]]:
    with database.read() as connection:
        versions = get_variants(connection, issue_id, 1)
    rows = recipients(database, issue_id)
    return {row.subscriber_id: sorted(versions[row.variant_key].article_ids) for row in rows}


def test_who_has_more_by_others_than_a_key_can_tell_gets_it_not_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    issue_id, left = readers_of_more_and_more(database, monkeypatch)
    assert freeze_it(database, issue_id) == "sending"
    assert articles_by_reader(database, issue_id) == {reader: sorted(ids) for reader, ids in left.items()}


@pytest.mark.parametrize("why", ["killed", "taken back"])
def test_a_version_of_a_long_key_that_was_made_before_is_used(
    database: Database, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    issue_id, left = readers_of_more_and_more(database, monkeypatch)
    if why == "taken back":
        with database.write() as connection:
            change_issue(connection, issue_id, approved_expected=100)
        assert freeze_it(database, issue_id) == "awaiting"
        approve(database, issue_id, actor="an editor", now=NOW)
    else:
        with monkeypatch.context() as until_killed:
            until_killed.setattr(freezing, "plan_run", Mock(side_effect=KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                freeze_it(database, issue_id)
    assert freeze_it(database, issue_id, stop=LeavingAfter(20)) == "sending"
    assert articles_by_reader(database, issue_id) == {reader: sorted(ids) for reader, ids in left.items()}


def test_a_range_of_ones_own_after_a_change_of_cadence(database: Database) -> None:
    articles = make_newsroom(database, articles=6)
    add_readers(database, 6)
    change_subscriptions(database, [2], resume_from=1)  # starts earlier than the window
    change_subscriptions(database, [3], resume_from=3)  # at its very start
    change_subscriptions(database, [4], resume_from=5)  # inside it
    change_subscriptions(database, [5], resume_from=6)  # has had all of it
    issue_id = make_issue(database, articles[3:], window=(3, 6))
    assert freeze_it(database, issue_id) == "sending"
    keys = {row.subscriber_id: row.variant_key for row in recipients(database, issue_id)}
    assert keys == {1: "", 2: "+1", 3: "", 4: "+5", 6: ""}
    with database.read() as connection:
        variants = get_variants(connection, issue_id, 1)
    assert set(variants["+1"].article_ids) == set(articles[1:])
    assert set(variants["+5"].article_ids) == {articles[5]}
    # Whoever got it follows the cadence from now on, unless the subscription changed after the freezing.
    change_subscriptions(database, [4], changed_at=NOW + timedelta(hours=1))
    mark_accepted(database, issue_id)
    table = tables.subscriptions
    with database.read() as connection:
        starts = dict(connection.execute(sa.select(table.c.subscriber_id, table.c.resume_from)).all())
    assert starts == {1: None, 2: None, 3: None, 4: 5, 5: 6, 6: None}


def test_a_manual_issue_ignores_where_ranges_start(database: Database) -> None:
    articles = make_newsroom(database, articles=3)
    add_readers(database, 3)
    change_subscriptions(database, [2], resume_from=3)
    issue_id = make_issue(database, articles[:1], kind="manual")
    freeze_it(database, issue_id)
    assert {row.variant_key for row in recipients(database, issue_id)} == {""}


def test_the_older_articles_of_one_version_count_as_got(database: Database) -> None:
    """Article 1 went out only in the version of a reader who starts earlier; by hand they do not get it again."""
    articles = make_newsroom(database, articles=3)
    add_readers(database, 3)
    change_subscriptions(database, [2], resume_from=0)
    first = make_issue(database, articles[1:2], window=(1, 2))
    freeze_it(database, first)
    mark_accepted(database, first)
    later = make_issue(database, [articles[0], articles[2]], kind="manual")
    freeze_it(database, later)
    with database.read() as connection:
        variants = get_variants(connection, later, 1)
    got = {row.subscriber_id: set(variants[row.variant_key].article_ids) for row in recipients(database, later)}
    assert got == {1: {articles[0], articles[2]}, 2: {articles[2]}, 3: {articles[0], articles[2]}}


def test_an_edit_after_the_approval_is_not_frozen(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 3)
    issue_id = make_issue(database, articles)
    with database.write() as connection:
        take_back(connection, get_issue(connection, issue_id), why="edited")
    with pytest.raises(Refused, match="draft"):
        freeze_it(database, issue_id)


def test_what_the_checks_call_an_error_is_not_frozen_and_awaits_again(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 3)
    issue_id = make_issue(database, articles, expected=3)
    with database.write() as connection:
        connection.execute(sa.update(tables.variants).values(subject="Story TKTK", html="<h1>Hello</h1>"))
    with pytest.raises(Refused, match="must not go out"):
        freeze_it(database, issue_id)
    issue = issue_of(database, issue_id)
    assert issue.state == "awaiting"
    assert not issue.is_approved
    assert "The checks before sending found" in issue.why
    assert not recipients(database, issue_id)


def test_an_error_in_the_version_of_a_few_takes_the_issue_back(database: Database) -> None:
    articles = make_newsroom(database, articles=3)
    add_readers(database, 20)
    by_hand = make_issue(database, articles[:1], kind="manual", to=[address(7)])
    freeze_it(database, by_hand)
    mark_accepted(database, by_hand)
    with database.write() as connection:
        # Only the lead's title is in the subject: what is wrong with the second shows where the first is left out.
        second = tables.articles.c.id == articles[1]
        connection.execute(sa.update(tables.articles).where(second).values(title="TKTK"))
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id) == "awaiting"
    issue = issue_of(database, issue_id)
    assert (issue.state, issue.is_approved) == ("awaiting", False)
    assert "found, in what some readers would get" in issue.why and "TKTK" in issue.why
    assert not recipients(database, issue_id)
    # Approved as it is once more, it is no further: the version is kept, and found before anything is frozen.
    with database.write() as connection:
        again = sa.update(tables.issues).where(tables.issues.c.id == issue_id)
        connection.execute(again.values(state="approved", approved_seal="a seal"))
    with pytest.raises(Refused, match="must not go out"):
        freeze_it(database, issue_id)


def test_what_is_retracted_while_the_version_of_some_readers_is_made_is_in_no_version(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing says yet that the issue carries it, so that its retraction does not stop it."""
    articles = make_newsroom(database, articles=6)
    add_readers(database, 3)
    change_subscriptions(database, [2], resume_from=1)
    issue_id = make_issue(database, articles[3:], window=(3, 6), expected=3)
    render = freeze_issue._Freezing._render

    def retracted_meanwhile(self: Any, issue: Issue, shown: Any) -> Any:
        made = render(self, issue, shown)
        retract_article(database, articles[2], note="", actor="ann", feeds=[], now=NOW)
        return made

    monkeypatch.setattr(freeze_issue._Freezing, "_render", retracted_meanwhile)
    assert freeze_it(database, issue_id) == "sending"
    with database.read() as connection:
        variants = get_variants(connection, issue_id, 1)
    assert set(variants["+1"].article_ids) == {articles[1], *articles[3:]}
