"""Leaving, undoing it, and preferences: at once, for ever, and without a hole in what people get."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.reader_steps import Choice
from syndicate.core.subscriber import Subscriber
from syndicate.errors import BadInput, NotFound, Refused
from syndicate.services.add_subscriber import add_subscriber
from syndicate.services.change_preferences import change_preferences
from syndicate.services.erase_subscriber import erase_subscriber
from syndicate.services.leave_newsletter import leave, undo_leave
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.storage import tables
from syndicate.storage.database import Database
from tests.services.reading_room import ANN, BOTH, FORM, ask, asked_in, join, person_of, press, queued, statuses
from tests.services.site_rows import MORNING, start
from tests.services.test_subscriber_changes import accept


def choose(
    database: Database, person: int, now: datetime, cadences: dict[str, str | None], **more: Any
) -> Subscriber:
    return change_preferences(
        database, subscriber_id=person, choice=Choice(cadences, **more), newsletters=BOTH, proof=FORM, now=now
    )


def resume_of(database: Database, newsletter: str = "morning") -> int | None:
    person = person_of(database)
    assert person is not None
    subscription = person.subscription(newsletter)
    assert subscription is not None
    return subscription.resume_from


def test_leaving_is_at_once_and_twice_is_once(database: Database, now: datetime) -> None:
    start(database, now)
    person = join(database, now)
    later = now + timedelta(hours=1)
    assert leave(database, subscriber_id=person, newsletter="morning", proof=FORM, now=later) == ("morning",)
    assert leave(database, subscriber_id=person, newsletter="morning", proof=FORM, now=later) == ()
    assert statuses(database) == {"morning": "left", "evening": "active"}
    assert leave(database, subscriber_id=99, newsletter="morning", proof=FORM, now=later) == ()


def test_undo_brings_back_what_was_left_within_a_day_and_what_came_out_meanwhile(
    database: Database, now: datetime
) -> None:
    start(database, now)
    person = join(database, now)
    accept(database, now, person, hi=40)
    leave(database, subscriber_id=person, newsletter=None, proof=FORM, now=now + timedelta(hours=1))
    undone = undo_leave(database, subscriber_id=person, newsletter=None, proof=FORM, now=now + timedelta(hours=24))
    assert sorted(undone) == ["evening", "morning"]
    assert statuses(database) == {"morning": "active", "evening": "active"}
    assert resume_of(database) == 40
    known = person_of(database)
    assert known is not None
    assert known.suppressed == ""


@pytest.mark.parametrize("how", ["undo", "preferences"])
def test_coming_back_opens_the_address_whatever_two_clocks_say(database: Database, now: datetime, how: str) -> None:
    """Of two web servers the one that they left by may be seconds ahead."""
    start(database, now)
    person = join(database, now)
    leave(database, subscriber_id=person, newsletter=None, proof=FORM, now=now + timedelta(seconds=2))
    if how == "undo":
        assert undo_leave(database, subscriber_id=person, newsletter=None, proof=FORM, now=now)
    else:
        choose(database, person, now, {"morning": None})
    known = person_of(database)
    assert known is not None
    assert (known.suppressed, statuses(database)["morning"]) == ("", "active")


def test_undo_is_too_late_after_a_day_and_never_opens_what_others_closed(database: Database, now: datetime) -> None:
    start(database, now)
    person = join(database, now)
    leave(database, subscriber_id=person, newsletter="morning", proof=FORM, now=now)
    late = now + timedelta(hours=25)
    assert undo_leave(database, subscriber_id=person, newsletter="morning", proof=FORM, now=late) == ()
    leave(database, subscriber_id=person, newsletter="evening", proof=FORM, now=late)
    suppress_subscriber(database, email=ANN, because="asked", now=late)
    assert undo_leave(database, subscriber_id=person, newsletter="evening", proof=FORM, now=late) == ()
    with pytest.raises(Refused):
        choose(database, person, late, {"morning": None})
    # Out is always possible.
    choose(database, person, late, {})


def test_a_choice_joins_leaves_and_moves(database: Database, now: datetime) -> None:
    start(database, now)
    person = join(database, now, (MORNING,))
    accept(database, now, person, hi=40)
    later = now + timedelta(days=1)
    after = choose(
        database, person, later, {"morning": "weekly", "evening": None}, details={"name": "Ann", "language": "fr"}
    )
    assert (after.name, after.language) == ("Ann", "fr")
    weekly, evening = after.subscription("morning"), after.subscription("evening")
    assert weekly is not None
    assert evening is not None
    assert (weekly.cadence, weekly.resume_from, weekly.since) == ("weekly", 40, now)
    assert (evening.status, evening.cadence, evening.since) == ("active", "", later)
    choose(database, person, later, {"evening": None})
    assert statuses(database) == {"morning": "left", "evening": "active"}


@pytest.mark.parametrize("how", ["sign-up", "preferences", "preferences of a reader", "add"])
def test_who_comes_back_is_on_a_cadence_that_is_sent(database: Database, now: datetime, how: str) -> None:
    """Whatever they had when they left: nothing is sent by a cadence that the newsletter has no more."""
    start(database, now)
    person, later = join(database, now, (MORNING,)), now + timedelta(days=100)
    if how != "preferences of a reader":
        leave(database, subscriber_id=person, newsletter="morning", proof=FORM, now=now + timedelta(days=1))
    today = replace(MORNING, cadences={"weekly": MORNING.cadences["weekly"]})
    if how == "sign-up":
        ask(database, later, newsletters=(today,))
        assert press(database, asked_in(queued(database)[-1]), later, newsletters=(today,)).state == "confirmed"
    elif how == "add":
        add_subscriber(database, email=ANN, newsletter=today, because="asked", now=later)
    else:
        wish = Choice({"morning": None})  # one cadence alone is no choice in the form
        change_preferences(
            database, subscriber_id=person, choice=wish, newsletters=(today,), proof=FORM, now=later
        )
    known = person_of(database)
    assert known is not None
    assert [(each.status, each.cadence) for each in known.subscriptions] == [("active", "weekly")]


def test_a_pause_keeps_the_place(database: Database, now: datetime) -> None:
    start(database, now)
    person = join(database, now)
    until = now + timedelta(days=14)
    choose(database, person, now, {"morning": None, "evening": None}, paused_until=until)
    # Nothing was accepted yet: the next issue begins where the cadence stood.
    assert resume_of(database) == 0
    accept(database, now, person, hi=40)
    again = choose(database, person, now + timedelta(days=1), {"morning": None, "evening": None}, paused_until=None)
    morning = again.subscription("morning")
    assert morning is not None
    assert (morning.paused_until, morning.resume_from) == (None, 0)
    after = choose(database, person, now + timedelta(days=2), {"morning": None, "evening": None}, paused_until=until)
    morning = after.subscription("morning")
    assert morning is not None
    assert (morning.paused_until, morning.resume_from) == (until, 40)
    assert morning.is_paused(until - timedelta(seconds=1))
    assert not morning.is_paused(until)
    # The same choice again touches nothing.
    same = choose(database, person, now + timedelta(days=3), {"morning": None, "evening": None}, paused_until=until)
    assert same == after


@pytest.mark.parametrize("days", [-1, 0, 400])
def test_a_pause_ends_after_now_and_within_a_year(database: Database, now: datetime, days: int) -> None:
    start(database, now)
    person = join(database, now)
    with pytest.raises(BadInput):
        choose(database, person, now, {"morning": None}, paused_until=now + timedelta(days=days))


@pytest.mark.parametrize(
    "details", [{"name": "Ann\r\nBcc: x@post.example"}, {"name": "x" * 201}, {"language": "<b>"}, {"name": "\u202eAnn"}]
)
def test_a_name_or_language_that_cannot_be_is_refused_and_nothing_is_written(
    database: Database, now: datetime, details: dict[str, str]
) -> None:
    start(database, now)
    person = join(database, now)
    with pytest.raises(BadInput):
        choose(database, person, now, {}, details=details)
    assert statuses(database) == {"morning": "active", "evening": "active"}


def test_an_erased_person_is_not_known_and_no_mail_of_theirs_stays(database: Database, now: datetime) -> None:
    start(database, now)
    person = join(database, now)
    erase_subscriber(database, email=ANN, now=now)
    assert queued(database) == []
    assert leave(database, subscriber_id=person, newsletter=None, proof=FORM, now=now) == ()
    with pytest.raises(NotFound):
        choose(database, person, now, {"morning": None})
    with database.read() as connection:
        proof = connection.execute(sa.select(tables.consents)).all()
    assert not any(each.ip or each.agent for each in proof)
