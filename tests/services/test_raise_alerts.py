"""Alerts: told once when trouble begins and once when it ends, by mail and by webhook."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from syndicate.core.alert import AlertChannels
from syndicate.core.feed import Feed
from syndicate.http import Client
from syndicate.services.approve_issue import approve, schedule
from syndicate.services.raise_alerts import Raised, beat, post_alerts, raise_alerts
from syndicate.services.settle_missed import merge_missed
from syndicate.sources.base import SourceSettings
from syndicate.storage import tables
from syndicate.storage.alerts import list_alerts
from syndicate.storage.database import Database
from syndicate.storage.letters import note_why
from syndicate.storage.sources import record_failed_look, record_look
from syndicate.storage.transactional import queue_mail
from tests.services.alert_listener import Listener, listening
from tests.services.clockwork import Clockwork, utc
from tests.services.composing_room import MORNING, PUBLICATION, enrol, house, release

CHANNELS = AlertChannels(email=("desk@post.example",), allow_private=True)
SOURCE = SourceSettings("desk", every_seconds=60)


@pytest.fixture
def clock(database: Database) -> Clockwork:
    clock = Clockwork(database, [MORNING]).open(utc("2026-11-20T05:00"))
    enrol(database, 5, utc("2026-11-20T05:00"))
    clock.at("2026-11-20T05:00")
    return clock


def look(
    clock: Clockwork, now: datetime | str, channels: AlertChannels = CHANNELS, *, letters_go: bool = True
) -> Raised:
    moment = utc(now) if isinstance(now, str) else now
    if letters_go:
        with clock.database.write() as connection:
            connection.execute(sa.update(tables.transactional_mails).values(state="accepted"))
    return raise_alerts(
        clock.database,
        house(),
        channels,
        newsletters=clock.newsletters,
        sources=[SOURCE],
        feeds=[Feed("", "All")],
        now=moment,
    )


def told(clock: Clockwork) -> list[str]:
    return [mail.subject for mail in clock.mails("alert")]


def test_nothing_is_told_while_all_is_well(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:10"))
    clock.at("2026-11-20T06:00")
    approve(clock.database, 1, now=utc("2026-11-20T06:05"), actor="editor")
    clock.at("2026-11-20T07:00")
    clock.sent()
    assert look(clock, "2026-11-20T07:30") == Raised()
    assert told(clock) == []


def test_a_slot_that_nobody_approved_is_told_once_and_so_is_its_end(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:10"))
    clock.at("2026-11-20T06:00")
    clock.at("2026-11-20T07:00")
    assert look(clock, "2026-11-20T07:14") == Raised()
    for minute in (15, 16, 30):
        look(clock, f"2026-11-20T07:{minute}")
    [subject] = told(clock)
    assert "morning, daily, 2026-11-20 07:00 did not go" in subject
    with clock.database.read() as connection:
        [alert] = list_alerts(connection)
    assert alert.kind == "slot" and "issues approve 1" in alert.sentence
    with clock.database.write() as connection:
        connection.execute(sa.update(tables.issues).values(state="sent"))
    for minute in (31, 32):
        look(clock, f"2026-11-20T07:{minute}")
    assert len(told(clock)) == 2 and "over: " in told(clock)[1]
    with clock.database.read() as connection:
        assert list_alerts(connection) == []
        assert len(list_alerts(connection, ended=True)) == 1


def test_a_missed_slot_is_told_until_it_is_settled(clock: Clockwork) -> None:
    clock.at("2026-11-20T12:00", fresh=True)
    assert "newsletters missed morning" in look(clock, "2026-11-20T12:00").began[0]
    merge_missed(clock.database, "morning", "daily", actor="editor", now=utc("2026-11-20T12:05"))
    assert look(clock, "2026-11-20T12:06").ended == ("slot morning/daily/2026-11-20T07:00",)


def test_a_clock_that_does_not_tick_is_told_by_whoever_looks(clock: Clockwork) -> None:
    assert "does not tick" in look(clock, "2026-11-20T07:16").began[0]
    clock.at("2026-11-20T07:17")
    assert look(clock, "2026-11-20T07:18").ended


def test_a_paused_newsletter_raises_nothing(clock: Clockwork) -> None:
    with clock.database.write() as connection:
        connection.execute(sa.update(tables.newsletters).values(paused=True))
    assert look(clock, "2026-11-20T08:00") == Raised()


def test_an_issue_that_was_sent_on_its_way_and_did_not_begin(clock: Clockwork) -> None:
    clock.newsletters = [replace(MORNING, approval="automatic")]
    release(clock.database, [1], utc("2026-11-20T05:10"))
    clock.at("2026-11-20T07:00")
    [told] = look(clock, "2026-11-20T07:15").began
    assert "did not begin: issue 1 is scheduled" in told


def test_a_send_by_hand_that_did_not_begin_at_its_time_is_told(clock: Clockwork) -> None:
    release(clock.database, [1], utc("2026-11-20T05:10"))
    clock.at("2026-11-20T06:00")
    approve(clock.database, 1, now=utc("2026-11-20T06:05"), actor="editor")
    with clock.database.write() as connection:
        connection.execute(sa.update(tables.slots).values(state="skipped", settled_at=utc("2026-11-20T06:06")))
    schedule(clock.database, 1, send_at=utc("2026-11-20T09:00"), now=utc("2026-11-20T06:07"), actor="editor")
    assert look(clock, "2026-11-20T09:14") == Raised()
    [told] = look(clock, "2026-11-20T09:15").began
    when = "2026-11-20 09:00 Europe/Lisbon"
    assert told.startswith(f"Issue 1 of morning was set for {when} and did not begin: it is scheduled.")
    with clock.database.write() as connection:
        connection.execute(sa.update(tables.issues).values(state="sending"))
    assert look(clock, "2026-11-20T09:16").ended == ("issue 1 unbegun",)


def test_a_held_clock_is_told(clock: Clockwork) -> None:
    clock.tick(utc("2026-11-20T06:00"), steady=utc("2026-11-20T05:00").timestamp() + 1)
    assert look(clock, "2026-11-20T06:00").began[0].startswith("The clock jumped.")
    clock.at("2026-11-20T05:00:20", fresh=True)
    assert look(clock, "2026-11-20T05:00:30").ended == ("clock held",)


@pytest.mark.parametrize(("minutes", "told_of"), [(14, False), (16, True)])
def test_a_broken_source_is_told_when_it_lasts(clock: Clockwork, minutes: int, told_of: bool) -> None:
    start = utc("2026-11-20T05:00")
    with clock.database.write() as connection:
        record_look(connection, "desk", start, found_new=True)
        record_failed_look(connection, "desk", start + timedelta(minutes=minutes), "It does not answer.")
    assert bool(look(clock, start + timedelta(minutes=minutes)).began) is told_of


def test_a_silent_source_is_told_by_its_own_rhythm(clock: Clockwork) -> None:
    start = utc("2026-11-20T05:00")
    source = replace(SOURCE, quiet_after_seconds=3600)
    with clock.database.write() as connection:
        record_look(connection, "desk", start, found_new=True)
        record_look(connection, "desk", start + timedelta(minutes=70), found_new=False)
    found = raise_alerts(
        clock.database, house(), CHANNELS, newsletters=[], sources=[source], feeds=[], now=start + timedelta(minutes=70)
    )
    assert "nothing new" in found.began[0]


def test_a_feed_that_cannot_be_published(clock: Clockwork) -> None:
    with clock.database.write() as connection:
        connection.execute(sa.delete(tables.feeds))
        connection.execute(sa.insert(tables.feeds).values(name="", generation=2, problem="The disk is full."))
    assert "The disk is full." in look(clock, "2026-11-20T06:00").began[0]


def test_an_uncertain_batch_and_an_issue_that_the_mail_api_stopped(clock: Clockwork) -> None:
    now = utc("2026-11-20T05:30")
    with clock.database.write() as connection:
        issue = {"newsletter": "morning", "kind": "manual", "audience": {}, "drafted_at": now}
        connection.execute(sa.insert(tables.issues).values(id=7, state="paused", why="The key was refused.", **issue))
        connection.execute(sa.insert(tables.issues).values(id=8, state="paused", why="By an editor.", **issue))
        audit = {"at": now, "actor": "editor", "action": "issue.pause", "subject": "8"}
        connection.execute(sa.insert(tables.audit_log).values(**audit))
        batch = {"first": 1, "last": 50, "state": "uncertain", "recipients": 50}
        connection.execute(sa.insert(tables.batches).values(issue_id=7, revision=1, **batch))
    began = sorted(look(clock, now).began)
    assert len(began) == 2
    assert "stopped: The key was refused." in began[0]
    assert "whether 50 got it" in began[1]


def test_letters_that_wait_are_told_by_mail_once_and_so_is_their_end(clock: Clockwork) -> None:
    with clock.database.write() as connection:
        queue_mail(
            connection,
            kind="confirmation",
            request_key="confirmation 1",
            to_email="ann@post.example",
            subject="Please confirm",
            html="<p>Confirm.</p>",
            text="Confirm.\n",
            now=utc("2026-11-20T05:00"),
        )
        note_why(connection, 1, "the mail API answered 401")
    assert look(clock, "2026-11-20T05:04", letters_go=False) == Raised()
    [began] = look(clock, "2026-11-20T05:05", letters_go=False).began
    assert "1 letter waits since 2026-11-20 05:00 Europe/Lisbon: the mail API answered 401." in began
    # The mail that tells of it waits as well, under the same key.
    assert look(clock, "2026-11-20T05:12", letters_go=False) == Raised() and len(told(clock)) == 1
    with clock.database.read() as connection:
        [alert] = list_alerts(connection)
    assert alert.kind == "letters" and "2 letters wait" in alert.sentence
    assert look(clock, "2026-11-20T05:13").ended == ("letters waiting",)


# --- webhook and heartbeat --------------------------------------------------------------------------------------


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening() as found:
        yield found


def test_the_webhook_gets_each_thing_once_and_again_only_when_it_did_not_take_it(
    clock: Clockwork, listener: Listener
) -> None:
    channels = replace(CHANNELS, webhook=listener.url)
    client = Client(deadline_seconds=5)

    def post(text: str) -> list[str]:
        look(clock, text, channels)
        return post_alerts(clock.database, client, channels, PUBLICATION, now=utc(text))

    listener.status = 500
    assert "answered 500" in post("2026-11-20T07:16")[0]
    listener.status = 204
    assert post("2026-11-20T07:16:30") == [] and len(listener.got) == 1
    post("2026-11-20T07:17:01")
    post("2026-11-20T07:19")
    assert [each["event"] for each in listener.got] == ["began", "began"]
    clock.at("2026-11-20T07:20")
    post("2026-11-20T07:21")
    post("2026-11-20T07:25")
    assert [each["event"] for each in listener.got] == ["began", "began", "ended"]
    assert listener.got[2]["key"] == "slot morning/daily/2026-11-20T07:00"


def test_a_webhook_on_this_machine_is_refused_unless_allowed(clock: Clockwork, listener: Listener) -> None:
    channels = replace(CHANNELS, webhook=listener.url, heartbeat_url=listener.url)
    look(clock, "2026-11-20T07:16", channels)
    client = Client(deadline_seconds=5, public_only=True)
    [problem] = post_alerts(clock.database, client, channels, PUBLICATION, now=utc("2026-11-20T07:16"))
    assert "this machine" in problem and listener.got == []
    assert "this machine" in beat(client, channels)


def test_the_heartbeat_asks_for_its_address(listener: Listener) -> None:
    channels = AlertChannels(heartbeat_url=listener.url)
    assert beat(Client(deadline_seconds=5), channels) == ""
    assert listener.asked == 1
    listener.status = 404
    assert "404" in beat(Client(deadline_seconds=5), channels)


def test_mails_turned_away_for_the_senders_sake_are_told_for_a_day(clock: Clockwork) -> None:
    at = utc("2026-11-20T05:10")
    rows: list[dict[str, object]] = [
        {
            "api": "resend",
            "event_id": f"e{number}",
            "kind": "blocked" if number < 3 else "soft bounce",
            "code": "5.7.26" if number < 2 else "5.7.1",
            "at": at,
            "received_at": at,
            "raw": {},
        }
        for number in range(5)
    ]
    with clock.database.write() as connection:
        connection.execute(sa.insert(tables.events), rows)
    assert [each.partition(".")[0] for each in look(clock, at + timedelta(minutes=1)).began] == [
        "3 mails were turned away for the sender's sake within a day: 5"
    ]
    with clock.database.read() as connection:
        [alert] = list_alerts(connection)
    assert "5.7.26 (2), 5.7.1 (1)" in alert.sentence and "No reader was closed" in alert.sentence
    assert "sender resend" not in look(clock, at + timedelta(hours=23)).ended
    assert "sender resend" in look(clock, at + timedelta(hours=24)).ended
