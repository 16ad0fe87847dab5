"""Pausing a newsletter, skipping a slot, and settling what was missed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from syndicate.errors import NotFound, NothingToSend, Refused
from syndicate.services.approve_issue import approve
from syndicate.services.pause_newsletter import pause_newsletter, resume_newsletter
from syndicate.services.send_soon import send_soon, stop
from syndicate.services.settle_missed import attach_missed, merge_missed, send_missed, skip_missed
from syndicate.services.skip_slot import skip_next, unskip_next
from syndicate.services.trust_clock import trust_clock
from syndicate.storage import tables
from syndicate.storage.database import Database
from tests.mailing import freeze_it
from tests.services.clockwork import Clockwork, utc
from tests.services.composing_room import DAILY, MORNING, enrol, release

AUTOMATIC = replace(MORNING, approval="automatic")


@pytest.fixture
def clock(database: Database) -> Clockwork:
    clock = Clockwork(database, [AUTOMATIC]).open(utc("2026-11-20T05:00"))
    enrol(database, 5, utc("2026-11-20T05:00"))
    clock.at("2026-11-20T05:00")
    return clock


def actions(clock: Clockwork) -> list[str]:
    table = tables.audit_log
    with clock.database.read() as connection:
        query = sa.select(table.c.action).where(table.c.actor == "editor").order_by(table.c.id)
        return list(connection.execute(query).scalars())


def pause(clock: Clockwork, text: str) -> bool:
    return pause_newsletter(clock.database, "morning", actor="editor", now=utc(text))


def resume(clock: Clockwork, text: str) -> bool:
    return resume_newsletter(clock.database, "morning", actor="editor", now=utc(text))


def test_a_paused_newsletter_drafts_and_sends_nothing_and_goes_on_with_all_that_came(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:10"))
    assert pause(clock, "2026-11-20T05:20")
    assert not pause(clock, "2026-11-20T05:21")
    for moment in ("2026-11-20T06:00", "2026-11-20T07:00", "2026-11-23T07:00"):
        clock.at(moment)
    assert clock.states() == {}
    release(clock.database, [2], utc("2026-11-23T08:00"))
    assert resume(clock, "2026-11-23T07:30")
    assert not resume(clock, "2026-11-23T07:31")
    clock.at("2026-11-23T07:32")
    assert clock.states() == {}
    clock.at("2026-11-24T06:00")
    clock.at("2026-11-24T07:00")
    assert clock.states() == {"2026-11-24T07:00": "going"}
    assert (clock.issue(1).lo, clock.issue(1).hi) == (0, 2)
    assert actions(clock) == ["newsletter.pause", "newsletter.resume"]


def test_a_draft_that_a_pause_overtakes_goes_with_the_next(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:10"))
    clock.at("2026-11-20T06:00")
    pause(clock, "2026-11-20T06:30")
    clock.at("2026-11-20T07:00")
    assert clock.states() == {"2026-11-20T07:00": "drafted"}
    resume(clock, "2026-11-20T08:00")
    assert clock.states() == {"2026-11-20T07:00": "skipped"}
    clock.at("2026-11-23T06:00")
    clock.at("2026-11-23T07:00")
    assert clock.states()["2026-11-23T07:00"] == "going"


def test_a_pause_that_ends_before_the_slot_changes_nothing(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:10"))
    clock.at("2026-11-20T06:00")
    pause(clock, "2026-11-20T06:10")
    resume(clock, "2026-11-20T06:50")
    clock.at("2026-11-20T07:00")
    assert clock.states() == {"2026-11-20T07:00": "going"}


def test_an_unknown_newsletter_cannot_be_paused(clock: Clockwork) -> None:
    with pytest.raises(NotFound):
        pause_newsletter(clock.database, "noon", actor="editor", now=utc("2026-11-20T06:00"))


@pytest.mark.parametrize("moment", ["2026-11-20T05:30", "2026-11-20T06:30"])
def test_only_the_next_slot_is_skipped_and_its_articles_go_with_the_one_after(clock: Clockwork, moment: str) -> None:
    release(clock.database, [1], utc("2026-11-20T05:10"))
    clock.at("2026-11-20T05:30")
    clock.at(moment)
    for _ in range(2):
        slot = skip_next(clock.database, AUTOMATIC, DAILY, actor="editor", now=utc(moment))
        assert (slot.wall_time, slot.state) == ("2026-11-20T07:00", "skipped")
    for later in ("2026-11-20T06:31", "2026-11-20T07:00", "2026-11-23T06:00", "2026-11-23T07:00"):
        clock.at(later)
    assert clock.states() == {"2026-11-20T07:00": "skipped", "2026-11-23T07:00": "going"}
    assert clock.issue(1).lo == 0
    assert actions(clock) == ["slot.skipped"]


@pytest.mark.parametrize("moment", ["2026-11-20T05:30", "2026-11-20T06:30"])
def test_a_skip_can_be_undone(clock: Clockwork, moment: str) -> None:
    release(clock.database, [1], utc("2026-11-20T05:10"))
    clock.at("2026-11-20T05:30")
    clock.at(moment)
    skip_next(clock.database, AUTOMATIC, DAILY, actor="editor", now=utc(moment))
    unskip_next(clock.database, AUTOMATIC, DAILY, actor="editor", now=utc(moment))
    with pytest.raises(Refused):
        unskip_next(clock.database, AUTOMATIC, DAILY, actor="editor", now=utc(moment))
    clock.at("2026-11-20T06:31")
    clock.at("2026-11-20T07:00")
    assert clock.states() == {"2026-11-20T07:00": "going"}


def test_what_the_clock_has_settled_cannot_be_skipped(clock: Clockwork) -> None:
    clock.at("2026-11-20T06:00")
    with pytest.raises(Refused, match="empty already"):
        skip_next(clock.database, AUTOMATIC, DAILY, actor="editor", now=utc("2026-11-20T06:30"))


@pytest.fixture
def missed(clock: Clockwork) -> Clockwork:
    """The slot of Friday, missed; one article came before it and one after."""
    clock.newsletters = [MORNING]
    release(clock.database, [1], utc("2026-11-20T05:10"))
    release(clock.database, [2], utc("2026-11-20T12:00"))
    clock.at("2026-11-20T13:00", fresh=True)
    assert clock.states() == {"2026-11-20T07:00": "missed"}
    return clock


def test_a_missed_one_can_be_sent_now(missed: Clockwork) -> None:
    now = utc("2026-11-20T13:10")
    issue = missed.draft(MORNING, "daily", now, lambda connection: True).issue
    with pytest.raises(Refused, match="only an approved one"):
        send_missed(missed.database, "morning", "daily", issue.id, actor="editor", now=now)
    approve(missed.database, issue.id, now=now, actor="editor", seal=issue.seal)
    sent = send_missed(missed.database, "morning", "daily", issue.id, actor="editor", now=now)
    assert (sent.state, sent.send_at, sent.wall_time) == ("scheduled", now, "2026-11-20T07:00")
    assert missed.states() == {"2026-11-20T07:00": "going"}
    with pytest.raises(NothingToSend):
        merge_missed(missed.database, "morning", "daily", actor="editor", now=now)


def test_an_issue_that_is_sent_by_hand_settles_what_was_missed(missed: Clockwork) -> None:
    now = utc("2026-11-20T13:10")
    issue = missed.draft(MORNING, "daily", now, lambda connection: True).issue
    send_soon(missed.database, issue.id, seal=issue.seal or "", now=now, actor="editor")
    assert missed.states() == {"2026-11-20T07:00": "missed"}
    stop(missed.database, issue.id, actor="editor", now=now)
    send_soon(missed.database, issue.id, seal=issue.seal or "", now=now, actor="editor")
    assert freeze_it(missed.database, issue.id, now=utc("2026-11-20T13:11")) == "sending"
    assert missed.states() == {"2026-11-20T07:00": "going"}
    assert actions(missed)[-1] == "slot.going"
    missed.at("2026-11-23T06:00")
    assert missed.issue(1).state == "sending"


def test_who_skips_what_an_issue_makes_up_for_cancels_it(missed: Clockwork) -> None:
    now = utc("2026-11-20T13:10")
    issue = missed.draft(MORNING, "daily", now, lambda connection: True).issue
    attach_missed(missed.database, "morning", "daily", issue.id, now=now)
    skip_missed(missed.database, "morning", "daily", actor="editor", now=now)
    assert missed.issue(issue.id).state == "cancelled"
    with pytest.raises(NothingToSend):
        attach_missed(missed.database, "morning", "daily", issue.id, now=now)


def test_a_missed_one_can_go_with_the_next(missed: Clockwork) -> None:
    merge_missed(missed.database, "morning", "daily", actor="editor", now=utc("2026-11-20T13:10"))
    missed.at("2026-11-23T06:00")
    assert missed.states() == {"2026-11-20T07:00": "merged", "2026-11-23T07:00": "drafted"}
    assert (missed.issue(1).lo, missed.issue(1).hi) == (0, 2)


def test_a_missed_one_that_is_skipped_takes_its_articles_along(missed: Clockwork) -> None:
    skip_missed(missed.database, "morning", "daily", actor="editor", now=utc("2026-11-20T13:10"))
    missed.at("2026-11-23T06:00")
    assert missed.states() == {"2026-11-20T07:00": "skipped", "2026-11-23T07:00": "drafted"}
    assert (missed.issue(1).lo, missed.issue(1).hi) == (1, 2)


def test_the_issue_that_was_drafted_for_a_missed_one_is_cancelled_when_that_is_skipped(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:10"))
    clock.at("2026-11-20T06:00")
    clock.at("2026-11-20T13:00", fresh=True)
    skip_missed(clock.database, "morning", "daily", actor="editor", now=utc("2026-11-20T13:10"))
    assert clock.issue(1).state == "cancelled"
    release(clock.database, [2], utc("2026-11-20T14:00"))
    clock.at("2026-11-23T06:00")
    assert (clock.issue(2).lo, clock.issue(2).hi) == (1, 2)


def test_a_person_says_that_the_clock_is_right(clock: Clockwork) -> None:
    start = utc("2026-11-20T05:00").timestamp()
    assert clock.tick(utc("2026-11-20T05:30"), steady=start + 1).held
    assert "ahead of" in trust_clock(clock.database, actor="editor", now=utc("2026-11-20T05:31"))
    assert not clock.tick(utc("2026-11-20T05:32"), steady=start + 121).held
    assert actions(clock) == ["clock.trust"]
