"""`/webhooks/…`: kept once, refused without proof, for the one mail API that the site posts to."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import sqlalchemy as sa

from syndicate.mail import ADAPTERS
from syndicate.mail.events import WEBHOOKS
from syndicate.mail.events.base import Arrival, Report
from syndicate.mail.events.postmark import PostmarkWebhook
from syndicate.storage import tables
from tests.mail.events.signing import SHARED, SIGNING_KEY, VENDORS, basic, mailgun, signed
from tests.web.reading_site import ANN, ReadingSite, reading_site

OPENED: dict[str, Any] = {
    "brevo": {"event": "spam", "email": ANN, "message-id": "e1", "ts_epoch": 1795166942000},
    "mailgun": {"event": "complained", "id": "1", "recipient": ANN, "message": {"headers": {"message-id": "e1"}}},
    "mailjet": {"event": "spam", "time": 1795166942, "Message_GUID": "e1", "email": ANN},
    "postmark": {"RecordType": "SpamComplaint", "ID": 1, "MessageID": "e1", "Email": ANN},
    "resend": {"type": "email.complained", "data": {"email_id": "e1", "to": [ANN]}},
    "sendgrid": [{"event": "spamreport", "sg_event_id": "1", "email": ANN, "sg_message_id": "e1.filter0001.1.2"}],
    "ses": {
        "eventType": "Complaint",
        "mail": {"messageId": "e1"},
        "complaint": {"complainedRecipients": [{"emailAddress": ANN}]},
    },
    "sparkpost": [{"msys": {"message_event": {"type": "spam_complaint", "rcpt_to": ANN, "transmission_id": "e1"}}}],
}
"""A complaint of Ann's about the mail e1, as each vendor tells it."""

Serve = Callable[..., ReadingSite]


@pytest.fixture
def serve(tmp_path: Path, database_url: str) -> Iterator[Serve]:
    with ExitStack() as stack:

        def one(api: str, secret: str | None = None) -> ReadingSite:
            given = VENDORS[api].secret if secret is None else secret
            environ = {"SYNDICATE_MAIL__API": api, "SYNDICATE_MAIL__API_KEY": "key:secret"}
            environ |= {"SYNDICATE_MAIL__WEBHOOK_SECRET": given} if given else {}
            site = stack.enter_context(reading_site(tmp_path / "site", database_url, environ=environ))
            site.sign_up()
            mails = tables.transactional_mails
            with site.site.database.write() as connection:
                connection.execute(sa.update(mails).values(api=api, vendor_id="e1", state="accepted"))
            return site

        yield one


def tell(site: ReadingSite, api: str, told: Any) -> requests.Response:
    body, headers = VENDORS[api].prove(json.dumps(told).encode(), site.now)
    return site.post(f"/webhooks/{api}", body, headers=headers)


@pytest.mark.parametrize("api", sorted(WEBHOOKS.keys() & ADAPTERS.keys()))
def test_a_complaint_that_is_proved_is_kept_once_and_closes_the_address(serve: Serve, api: str) -> None:
    site = serve(api)
    told = json.dumps(OPENED[api]).encode()
    body, headers = VENDORS[api].prove(told, site.now)
    refused = site.post(f"/webhooks/{api}", told)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Basic realm="Syndicate"'
    assert site.person().suppressed == ""
    assert site.post(f"/webhooks/{api}", body, headers=headers).json() == {"results": ["suppressed"]}
    assert site.post(f"/webhooks/{api}", body, headers=headers).json() == {"results": ["again"]}
    assert site.person().suppressed == "complaint"
    with site.site.database.read() as connection:
        (row,) = connection.execute(sa.select(tables.events)).all()
    assert row.raw


def test_a_signature_is_over_the_very_body_and_of_now(serve: Serve) -> None:
    site = serve("resend")
    body = json.dumps(OPENED["resend"]).encode()
    headers = signed(body, site.now)
    assert site.post("/webhooks/resend", body + b" ", headers=headers).status_code == 401
    assert site.post("/webhooks/resend", b"{}", headers=signed(b"{}", site.now, "msg_2")).status_code == 400
    assert site.post("/webhooks/resend", b"x" * 1_100_000, headers=headers).status_code == 413
    site.now = site.now.replace(hour=site.now.hour + 1)
    assert site.post("/webhooks/resend", body, headers=headers).status_code == 401


def test_a_mail_api_may_tell_as_much_as_it_ever_tells_and_no_more(serve: Serve) -> None:
    """SparkPost sends ten thousand events at once, more than any form may have."""
    site = serve("sparkpost")
    headers = VENDORS["sparkpost"].prove(b"", site.now)[1]
    opened = {"type": "open", "user_agent": "x" * 900}
    many = [{"msys": {"message_event": {**opened, "event_id": str(number)}}} for number in range(2_000)]
    told = site.post("/webhooks/sparkpost", json.dumps(many).encode(), headers=headers)
    assert Counter(told.json()["results"]) == {"unknown": 2_000}

    def without_a_length() -> Iterator[bytes]:
        yield from itertools.repeat(b" " * 1_000_000, 21)

    assert requests.post(f"{site.url}/webhooks/sparkpost", without_a_length(), headers=headers).status_code == 413
    assert site.post("/webhooks/sparkpost", b" " * 20_000_001, headers=headers).status_code == 413


def test_what_a_database_cannot_keep_as_it_came_is_kept_all_the_same(serve: Serve) -> None:
    site = serve("resend")
    hostile = {
        b'"\\u0000"': "\ufffd",
        b'"\\ud800"': "\ufffd",
        b'"\xed\xa0\x80"': "\ufffd",
        b"1e999": "Infinity",
        b"[" * 300 + b"-1e999" + b"]" * 300: None,
    }
    for number, text in enumerate(hostile):
        body = b'{"type": "email.opened", "odd": %s, "data": {"email_id": %s, "to": ["a"]}}' % (
            *(text, text if text.startswith(b'"') else b'"e1"'),
        )
        assert site.post("/webhooks/resend", body, headers=signed(body, site.now, f"msg_{number}")).status_code == 200
    events = tables.events.c
    with site.site.database.read() as connection:
        kept = [row.raw["odd"] for row in connection.execute(sa.select(events.raw).order_by(events.id))]
    assert len(kept) == len(hostile)
    assert [(told, each) for told, each in zip(hostile.values(), kept, strict=True) if told not in (each, None)] == []


def test_requests_that_come_together_are_answered_each_for_itself(serve: Serve) -> None:
    site = serve("resend")

    def one(number: int) -> tuple[int, object]:
        told = json.dumps({"type": "email.opened", "data": {"email_id": "x", "to": [ANN]}}).encode()
        kind = number % 3
        body = b"{}" if kind == 1 else told
        headers = signed(body, site.now, f"msg_{number // 6}") if kind < 2 else {}
        answer = site.post("/webhooks/resend", body, headers=headers)
        return answer.status_code, answer.json().get("results", [""])[0]

    with ThreadPoolExecutor(12) as pool:
        answers = Counter(pool.map(one, range(60)))
    assert answers == {(200, "unknown"): 10, (200, "again"): 10, (400, ""): 20, (401, ""): 20}


def test_what_cannot_be_kept_is_for_the_vendor_to_tell_again(serve: Serve) -> None:
    site = serve("mailgun")
    body, _ = VENDORS["mailgun"].prove(json.dumps(OPENED["mailgun"]).encode(), site.now)
    rename(site, "events", "elsewhere")
    with ThreadPoolExecutor(4) as pool:
        refused = list(pool.map(lambda _: site.post("/webhooks/mailgun", body), range(4)))
    assert all(answer.status_code >= 500 for answer in refused)
    rename(site, "elsewhere", "events")
    assert site.person().suppressed == ""
    # Its token was not used up by what came to nothing.
    assert site.post("/webhooks/mailgun", body).json() == {"results": ["suppressed"]}


def rename(site: ReadingSite, name: str, new: str) -> None:
    with site.site.database.write() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {name} RENAME TO {new}")


def test_a_report_that_nobody_thought_of_keeps_back_no_other(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = serve("postmark")
    take = PostmarkWebhook.take

    def stumble(webhook: PostmarkWebhook, arrival: Arrival, now: datetime) -> Report:
        if b"stumble" in arrival.body:
            raise RuntimeError("stumbled")
        return take(webhook, arrival, now)

    monkeypatch.setattr(PostmarkWebhook, "take", stumble)

    def one(number: int) -> int:
        told = {"RecordType": "Open", "MessageID": str(number), "Recipient": ANN, "ReceivedAt": "2026-11-20T09:00:00Z"}
        return tell(site, "postmark", told | ({"Tag": "stumble"} if number % 10 == 0 else {})).status_code

    with ThreadPoolExecutor(10) as pool:
        assert Counter(pool.map(one, range(40))) == {200: 36, 500: 4}


def test_only_the_mail_api_of_the_site_is_listened_to(serve: Serve) -> None:
    """What proves another vendor's reports may be known to many."""
    site = serve("mailjet")
    assert tell(site, "postmark", OPENED["postmark"]).status_code == 404
    assert site.post("/webhooks/mailpit", b"{}", headers=basic(VENDORS["mailjet"].secret)).status_code == 404
    assert site.get("/webhooks/mailjet").status_code == 405


@pytest.mark.parametrize("secret", ["", "short"])
def test_without_a_secret_the_vendor_is_told_to_come_again(serve: Serve, secret: str) -> None:
    site = serve("postmark", secret)
    refused = site.post("/webhooks/postmark", b"{}", headers=basic(secret))
    assert refused.status_code == 503
    assert "SYNDICATE_MAIL__WEBHOOK_SECRET" in refused.json()["error"]["message"]
    assert not secret or secret not in refused.text


def test_a_token_of_mailgun_is_good_for_the_body_that_it_came_with(tmp_path: Path, database_url: str) -> None:
    environ = {
        "SYNDICATE_MAIL__API": "mailgun",
        "SYNDICATE_MAIL__API_KEY": "key",
        "SYNDICATE_MAIL__WEBHOOK_SECRET": SIGNING_KEY,
    }
    with reading_site(tmp_path / "site", database_url, environ=environ) as site:
        seen, _ = mailgun(b'{"event": "opened", "id": "1"}', site.now, "token")
        forged = seen.replace(b"opened", b"complained")
        assert site.post("/webhooks/mailgun", seen).json() == {"results": ["unknown"]}
        for _ in range(2):
            assert site.post("/webhooks/mailgun", forged).status_code == 401
        assert site.post("/webhooks/mailgun", seen).json() == {"results": ["again"]}
        with site.site.database.read() as connection:
            (row,) = connection.execute(sa.select(tables.events)).all()
        assert row.kind == "other"


def test_the_standby_reports_under_its_own_secret(tmp_path: Path, database_url: str) -> None:
    environ = {
        "SYNDICATE_MAIL__API": "mailgun",
        "SYNDICATE_MAIL__API_KEY": "key",
        "SYNDICATE_MAIL__WEBHOOK_SECRET": SIGNING_KEY,
        "SYNDICATE_STANDBY__API": "postmark",
        "SYNDICATE_STANDBY__API_KEY": "key",
        "SYNDICATE_STANDBY__WEBHOOK_SECRET": SHARED,
    }
    with reading_site(tmp_path / "site", database_url, environ=environ) as site:
        assert tell(site, "postmark", OPENED["postmark"]).json() == {"results": ["unknown"]}
        assert tell(site, "mailgun", OPENED["mailgun"]).json() == {"results": ["unknown"]}
        refused = site.post("/webhooks/postmark", b"{}", headers=basic(SIGNING_KEY))
        assert refused.status_code == 401
        assert tell(site, "mailjet", OPENED["mailjet"]).status_code == 404


def test_another_account_of_the_same_mail_api_reports_under_its_own_secret(tmp_path: Path, database_url: str) -> None:
    """As Amazon's in another region does, by another topic."""
    environ = {
        "SYNDICATE_MAIL__API": "postmark",
        "SYNDICATE_MAIL__API_KEY": "key",
        "SYNDICATE_MAIL__WEBHOOK_SECRET": "first-" + SHARED,
        "SYNDICATE_STANDBY__API": "postmark",
        "SYNDICATE_STANDBY__API_KEY": "another",
        "SYNDICATE_STANDBY__WEBHOOK_SECRET": SHARED,
    }
    with reading_site(tmp_path / "site", database_url, environ=environ) as site:
        body = json.dumps(OPENED["postmark"]).encode()
        told = [site.post("/webhooks/postmark", body, headers=basic(secret)) for secret in ("first-" + SHARED, SHARED)]
        assert [each.json() for each in told] == [{"results": ["unknown"]}, {"results": ["again"]}]
        assert site.post("/webhooks/postmark", body, headers=basic("third-" + SHARED)).status_code == 401


def test_a_standby_without_a_secret_says_which_setting_is_missing(tmp_path: Path, database_url: str) -> None:
    environ = {"SYNDICATE_STANDBY__API": "postmark", "SYNDICATE_STANDBY__API_KEY": "key"}
    with reading_site(tmp_path / "site", database_url, environ=environ) as site:
        refused = tell(site, "postmark", OPENED["postmark"])
        assert refused.status_code == 503
        assert "SYNDICATE_STANDBY__WEBHOOK_SECRET" in refused.json()["error"]["message"]
