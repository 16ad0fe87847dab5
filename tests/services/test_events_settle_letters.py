"""What Brevo and SparkPost report of a mail proves it, by the labels that our requests gave along."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from syndicate.core.books import Books
from syndicate.mail.events import open_webhook
from syndicate.mail.events.base import Arrival
from syndicate.services.record_event import record_events
from syndicate.storage import instance
from syndicate.storage.database import Database
from tests.end_to_end.sender import Resized, mail_api
from tests.mail.events.signing import SHARED, shared
from tests.mail_api_server import MailApiServer
from tests.mailing import NOW, PUBLICATION, books_now, frozen_issue
from tests.services.test_deliver_issue import deliver_it, plan


def by_brevo(request: dict[str, Any], place: int) -> Any:
    version = request["messageVersions"][place]
    return {
        "event": "delivered",
        "email": version["to"][0]["email"],
        "message-id": f"<{place}@smtp-relay.mailin.fr>",
        "ts_epoch": 1795166940500,
        "tags": request["tags"],
        "X-Mailin-custom": version["headers"]["X-Mailin-custom"],
    }


def by_brevo_of_the_request(request: dict[str, Any], place: int) -> Any:
    return {name: value for name, value in by_brevo(request, place).items() if name != "X-Mailin-custom"}


def by_sparkpost(request: dict[str, Any], place: int) -> Any:
    recipient = request["recipients"][place]
    event = {
        "type": "delivery",
        "event_id": f"e{place}",
        "transmission_id": "116687874849",
        "raw_rcpt_to": recipient["address"]["email"],
        "rcpt_meta": recipient["metadata"],
        "timestamp": "1795166940",
    }
    return {"msys": {"message_event": event}}


TOLD: Mapping[str, Callable[[dict[str, Any], int], Any]] = {
    "brevo": by_brevo,
    "brevo, of the request": by_brevo_of_the_request,
    "sparkpost": by_sparkpost,
}


@pytest.mark.parametrize("told", sorted(TOLD))
def test_an_event_proves_the_mail_that_it_names(database: Database, tmp_path: Path, told: str) -> None:
    name = told.partition(",")[0]
    with MailApiServer(name, tmp_path / "journal", plan=plan("2:drop_after_accept")) as server:
        api = Resized(mail_api(name, server.url, recipients=10), idempotency_seconds=None, lookup=False)
        issue_id = frozen_issue(database, 30, sheet=api.sheet)
        with database.write() as connection:
            instance.start(connection, secret=b"k" * 32, place="", web_url=PUBLICATION.web_url, now=NOW)
            own_name = instance.instance_id(connection)
        balance = deliver_it(database, issue_id, api, tmp_path, threads=1, instance=own_name)
        assert balance == Books(30, accepted=20, uncertain=10)
        (lost,) = [seen for seen in server.seen if seen.fault]
    request = json.loads(lost.body)

    def report(*places: int) -> list[str]:
        body, headers = shared(json.dumps([TOLD[told](request, place) for place in places]).encode(), NOW)
        events = open_webhook(name, SHARED).take(Arrival(body, headers), NOW).events
        return list(record_events(database, events, all_or_nothing=api.sheet.all_or_nothing, now=NOW))

    assert report(3) == ["recorded"]
    assert books_now(database, issue_id) == Books(30, accepted=21, uncertain=9)
    assert report(3) == ["again"]
    assert set(report(*range(10))) == {"recorded", "again"}
    assert books_now(database, issue_id) == Books(30, accepted=30)
