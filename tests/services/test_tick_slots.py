"""The clock: drafts before their slot, sends at it, and says of every slot what became of it."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from syndicate.core.newsletter import Newsletter
from syndicate.core.schedule import parse_cadence
from syndicate.services.approve_issue import approve
from syndicate.services.cancel_issue import cancel
from syndicate.services.hold_article import hold_articles
from syndicate.services.tick_slots import draft_slot
from syndicate.storage import tables
from syndicate.storage.clock_memory import believe
from syndicate.storage.database import Database, open_database
from tests.services.clockwork import Clockwork, utc
from tests.services.composing_room import MORNING, article_id, enrol, house, release

AUTOMATIC = replace(MORNING, approval="automatic")


def rhythm(newsletter: Newsletter = MORNING, **cadences: str) -> Newsletter:
    """That newsletter with other cadences."""
    return replace(newsletter, cadences={name: parse_cadence(name, text) for name, text in cadences.items()})


@pytest.fixture
def clock(database: Database) -> Clockwork:
    """Friday 20 November 2026, Lisbon in winter time (UTC)."""
    clock = Clockwork(database, [AUTOMATIC], editors=("desk@post.example",)).open(utc("2026-11-20T05:00"))
    enrol(database, 5, utc("2026-11-20T05:00"))
    return clock


def test_it_drafts_an_hour_before_and_sends_at_the_slot(clock: Clockwork) -> None:
    release(clock.database, [1, 2], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T05:59")
    assert clock.states() == {}
    clock.at("2026-11-20T06:00")
    assert clock.states() == {"2026-11-20T07:00": "drafted"}
    release(clock.database, [3], utc("2026-11-20T06:30"))
    clock.at("2026-11-20T06:59")
    assert clock.issue(1).state == "approved"
    assert clock.at("2026-11-20T07:00").sent == [1]
    issue = clock.issue(1)
    assert (issue.state, issue.send_at, issue.hi) == ("scheduled", utc("2026-11-20T07:00"), 2)
    assert clock.states() == {"2026-11-20T07:00": "going"}
    assert clock.at("2026-11-20T07:00:01").sent == []


def test_editors_get_one_preview_of_the_same_content(clock: Clockwork) -> None:
    release(clock.database, [1, 2], utc("2026-11-20T05:30"))
    for minute in ("06:00", "06:01", "07:00"):
        clock.at(f"2026-11-20T{minute}")
    [mail] = clock.mails()
    assert mail.to_email == "desk@post.example"
    assert mail.subject == "Morning Briefing, 2026-11-20 07:00: Story number 2"
    assert "https://news.post.example/console/issues/1" in mail.text
    assert "5 readers" in mail.text and "- Story number 1" in mail.text


@pytest.mark.parametrize(
    ("rule", "state", "issue_state"),
    [("hold", "awaiting", "awaiting"), ("skip", "skipped", "awaiting"), ("send", "going", "scheduled")],
)
def test_what_nobody_approved_follows_the_rule(clock: Clockwork, rule: str, state: str, issue_state: str) -> None:
    clock.newsletters = [replace(MORNING, if_not_approved=rule)]  # type: ignore[arg-type]
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T06:00")
    clock.at("2026-11-20T07:00")
    [slot] = clock.slots().values()
    assert (slot.state, clock.issue(1).state) == (state, issue_state)
    assert (slot.why == "") == (state == "going")
    assert slot.issue_id == 1


def test_what_an_editor_approved_goes(clock: Clockwork) -> None:
    clock.newsletters = [MORNING]
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T06:00")
    approve(clock.database, 1, now=utc("2026-11-20T06:10"), actor="editor")
    clock.at("2026-11-20T07:00")
    assert clock.issue(1).state == "scheduled"


def test_nothing_new_and_too_few_are_said_and_the_mark_stays(clock: Clockwork) -> None:
    clock.newsletters = [replace(AUTOMATIC, min_articles=2)]
    clock.at("2026-11-20T06:00")
    release(clock.database, [1], utc("2026-11-20T06:30"))
    clock.at("2026-11-20T07:00")
    clock.at("2026-11-23T06:00")
    clock.at("2026-11-23T07:00")
    release(clock.database, [2], utc("2026-11-23T08:00"))
    clock.at("2026-11-24T06:00")
    clock.at("2026-11-24T07:00")
    empty, few, gone = clock.slots(cadence="daily").values()
    assert (empty.state, few.state, gone.state) == ("empty", "empty", "going")
    assert "nothing new" in empty.why and "1 new, and it wants at least 2" in few.why
    assert (clock.issue(1).lo, clock.issue(1).hi) == (0, 2)


def test_one_that_is_held_goes_with_the_next_and_its_slot_says_so(clock: Clockwork) -> None:
    clock.newsletters = [MORNING]
    release(clock.database, [1], utc("2026-11-19T05:30"))
    clock.at("2026-11-20T06:00")
    clock.at("2026-11-20T07:00")
    release(clock.database, [2], utc("2026-11-20T12:00"))
    clock.at("2026-11-23T06:00")
    approve(clock.database, 1, now=utc("2026-11-23T06:10"), actor="editor")
    clock.at("2026-11-23T07:00")
    assert clock.states() == {"2026-11-20T07:00": "merged", "2026-11-23T07:00": "going"}
    assert (clock.issue(1).state, clock.issue(1).hi) == ("scheduled", 2)


def test_an_approval_holds_when_nothing_came_in_between(clock: Clockwork) -> None:
    clock.newsletters = [MORNING]
    release(clock.database, [1], utc("2026-11-19T05:30"))
    clock.at("2026-11-20T06:00")
    clock.at("2026-11-20T07:00")
    approve(clock.database, 1, now=utc("2026-11-20T09:00"), actor="editor")
    clock.at("2026-11-23T06:00")
    clock.at("2026-11-23T07:00")
    assert clock.issue(1).state == "scheduled"
    assert clock.states() == {"2026-11-20T07:00": "merged", "2026-11-23T07:00": "going"}


def test_a_cancelled_issue_leaves_its_slot_skipped(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T06:00")
    cancel(clock.database, 1, actor="editor", now=utc("2026-11-20T06:10"))
    clock.at("2026-11-20T07:00")
    assert clock.states() == {"2026-11-20T07:00": "skipped"}


def test_what_is_held_after_the_draft_is_left_out_of_an_automatic_one(clock: Clockwork) -> None:
    release(clock.database, [1, 2], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T06:00")
    moment = utc("2026-11-20T06:30")
    hold_articles(clock.database, [article_id(2)], because="wrong", actor="editor", feeds=[], now=moment)
    clock.at("2026-11-20T07:00")
    clock.at("2026-11-20T07:00:01")
    assert clock.issue(1).state == "scheduled"
    with clock.database.read() as connection:
        used = connection.execute(sa.select(tables.issue_articles.c.article_id)).scalars().all()
    assert used == [article_id(1)]


# --- absence ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("back", "state"), [("10:00", "going"), ("10:01", "missed")])
def test_up_to_three_hours_late_it_goes_by_itself(clock: Clockwork, back: str, state: str) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T05:45")
    clock.at(f"2026-11-20T{back}", fresh=True)
    assert clock.states() == {"2026-11-20T07:00": state}


@pytest.mark.parametrize(("back", "state"), [("2026-11-22T09:00", "going"), ("2026-11-22T09:01", "missed")])
def test_a_weekly_one_waits_a_day(clock: Clockwork, back: str, state: str) -> None:
    release(clock.database, [1], utc("2026-11-21T05:30"))
    clock.at("2026-11-21T05:45")
    clock.at(back, fresh=True)
    assert clock.states(cadence="weekly") == {"2026-11-21T09:00": state}


def test_after_days_only_the_latest_is_done(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T05:45")
    clock.at("2026-11-25T08:00", fresh=True)
    assert clock.states() == {
        "2026-11-20T07:00": "merged",
        "2026-11-23T07:00": "merged",
        "2026-11-24T07:00": "merged",
        "2026-11-25T07:00": "going",
    }
    assert "2026-11-25 07:00" in clock.slots()["2026-11-20T07:00"].why


def test_a_missed_one_goes_with_the_next_that_goes(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T05:45")
    clock.at("2026-11-20T12:00", fresh=True)
    clock.at("2026-11-23T06:00")
    clock.at("2026-11-23T07:00")
    assert clock.states() == {"2026-11-20T07:00": "merged", "2026-11-23T07:00": "going"}


def test_in_quarantine_what_is_due_is_skipped(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    with clock.database.write() as connection:
        connection.execute(sa.update(tables.instance).values(quarantined=True))
    clock.at("2026-11-20T06:30")
    assert clock.states() == {}
    clock.at("2026-11-20T07:00")
    assert clock.states() == {"2026-11-20T07:00": "skipped"}
    assert "confirm-live" in clock.slots()["2026-11-20T07:00"].why


# --- settings ---------------------------------------------------------------------------------------------------


def test_a_new_zone_neither_doubles_nor_loses_a_slot(clock: Clockwork) -> None:
    clock.newsletters = [rhythm(AUTOMATIC, daily="daily 07:00")]
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T07:00")
    # In Tokyo it is 18:00 by then, and 07:00 of the same day has had its slot.
    clock.newsletters = [replace(clock.newsletters[0], timezone="Asia/Tokyo")]
    clock.at("2026-11-20T09:00")
    assert clock.states() == {"2026-11-20T07:00": "going"}
    clock.at("2026-11-20T22:00")
    assert [*clock.states()] == ["2026-11-20T07:00", "2026-11-21T07:00"]
    # And back, when Lisbon's 07:00 of the 21st is still to come.
    clock.newsletters = [replace(clock.newsletters[0], timezone="Europe/Lisbon")]
    clock.at("2026-11-21T07:30")
    assert [*clock.states()] == ["2026-11-20T07:00", "2026-11-21T07:00"]
    clock.at("2026-11-22T07:00")
    assert [*clock.states()] == ["2026-11-20T07:00", "2026-11-21T07:00", "2026-11-22T07:00"]


def test_a_slot_that_a_new_zone_puts_into_the_past_is_missed_and_not_lost(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T05:45")
    clock.newsletters = [replace(AUTOMATIC, timezone="Asia/Tokyo")]
    clock.at("2026-11-20T05:50")
    assert clock.states() == {"2026-11-20T07:00": "missed"}


def test_new_times_hold_from_now_on_and_what_was_due_before_is_settled_first(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T05:45")
    clock.newsletters = [rhythm(AUTOMATIC, daily="daily 06:30,12:00")]
    clock.settle_settings(utc("2026-11-20T08:00"))
    clock.at("2026-11-20T08:00", fresh=True)
    # 07:00 was due by the old times; 06:30 never was.
    assert clock.states() == {"2026-11-20T07:00": "going"}
    clock.sent()
    release(clock.database, [2], utc("2026-11-20T10:30"))
    clock.at("2026-11-20T11:00")
    clock.at("2026-11-20T12:00")
    assert clock.states() == {"2026-11-20T07:00": "going", "2026-11-20T12:00": "going"}


def test_a_draft_whose_time_is_taken_out_goes_at_the_new_one(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T06:00")
    clock.newsletters = [rhythm(AUTOMATIC, daily="daily 08:00")]
    clock.at("2026-11-20T06:30")
    assert clock.states() == {"2026-11-20T07:00": "superseded"}
    clock.at("2026-11-20T07:00")
    clock.at("2026-11-20T08:00")
    assert clock.states() == {"2026-11-20T07:00": "superseded", "2026-11-20T08:00": "going"}
    assert clock.issue(1).state == "scheduled"


def test_a_lead_longer_than_the_rhythm_takes_nothing_back(clock: Clockwork) -> None:
    clock.newsletters = [replace(rhythm(AUTOMATIC, daily="daily 07:00,08:00"), draft_at_minutes=180)]
    release(clock.database, [1], utc("2026-11-20T04:30"))
    clock.at("2026-11-20T05:30")
    release(clock.database, [2], utc("2026-11-20T06:00"))
    clock.at("2026-11-20T06:30")
    clock.at("2026-11-20T07:00")
    clock.sent()
    clock.at("2026-11-20T07:00:01")
    clock.at("2026-11-20T08:00")
    assert [clock.issue(number).hi for number in (1, 2)] == [1, 2]
    assert clock.states() == {"2026-11-20T07:00": "going", "2026-11-20T08:00": "going"}


def test_the_horizon_follows_and_forgets_nothing(clock: Clockwork) -> None:
    clock.at("2026-11-20T05:45")
    for day in range(1, 12):
        clock.tick(utc("2026-11-20T07:30") + timedelta(days=day))
    with clock.database.read() as connection:
        table = tables.cadences
        horizon = connection.execute(sa.select(table.c.horizon_at).where(table.c.name == "daily")).scalar_one()
    assert utc("2026-11-24T00:00") < horizon < utc("2026-11-28T08:00")
    assert len(clock.states()) == 8


# --- a clock that jumps -----------------------------------------------------------------------------------------


def test_a_clock_that_jumps_ahead_fires_nothing_until_it_is_right_again(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.tick(utc("2026-11-20T05:45"), steady=100)
    done = clock.tick(utc("2026-11-21T07:00"), steady=101)
    assert "ahead of" in done.held
    assert clock.tick(utc("2026-11-21T07:10"), steady=701).held == done.held
    assert clock.tick(utc("2026-11-21T07:20"), steady=5, fresh=True).held == done.held
    assert clock.states() == {}
    assert not clock.tick(utc("2026-11-20T06:00"), steady=1000, fresh=True).held
    assert clock.states() == {"2026-11-20T07:00": "drafted"}


def test_a_clock_that_goes_back_fires_nothing_twice(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.at("2026-11-20T06:00")
    clock.at("2026-11-20T07:00")
    assert clock.tick(utc("2026-11-20T06:59:30"), steady=0, fresh=True).held == ""
    assert "before" in clock.tick(utc("2026-11-19T12:00"), steady=0, fresh=True).held
    assert clock.at("2026-11-20T07:01", fresh=True).held == ""
    assert clock.states() == {"2026-11-20T07:00": "going"}


def test_a_person_may_say_that_the_clock_is_right(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    clock.tick(utc("2026-11-20T05:45"), steady=100)
    assert clock.tick(utc("2026-11-20T07:01"), steady=101).held
    with clock.database.write() as connection:
        believe(connection, utc("2026-11-20T07:01:05"))
    assert not clock.tick(utc("2026-11-20T07:01:06"), steady=107).held
    assert clock.states() == {"2026-11-20T07:00": "going"}


def test_what_a_wrong_clock_settled_ahead_is_planned_again_when_it_is_put_right(clock: Clockwork) -> None:
    clock.at("2026-11-20T05:45")
    clock.tick(utc("2027-01-20T06:00"), fresh=True)
    assert clock.states()["2026-11-20T07:00"] == "merged"
    release(clock.database, [1], utc("2026-11-20T05:30"))
    assert clock.at("2026-11-20T05:50", fresh=True).held
    with clock.database.write() as connection:
        believe(connection, utc("2026-11-20T05:51"))
    clock.at("2026-11-20T05:52", fresh=True)
    clock.at("2026-11-20T07:00")
    assert clock.states()["2026-11-20T07:00"] == "going"


# --- two clocks -------------------------------------------------------------------------------------------------


def test_two_clocks_fire_each_slot_once(clock: Clockwork, database_url: str) -> None:
    release(clock.database, [1], utc("2026-11-20T05:30"))
    second = open_database(database_url)
    try:
        clocks = [clock, Clockwork(second, [AUTOMATIC], editors=("desk@post.example",))]
        for moment in ("2026-11-20T05:59", "2026-11-20T06:00", "2026-11-20T06:01", "2026-11-20T07:00"):
            start = threading.Barrier(2)

            def turn(one: Clockwork, moment: str = moment, start: threading.Barrier = start) -> None:
                start.wait()
                one.at(moment)

            threads = [threading.Thread(target=turn, args=(each,)) for each in clocks]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    finally:
        second.dispose()
    clock.at("2026-11-20T07:00:10")
    assert clock.states() == {"2026-11-20T07:00": "going"}
    assert sorted(number for one in clocks for each in one.ticks for number in each.sent) == [1]
    assert len(clock.mails()) == 1
    assert clock.issue(1).state == "scheduled"


def test_a_clock_that_drafts_nothing_says_what_is_due_and_another_drafts_by_its_time(clock: Clockwork) -> None:
    """Whatever the clock of the machine that drafts shows."""
    release(clock.database, [1, 2], utc("2026-11-20T05:30"))
    assert clock.tick(utc("2026-11-20T05:59"), drafts=False).to_draft == []
    assert draft_slot(clock.database, AUTOMATIC, "daily", house(), draft=clock.draft).drafted == []
    for second in (0, 1):
        assert clock.tick(utc(f"2026-11-20T06:00:0{second}"), drafts=False).to_draft == [("morning", "daily")]
    assert clock.states() == {}
    assert draft_slot(clock.database, AUTOMATIC, "daily", house(), draft=clock.draft).drafted == [1]
    assert draft_slot(clock.database, AUTOMATIC, "daily", house(), draft=clock.draft).drafted == []
    assert clock.tick(utc("2026-11-20T06:00:02"), drafts=False).to_draft == []
    assert clock.tick(utc("2026-11-20T07:00"), drafts=False).sent == [1]
