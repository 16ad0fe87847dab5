"""Resend: whole messages under a key, and what its answers mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from syndicate.errors import BadInput, MailAPIError
from syndicate.mail import open_mail_api
from syndicate.mail.answers import LONGEST_WAIT, wait_seconds
from syndicate.mail.base import Connection, MailAPI
from tests.mail.answering import told
from tests.mail.samples import message, specification
from tests.mail_api_server import MailApiServer, Plan, read_journal


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("resend", tmp_path / "journal", api_key="re_right") as running:
        yield running


@pytest.fixture
def api(server: MailApiServer) -> MailAPI:
    return open_mail_api("resend", Connection(server.url, "re_right", 5.0))


def test_a_request_is_as_the_specification_says(api: MailAPI) -> None:
    found = specification("resend")
    request = json.loads(api.build([message(number) for number in range(100)]))
    Draft202012Validator({"$ref": "#/batch", **found}).validate(request)
    allowed = found["components"]["schemas"]["SendEmailRequest"]["properties"].keys()
    assert request[0].keys() <= allowed
    assert len(request) == 100


def test_a_message_is_carried_whole(api: MailAPI) -> None:
    (email,) = json.loads(api.build([message(7)]))
    sent = message(7)
    assert email["from"] == "The Harbour Post <news@post.example>"
    assert email["reply_to"] == ["Harbour desk <desk@post.example>"]
    assert (email["subject"], email["html"], email["text"]) == (sent.subject, sent.html, sent.text)
    assert list(email["headers"].items()) == list(sent.headers)


@pytest.mark.parametrize("name", ["Ann", "Ann Lee", "Zoë", "Lee, Ann", 'Ann "the" Lee', "李雷", "=?x?=", "é" * 90, ""])
def test_a_readers_name_needs_no_quotes_and_can_be_read_back(api: MailAPI, name: str) -> None:
    (email,) = json.loads(api.build([message(to_name=name)]))
    (to,) = email["to"]
    assert '"' not in to
    assert to.isascii()
    written, address = parseaddr(to)
    assert (str(make_header(decode_header(written))), address) == (name, "reader1@example.org")


def test_a_sender_name_stands_bare_or_is_refused_with_a_cure(api: MailAPI) -> None:
    (email,) = json.loads(api.build([message(from_name="Le Café du Port")]))
    assert email["from"] == "Le Café du Port <news@post.example>"
    for name in ("Harbour Post, Ltd", "News <now>", '"News"', "=?utf-8?q?x?="):
        with pytest.raises(BadInput) as refused:
            api.build([message(from_name=name)])
        assert "[mail] from" in refused.value.cure


def test_a_batch_is_accepted_as_one(api: MailAPI, server: MailApiServer) -> None:
    answer = api.post(api.build([message(number) for number in range(100)]), key="k", count=100)
    assert answer.verdict == "accepted"
    assert answer.vendor_ids == tuple(taken.id for taken in read_journal(server.journal))
    assert len(answer.vendor_ids) == 100


@pytest.mark.parametrize(
    "kind", ["drop_after_accept", "drop_in_answer", "gateway_timeout", "garbage", "drop_after_body"]
)
def test_a_replay_under_the_key_is_accepted_once(api: MailAPI, server: MailApiServer, kind: str) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    body = api.build([message(number) for number in range(3)])
    assert api.post(body, key="k", count=3).verdict == "uncertain"
    assert api.post(body, key="k", count=3).verdict == "accepted"
    assert len(read_journal(server.journal)) == 3


def test_another_request_under_the_key_is_uncertain_and_an_alarm(api: MailAPI, server: MailApiServer) -> None:
    assert api.post(api.build([message(1)]), key="k", count=1).verdict == "accepted"
    answer = api.post(api.build([message(2)]), key="k", count=1)
    assert answer.verdict == "uncertain"
    assert "ALARM" in answer.why
    assert len(read_journal(server.journal)) == 1


def test_a_request_still_in_work_under_the_key_is_uncertain_and_told_to_wait(server: MailApiServer) -> None:
    server.plan = Plan.parse(["1:delay_before_accept=30"])
    hasty = open_mail_api("resend", Connection(server.url, "re_right", 0.3))
    body = hasty.build([message()])
    assert hasty.post(body, key="k", count=1).verdict == "uncertain"
    answer = hasty.post(body, key="k", count=1)
    assert answer.verdict == "uncertain"
    assert "still in progress" in answer.why
    assert answer.retry_after_seconds is not None
    assert answer.retry_after_seconds > 0


@pytest.mark.parametrize("key", ["", "k" * 257, "a\nb", "clé"])
def test_a_key_that_the_api_would_refuse_is_never_sent(api: MailAPI, server: MailApiServer, key: str) -> None:
    answer = api.post(api.build([message()]), key=key, count=1)
    assert (answer.verdict, answer.permanent) == ("not_accepted", True)
    assert server.seen == []


def test_past_sends_cannot_be_asked_for(api: MailAPI) -> None:
    assert not api.sheet.lookup
    assert api.lookup(["<1@example.org>"]) is None
    assert api.sheet.idempotency_seconds == 86_400


@pytest.mark.parametrize("key", ["", "two words", "line\nend", "clé"])
def test_a_key_that_cannot_be_one_is_refused_at_once(key: str) -> None:
    with pytest.raises(MailAPIError) as refused:
        open_mail_api("resend", Connection("http://127.0.0.1:9", key))
    assert refused.value.cure


def test_without_a_stand_in_it_is_the_vendors_address() -> None:
    assert open_mail_api("resend", Connection("", "re_x")).url == "https://api.resend.com/emails/batch"


def error(name: str, said: str = "so it is") -> bytes:
    return json.dumps({"statusCode": 0, "name": name, "message": said}).encode()


@pytest.mark.parametrize(
    ("status", "body", "verdict", "permanent", "stops"),
    [
        (200, b'{"data":[{"id":"a"},{"id":"b"}]}', "accepted", False, False),
        (200, b'{"data":[{"id":"a"}]}', "uncertain", False, False),
        (200, b'{"data":[{"id":"a"},{"id":""}]}', "uncertain", False, False),
        (200, b'{"data":[{"id":"a"},{"id":7}]}', "uncertain", False, False),
        (200, b'{"data":{"id":"a"}}', "uncertain", False, False),
        (200, b"[" * 100_000, "uncertain", False, False),
        (200, b"\xff\xfe", "uncertain", False, False),
        (200, b"", "uncertain", False, False),
        (202, b'{"data":[{"id":"a"},{"id":"b"}]}', "uncertain", False, False),
        (400, error("validation_error"), "not_accepted", True, False),
        (400, error("validation_error", "API key is invalid"), "not_accepted", False, True),
        (400, error("something_new"), "uncertain", False, False),
        (400, b"<html>Bad Request</html>", "uncertain", False, False),
        (401, error("missing_api_key"), "not_accepted", False, True),
        (403, error("invalid_api_key"), "not_accepted", False, True),
        (403, error("validation_error"), "not_accepted", False, True),
        (404, error("not_found"), "not_accepted", False, True),
        (405, error("method_not_allowed"), "not_accepted", False, True),
        (408, b"", "uncertain", False, False),
        (409, error("resource_locked"), "uncertain", False, False),
        (413, b"", "not_accepted", True, False),
        (422, error("validation_error"), "not_accepted", True, False),
        (422, error("missing_required_field"), "not_accepted", True, False),
        (422, error("invalid_from_address"), "not_accepted", False, True),
        (422, error("validation_error", "Invalid `from` field. It needs another format."), "not_accepted", False, True),
        (422, error("validation_error", "Invalid `to` field. It needs another format."), "not_accepted", True, False),
        (422, b"{}", "uncertain", False, False),
        (429, error("rate_limit_exceeded"), "not_accepted", False, False),
        (429, b"slow down", "not_accepted", False, False),
        (451, error("security_error"), "not_accepted", True, False),
        (500, error("application_error"), "uncertain", False, False),
        (503, error("service_unavailable"), "uncertain", False, False),
        (504, b"<html>", "uncertain", False, False),
    ],
)
def test_an_answer_means_what_the_vendor_says(
    status: int, body: bytes, verdict: str, permanent: bool, stops: bool
) -> None:
    answer = told("resend", status, body)
    assert (answer.verdict, answer.permanent, answer.stops) == (verdict, permanent, stops)
    assert len(answer.why) < 400
    assert answer.why.isprintable()


@pytest.mark.parametrize(
    ("status", "body", "cure"),
    [
        (400, error("validation_error", "API key is invalid"), "SYNDICATE_MAIL__API_KEY"),
        (401, error("missing_api_key"), "SYNDICATE_MAIL__API_KEY"),
        (401, error("validation_error", "API key is invalid"), "SYNDICATE_MAIL__API_KEY"),
        (403, error("invalid_api_key"), "SYNDICATE_MAIL__API_KEY"),
        (403, error("validation_error", "The post.example domain is not verified."), "Verify the domain"),
        (404, error("not_found"), "[mail] url"),
        (422, error("invalid_from_address"), "[mail] from"),
    ],
)
def test_what_stops_everything_says_what_to_do(status: int, body: bytes, cure: str) -> None:
    assert cure in told("resend", status, body).why


@pytest.mark.parametrize(
    ("name", "headers", "seconds"),
    [
        ("rate_limit_exceeded", {"Retry_After": "7"}, 7.0),
        ("rate_limit_exceeded", {"ratelimit_reset": "3"}, 3.0),
        ("rate_limit_exceeded", {"Retry_After": "soon", "ratelimit_reset": "3"}, 3.0),
        ("rate_limit_exceeded", {}, 1.0),
        ("daily_quota_exceeded", {}, 3600.0),
        ("monthly_quota_exceeded", {}, 86_400.0),
        ("daily_quota_exceeded", {"Retry_After": "60"}, 60.0),
    ],
)
def test_a_limit_says_when_to_come_again(name: str, headers: dict[str, str], seconds: float) -> None:
    assert told("resend", 429, error(name), headers).retry_after_seconds == seconds


NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Fri, 20 Nov 2026 09:31:00 GMT"}, 60.0),
        ({"retry-after": "Fri, 20 Nov 2026 09:31:00 GMT", "date": "Fri, 20 Nov 2026 09:30:50 GMT"}, 10.0),
        ({"retry-after": "Fri, 20 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"retry-after": "Friday, 20-Nov-26 09:31:00 GMT"}, 60.0),
        ({"retry-after": "Fri Nov 20 09:31:00 2026"}, 60.0),
        ({"retry-after": "Fri, 20 Nov 2026 10:31:00 +0100"}, 60.0),
        ({"retry-after": "2026-11-20T09:31:00Z"}, 60.0),
        ({"retry-after": "99999999999"}, LONGEST_WAIT),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "Fri, 99 Nov 2026 09:00:00 GMT"}, None),
        ({"retry-after": ""}, None),
        ({"x-ratelimit-reset": "30"}, 30.0),
        ({"x-ratelimit-reset": f"{datetime(2026, 11, 20, 9, 30, 40, tzinfo=UTC).timestamp():.0f}"}, 40.0),
        ({"x-ratelimit-reset": "1392815263"}, 0.0),
        ({"x-ratelimit-reset": f"{datetime(2026, 11, 20, 9, 30, 40, tzinfo=UTC).timestamp() * 1000:.0f}"}, 40.0),
        ({}, None),
    ],
)
def test_a_wait_is_read_as_seconds_or_as_a_date(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_seconds(headers, NOW) == seconds
