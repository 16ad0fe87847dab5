"""Amazon SES v2: one letter to many, a result for each, signed as botocore signs it, and what its errors mean."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parseaddr
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from syndicate.core.copies import Addressee, Copies, Letter, Wording
from syndicate.core.message import label
from syndicate.errors import BadInput, MailAPIError
from syndicate.mail import open_mail_api
from syndicate.mail.aws_signature import Signer
from syndicate.mail.base import Connection, MailAPI
from tests.mail.answering import told
from tests.mail.samples import message, specification
from tests.mail_api_server import MailApiServer, read_journal
from tests.mail_api_server.dialects.ses import AmazonSESDialect

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


def letter(*names: str, text: Wording | None = None, html: Wording | None = None) -> Copies:
    """A letter with every place, to readers of these names."""
    leave_at, choose_at = "https://news.post.example/u/", "https://news.post.example/p/"
    places = Wording(["Hello ", f": {leave_at}", f" {choose_at}", ""], ["name", "leaving", "choosing"])
    in_html = Wording(
        ["<p>Hello ", f'</p><a href="{leave_at}', f'">Leave</a><a href="{choose_at}', '">Choose</a>'],
        ["name", "leaving", "choosing"],
    )
    whole = Letter(
        from_name="The Harbour Post",
        from_email="news@post.example",
        reply_to="Harbour desk <desk@post.example>",
        subject=Wording(["Ferries for ", ""], ["name"]),
        html=html or in_html,
        text=text or places,
        headers=(
            ("List-Unsubscribe", Wording([f"<{leave_at}", ">"], ["leaving"])),
            ("Date", Wording(["Fri, 20 Nov 2026 07:00:00 +0000"])),
            ("List-Unsubscribe-Post", Wording(["List-Unsubscribe=One-Click"])),
            ("List-Id", Wording(["Morning Briefing <morning.news.post.example>"])),
        ),
    )
    people = [
        Addressee(f"reader{number}@example.org", name, f"leave-{number}", f"choose_{number}", str(number))
        for number, name in enumerate(names, 1)
    ]
    return Copies(whole, people, "<{}@news.post.example>".format)


def test_a_request_and_its_answer_are_as_the_service_model_says(api: MailAPI, server: MailApiServer) -> None:
    found = specification("ses")
    Draft202012Validator(found["sent"]).validate(json.loads(AmazonSESDialect().success(["m1", None, ""]).body))
    for copies in (letter(*["Zoë"] * 50), [message()]):
        body = api.build(copies)
        Draft202012Validator(found["send"]).validate(json.loads(body))
        answer = api.post(body, key="", count=len(copies))
        assert (answer.verdict, len(set(answer.vendor_ids))) == ("accepted", len(copies))


def test_a_letter_is_written_once_and_the_values_of_each_beside_it(api: MailAPI) -> None:
    assert json.loads(api.build(letter("Zoë & Co", ""))) == specification("ses")["sample"]["request"]


def test_a_sample_of_an_answer_is_read_entry_by_entry() -> None:
    sample = specification("ses")["sample"]["answer"]
    Draft202012Validator(specification("ses")["sent"]).validate(sample)
    answer = told("ses", 200, json.dumps(sample).encode(), count=5, api_key=KEY)
    assert (answer.verdict, answer.stops, answer.retry_after_seconds) == ("accepted", False, 1.0)
    assert answer.vendor_ids == ("010f018c-000001", "010f018c-000002")
    assert answer.refused == {1: "INVALID_PARAMETER: Local address contains control or whitespace"}
    assert answer.not_taken == {3, 4}


def test_each_gets_their_own_mail_with_its_label_for_what_is_reported_later(
    api: MailAPI, server: MailApiServer
) -> None:
    copies = letter("Zoë", "Ann <b>")
    api.post(api.build(copies), key="", count=2)
    taken = AmazonSESDialect().read(server.seen[0].body)
    for one, wanted in zip(taken, copies, strict=True):
        assert (one.subject, one.html, one.text) == (wanted.subject, wanted.html, wanted.text)
        assert one.message_id == label(wanted.message_id)
        wanted_headers = {each.lower(): value for each, value in wanted.headers}
        assert one.headers == {name: wanted_headers[name] for name in wanted_headers.keys() - {"date", "message-id"}}
    assert [one.message_id for one in read_journal(server.journal)] == [one.message_id for one in taken]


@pytest.mark.parametrize(
    "around", ["{", "{{", "{{{", "}", "}}", "\\", "{\\", "{{name}}", "{{#if name}}", "\\{{leave}}", "{}"]
)
def test_whatever_stands_beside_a_place_or_in_a_value_is_no_other_place(api: MailAPI, around: str) -> None:
    words = Wording([f"{around} a {around}", f"{around} https://post.example/{around}x {around}", around], ["name"] * 2)
    copies = letter(around, f"Ann {around}", text=words, html=words)
    for one, wanted in zip(AmazonSESDialect().read(api.build(copies)), copies, strict=True):
        assert one.text.replace("\u2060", "").replace("%7B", "{") == wanted.text
        assert unescape(one.html) == unescape(wanted.html)
        assert one.headers["list-unsubscribe"] == wanted.headers[1][1]


def test_a_place_in_a_header_is_refused_before(api: MailAPI) -> None:
    with pytest.raises(BadInput, match="place for a value"):
        api.build([message(headers=(("X-A", "{{name}}"),))])


def test_a_request_is_refused_before_when_it_is_larger_than_it_takes(api: MailAPI) -> None:
    api.build([message(html="x" * 900_000)])
    with pytest.raises(BadInput, match="1,000,000"):
        api.build([message(html="x" * 1_000_000)])


def test_a_single_mail_is_carried_whole(api: MailAPI) -> None:
    sent = message(7)
    request = json.loads(api.build([sent]))
    template = request["DefaultContent"]["Template"]
    assert request["FromEmailAddress"] == "The Harbour Post <news@post.example>"
    assert request["ReplyToAddresses"] == ["Harbour desk <desk@post.example>"]
    assert template["TemplateContent"] == {"Subject": sent.subject, "Text": sent.text, "Html": sent.html}
    headers = [(each["Name"], each["Value"]) for each in template["Headers"]]
    assert headers == [each for each in sent.headers if each[0] not in ("Date", "Message-ID")]
    (entry,) = request["BulkEmailEntries"]
    assert entry["ReplacementTags"] == [{"Name": "syndicate-message", "Value": label(sent.message_id)}]


@pytest.mark.parametrize("name", ["Ann", "Zoë", "Lee, Ann", 'Ann "the" Lee', "李雷", "=?x?=", "{{name}}", "é" * 90, ""])
def test_a_name_is_ascii_and_can_be_read_back(api: MailAPI, name: str) -> None:
    (entry,) = json.loads(api.build([message(to_name=name)]))["BulkEmailEntries"]
    (to,) = entry["Destination"]["ToAddresses"]
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
    assert vendor.url == "https://email.eu-west-1.amazonaws.com/v2/email/outbound-bulk-emails"
    url = "http://127.0.0.1:9"
    here, there = (open_mail_api("ses", Connection(url, KEY, region=each)) for each in ("", "eu-west-1"))
    assert here.account != there.account


def test_past_sends_cannot_be_asked_for(api: MailAPI) -> None:
    assert (api.sheet.lookup, api.sheet.idempotency_seconds) == (False, None)
    assert api.lookup(["<1@example.org>"]) is None


SAID = b'{"message": "so it is"}'
TAKEN = b'{"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": "a"}]}'
UNVERIFIED = b'{"message": "Email address is not verified. The following identities failed the check"}'


@pytest.mark.parametrize(
    ("status", "body", "name", "verdict", "permanent", "stops"),
    [
        (200, TAKEN, "", "accepted", False, False),
        (200, b'{"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": ""}]}', "", "uncertain", False, False),
        (200, b'{"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": 7}]}', "", "uncertain", False, False),
        (200, b'{"BulkEmailEntryResults": [{"Status": "SUCCESS"}]}', "", "uncertain", False, False),
        (200, b'{"BulkEmailEntryResults": [7]}', "", "uncertain", False, False),
        (200, b'{"BulkEmailEntryResults": []}', "", "uncertain", False, False),
        (200, b'{"BulkEmailEntryResults": {}}', "", "uncertain", False, False),
        (200, b'{"MessageId": "a"}', "", "uncertain", False, False),
        (200, b"{}", "", "uncertain", False, False),
        (200, b"", "", "uncertain", False, False),
        (200, b"[" * 100_000, "", "uncertain", False, False),
        (202, TAKEN, "", "uncertain", False, False),
        (400, SAID, "BadRequestException", "not_accepted", True, False),
        (400, SAID, "MessageRejected", "not_accepted", True, False),
        (400, UNVERIFIED, "MessageRejected", "not_accepted", False, True),
        (400, SAID, "MailFromDomainNotVerifiedException", "not_accepted", False, True),
        (400, SAID, "SendingPausedException", "not_accepted", False, True),
        (400, SAID, "AccountSuspendedException", "not_accepted", False, True),
        (400, SAID, "ThrottlingException", "not_accepted", False, False),
        (400, SAID, "LimitExceededException", "not_accepted", False, False),
        (400, SAID, "AccessDeniedException", "not_accepted", False, True),
        (400, SAID, "RequestExpired", "not_accepted", False, True),
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


PAUSING = {
    "MAIL_FROM_DOMAIN_NOT_VERIFIED": "Verify the MAIL FROM domain",
    "ACCOUNT_SUSPENDED": "ask its support",
    "ACCOUNT_SENDING_PAUSED": "has paused sending",
    "CONFIGURATION_SET_NOT_FOUND": "configuration set",
    "CONFIGURATION_SET_SENDING_PAUSED": "configuration set",
    "INVALID_SENDING_POOL_NAME": "configuration set",
    "TEMPLATE_NOT_FOUND": "Ask Amazon SES",
}
WAITING = {"ACCOUNT_THROTTLED": 1.0, "TRANSIENT_FAILURE": 60.0, "ACCOUNT_DAILY_QUOTA_EXCEEDED": 3600.0}
REFUSING = {"MESSAGE_REJECTED", "INVALID_PARAMETER"}


def results(*statuses: str, error: str = "so it is", **more: object) -> bytes:
    entries: list[dict[str, Any]] = [
        {"Status": each, **({"MessageId": f"m{place}"} if each == "SUCCESS" else {"Error": error, **more})}
        for place, each in enumerate(statuses)
    ]
    return json.dumps({"BulkEmailEntryResults": entries}).encode()


def test_every_status_of_the_service_model_is_certain() -> None:
    item = specification("ses")["sent"]["properties"]["BulkEmailEntryResults"]["items"]
    assert {"SUCCESS", "FAILED", *PAUSING, *WAITING, *REFUSING} == set(item["properties"]["Status"]["enum"])


@pytest.mark.parametrize("status", sorted(PAUSING))
def test_what_is_wrong_with_the_account_pauses_and_refuses_nobody(status: str) -> None:
    some = told("ses", 200, results("SUCCESS", status, status), count=3, api_key=KEY)
    assert (some.verdict, some.refused, some.not_taken, some.stops) == ("accepted", {}, frozenset([1, 2]), True)
    assert PAUSING[status] in some.why
    none = told("ses", 200, results(status, status), api_key=KEY)
    assert (none.verdict, none.stops, none.permanent) == ("not_accepted", True, False)


@pytest.mark.parametrize("status", sorted(WAITING))
def test_whom_a_limit_or_the_moment_kept_out_goes_again(status: str) -> None:
    some = told("ses", 200, results("SUCCESS", status, "MESSAGE_REJECTED"), count=3, api_key=KEY)
    assert (some.verdict, list(some.refused), some.not_taken) == ("accepted", [2], frozenset([1]))
    assert (some.stops, some.retry_after_seconds) == (False, WAITING[status])
    none = told("ses", 200, results(status, status), api_key=KEY)
    assert (none.verdict, none.permanent, none.retry_after_seconds) == ("not_accepted", False, WAITING[status])


def test_the_longest_wait_is_kept() -> None:
    answer = told("ses", 200, results("SUCCESS", *WAITING), count=4, api_key=KEY)
    assert (answer.not_taken, answer.retry_after_seconds) == (frozenset([1, 2, 3]), 3600.0)


@pytest.mark.parametrize("status", sorted(REFUSING))
def test_one_that_is_turned_down_is_refused_alone(status: str) -> None:
    some = told("ses", 200, results("SUCCESS", status), api_key=KEY)
    assert (some.verdict, some.refused, some.not_taken) == ("accepted", {1: f"{status}: so it is"}, frozenset())
    none = told("ses", 200, results(status), count=1, api_key=KEY)
    assert (none.verdict, none.permanent, none.stops) == ("not_accepted", True, False)


def test_one_that_failed_for_no_reason_of_its_own_goes_again_and_is_refused_when_it_fails_alone() -> None:
    some = told("ses", 200, results("SUCCESS", "FAILED", "MESSAGE_REJECTED"), count=3, api_key=KEY)
    assert (some.verdict, set(some.refused), some.not_taken) == ("accepted", {2}, frozenset([1]))
    assert (some.stops, some.retry_after_seconds) == (False, None)
    alone = told("ses", 200, results("FAILED"), count=1, api_key=KEY)
    assert (alone.verdict, alone.permanent, alone.why) == ("not_accepted", True, "FAILED: so it is")


def test_an_identity_that_is_not_verified_is_of_the_account() -> None:
    said = "Email address is not verified. The following identities failed the check"
    answer = told("ses", 200, results("MESSAGE_REJECTED", "MESSAGE_REJECTED", error=said), api_key=KEY)
    assert (answer.verdict, answer.stops) == ("not_accepted", True)
    assert "Verify [mail] from" in answer.why


@pytest.mark.parametrize(
    "body",
    [
        results("SUCCESS"),
        results("SUCCESS", "SUCCESS", "SUCCESS"),
        results("SUCCESS", "SOMETHING_NEW"),
        results("SUCCESS", "FAILED", error=""),
        results("SUCCESS", "ACCOUNT_THROTTLED", MessageId="m7"),
        results("SUCCESS", "MESSAGE_REJECTED", MessageId="m7"),
        results("SUCCESS", ""),
        b'{"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": "a"}, {"Status": ["FAILED"]}]}',
        b'{"BulkEmailEntryResults": [{"Status": "SUCCESS", "MessageId": "a"}, null]}',
    ],
)
def test_an_answer_that_does_not_tell_of_each_is_uncertain(body: bytes) -> None:
    assert told("ses", 200, body, api_key=KEY).verdict == "uncertain"
