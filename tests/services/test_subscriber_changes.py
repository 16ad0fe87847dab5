"""Adding, suppressing and erasing one person."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from syndicate.core.address import address_hash
from syndicate.core.books import Books
from syndicate.core.history import History
from syndicate.core.message import Answer
from syndicate.core.people import Change
from syndicate.errors import BadInput, NotFound, Refused
from syndicate.services.add_subscriber import add_subscriber
from syndicate.services.erase_subscriber import erase_subscriber
from syndicate.services.suppress_subscriber import suppress_subscriber
from syndicate.storage import freezing, tables
from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.issues import get_issue
from syndicate.storage.people import add_people, find_subscriber, keep_people
from tests.mailing import NOW, add_readers, address, books_now, frozen_issue, make_issue, make_newsroom
from tests.services.model_api import ModelAPI
from tests.services.site_rows import MORNING, start
from tests.services.test_deliver_issue import deliver_it


def add(database: Database, now: datetime, email: str = "Ann@Post.example", **more: Any) -> Change:
    return add_subscriber(database, email=email, newsletter=MORNING, because="asked by phone", now=now, **more)[1]


def rows(database: Database, table: sa.Table) -> list[Any]:
    with database.read() as connection:
        return list(connection.execute(sa.select(table).order_by(*table.primary_key)))


def accept(
    database: Database, now: datetime, subscriber: int, *, hi: int, kind: str = "cadence", state: str = "accepted"
) -> int:
    """An issue with window end `hi` whose only recipient is that person, its batch in that state."""
    with database.write() as connection:
        issue = connection.execute(
            sa.insert(tables.issues)
            .values(newsletter="morning", cadence="daily", kind=kind, state="sent", lo=0, hi=hi,
                    audience={"cadence": "daily", "to": ["ann@post.example"]}, drafted_at=now, frozen_at=now)
            .returning(tables.issues.c.id)
        ).scalar_one()  # fmt: skip
        connection.execute(
            sa.insert(tables.issue_recipients).values(
                issue_id=issue, ordinal=1, subscriber_id=subscriber, address="ann@post.example",
                email="Ann@post.example", name="Ann", variant_key="",
            )
        )  # fmt: skip
        connection.execute(sa.insert(tables.batches).values(issue_id=issue, first=1, last=1, state=state))
    return int(issue)


def test_a_person_is_added_with_the_proof(database: Database, now: datetime) -> None:
    start(database, now)
    assert add(database, now, name="Ann", language="fr").outcome == "new"
    (subscriber,) = rows(database, tables.subscribers)
    assert (subscriber.email, subscriber.address, subscriber.name) == ("Ann@post.example", "ann@post.example", "Ann")
    (consent,) = rows(database, tables.consents)
    assert (consent.basis, consent.newsletter, consent.at) == ("asked by phone", "morning", now)
    assert add(database, now + timedelta(1)).outcome == "unchanged"
    assert len(rows(database, tables.consents)) == 1


def test_a_joiner_takes_the_next_issue_whole_and_a_change_of_cadence_leaves_no_hole(
    database: Database, now: datetime
) -> None:
    start(database, now)
    add(database, now)
    (subscription,) = rows(database, tables.subscriptions)
    assert (subscription.cadence, subscription.resume_from) == ("daily", None)
    accept(database, now, subscription.subscriber_id, hi=40)
    accept(database, now, subscription.subscriber_id, hi=90, kind="manual")
    accept(database, now, subscription.subscriber_id, hi=70, state="uncertain")
    add(database, now + timedelta(1), cadence="weekly")
    (subscription,) = rows(database, tables.subscriptions)
    assert (subscription.cadence, subscription.resume_from) == ("weekly", 40)


def test_who_changes_while_an_issue_awaits_approval_gets_its_articles_by_the_other_cadence(
    database: Database, now: datetime
) -> None:
    start(database, now)
    add(database, now)
    with database.write() as connection:
        table = tables.cadences
        connection.execute(sa.update(table).values(mark=7))
        connection.execute(
            sa.insert(tables.issues).values(
                newsletter="morning", cadence="daily", kind="cadence", state="awaiting", lo=3, hi=7,
                audience={"cadence": "daily", "to": None}, drafted_at=now,
            )
        )  # fmt: skip
    add(database, now + timedelta(1), cadence="weekly")
    (subscription,) = rows(database, tables.subscriptions)
    assert (subscription.cadence, subscription.resume_from) == ("weekly", 3)
    # And back, with the issue still open: the whole of it.
    add(database, now + timedelta(2), cadence="daily")
    (subscription,) = rows(database, tables.subscriptions)
    assert (subscription.cadence, subscription.resume_from) == ("daily", None)


@pytest.mark.parametrize(
    ("email", "more"),
    [("ann", {}), ("ann@post.example", {"cadence": "hourly"}), ("ann@post.example", {"timezone": "Mars"}),
     ("ann@post.example", {"name": "Ann\r\nBcc: x"}), ("ann@post.example", {"language": "?"})],
)  # fmt: skip
def test_what_cannot_be_used_adds_nobody(database: Database, now: datetime, email: str, more: dict[str, str]) -> None:
    start(database, now)
    with pytest.raises(BadInput):
        add(database, now, email, **more)
    assert rows(database, tables.subscribers) == []


def test_a_suppressed_address_cannot_be_added(database: Database, now: datetime) -> None:
    start(database, now)
    assert suppress_subscriber(database, email="ANN@post.example", because="asked us", now=now)
    assert not suppress_subscriber(database, email="ann@post.example", because="again", now=now)
    with pytest.raises(Refused, match="suppressed"):
        add(database, now)
    assert len(rows(database, tables.suppressions)) == 1


def test_suppressing_somebody_known_takes_them_out_of_every_audience(database: Database, now: datetime) -> None:
    start(database, now)
    add(database, now)
    suppress_subscriber(database, email="ann@post.example", because="asked us", now=now)
    (subscriber,) = rows(database, tables.subscribers)
    assert subscriber.suppressed == "manual"


def test_erasing_leaves_nothing_but_the_hash_and_the_counts(database: Database, now: datetime) -> None:
    start(database, now)
    add(database, now, name="Ann Example", language="fr", timezone="Europe/Paris")
    (subscriber,) = rows(database, tables.subscribers)
    accept(database, now, subscriber.id, hi=4, kind="manual")
    with database.write() as connection:
        connection.execute(
            sa.insert(tables.events).values(
                api="mailpit", event_id="1", kind="bounce", address_hash=subscriber.address_hash, at=now,
                received_at=now, raw={"to": "Ann@post.example"},
            )
        )  # fmt: skip
    identity = erase_subscriber(database, email="ann@post.example", now=now)
    everything = ""
    with database.read() as connection:
        for table in tables.metadata.sorted_tables:
            everything += "\n".join(str(tuple(row)) for row in connection.execute(sa.select(table)))
    assert "ann" not in everything.lower().replace("annotation", "")
    assert "asked by phone" not in everything
    (recipient,) = rows(database, tables.issue_recipients)
    assert (recipient.address, recipient.email, recipient.name) == (f"erased:{identity}", "", "")
    with database.read() as connection:
        assert find_subscriber(connection, "ann@post.example") is None
    with pytest.raises(Refused, match="erased"):
        add(database, now)


def test_an_address_that_no_mail_api_takes_is_refused_and_whoever_has_one_can_still_be_kept_out(
    database: Database, now: datetime
) -> None:
    start(database, now)
    with pytest.raises(BadInput, match="outside ASCII before the @"):
        add(database, now, "Müller@post.example")
    assert add(database, now, "ann@bücher.example.org").outcome == "new"  # a domain has another form
    with database.write() as connection:
        # As they came in before that was refused.
        keyed = address_hash("müller@post.example", address_key(connection))
        old = {"email": "Müller@post.example", "address": "müller@post.example", "address_hash": keyed}
        add_people(connection, [{**old, "name": "", "language": "", "timezone": "", "created_at": now}])
    suppress_subscriber(database, email="Müller@post.example", because="asked", now=now)
    assert [row.suppressed for row in rows(database, tables.subscribers)] == ["", "manual"]
    erase_subscriber(database, email="Müller@post.example", now=now)
    assert [row.suppressed for row in rows(database, tables.subscribers)] == ["", "erased"]


def test_nobody_unknown_can_be_erased(database: Database, now: datetime) -> None:
    start(database, now)
    with pytest.raises(NotFound, match="suppress"):
        erase_subscriber(database, email="ann@post.example", now=now)


def test_what_a_mail_api_said_of_an_erased_person_is_gone(database: Database, now: datetime) -> None:
    start(database, now)
    add(database, now)
    (subscription,) = rows(database, tables.subscriptions)
    issue = accept(database, now, subscription.subscriber_id, hi=4, state="refused")
    said = "no such mailbox: ann@post.example"
    with database.write() as connection:
        batch = connection.execute(sa.select(tables.batches.c.id)).scalar_one()
        connection.execute(sa.update(tables.batches).values(why=said))
        connection.execute(
            sa.insert(tables.batch_log).values(
                batch_id=batch, at=now, state="refused", generation=1, revision=1, why=said
            )
        )
        connection.execute(
            sa.insert(tables.recipient_outcomes).values(
                issue_id=issue, ordinal=1, batch_id=batch, outcome="refused", why=said, at=now
            )
        )
    erase_subscriber(database, email="ann@post.example", now=now)
    for table in (tables.batches, tables.batch_log, tables.recipient_outcomes):
        assert [row.why for row in rows(database, table)] == [""]


class Naming(ModelAPI):
    """Turns down a request with the third reader in it, and says so by their address."""

    def post(self, body: bytes, *, key: str, count: int) -> Answer:
        if address(3).encode() in body:
            return Answer("not_accepted", f"422: Invalid `to` field: {address(3)}", permanent=True)
        return super().post(body, key=key, count=count)


def test_who_is_erased_is_named_nowhere_not_even_in_what_was_said_of_a_request_of_several(
    database: Database, tmp_path: Path
) -> None:
    issue_id = frozen_issue(database, 10)
    balance = deliver_it(database, issue_id, Naming("keys", 10), tmp_path)
    assert balance == Books(10, accepted=9, refused=1)
    erase_subscriber(database, email=address(3), now=NOW)
    named = [
        (table.name, str(row))
        for table in tables.metadata.sorted_tables
        for row in rows(database, table)
        if address(3) in str(row)
    ]
    assert named == []
    assert books_now(database, issue_id) == balance


def test_who_is_erased_while_an_issue_is_frozen_is_in_no_row_of_it(database: Database) -> None:
    articles = make_newsroom(database)
    add_readers(database, 5)
    issue_id = make_issue(database, articles)
    erasing: list[threading.Thread] = []
    with database.write() as connection:
        keep_people(connection)
        frozen = get_issue(connection, issue_id, lock=True)
        freezing.freeze_chunk(connection, frozen, History(), size=5, base=0, stored_keys={}, nothing_left=())
        erasing.append(
            threading.Thread(target=erase_subscriber, args=(database,), kwargs={"email": address(3), "now": NOW})
        )
        erasing[0].start()
        erasing[0].join(0.5)
    erasing[0].join(30)
    recipients = rows(database, tables.issue_recipients)
    assert [row.email for row in recipients if row.subscriber_id == 3] == [""]
    assert address(3) not in {row.address for row in recipients}
