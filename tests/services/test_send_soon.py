"""The manual send: planned in exact numbers, ten seconds to say no, one send however often it is asked for."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.core.issue import Audience, Issue
from syndicate.core.request import is_the_number
from syndicate.errors import Refused
from syndicate.services.approve_issue import approve, schedule
from syndicate.services.cancel_issue import cancel
from syndicate.services.draft_issue import draft_manual_issue
from syndicate.services.plan_send import plan_issue, plan_send
from syndicate.services.send_soon import COUNTDOWN, send_soon, stop
from syndicate.storage import tables
from syndicate.storage.articles import get_article
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue
from tests.mailing import NOW, add_readers, address, freeze_it, make_issue, make_newsroom
from tests.services.composing_room import MORNING, article_id, enrol, house, open_newsroom, release


@pytest.fixture
def newsroom(database: Database, now: datetime) -> Database:
    open_newsroom(database, now)
    enrol(database, 8, now)
    release(database, range(1, 4), now)
    return database


def by_hand(database: Database, now: datetime, *numbers: int, to: list[str] | None = None) -> Issue:
    with database.read() as connection:
        articles = [get_article(connection, article_id(n)) for n in numbers or (1, 2)]
    return draft_manual_issue(
        database, MORNING, house(), articles=articles, to=to, again=False, now=now, actor="ada"
    ).issue


def test_it_starts_in_ten_seconds_and_stop_leaves_no_trace(newsroom: Database, now: datetime) -> None:
    issue = by_hand(newsroom, now)
    assert issue.seal is not None
    soon = send_soon(newsroom, issue.id, seal=issue.seal, now=now, actor="ada")
    assert (soon.state, soon.send_at, soon.approved_expected) == ("scheduled", now + COUNTDOWN, 8)
    stopped = stop(newsroom, issue.id, actor="ada", now=now + timedelta(seconds=5))
    assert (stopped.state, stopped.send_at, stopped.planned) == ("approved", None, None)
    assert stop(newsroom, issue.id, actor="ada", now=now) == stopped
    again = send_soon(newsroom, issue.id, seal=issue.seal, now=now + timedelta(seconds=60), actor="ada")
    assert again.send_at == now + timedelta(seconds=70)


def test_a_double_click_and_a_second_editor_are_one_send(newsroom: Database, now: datetime) -> None:
    issue = by_hand(newsroom, now)
    seal = issue.seal or ""
    states: list[tuple[str, datetime | None]] = []
    barrier = threading.Barrier(6)

    def click(second: int) -> None:
        barrier.wait()
        mine = by_hand(newsroom, now)
        assert mine.id == issue.id
        found = send_soon(newsroom, mine.id, seal=seal, now=now + timedelta(seconds=second), actor=f"editor{second}")
        states.append((found.state, found.send_at))

    threads = [threading.Thread(target=click, args=(second,)) for second in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(states) == 6
    with newsroom.read() as connection:
        audit = tables.audit_log
        count = sa.select(sa.func.count()).where(audit.c.action == "issue.schedule")
        assert connection.execute(count).scalar_one() == len({when for _, when in states})
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.issues)).scalar_one() == 1


def test_a_second_click_does_not_put_the_start_off(newsroom: Database, now: datetime) -> None:
    issue = by_hand(newsroom, now)
    seal = issue.seal or ""
    first = send_soon(newsroom, issue.id, seal=seal, now=now, actor="ada")
    assert send_soon(newsroom, issue.id, seal=seal, now=now + timedelta(seconds=9), actor="bo") == first


def test_the_back_button_after_the_end_sends_nothing(newsroom: Database, now: datetime) -> None:
    issue = by_hand(newsroom, now)
    with newsroom.write() as connection:
        table = tables.issues
        connection.execute(sa.update(table).where(table.c.id == issue.id).values(state="sent", frozen_at=now))
    assert send_soon(newsroom, issue.id, seal=issue.seal or "", now=now, actor="ada").state == "sent"
    with pytest.raises(Refused):
        stop(newsroom, issue.id, actor="ada", now=now)


def test_the_same_within_a_day_is_asked_about(newsroom: Database, now: datetime) -> None:
    first = by_hand(newsroom, now)
    with newsroom.write() as connection:
        table = tables.issues
        connection.execute(sa.update(table).where(table.c.id == first.id).values(state="sent"))
    second = by_hand(newsroom, now)
    assert second.id != first.id
    with pytest.raises(Refused, match=f"issue {first.id} within the last day"):
        send_soon(newsroom, second.id, seal=second.seal or "", now=now, actor="ada")
    sent = send_soon(newsroom, second.id, seal=second.seal or "", again=True, now=now, actor="ada")
    assert sent.state == "scheduled"


def test_over_a_thousand_the_number_is_typed(newsroom: Database, now: datetime) -> None:
    enrol(newsroom, 1_000, now)
    issue = by_hand(newsroom, now)
    seal = issue.seal or ""
    for typed in (None, 1_000):
        with pytest.raises(Refused, match="1,008 readers"):
            send_soon(newsroom, issue.id, seal=seal, typed=typed, now=now, actor="ada")
    assert send_soon(newsroom, issue.id, seal=seal, typed=1_008, now=now, actor="ada").state == "scheduled"


@pytest.mark.parametrize(
    ("typed", "readers", "known"),
    [
        (1_008, 1_008, True),
        (1_009, 1_008, True),
        (1_010, 1_008, False),
        (9_995_000, 10_000_000, True),
        (9_900_000, 10_000_000, False),
        (0, 5_000, False),
    ],
)
def test_who_types_the_number_need_not_know_who_left_meanwhile(typed: int, readers: int, known: bool) -> None:
    assert is_the_number(typed, readers) is known


def test_what_was_not_seen_is_not_sent(newsroom: Database, now: datetime) -> None:
    issue = by_hand(newsroom, now)
    with pytest.raises(Refused, match="changed since you looked"):
        send_soon(newsroom, issue.id, seal="another", now=now, actor="ada")
    cancel(newsroom, issue.id, actor="ada", now=now)
    with pytest.raises(Refused, match="cancelled"):
        send_soon(newsroom, issue.id, seal=issue.seal or "", now=now, actor="ada")


def test_at_a_time_it_waits_and_may_be_moved(newsroom: Database, now: datetime) -> None:
    issue = by_hand(newsroom, now)
    later = now + timedelta(hours=3)
    found = send_soon(newsroom, issue.id, seal=issue.seal or "", send_at=later, now=now, actor="ada")
    assert found.send_at == later
    sooner = send_soon(newsroom, issue.id, seal=issue.seal or "", now=now, actor="ada")
    assert sooner.send_at == now + COUNTDOWN


def test_a_time_that_is_past_sets_nothing_going(newsroom: Database, now: datetime) -> None:
    issue = by_hand(newsroom, now)
    seal = issue.seal or ""
    for past in (now - timedelta(minutes=2), now - timedelta(days=2_000)):
        with pytest.raises(Refused, match="That time is past"):
            send_soon(newsroom, issue.id, seal=seal, send_at=past, now=now, actor="ada")
    approve(newsroom, issue.id, now=now, actor="ada")
    with pytest.raises(Refused, match="UTC is past"):
        schedule(newsroom, issue.id, send_at=now - timedelta(minutes=2), now=now, actor="ada")
    with newsroom.read() as connection:
        assert get_issue(connection, issue.id).state == "approved"
    # The minute in which it was chosen is not over yet.
    just_now = now - timedelta(seconds=50)
    assert send_soon(newsroom, issue.id, seal=seal, send_at=just_now, now=now, actor="ada").send_at == now + COUNTDOWN


def test_stop_after_the_start_pauses(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 12)
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id) == "sending"
    stopped = stop(database, issue_id, actor="ada", now=NOW)
    assert (stopped.state, stopped.why) == ("paused", "stopped by ada")
    with pytest.raises(Refused, match="paused"):
        send_soon(database, issue_id, seal="a seal", now=NOW, actor="bo")


def test_the_plan_counts_everybody_in_exactly_one_place(database: Database) -> None:
    articles = make_newsroom(database, articles=3)
    add_readers(database, 20)
    earlier = make_issue(database, articles[:1], kind="manual", to=[address(n) for n in range(1, 6)])
    freeze_it(database, earlier)
    both = make_issue(database, articles[:2], kind="manual", to=[address(n) for n in range(6, 8)])
    freeze_it(database, both)
    people, subscriptions = tables.subscribers, tables.subscriptions
    with database.write() as connection:
        connection.execute(sa.update(people).where(people.c.id == 20).values(suppressed="manual"))
        connection.execute(
            sa.update(subscriptions)
            .where(subscriptions.c.subscriber_id == 19)
            .values(paused_until=NOW + timedelta(days=3))
        )
        connection.execute(sa.update(subscriptions).where(subscriptions.c.subscriber_id == 18).values(status="left"))
        connection.execute(sa.update(people).where(people.c.id.between(8, 11)).values(timezone="Asia/Tokyo"))
    with database.read() as connection:
        two = [get_article(connection, each) for each in articles[:2]]
    night = NOW.replace(hour=3, minute=12)
    plan = plan_send(database, MORNING, two, Audience(), at=night, now=NOW)
    reach = plan.reach
    assert (reach.readers, reach.shorter, reach.have_all) == (15, 5, 2)
    assert (plan.suppressed, plan.paused) == (1, 1)
    assert sum(reach.zones.values()) == 15
    assert plan.words == "03:12 at night for 11 of 15: now, or at 06:30?"
    some = Audience(to=(address(1), address(6), address(20), "stranger@example.org"))
    plan = plan_send(database, MORNING, two, some, at=NOW, now=NOW)
    assert (plan.reach.readers, plan.reach.have_all, plan.suppressed) == (1, 1, 1)
    assert plan.not_readers == (address(20), "stranger@example.org")


def test_the_plan_is_what_the_freezing_then_takes(database: Database) -> None:
    articles = make_newsroom(database, articles=4)
    add_readers(database, 30)
    for first, numbers in ((1, range(1, 10)), (3, range(5, 20))):
        earlier = make_issue(database, articles[:first], kind="manual", to=[address(n) for n in numbers])
        freeze_it(database, earlier)
    table = tables.subscriptions
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.subscriber_id == 30).values(resume_from=4))
        connection.execute(sa.update(table).where(table.c.subscriber_id == 25).values(resume_from=2))
    daily = make_issue(database, articles[:3])
    plan = plan_issue(database, MORNING, daily, at=NOW, now=NOW)
    with database.write() as connection:
        connection.execute(
            sa.update(tables.issues).where(tables.issues.c.id == daily).values(approved_expected=plan.reach.readers)
        )
    assert freeze_it(database, daily) == "sending"
    with database.read() as connection:
        assert get_issue(connection, daily).planned == plan.reach.readers
