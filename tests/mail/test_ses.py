"""Amazon SES v2: one message a request, signed as botocore signs it, and what its errors mean."""

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
from syndicate.mail.aws_signature import Signer
from syndicate.mail.base import Connection, MailAPI
from tests.mail.answering import told
from tests.mail.samples import message, specification
from tests.mail_api_server import MailApiServer

KEY = "AKIDEXAMPLE:right"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("ses", tmp_path / "journal", api_key=KEY) as running:
        yield running


@pytest.fixture
def api(server: MailApiServer) -> MailAPI:
    return open_mail_api("ses", Connection(server.url, KEY, 5.0))


@pytest.mark.parametrize("place", range(3))
def test_a_request_is_signed_as_by_the_vendor(place: int) -> None:
    found = specification("ses")["signed"]
    sample = found["requests"][place]
    signer = Signer(found["access_key"], found["secret_key"], sample["region"], "ses")
    at = datetime.strptime(sample["date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    headers = signer.headers(sample["url"], sample["body"].encode(), "application/json", at)
    assert headers["Authorization"] == sample["authorization"]
    assert headers["X-Amz-Date"] == sample["date"]
    assert found["secret_key"] not in repr(signer)


def test_the_signature_covers_the_request_as_it_leaves(api: MailAPI, server: MailApiServer) -> None:
    api.post(api.build([message()]), key="", count=1)
    (seen,) = server.seen
    at = datetime.strptime(seen.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    url = f"http://{seen.headers['Host']}{seen.path}"
    again = Signer("AKIDEXAMPLE", "right", "us-east-1", "ses").headers(url, seen.body, seen.headers["Content-Type"], at)
    assert seen.headers["Authorization"] == again["Authorization"]


def test_a_request_is_as_the_service_model_says(api: MailAPI) -> None:
    request = json.loads(api.build([message()]))
    Draft202012Validator(specification("ses")["send"]).validate(request)


def test_a_message_is_carried_whole(api: MailAPI) -> None:
    request, sent = json.loads(api.build([message(7)])), message(7)
    simple = request["Content"]["Simple"]
    assert request["FromEmailAddress"] == "The Harbour Post <news@post.example>"
    assert request["ReplyToAddresses"] == ["Harbour desk <desk@post.example>"]
    assert simple["Subject"] == {"Data": sent.subject, "Charset": "UTF-8"}
    assert (simple["Body"]["Html"]["Data"], simple["Body"]["Text"]["Data"]) == (sent.html, sent.text)
    headers = [(each["Name"], each["Value"]) for each in simple["Headers"]]
    assert headers == [each for each in sent.headers if each[0] not in ("Date", "Message-ID")]


@pytest.mark.parametrize("name", ["Ann", "Zoë", "Lee, Ann", 'Ann "the" Lee', "李雷", "=?x?=", "é" * 90, ""])
def test_a_name_is_ascii_and_can_be_read_back(api: MailAPI, name: str) -> None:
    (to,) = json.loads(api.build([message(to_name=name)]))["Destination"]["ToAddresses"]
    assert to.isascii()
    written, address = parseaddr(to)
    assert (str(make_header(decode_header(written))), address) == (name, "reader1@example.org")


@pytest.mark.parametrize(
    "headers",
    [[(f"X-{number}", "v") for number in range(16)], [("X-A", "v" * 996)], [("X" * 127, "v")], [("X-A", "")]],
    ids=["too many", "long value", "long name", "empty value"],
)
def test_headers_out_of_bounds_are_refused_before(api: MailAPI, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(BadInput):
        api.build([message(headers=tuple(headers))])


@pytest.mark.parametrize("key", ["key", ":secret", "key:"])
def test_a_key_without_its_secret_is_refused_at_once(key: str) -> None:
    with pytest.raises(MailAPIError, match="secret"):
        open_mail_api("ses", Connection("http://127.0.0.1:9", key))


@pytest.mark.parametrize("region", ["evil.example/", "eu west", "eu-west", "EU-WEST-1"])
def test_a_region_that_is_none_is_refused_at_once(region: str) -> None:
    with pytest.raises(MailAPIError, match="region"):
        open_mail_api("ses", Connection("http://127.0.0.1:9", KEY, region=region))


def test_the_region_is_part_of_the_address_and_of_the_account() -> None:
    vendor = open_mail_api("ses", Connection("", KEY, region="eu-west-1"))
    assert vendor.url == "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"
    url = "http://127.0.0.1:9"
    here, there = (open_mail_api("ses", Connection(url, KEY, region=each)) for each in ("", "eu-west-1"))
    assert here.account != there.account


def test_past_sends_cannot_be_asked_for(api: MailAPI) -> None:
    assert (api.sheet.lookup, api.sheet.idempotency_seconds) == (False, None)
    assert api.lookup(["<1@example.org>"]) is None


SAID = b'{"message": "so it is"}'
UNVERIFIED = b'{"message": "Email address is not verified. The following identities failed the check"}'


@pytest.mark.parametrize(
    ("status", "body", "name", "verdict", "permanent", "stops"),
    [
        (200, b'{"MessageId": "a"}', "", "accepted", False, False),
        (200, b'{"MessageId": ""}', "", "uncertain", False, False),
        (200, b'{"MessageId": 7}', "", "uncertain", False, False),
        (200, b"{}", "", "uncertain", False, False),
        (200, b"", "", "uncertain", False, False),
        (200, b"[" * 100_000, "", "uncertain", False, False),
        (202, b'{"MessageId": "a"}', "", "uncertain", False, False),
        (400, SAID, "BadRequestException", "not_accepted", True, False),
        (400, SAID, "MessageRejected", "not_accepted", True, False),
        (400, UNVERIFIED, "MessageRejected", "not_accepted", False, True),
        (400, SAID, "MailFromDomainNotVerifiedException", "not_accepted", False, True),
        (400, SAID, "SendingPausedException", "not_accepted", False, True),
        (400, SAID, "AccountSuspendedException", "not_accepted", False, True),
        (400, SAID, "ThrottlingException", "not_accepted", False, False),
        (400, SAID, "LimitExceededException", "not_accepted", False, False),
        (400, SAID, "SomethingNewException", "uncertain", False, False),
        (400, SAID, "", "uncertain", False, False),
        (400, b"<html>", "", "uncertain", False, False),
        (403, SAID, "SignatureDoesNotMatch", "not_accepted", False, True),
        (403, SAID, "AccessDeniedException", "not_accepted", False, True),
        (404, SAID, "NotFoundException", "not_accepted", False, True),
        (413, b"", "", "not_accepted", True, False),
        (429, SAID, "TooManyRequestsException", "not_accepted", False, False),
        (500, SAID, "InternalFailure", "uncertain", False, False),
        (503, b"", "ServiceUnavailable", "uncertain", False, False),
    ],
)
def test_an_answer_means_what_the_vendor_says(
    status: int, body: bytes, name: str, verdict: str, permanent: bool, stops: bool
) -> None:
    headers = {"x-amzn-ErrorType": f"{name}:http://internal.amazon.com/"} if name else {}
    answer = told("ses", status, body, headers, count=1, api_key=KEY)
    assert (answer.verdict, answer.permanent, answer.stops) == (verdict, permanent, stops)
    assert len(answer.why) < 450
    assert answer.why.isprintable()


def test_every_error_of_the_service_model_is_certain() -> None:
    for name in specification("ses")["errors"]:
        status = {"TooManyRequestsException": 429, "NotFoundException": 404}.get(name, 400)
        answer = told("ses", status, SAID, {"x-amzn-ErrorType": name}, count=1, api_key=KEY)
        assert answer.verdict == "not_accepted", name


def test_a_limit_says_when_to_come_again() -> None:
    rate, quota = b'{"message": "Maximum sending rate exceeded."}', b'{"message": "Daily message quota exceeded."}'
    named = {"x-amzn-ErrorType": "TooManyRequestsException"}
    assert told("ses", 429, rate, named, count=1, api_key=KEY).retry_after_seconds == 1.0
    assert told("ses", 429, quota, named, count=1, api_key=KEY).retry_after_seconds == 3600.0
    assert told("ses", 429, rate, {**named, "Retry-After": "7"}, count=1, api_key=KEY).retry_after_seconds == 7.0
