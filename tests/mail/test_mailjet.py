"""Mailjet: whole messages in one batch, a result for each under whatever status, and a record that is searched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft202012Validator

from syndicate.errors import BadInput, MailAPIError
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from tests.mail.answering import showing, told
from tests.mail.samples import message, specification
from tests.mail_api_server import MailApiServer, Plan, read_journal


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("mailjet", tmp_path / "journal", api_key="key:right") as running:
        yield running


@pytest.fixture
def api(server: MailApiServer) -> MailAPI:
    return open_mail_api("mailjet", Connection(server.url, "key:right", 5.0))


def test_a_request_is_as_the_guide_says(api: MailAPI) -> None:
    request = json.loads(api.build([message(number) for number in range(50)]))
    Draft202012Validator(specification("mailjet")["send"]).validate(request)
    assert len(request["Messages"]) == 50


def test_a_message_is_carried_whole_with_the_vendors_tracking_off(api: MailAPI) -> None:
    (email,) = json.loads(api.build([message(7)]))["Messages"]
    sent = message(7)
    assert email["From"] == {"Email": "news@post.example", "Name": "The Harbour Post"}
    assert email["ReplyTo"] == {"Email": "desk@post.example", "Name": "Harbour desk"}
    assert (email["Subject"], email["HTMLPart"], email["TextPart"]) == (sent.subject, sent.html, sent.text)
    assert (email["TrackOpens"], email["TrackClicks"]) == ("disabled", "disabled")
    assert email["Headers"] == {
        "List-Unsubscribe": "<https://news.post.example/u/token7>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }


@pytest.mark.parametrize("key", ["key", ":secret", "key:"])
def test_a_key_without_its_secret_is_refused_at_once(key: str) -> None:
    with pytest.raises(MailAPIError) as refused:
        open_mail_api("mailjet", Connection("http://127.0.0.1:9", key))
    assert "key:secret" in refused.value.cure


def test_a_subject_longer_than_it_takes_is_refused_before(api: MailAPI) -> None:
    with pytest.raises(BadInput, match="255"):
        api.build([message(subject="é" * 256)])


def test_one_bad_address_is_refused_alone_under_an_errors_status(tmp_path: Path) -> None:
    with MailApiServer("mailjet", tmp_path / "journal", refuse=["reader2@example.org"]) as server:
        api = open_mail_api("mailjet", Connection(server.url, "key:right"))
        answer = api.post(api.build([message(number) for number in (1, 2, 3)]), key="k", count=3)
        taken = read_journal(server.journal)
        asked = [message(number).message_id for number in (1, 2, 3)]
        assert api.lookup(asked) == frozenset([asked[0], asked[2]])
    assert (answer.verdict, answer.stops) == ("accepted", False)
    assert list(answer.refused) == [1]
    assert "mj-0013" in answer.refused[1]
    assert answer.vendor_ids == tuple(one.id for one in taken)


@pytest.mark.parametrize("kind", ["drop_after_accept", "drop_in_answer", "gateway_timeout", "garbage", "short"])
def test_what_was_taken_without_an_answer_is_found_in_the_record(
    api: MailAPI, server: MailApiServer, kind: str
) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    messages = [message(number) for number in range(50)]
    assert api.post(api.build(messages), key="", count=50).verdict == "uncertain"
    ids = [one.message_id for one in messages]
    assert api.lookup(ids) == frozenset(ids)


@pytest.mark.parametrize("kind", ["drop_mid_body", "drop_after_body", "server_error", "html", "redirect"])
def test_what_was_not_taken_is_not_in_the_record(api: MailAPI, server: MailApiServer, kind: str) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    assert api.post(api.build([message()]), key="", count=1).verdict == "uncertain"
    assert api.lookup([message().message_id]) is None, "nothing has shown that the record works"
    assert api.post(api.build([message(2)]), key="", count=1).verdict == "accepted"
    assert api.lookup([message().message_id]) == frozenset()
    assert api.lookup([]) == frozenset()


OURS, OTHERS = {"CustomID": "1" * 32}, {"CustomID": "of somebody else"}


@pytest.mark.parametrize(
    ("last", "found"), [([], []), ([{}], []), ([OTHERS], [OTHERS]), ([OURS], []), ([OURS], [OTHERS]), ([7], [])]
)
def test_a_record_that_does_not_show_what_it_has_proves_nothing(last: Any, found: Any) -> None:
    """It finds nothing under our ids; `last` are the newest, `found` what is found under the id of one of them."""

    def record(path: str) -> tuple[int, Any]:
        wanted = parse_qs(urlsplit(path).query).get("CustomID", [""])[0]
        return 200, {"Data": last if not wanted else found if wanted == "1" * 32 else []}

    with showing(record) as url:
        assert open_mail_api("mailjet", Connection(url, "key:right", 5.0)).lookup(["<1@example.org>"]) is None


def test_a_record_that_does_not_answer_proves_nothing(tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as other:
        assert open_mail_api("mailjet", Connection(other.url, "key:right")).lookup(["<1@example.org>"]) is None
    assert open_mail_api("mailjet", Connection(other.url, "key:right")).lookup(["<1@example.org>"]) is None


TAKEN: dict[str, Any] = {"Status": "success", "To": [{"Email": "ann@example.org", "MessageUUID": "u", "MessageID": 4}]}


def results(*codes: str) -> bytes:
    """The answer to as many messages; "" was taken."""
    each = [
        {"Status": "error", "Errors": [{"ErrorCode": code, "StatusCode": 400, "ErrorMessage": "so it is"}]}
        if code
        else TAKEN
        for code in codes
    ]
    return json.dumps({"Messages": each}).encode()


def error(code: str) -> bytes:
    return json.dumps({"ErrorIdentifier": "x", "ErrorCode": code, "ErrorMessage": "so it is", "StatusCode": 0}).encode()


@pytest.mark.parametrize(
    ("status", "body", "verdict", "permanent", "stops"),
    [
        (200, results("", ""), "accepted", False, False),
        (400, results("", "mj-0013"), "accepted", False, False),
        (403, results("", "send-0008"), "accepted", False, True),
        (400, results("mj-0013", "mj-0013"), "not_accepted", True, False),
        (403, results("send-0008", "send-0008"), "not_accepted", False, True),
        (400, results("", "new-0001"), "uncertain", False, False),
        (400, results("new-0001", "new-0001"), "uncertain", False, False),
        (500, results("mj-0013", "mj-0013"), "uncertain", False, False),
        (200, results(""), "uncertain", False, False),
        (200, results("", "", ""), "uncertain", False, False),
        (200, json.dumps({"Messages": [TAKEN, {"Status": "success"}]}).encode(), "uncertain", False, False),
        (200, json.dumps({"Messages": [TAKEN, {"Status": "error"}]}).encode(), "uncertain", False, False),
        (200, json.dumps({"Messages": [TAKEN, {**TAKEN, "Status": "queued"}]}).encode(), "uncertain", False, False),
        (200, json.dumps({"Messages": [TAKEN, {**TAKEN, "To": [{}]}]}).encode(), "uncertain", False, False),
        (200, b'{"Messages": 7}', "uncertain", False, False),
        (200, b'{"Messages": [1, 2]}', "uncertain", False, False),
        (200, b"[" * 100_000, "uncertain", False, False),
        (200, b"", "uncertain", False, False),
        (400, error("mj-0002"), "not_accepted", True, False),
        (400, error("new-0001"), "uncertain", False, False),
        (400, b"<html>", "uncertain", False, False),
        (401, error("mj-0015"), "not_accepted", False, True),
        (401, error("mj-0001"), "not_accepted", False, True),
        (401, b"", "not_accepted", False, True),
        (403, b"<html>", "not_accepted", False, True),
        (404, b"", "not_accepted", False, True),
        (405, b"", "not_accepted", False, True),
        (408, b"", "uncertain", False, False),
        (413, b"", "not_accepted", True, False),
        (429, b"", "not_accepted", False, False),
        (500, error(""), "uncertain", False, False),
        (503, b"", "uncertain", False, False),
    ],
)
def test_an_answer_means_what_the_vendor_says(
    status: int, body: bytes, verdict: str, permanent: bool, stops: bool
) -> None:
    answer = told("mailjet", status, body, api_key="key:right")
    assert (answer.verdict, answer.permanent, answer.stops) == (verdict, permanent, stops)
    assert len(answer.why) < 450
    assert answer.why.isprintable()


def test_whom_it_did_not_take_for_the_account_is_not_refused() -> None:
    answer = told("mailjet", 403, results("", "send-0008", "mj-0013", ""), count=4, api_key="key:right")
    assert (answer.verdict, answer.stops, len(answer.vendor_ids)) == ("accepted", True, 2)
    assert (list(answer.refused), sorted(answer.not_taken)) == ([2], [1])
    assert "Validate [mail] from" in answer.why


def test_what_stops_everything_says_what_to_do() -> None:
    assert "Validate [mail] from" in told("mailjet", 403, results("send-0008", "send-0008"), api_key="key:right").why
    assert "key:secret" in told("mailjet", 401, b"", api_key="key:right").why


@pytest.mark.parametrize(
    ("related", "of_the_sender"),
    [(["From.Email"], True), (["ReplyTo"], True), (["To[0].Email"], False), ([], False), (7, False), ([7], False)],
)
def test_what_is_wrong_with_the_sender_refuses_no_reader(related: object, of_the_sender: bool) -> None:
    wrong = {"ErrorCode": "mj-0013", "ErrorMessage": "no valid address", "ErrorRelatedTo": related}
    body = json.dumps({"Messages": [{"Status": "error", "Errors": [wrong]}] * 2}).encode()
    answer = told("mailjet", 400, body, api_key="key:right")
    assert (answer.verdict, answer.stops, answer.permanent) == ("not_accepted", of_the_sender, not of_the_sender)
    assert ("Correct [mail] from" in answer.why) == of_the_sender


def test_a_limit_says_when_to_come_again() -> None:
    assert told("mailjet", 429, b"", {"Retry-After": "7"}, api_key="key:right").retry_after_seconds == 7.0
    assert told("mailjet", 429, b"", api_key="key:right").retry_after_seconds == 60.0
