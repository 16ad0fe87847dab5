"""Signing up and confirming: one mail, no trace of who is known, and a proof of every consent."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.reader_steps import Circumstances
from syndicate.errors import BadInput
from syndicate.services.forget_old import forget_old
from syndicate.services.leave_newsletter import leave
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.storage import tables
from syndicate.storage.database import Database
from tests.mailing import SIGNER
from tests.services.reading_room import (
    ANN,
    BOTH,
    FORM,
    ask,
    asked_in,
    join,
    link_in,
    person_of,
    press,
    queued,
    statuses,
)
from tests.services.site_rows import EVENING, MORNING, start
from tests.services.test_forget_old import KEEP


def consents(database: Database) -> list[Any]:
    table = tables.consents
    with database.read() as connection:
        return list(connection.execute(sa.select(table).order_by(table.c.id)))


def test_one_mail_for_several_newsletters_and_a_proof_of_both_steps(database: Database, now: datetime) -> None:
    start(database, now)
    assert ask(database, now, "Ann@Post.example", BOTH, "fr").state == "asked"
    assert statuses(database) == {"morning": "pending", "evening": "pending"}
    (mail,) = queued(database)
    assert (mail.kind, mail.state, mail.to_email) == ("confirmation", "planned", "Ann@post.example")
    assert mail.subject.startswith("Confirmez")
    assert "Morning Briefing" in mail.text
    assert "Evening Note" in mail.html
    later = now + timedelta(hours=1)
    assert press(database, asked_in(mail), later).state == "confirmed"
    assert statuses(database) == {"morning": "active", "evening": "active"}
    person = person_of(database)
    assert person is not None
    assert (person.language, person.subscription("morning") and person.subscriptions[0].since) == ("fr", later)
    proof = consents(database)
    assert [each.action for each in proof] == ["asked", "asked", "confirmed", "confirmed"]
    assert {(each.origin, each.ip, each.agent, each.wording_version) for each in proof} == {
        ("form", "203.0.113.7", "A browser", "2026-11")
    }


def test_pressing_again_is_the_same_until_the_link_is_too_old(database: Database, now: datetime) -> None:
    start(database, now)
    ask(database, now)
    asked = asked_in(queued(database)[0])
    for days in (0, 1, 6):
        assert press(database, asked, now + timedelta(days=days)).state == "confirmed"
    assert press(database, asked, now + timedelta(days=8)).state == "expired"
    assert statuses(database) == {"morning": "active"}
    assert len(consents(database)) == 2


def test_a_link_does_not_bring_back_who_left_everything_after_it(database: Database, now: datetime) -> None:
    """Not into what they had left before either, as long as the address stays closed by their own wish."""
    start(database, now)
    person = join(database, now)
    leave(database, subscriber_id=person, newsletter="evening", proof=FORM, now=now + timedelta(hours=1))
    ask(database, now + timedelta(days=10), newsletters=(EVENING,))
    asked = asked_in(queued(database)[-1])
    leave(database, subscriber_id=person, newsletter=None, proof=FORM, now=now + timedelta(days=10, hours=1))
    assert press(database, asked, now + timedelta(days=10, hours=2)).state == "expired"
    assert statuses(database) == {"morning": "left", "evening": "left"}
    ask(database, now + timedelta(days=11), newsletters=(EVENING,))
    assert press(database, asked_in(queued(database)[-1]), now + timedelta(days=11)).state == "confirmed"
    known = person_of(database)
    assert known is not None
    assert (known.suppressed, statuses(database)) == ("", {"morning": "left", "evening": "active"})


def test_who_asks_once_more_has_a_mail_and_a_link_as_good_as_the_first(database: Database, now: datetime) -> None:
    """Forgetting that they asked once before takes neither away."""
    start(database, now)
    ask(database, now, newsletters=BOTH)
    again = now + timedelta(days=6)
    ask(database, again, newsletters=(MORNING,))
    forget_old(database, KEEP, now=now + timedelta(days=8))
    # What they did not ask for again is forgotten in its time.
    assert statuses(database) == {"morning": "pending"}
    second = queued(database)[-1]
    assert second.state == "planned"
    assert press(database, asked_in(second), again + timedelta(days=6)).state == "confirmed"
    assert statuses(database) == {"morning": "active"}
    assert [(each.action, each.at) for each in consents(database)] == [
        *[("asked", now)] * 2,
        ("asked", again),
        ("confirmed", again + timedelta(days=6)),
    ]


def test_a_link_does_not_bring_back_who_left_after_it(database: Database, now: datetime) -> None:
    start(database, now)
    person = join(database, now)
    asked = asked_in(queued(database)[0])
    leave(database, subscriber_id=person, newsletter="morning", proof=FORM, now=now + timedelta(hours=1))
    found = press(database, asked, now + timedelta(hours=2))
    assert [each.name for each in found.newsletters] == ["evening"]
    assert statuses(database) == {"morning": "left", "evening": "active"}
    leave(database, subscriber_id=person, newsletter="evening", proof=FORM, now=now + timedelta(hours=3))
    assert press(database, asked, now + timedelta(hours=4)).state == "expired"


def test_who_left_everything_comes_back_by_a_confirmation_of_their_own(database: Database, now: datetime) -> None:
    start(database, now)
    person = join(database, now)
    leave(database, subscriber_id=person, newsletter=None, proof=FORM, now=now + timedelta(hours=1))
    known = person_of(database)
    assert known is not None
    assert known.suppressed == "unsubscribe"
    ask(database, now + timedelta(hours=2))
    assert statuses(database) == {"morning": "left", "evening": "left"}
    press(database, asked_in(queued(database)[-1]), now + timedelta(hours=3))
    known = person_of(database)
    assert known is not None
    assert (known.suppressed, statuses(database)) == ("", {"morning": "active", "evening": "left"})


def test_a_stranger_changes_nothing_of_a_reader_and_learns_nothing(database: Database, now: datetime) -> None:
    start(database, now)
    join(database, now, (MORNING,))
    suppress_subscriber(database, email="gone@post.example", because="asked", now=now)
    before = person_of(database), len(consents(database))
    later = now + timedelta(hours=1)
    answers = [
        ask(database, later, email, (MORNING,), "fr") for email in (ANN, "new@post.example", "gone@post.example")
    ]
    assert answers[0] == answers[1] == answers[2]
    assert person_of(database) == before[0]
    assert person_of(database, "gone@post.example") is None
    mails = {mail.to_email: mail for mail in queued(database) if mail.created_at == later}
    assert sorted(mails) == [ANN, "new@post.example"]
    # Who has it already is told so in their own language, with the way to their preferences.
    assert mails[ANN].subject == "You get this already: Morning Briefing"
    assert SIGNER.read("preferences", link_in(mails[ANN], "/p/"))[1] == "morning"


def test_only_what_is_missing_is_asked_for(database: Database, now: datetime) -> None:
    start(database, now)
    join(database, now, (MORNING,))
    ask(database, now + timedelta(hours=1), ANN, BOTH)
    asked = asked_in(queued(database)[-1])
    assert asked.newsletters == ("evening",)
    assert statuses(database) == {"morning": "active", "evening": "pending"}


def test_a_mailbox_is_not_flooded_and_nobody_is_told(database: Database, now: datetime) -> None:
    start(database, now)
    elsewhere = (Circumstances("form", f"198.51.{n}.1") for n in range(100))
    answers = [ask(database, now + timedelta(minutes=n), proof=proof) for n, proof in enumerate(elsewhere)]
    assert {each.state for each in answers} == {"asked"}
    assert len(queued(database)) == 3
    ask(database, now + timedelta(hours=9))
    assert len(queued(database)) == 4


def test_a_network_that_signs_many_up_has_to_wait_and_others_do_not(database: Database, now: datetime) -> None:
    start(database, now)
    answers = [
        ask(database, now, f"reader{n}@post.example", proof=Circumstances("form", f"203.0.113.{n}"))
        for n in range(15)
    ]
    assert [each.state for each in answers] == ["asked"] * 10 + ["network"] * 5
    assert timedelta(0) < answers[-1].wait <= timedelta(minutes=3)
    assert ask(database, now, "other@post.example", proof=Circumstances("form", "198.51.100.1")).state == "asked"
    assert len(queued(database)) == 11


def test_a_double_click_is_one_mail(database: Database, now: datetime) -> None:
    start(database, now)
    ask(database, now)
    ask(database, now)
    assert len(queued(database)) == 1


@pytest.mark.parametrize(
    "email",
    ["", "ann", "ann@", "a@b@c", "ann@post.example\r\nBcc: x@post.example", "ann @post.example", "x" * 400, "ü@a.fr"],
)
def test_what_is_no_address_is_refused_before_anything_is_written(
    database: Database, now: datetime, email: str
) -> None:
    start(database, now)
    with pytest.raises(BadInput):
        ask(database, now, email)
    assert queued(database) == []


def test_what_was_never_confirmed_is_forgotten_and_what_was_stays(database: Database, now: datetime) -> None:
    start(database, now)
    join(database, now, (MORNING,))
    ask(database, now, ANN, (EVENING,))
    ask(database, now, "never@post.example", BOTH)
    early = forget_old(database, KEEP, now=now + timedelta(days=6))
    assert early.sign_ups == 0
    done = forget_old(database, KEEP, now=now + timedelta(days=8))
    assert done.sign_ups == 3
    assert statuses(database) == {"morning": "active"}
    assert person_of(database, "never@post.example") is None
    assert {each.subscriber_id for each in consents(database)} == {1}
    assert "never@post.example" not in {mail.to_email for mail in queued(database)}
    # They may ask again, and get a new mail.
    ask(database, now + timedelta(days=9), "never@post.example", BOTH)
    press(database, asked_in(queued(database)[-1]), now + timedelta(days=9))
    assert statuses(database, "never@post.example") == {"morning": "active", "evening": "active"}
    done = forget_old(database, KEEP, now=now + timedelta(days=60))
    assert (done.sign_ups, queued(database)) == (0, [])
