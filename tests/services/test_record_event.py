"""Events of a mail API: kept once, believed only of mails really sent to that address, and acted on at once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.address import address_hash
from syndicate.core.mail_event import EventKind, MailEvent
from syndicate.core.message import label
from syndicate.core.reader_steps import Choice, Circumstances
from syndicate.errors import NotFound, Refused
from syndicate.mail.events.base import Report
from syndicate.services.change_cadence import change_cadence
from syndicate.services.change_preferences import change_preferences
from syndicate.services.deliver_transactional import deliver_transactional
from syndicate.services.erase_subscriber import erase_subscriber
from syndicate.services.forget_old import forget_old
from syndicate.services.import_subscribers import Consent, import_subscribers
from syndicate.services.import_suppressions import import_suppressions
from syndicate.services.leave_newsletter import leave
from syndicate.services.record_event import AT_ONCE, Recorded, Request, record_events, record_requests
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.storage import instance, people, tables
from syndicate.storage.database import Database
from syndicate.storage.events import blocked_since
from syndicate.storage.mail_finding import begin
from syndicate.storage.people import LOCK_KEY, add_suppressions
from syndicate.storage.reader_steps import lift_all
from syndicate.storage.workers import worker_lock
from tests.end_to_end.sender import mail_api
from tests.mail_api_server import MailApiServer, read_journal
from tests.mailing import MORNING, NOW, PUBLICATION, SENDER, address, clock, freeze_it, frozen_issue, make_issue
from tests.services.reading_room import ANN, ask, queued
from tests.services.site_rows import start
from tests.services.test_deliver_issue import deliver_it
from tests.services.test_forget_old import KEEP


def event(
    kind: EventKind, vendor_id: str, to: str, event_id: str = "msg_1", raw: dict[str, Any] | None = None
) -> MailEvent:
    return MailEvent("resend", event_id, kind, vendor_id, (to,), NOW, raw=raw or {"type": kind})


def record(database: Database, told: MailEvent) -> Recorded:
    (result,) = record_events(database, [told], all_or_nothing=True, now=NOW)
    return result


def reasons(database: Database) -> dict[str, str]:
    table = tables.subscribers
    with database.read() as connection:
        return {row.address: row.suppressed for row in connection.execute(sa.select(table)) if row.suppressed}


@pytest.fixture
def sent(database: Database, tmp_path: Path) -> list[str]:
    """An issue to 25 readers in three requests, the third reader left out; the API's ids in the readers' order."""
    with MailApiServer("resend", tmp_path / "journal") as server:
        api = mail_api("resend", server.url, recipients=10)
        issue_id = frozen_issue(database, 25, sheet=api.sheet)
        with database.write() as connection:
            instance.start(connection, secret=b"k" * 32, place="", web_url=PUBLICATION.web_url, now=NOW)
            name = instance.instance_id(connection)
            connection.execute(
                sa.update(tables.subscribers).where(tables.subscribers.c.id == 3).values(suppressed="manual")
            )
        deliver_it(database, issue_id, api, tmp_path, instance=name)
    with database.read() as connection:
        batches = connection.execute(sa.select(tables.batches).order_by(tables.batches.c.first)).all()
    ids = [vendor_id for batch in batches for vendor_id in batch.vendor_ids]
    assert len(ids) == 24
    return [*ids[:2], "", *ids[2:]]


@pytest.mark.parametrize(("kind", "reason"), [("hard bounce", "bounce"), ("complaint", "complaint")])
def test_a_hard_bounce_and_a_complaint_close_the_address_at_once(
    database: Database, sent: list[str], kind: EventKind, reason: str
) -> None:
    told = event(kind, sent[11], address(12))
    assert record(database, told) == "suppressed"
    with database.read() as connection:
        (row,) = connection.execute(sa.select(tables.suppressions)).all()
        assert (row.reason, row.note, row.lifted_at) == (reason, "event msg_1", None)
    assert record(database, told) == "again"
    with database.read() as connection:
        assert len(connection.execute(sa.select(tables.suppressions)).all()) == 1


@pytest.mark.parametrize(
    ("place", "to"),
    [
        (11, address(13)),  # somebody else of the same request
        (1, address(12)),
        (11, "stranger@example.org"),
        (11, "nonsense"),
        (2, address(3)),  # who was left out has no mail
    ],
)
def test_an_address_is_believed_only_with_the_id_that_was_answered_for_it(
    database: Database, sent: list[str], place: int, to: str
) -> None:
    assert record(database, event("complaint", sent[place], to)) == "unknown"
    assert record(database, event("complaint", "another id", to, "msg_2")) == "unknown"
    with database.read() as connection:
        assert connection.execute(sa.select(tables.suppressions)).all() == []
        assert len(connection.execute(sa.select(tables.events)).all()) == 2


def test_a_mail_is_known_again_by_our_own_label(database: Database, sent: list[str], tmp_path: Path) -> None:
    """Also when its request was never answered, so that the API's ids are not known."""
    with database.write() as connection:
        connection.execute(sa.update(tables.batches).values(vendor_ids=[], state="uncertain"))
    labels = {one.to: label(one.message_id) for one in read_journal(tmp_path / "journal")}

    def labelled(place: int, event_id: str) -> MailEvent:
        return event("complaint", "unknown id", address(12), event_id)._replace(label=labels[address(place)])

    assert record(database, labelled(13, "msg_1")) == "unknown"
    assert record(database, labelled(12, "msg_2")) == "suppressed"
    with database.read() as connection:
        assert [row.reason for row in connection.execute(sa.select(tables.suppressions))] == ["complaint"]


def test_other_events_are_kept_with_the_issue_they_are_about(database: Database, sent: list[str]) -> None:
    for place in (0, 1, 3, 9, 10, 24):
        told = event("soft bounce", sent[place], address(place + 1), f"msg_{place}")
        assert record(database, told) == "recorded"
    with database.read() as connection:
        rows = connection.execute(sa.select(tables.events)).all()
    assert {(row.kind, row.issue_id, bool(row.address_hash)) for row in rows} == {("soft bounce", 1, True)}
    assert forget_old(database, KEEP, now=NOW + timedelta(days=89)).events == 0
    assert forget_old(database, KEEP, now=NOW + timedelta(days=91)).events == 6


def test_a_confirmation_that_bounces_closes_the_address(database: Database, tmp_path: Path) -> None:
    start(database, NOW)
    ask(database, NOW)
    with (
        MailApiServer("resend", tmp_path / "journal") as server,
        worker_lock(database, tmp_path, "test", NOW) as worker,
    ):
        api = mail_api("resend", server.url, recipients=10)
        deliver_transactional(database, api, SENDER, PUBLICATION, worker, clock=clock)
    (mail,) = queued(database)
    assert record(database, event("hard bounce", mail.vendor_id, "other@post.example")) == "unknown"
    told = event("hard bounce", mail.vendor_id, "Ann <ANN@post.example>", "msg_2")
    assert record(database, told) == "suppressed"
    assert reasons(database) == {ANN: "bounce"}


def test_a_complaint_outranks_that_the_reader_left(database: Database, tmp_path: Path) -> None:
    """Else signing up again would open an address that reported us."""
    start(database, NOW)
    ask(database, NOW)
    with database.write() as connection:
        keyed = connection.execute(sa.select(tables.subscribers.c.address_hash)).scalar_one()
        add_suppressions(connection, [{"address_hash": keyed, "reason": "unsubscribe", "at": NOW}])
        connection.execute(sa.update(tables.transactional_mails).values(api="resend", vendor_id="e1"))
    assert record(database, event("complaint", "e1", ANN)) == "suppressed"
    assert reasons(database) == {ANN: "complaint"}


@dataclass
class Twice:
    """Two issues that the same readers got: the API's ids of the twelfth reader's mails, and who that is."""

    ids: tuple[str, str]
    to: str = address(12)

    def report(self, kind: EventKind, days: float, issue: int = 1, event_id: str = "") -> MailEvent:
        told = event(kind, self.ids[issue - 1], self.to, event_id or f"{kind} {days}")
        return told._replace(at=NOW + timedelta(days=days))


@pytest.fixture
def twice(database: Database, sent: list[str], tmp_path: Path) -> Twice:
    with database.read() as connection:
        article = connection.execute(sa.select(tables.articles.c.id)).scalar_one()
        name = instance.instance_id(connection)
    with MailApiServer("resend", tmp_path / "second") as server:
        api = mail_api("resend", server.url, recipients=100)
        issue_id = make_issue(database, [article], kind="manual", again=True)
        # Who has the article already gets it once more: the first issue is forgotten for that.
        with database.write() as connection:
            connection.execute(sa.update(tables.issues).where(tables.issues.c.id == 1).values(again=True))
            keyed = address_hash(address(12), instance.address_key(connection))
            table = tables.subscribers
            connection.execute(sa.update(table).where(table.c.id == 12).values(address_hash=keyed))
        assert freeze_it(database, issue_id, sheet=api.sheet) == "sending"
        deliver_it(database, issue_id, api, tmp_path, instance=name)
    with database.read() as connection:
        batches = tables.batches
        ids = connection.execute(sa.select(batches.c.vendor_ids).where(batches.c.issue_id == issue_id)).scalar_one()
        place = connection.execute(
            sa.select(tables.issue_recipients.c.ordinal).where(
                tables.issue_recipients.c.issue_id == issue_id, tables.issue_recipients.c.address == address(12)
            )
        ).scalar_one()
    return Twice((sent[11], ids[place - 1]))


def test_mail_that_comes_back_for_weeks_closes_the_address(database: Database, twice: Twice) -> None:
    told = [twice.report("soft bounce", days, 1 if days < 9 else 2) for days in (0, 8, 13, 14)]
    assert [record(database, each) for each in told] == ["recorded"] * 3 + ["suppressed"]
    assert reasons(database)[twice.to] == "unreachable"
    with database.read() as connection:
        (row,) = connection.execute(sa.select(tables.suppressions)).all()
        assert (row.reason, row.origin) == ("unreachable", "webhook resend")
    assert record(database, twice.report("soft bounce", 20)) == "recorded"
    # Also when a late report shows that a mail arrived: who complained stays out.
    assert record(database, twice.report("complaint", 21)) == "suppressed"
    record(database, twice.report("delivered", 30))
    assert reasons(database)[twice.to] == "complaint"


def test_a_mailbox_that_is_dead_for_a_monthly_mailing_is_closed_though_reports_are_forgotten_before(
    database: Database, twice: Twice
) -> None:
    for number, days in enumerate((0, 31, 62, 93)):
        told, then = twice.report("soft bounce", days, 1 + number % 2), NOW + timedelta(days=days)
        # `run` does it every hour.
        forget_old(database, KEEP, now=then)
        record_events(database, [told], all_or_nothing=True, now=then)
    assert reasons(database)[twice.to] == "unreachable"
    forget_old(database, KEEP, now=NOW + timedelta(days=200))
    with database.read() as connection:
        assert set(map(str, connection.execute(sa.select(tables.events.c.raw)).scalars())) == {"{}"}
    assert forget_old(database, KEEP, now=NOW + timedelta(days=470)).events == 4
    with database.read() as connection:
        assert connection.execute(sa.select(tables.events)).all() == []


@pytest.mark.parametrize("reached", [40, 100])
def test_what_came_back_before_a_mail_arrived_is_forgotten_no_later_than_that_it_arrived(
    database: Database, twice: Twice, reached: int
) -> None:
    for days in range(0, 291, 10):
        then = NOW + timedelta(days=days)
        forget_old(database, KEEP, now=then)
        if days in (0, reached, 200, 230, 260, 290):
            told = twice.report("delivered" if days == reached else "soft bounce", days, 1 + days // 10 % 2)
            record_events(database, [told], all_or_nothing=True, now=then)
        assert (twice.to in reasons(database)) == (days == 290)


@pytest.mark.parametrize("late", [False, True])
def test_a_mail_that_arrived_meanwhile_keeps_it_open_also_when_that_is_told_late(
    database: Database, twice: Twice, late: bool
) -> None:
    told = [twice.report("soft bounce", days, 1 if days < 9 else 2) for days in (0, 8, 13, 14)]
    arrived = twice.report("delivered", 9, 2)
    for each in (*told, arrived) if late else (arrived, *told):
        record(database, each)
    assert twice.to not in reasons(database)


def give_hash(database: Database, to: str) -> str:
    """The keyed hash of the address, which who has it has from then on."""
    with database.write() as connection:
        keyed = address_hash(to, instance.address_key(connection))
        mine = tables.subscribers.c.address == to
        connection.execute(sa.update(tables.subscribers).where(mine).values(address_hash=keyed))
    return keyed


@pytest.mark.parametrize(
    "how", ["by hand", "complained elsewhere", "left elsewhere", "left all", "left", "suppressed", "erased"]
)
def test_who_was_unreachable_and_must_not_be_mailed_is_not_opened_by_a_mail_that_arrived_meanwhile(
    database: Database, twice: Twice, how: str, tmp_path: Path
) -> None:
    keyed = give_hash(database, twice.to)
    for days in (0, 8, 13, 14):
        record(database, twice.report("soft bounce", days, 1 if days < 9 else 2))
    assert reasons(database)[twice.to] == "unreachable"
    then, file = NOW + timedelta(days=15), tmp_path / "file.csv"
    for _ in range(2):
        if how == "by hand":
            suppress_subscriber(database, email=twice.to, because="never again", now=then)
        elif how.endswith("elsewhere"):
            column = "created_at" if how.startswith("complained") else "tags"
            file.write_text(f"address,{column}\n{twice.to},x\n")
            import_suppressions(database, path=file, vendor="mailgun", apply=True, now=then)
        elif how == "left all":
            leave(database, subscriber_id=12, newsletter=None, proof=Circumstances("page"), now=then)
        elif how == "erased":
            with suppress(NotFound):
                erase_subscriber(database, email=twice.to, now=then)
        else:
            file.write_text(f"email,newsletters,status\n{twice.to},morning,{how}\n")
            import_subscribers(database, path=file, newsletters=[MORNING], consent=Consent("b"), now=then)
    late = twice.report("delivered", 9, 2)._replace(raw={"to": twice.to})
    record_events(database, [late], all_or_nothing=True, now=then)
    with database.read() as connection:
        closed = connection.execute(sa.select(tables.suppressions.c.reason).order_by(tables.suppressions.c.id))
        stays, now_closed = closed.scalars().all(), people.suppressed_reasons(connection, [keyed])
        status, copied = connection.execute(
            sa.select(tables.subscriptions.c.status, tables.subscribers.c.suppressed)
            .join(tables.subscribers, tables.subscribers.c.id == tables.subscriptions.c.subscriber_id)
            .where(tables.subscribers.c.id == 12)
        ).one()
        kept = connection.execute(sa.select(tables.events.c.raw).order_by(tables.events.c.id.desc()).limit(1)).scalar()
    expected = {
        "by hand": "manual",
        "complained elsewhere": "complaint",
        "left elsewhere": "unsubscribe",
        "left all": "unsubscribe",
        "suppressed": "import",
        "erased": "erased",
        "left": "",
    }[how]
    # The same again adds nothing; what closes it besides stays when a report lifts that it was unreachable.
    assert stays == ["unreachable", *([expected] if expected else [])]
    assert now_closed == ({keyed: expected} if expected else {})
    assert copied == expected
    assert status == ("active" if how in ("by hand", "complained elsewhere") else "left")
    assert (kept == {}) == (how == "erased")


def test_what_came_back_before_the_address_was_opened_again_is_over(database: Database, twice: Twice) -> None:
    for days in (0, 8, 13, 14):
        record(database, twice.report("soft bounce", days, 1 if days < 9 else 2))
    with database.write() as connection:
        keyed = connection.execute(sa.select(tables.suppressions.c.address_hash)).scalar_one()
        lift_all(connection, keyed, by="desk", now=NOW + timedelta(days=15))
    assert twice.to not in reasons(database)
    for days in (16, 20, 25):
        assert record(database, twice.report("soft bounce", days)) == "recorded"
    assert record(database, twice.report("soft bounce", 31, 2)) == "suppressed"


def test_what_is_turned_away_for_the_senders_sake_never_closes_an_address(database: Database, twice: Twice) -> None:
    for days in range(0, 60, 5):
        assert record(database, twice.report("blocked", days, 1 + days % 2)) == "recorded"
    assert twice.to not in reasons(database)
    with database.read() as connection:
        assert blocked_since(connection, NOW - timedelta(hours=1)) == {"resend": {"": 12}}
        assert blocked_since(connection, NOW) == {}


def test_who_left_at_the_mail_api_has_left_here(database: Database, twice: Twice) -> None:
    assert record(database, twice.report("unsubscribe", 1)) == "suppressed"
    with database.read() as connection:
        status = connection.execute(
            sa.select(tables.subscriptions.c.status).where(tables.subscriptions.c.subscriber_id == 12)
        ).scalar_one()
        proof = [(row.action, row.origin) for row in connection.execute(sa.select(tables.consents))]
        (row,) = connection.execute(sa.select(tables.suppressions)).all()
    assert (status, proof, row.reason) == ("left", [("left", "webhook resend")], "unsubscribe")
    assert record(database, twice.report("unsubscribe", 2)) == "recorded"


@pytest.mark.parametrize("told_before", [False, True])
def test_who_came_back_after_leaving_at_the_mail_api_stays_however_late_or_often_that_is_told(
    database: Database, twice: Twice, told_before: bool
) -> None:
    keyed = give_hash(database, twice.to)
    page, then = Circumstances("page"), NOW + timedelta(days=1)
    with database.write() as connection:
        connection.execute(sa.insert(tables.newsletters).values(name="evening", first_seen_at=NOW))
        other = {"subscriber_id": 12, "newsletter": "evening", "cadence": "daily", "status": "active", "topics": []}
        connection.execute(sa.insert(tables.subscriptions).values(**other, since=NOW, changed_at=NOW))
    if told_before:
        assert record(database, twice.report("unsubscribe", 0)) == "suppressed"
    back = Choice({"morning": None})
    leave(database, subscriber_id=12, newsletter="morning", proof=page, now=then)
    change_preferences(
        database, subscriber_id=12, choice=back, newsletters=[MORNING], proof=page, now=then + timedelta(hours=1)
    )
    # An editor's word is none of the reader's.
    weekly = replace(MORNING, name="evening", cadences={"weekly": MORNING.cadences["daily"]})
    with suppress(Refused):
        change_cadence(
            database, subscriber_id=12, newsletter=weekly, cadence="weekly", actor="ed", now=then + timedelta(hours=1)
        )
    late = twice.report("unsubscribe", 0)._replace(event_id="late")
    record_events(database, [late], all_or_nothing=True, now=then + timedelta(hours=2))

    def standing() -> dict[str, str]:
        table = tables.subscriptions
        with database.read() as connection:
            query = sa.select(table.c.newsletter, table.c.status).where(table.c.subscriber_id == 12)
            return {row.newsletter: row.status for row in connection.execute(query)}

    assert standing() == {"morning": "active", "evening": "left"}
    with database.read() as connection:
        assert people.suppressed_reasons(connection, [keyed]) == {}
    # By a mail of after that they leave, whatever the vendor's clock says.
    with database.write() as connection:
        second = sa.update(tables.issues).where(tables.issues.c.id == 2)
        connection.execute(second.values(frozen_at=then + timedelta(days=1)))
    newer = twice.report("unsubscribe", 0, 2)._replace(event_id="newer")
    assert record(database, newer) == "suppressed"
    assert set(standing().values()) == {"left"}
    assert reasons(database)[twice.to] == "unsubscribe"


def test_a_bounce_of_before_the_address_was_opened_does_not_close_it_again(database: Database, twice: Twice) -> None:
    assert record(database, twice.report("hard bounce", 1)) == "suppressed"
    with database.write() as connection:
        keyed = connection.execute(sa.select(tables.suppressions.c.address_hash)).scalar_one()
        lift_all(connection, keyed, by="desk", now=NOW + timedelta(days=2))
    assert record(database, twice.report("hard bounce", 1.5, 2)) == "recorded"
    assert twice.to not in reasons(database)
    # Who complained is not mailed, whenever that was.
    assert record(database, twice.report("hard bounce", 2.5, 2)) == "suppressed"
    with database.write() as connection:
        lift_all(connection, keyed, by="desk", now=NOW + timedelta(days=3))
    assert record(database, twice.report("complaint", 1)) == "suppressed"


def test_a_token_that_came_with_another_body_is_believed_in_nothing_and_harms_no_other(database: Database) -> None:
    with database.write() as connection:
        instance.start(connection, secret=b"k" * 32, place="", web_url=PUBLICATION.web_url, now=NOW)

    def told(name: str, count: int, once: str, body: bytes) -> Request:
        events = tuple(event("other", "", address(1), f"{name} {number}") for number in range(count))
        return Request(Report(events, once, timedelta(hours=9)), body)

    # More than are written at once, so that what follows the first part is held to the token, too.
    whole, forged = told("whole", AT_ONCE + 20, "t1", b"a"), told("forged", AT_ONCE + 20, "t1", b"b")
    requests = [whole, told("empty", 0, "", b""), forged, told("alone", 2, "", b"")]
    for result in ("unknown", "again"):
        recorded = record_requests(database, requests, all_or_nothing=True, now=NOW)
        assert recorded == [[result] * (AT_ONCE + 20), [], None, [result] * 2]
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(tables.events)).scalar() == AT_ONCE + 22


def test_no_look_goes_through_all_that_is_kept(database: Database, sent: list[str]) -> None:
    """Not even while the tables are so small that a plan for them alone would: it is kept while they grow."""
    if database.is_sqlite:
        pytest.skip("plans of SQLite are those of test_query_plans")
    looked: set[str] = set()
    # What a session did is counted in it, and forgotten with it.
    database.dispose()

    def look(connection: Connection) -> None:
        seen = sa.text("SELECT relname FROM pg_stat_xact_user_tables WHERE seq_scan > 0")
        looked.update(connection.execute(seen).scalars())

    sa.event.listen(database.engine, "commit", look)
    for number in range(12):
        told = event("soft bounce" if number % 2 else "hard bounce", sent[number], address(number + 1), f"msg_{number}")
        assert number == 2 or record(database, told) in ("recorded", "suppressed")
    assert not looked & {"events", "suppressions", "issue_recipients", "batches", "subscribers", "rate_limits"}


def test_who_changes_people_waits_for_a_report_to_be_taken_in(database: Database, sent: list[str]) -> None:
    if database.is_sqlite:
        pytest.skip("SQLite has one writer at a time anyway")
    taken = sa.select(sa.func.pg_try_advisory_xact_lock(LOCK_KEY))
    with database.write() as other, database.write() as connection:
        begin(connection, NOW)
        assert other.execute(taken).scalar_one() is False
    with database.write() as other:
        assert other.execute(taken).scalar_one() is True
