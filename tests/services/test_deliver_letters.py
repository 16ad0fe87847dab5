"""Delivery through mail APIs that take one letter a request and put each reader's own values in: exactly once, or
uncertain and shown."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.core.first_wave import StopAt
from syndicate.core.message import Answer, label
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection
from syndicate.storage import instance, tables
from syndicate.storage.database import Database
from tests.end_to_end.sender import Resized, mail_api
from tests.mail_api_server import DIALECTS, MailApiServer, Plan, doubled, lost, read_journal
from tests.mail_api_server.dialects import Taken
from tests.mailing import (
    INSTANCE,
    MORNING,
    NOW,
    PUBLICATION,
    SIGNER,
    add_readers,
    address,
    batches_of,
    books_now,
    freeze_it,
    frozen_issue,
    make_issue,
    make_newsroom,
)
from tests.services.test_deliver_issue import check, deliver_it, everybody, issue_of, plan
from tests.services.test_freeze_issue import mark_accepted
from tests.services.test_record_event import event, record

APIS = ("brevo", "mailgun", "sendgrid", "ses", "sparkpost")
RECORDED = ("brevo", "mailgun", "sparkpost")
"""Those with a record that can be asked."""
KNOWING = RECORDED
"""Those that prove what became of a request whose answer was lost."""
READERS = 60
apis = pytest.mark.parametrize("name", APIS)


def taken_by(server: MailApiServer, name: str) -> list[list[Taken]]:
    """The mails of each request, as their readers get them."""
    return [DIALECTS[name]().read(seen.body) for seen in server.seen]


@apis
def test_each_version_goes_in_requests_of_its_own_with_each_ones_values(
    database: Database, tmp_path: Path, name: str
) -> None:
    articles = make_newsroom(database, articles=3)
    add_readers(database, READERS)
    by_hand = make_issue(database, articles[:1], kind="manual", to=[address(n) for n in range(11, 31)])
    freeze_it(database, by_hand)
    mark_accepted(database, by_hand)
    issue_id = make_issue(database, articles)
    with MailApiServer(name, tmp_path / "journal") as server:
        api = mail_api(name, server.url, recipients=30)
        assert freeze_it(database, issue_id, sheet=api.sheet) == "sending"
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)
        requests = taken_by(server, name)
    assert sorted(map(len, requests)) == [10, 20, 30]
    for one in (mail for mails in requests for mail in mails):
        number = int(one.to.removeprefix("reader").removesuffix("@example.org"))
        assert ("Article number 2" in one.html) == (11 <= number <= 30)
        way_out = one.headers["list-unsubscribe"].strip("<>")
        assert SIGNER.read("unsubscribe", way_out.rpartition("/")[2]) == (str(number), "morning", str(issue_id))
        assert way_out in one.html and way_out in one.text
        if number < 11:
            assert f"Reader {number}: " in one.html


@apis
def test_who_left_since_is_simply_not_in_the_request(database: Database, tmp_path: Path, name: str) -> None:
    with MailApiServer(name, tmp_path / "journal") as server:
        api = mail_api(name, server.url, recipients=READERS)
        requests = 2 if api.sheet.recipients_per_request < READERS else 1
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        with database.write() as connection:
            table = tables.subscribers
            connection.execute(sa.update(table).where(table.c.id.in_([1, 7, 60])).values(suppressed="manual"))
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=57, suppressed=3)
        assert lost(read_journal(server.journal), everybody()) == {address(n) for n in (1, 7, 60)}
        assert len(server.seen) == requests


@apis
def test_one_bad_address_is_found_by_halving_and_refused_alone(database: Database, tmp_path: Path, name: str) -> None:
    with MailApiServer(name, tmp_path / "journal", refuse=[address(37)]) as server:
        api = mail_api(name, server.url, recipients=30)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS - 1, refused=1)
        journal = read_journal(server.journal)
        assert (lost(journal, everybody()), doubled(journal)) == ({address(37)}, {})


@apis
def test_one_address_that_it_cannot_express_is_refused_alone(database: Database, tmp_path: Path, name: str) -> None:
    with MailApiServer(name, tmp_path / "journal") as server:
        api = mail_api(name, server.url, recipients=30)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        with database.write() as connection:
            table = tables.issue_recipients
            bad = sa.update(table).where(table.c.ordinal == 5).values(email="a b@example.org")
            connection.execute(bad)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS - 1, refused=1)


@apis
def test_many_bad_addresses_at_once_do_not_stop_the_issue(database: Database, tmp_path: Path, name: str) -> None:
    """Each of the requests under way holds one: as many are refused in a row as there are."""
    bad = [address(number) for number in range(3, 1 + 40 * 5, 5)]
    with MailApiServer(name, tmp_path / "journal", refuse=bad) as server:
        api = mail_api(name, server.url, recipients=5)
        issue_id = frozen_issue(database, 200, sheet=api.sheet)
        # A fifth is more than an issue would go on with, were it not told to.
        newsletter = replace(MORNING, stop_at=StopAt(refused=1.0))
        balance = deliver_it(database, issue_id, api, tmp_path, threads=16, newsletter=newsletter)
        assert balance == Books(200, accepted=160, refused=40)
    assert issue_of(database, issue_id).state == "sent"


FAULTS = ("drop_after_body", "drop_after_accept", "drop_in_answer", "gateway_timeout", "garbage", "html", "short")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (name, fault)
        for name in KNOWING
        for fault in (*FAULTS, "server_error", "rate_limited")
        # To a request that comes again it says what it said: then only its events tell.
        if (name, fault) != ("sparkpost", "short")
    ],
)
def test_whatever_goes_wrong_once_is_made_good_by_the_record_or_the_key(
    database: Database, tmp_path: Path, name: str, fault: str
) -> None:
    wait = "=0.2" if fault == "rate_limited" else ""
    with MailApiServer(name, tmp_path / "journal", plan=plan(f"2:{fault}{wait}")) as server:
        api = mail_api(name, server.url, recipients=20)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=READERS)
        check(server)


@pytest.mark.parametrize("name", RECORDED)
def test_a_record_that_goes_back_no_further_frees_nothing(database: Database, tmp_path: Path, name: str) -> None:
    with MailApiServer(name, tmp_path / "journal", plan=plan("2:drop_after_body")) as server:
        changes = {"lookup_lag_seconds": 0.0, "lookup_kept_seconds": 0.0, "idempotency_seconds": None}
        api = Resized(mail_api(name, server.url, recipients=READERS // 2), **changes)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        half = READERS // 2
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=half, uncertain=half)
    [batch] = [each for each in batches_of(database, issue_id) if each.state == "uncertain"]
    assert (batch.why, batch.retry_at) == ("the mail API's record does not go back that far", None)


@pytest.mark.parametrize("name", sorted(set(APIS) - set(KNOWING)))
@pytest.mark.parametrize("fault", ["drop_after_body", "drop_after_accept", "short"])
def test_without_a_record_a_lost_answer_is_uncertain_and_shown(
    database: Database, tmp_path: Path, name: str, fault: str
) -> None:
    with MailApiServer(name, tmp_path / "journal", plan=plan(f"2:{fault}")) as server:
        api = mail_api(name, server.url, recipients=20)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, accepted=40, uncertain=20)
        assert doubled(read_journal(server.journal)) == {}


@pytest.mark.parametrize(
    ("name", "changes", "cure"),
    [
        ("brevo", {"api_key": "old"}, "API_KEY"),
        ("mailgun", {"domain": "mg.post.example"}, "[mail] domain"),
        ("sendgrid", {"api_key": "old"}, "API_KEY"),
        ("ses", {"api_key": "old:secret"}, "access key"),
        ("sparkpost", {"api_key": "old"}, "API_KEY"),
    ],
)
def test_what_is_wrong_with_the_account_pauses_with_the_cure_and_refuses_nobody(
    database: Database, tmp_path: Path, name: str, changes: dict[str, str], cure: str
) -> None:
    with MailApiServer(name, tmp_path / "journal", api_key="key") as server:
        connection = replace(Connection(server.url, "key", 5.0, domain="post.example"), **changes)  # type: ignore[arg-type]
        api = open_mail_api(name, connection)
        issue_id = frozen_issue(database, READERS, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(READERS, waiting=READERS)
    issue = issue_of(database, issue_id)
    assert issue.state == "paused"
    assert cure in issue.why


@apis
def test_where_nothing_proves_a_request_no_more_is_claimed_than_is_posted(
    database: Database, tmp_path: Path, name: str
) -> None:
    claimed = []

    class Counting(Resized):
        def post(self, body: bytes, *, key: str, count: int) -> Answer:
            claimed.append(sum(batch.state == "sending" for batch in batches_of(database, issue_id)))
            return super().post(body, key=key, count=count)

    with MailApiServer(name, tmp_path / "journal") as server:
        api = Counting(mail_api(name, server.url, recipients=50))
        issue_id = frozen_issue(database, 500, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path, threads=2) == Books(500, accepted=500)
    assert max(claimed) == (8 if name in KNOWING else 2)


def test_an_event_is_believed_by_the_one_id_or_label_of_the_request(database: Database, tmp_path: Path) -> None:
    with MailApiServer("mailgun", tmp_path / "journal") as server:
        api = mail_api("mailgun", server.url, recipients=10)
        issue_id = frozen_issue(database, 20, sheet=api.sheet)
        with database.write() as connection:
            instance.start(connection, secret=b"k" * 32, place="", web_url=PUBLICATION.web_url, now=NOW)
            left = sa.update(tables.subscribers).where(tables.subscribers.c.id == 3).values(suppressed="manual")
            connection.execute(left)
        deliver_it(database, issue_id, api, tmp_path, instance=INSTANCE)
    with database.read() as connection:
        rows = connection.execute(sa.select(tables.batches).order_by(tables.batches.c.first)).all()
    (first,), (second,) = (row.vendor_ids for row in rows)

    def told(vendor_id: str, number: int, name: str, key: str = "") -> str:
        one = event("hard bounce", vendor_id, address(number), name)._replace(api="mailgun", label=key and label(key))
        return record(database, one)

    assert told(first, 2, "e1") == told(second, 12, "e2") == "suppressed"
    assert told("unknown", 4, "e3", rows[0].request_key) == "suppressed"
    # Somebody else's request, who was left out, and somebody who was in none.
    assert told(second, 5, "e4") == told(first, 3, "e5") == told(first, 99, "e6") == "unknown"
    assert told("unknown", 5, "e7", rows[1].request_key) == told("", 3, "e8", rows[0].request_key) == "unknown"
    assert books_now(database, issue_id).balanced


def test_a_plan_that_never_fails_is_one_request_for_each_thousand(database: Database, tmp_path: Path) -> None:
    with MailApiServer("mailgun", tmp_path / "journal", plan=Plan()) as server:
        api = open_mail_api("mailgun", Connection(server.url, "key", 30.0, domain="post.example"))
        issue_id = frozen_issue(database, 2_500, sheet=api.sheet)
        assert deliver_it(database, issue_id, api, tmp_path) == Books(2_500, accepted=2_500)
        assert sorted(len(mails) for mails in taken_by(server, "mailgun")) == [500, 1_000, 1_000]
        check(server, 2_500)
