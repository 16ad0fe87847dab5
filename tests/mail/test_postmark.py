"""Postmark: whole messages in one batch, a result for each, and a record that is searched by metadata."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft202012Validator

from syndicate.errors import BadInput
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from tests.mail.answering import showing, told
from tests.mail.samples import message, specification
from tests.mail_api_server import MailApiServer, Plan, read_journal

KINDS_TAKEN = ["drop_after_accept", "drop_in_answer", "gateway_timeout", "garbage", "short"]
KINDS_NOT_TAKEN = ["drop_before_body", "drop_mid_body", "drop_after_body", "server_error", "html", "redirect"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("postmark", tmp_path / "journal", api_key="right") as running:
        yield running


@pytest.fixture
def api(server: MailApiServer) -> MailAPI:
    return open_mail_api("postmark", Connection(server.url, "right", 5.0))


def test_a_request_is_as_the_specification_says(api: MailAPI) -> None:
    found = specification("postmark")
    request = json.loads(api.build([message(number) for number in range(500)]))
    Draft202012Validator({**found["batch"], "components": found["components"]}).validate(request)
    properties = found["components"]["schemas"]["SendEmailRequest"]["properties"]
    assert request[0].keys() - properties.keys() == found["newer"].keys()
    Draft202012Validator({"properties": found["newer"]}).validate(request[0])
    assert len(request) == 500


def test_a_message_is_carried_whole_with_the_vendors_tracking_off(api: MailAPI) -> None:
    (email,) = json.loads(api.build([message(7)]))
    sent = message(7)
    assert email["From"] == "The Harbour Post <news@post.example>"
    assert email["ReplyTo"] == "Harbour desk <desk@post.example>"
    assert (email["Subject"], email["HtmlBody"], email["TextBody"]) == (sent.subject, sent.html, sent.text)
    headers = [(each["Name"], each["Value"]) for each in email["Headers"]]
    assert headers == [*(each for each in sent.headers if each[0] != "Date"), ("X-PM-KeepID", "true")]
    assert (email["TrackOpens"], email["TrackLinks"], email["MessageStream"]) == (False, "None", "broadcast")


def test_the_message_stream_is_the_one_of_the_settings(server: MailApiServer) -> None:
    api = open_mail_api("postmark", Connection(server.url, "right", stream="digests"))
    assert json.loads(api.build([message()]))[0]["MessageStream"] == "digests"


@pytest.mark.parametrize("name", ["Ann", "Zoë", "Lee, Ann", 'Ann "the" Lee', "A \\ B", "李雷", "=?x?=", ""])
def test_a_name_can_be_read_back(api: MailAPI, name: str) -> None:
    (email,) = json.loads(api.build([message(to_name=name)]))
    assert parseaddr(email["To"]) == (name, "reader1@example.org")


@pytest.mark.parametrize("changes", [{"html": "é" * 2_500_001}, {"text": "é" * 2_500_001}], ids=["html", "text"])
def test_a_body_larger_than_it_takes_is_refused_before(api: MailAPI, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="5,000,000"):
        api.build([message(**changes)])


def test_one_bad_address_is_refused_alone(tmp_path: Path) -> None:
    with MailApiServer("postmark", tmp_path / "journal", refuse=["reader2@example.org"]) as server:
        api = open_mail_api("postmark", Connection(server.url, "right"))
        answer = api.post(api.build([message(number) for number in (1, 2, 3)]), key="k", count=3)
        taken = read_journal(server.journal)
    assert (answer.verdict, answer.stops) == ("accepted", False)
    assert list(answer.refused) == [1]
    assert "inactive" in answer.refused[1]
    assert answer.vendor_ids == tuple(one.id for one in taken)
    assert [one.to for one in taken] == ["reader1@example.org", "reader3@example.org"]


@pytest.mark.parametrize("kind", KINDS_TAKEN)
def test_what_was_taken_without_an_answer_is_found_in_the_record(
    api: MailAPI, server: MailApiServer, kind: str
) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    messages = [message(number) for number in range(500)]
    assert api.post(api.build(messages), key="", count=500).verdict == "uncertain"
    ids = [one.message_id for one in messages]
    assert api.lookup(ids) == api.lookup(ids[::-1]) == frozenset(ids)


@pytest.mark.parametrize("kind", KINDS_NOT_TAKEN)
def test_what_was_not_taken_is_not_in_the_record(api: MailAPI, server: MailApiServer, kind: str) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    assert api.post(api.build([message()]), key="", count=1).verdict == "uncertain"
    assert api.lookup([message().message_id]) is None, "nothing has shown that the record works"
    assert api.post(api.build([message(2)]), key="", count=1).verdict == "accepted"
    assert api.lookup([message().message_id]) == frozenset()
    assert api.lookup([]) == frozenset()


def test_another_stream_proves_nothing(server: MailApiServer) -> None:
    digests = open_mail_api("postmark", Connection(server.url, "right", 5.0, stream="digests"))
    others = open_mail_api("postmark", Connection(server.url, "right", 5.0, stream="outbound"))
    for api, number in ((others, 1), (others, 2), (digests, 3)):
        api.post(api.build([message(number)]), key="", count=1)
    assert others.lookup([message(2).message_id]) == frozenset([message(2).message_id])
    assert digests.lookup([message(3).message_id]) == frozenset([message(3).message_id])
    assert digests.lookup([message(9).message_id]) == frozenset()
    empty = open_mail_api("postmark", Connection(server.url, "right", 5.0))
    assert empty.lookup([message(1).message_id]) is None


SHOWN: dict[str, Any] = {"MessageStream": "broadcast", "Metadata": {"syndicate-request": "1" * 32}}


@pytest.mark.parametrize(
    ("last", "searched"),
    [
        ([], []),
        ([{**SHOWN, "Metadata": {}}], []),
        ([{**SHOWN, "Metadata": {"of": "somebody else"}}], []),
        ([{"MessageStream": "broadcast"}], []),
        ([{**SHOWN, "MessageStream": "outbound"}], [SHOWN]),
        ([SHOWN], []),
        ([SHOWN], None),
        ([SHOWN], [{**SHOWN, "Metadata": {"syndicate-request": "2" * 32}}]),
        (None, []),
        ("none", []),
    ],
)
def test_a_record_that_does_not_show_what_it_has_proves_nothing(last: Any, searched: Any) -> None:
    """It finds nothing under the tag of the request; `last` are the newest, `searched` what is found by their tag."""

    def record(path: str) -> tuple[int, Any]:
        asked = parse_qs(urlsplit(path).query)
        tag = asked.get("metadata_syndicate-request", [""])[0]
        found = last if not tag else searched if tag == "1" * 32 else []
        return (200, {"Messages": found}) if found is not None else (500, {})

    with showing(record) as url:
        assert open_mail_api("postmark", Connection(url, "right", 5.0)).lookup([message().message_id]) is None


def test_a_record_that_shows_what_it_has_proves_that_the_others_were_not_taken() -> None:
    def record(path: str) -> tuple[int, Any]:
        asked = parse_qs(urlsplit(path).query)
        tag = asked.get("metadata_syndicate-request", ["1" * 32])[0]
        return 200, {"Messages": [SHOWN] if (tag, asked["status"]) == ("1" * 32, ["sent"]) else []}

    with showing(record) as url:
        assert open_mail_api("postmark", Connection(url, "right", 5.0)).lookup([message().message_id]) == frozenset()


def test_the_record_tells_one_request_from_another_and_who_was_refused(tmp_path: Path) -> None:
    with MailApiServer("postmark", tmp_path / "journal", refuse=["reader2@example.org"]) as server:
        api = open_mail_api("postmark", Connection(server.url, "right"))
        for numbers in ((1, 2, 3), (4, 5)):
            api.post(api.build([message(number) for number in numbers]), key="", count=len(numbers))
        asked = [message(number).message_id for number in (1, 2, 3)]
        assert api.lookup(asked) == frozenset([asked[0], asked[2]])


def test_a_record_that_does_not_answer_proves_nothing(tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as other:
        assert open_mail_api("postmark", Connection(other.url, "right")).lookup(["<1@example.org>"]) is None
    assert open_mail_api("postmark", Connection(other.url, "right")).lookup(["<1@example.org>"]) is None


def results(*codes: object) -> bytes:
    taken: dict[str, Any] = {"To": "ann@example.org", "MessageID": "id", "SubmittedAt": "2026-11-20T07:00:00Z"}
    each = [{**({} if code else taken), "ErrorCode": code, "Message": "so it is"} for code in codes]
    return json.dumps(each).encode()


def error(code: int) -> bytes:
    return json.dumps({"ErrorCode": code, "Message": "so it is"}).encode()


@pytest.mark.parametrize("body", [results(0, 0), results(0, 406), error(300)])
def test_the_answers_of_these_tests_are_as_the_specification_says(body: bytes) -> None:
    found, answer = specification("postmark"), json.loads(body)
    schema = found["results"] if isinstance(answer, list) else {"$ref": "#/components/schemas/StandardPostmarkResponse"}
    Draft202012Validator({**schema, "components": found["components"]}).validate(answer)


@pytest.mark.parametrize(
    ("status", "body", "verdict", "permanent", "stops"),
    [
        (200, results(0, 0), "accepted", False, False),
        (200, results(0, 300), "accepted", False, False),
        (200, results(405, 0), "accepted", False, True),
        (200, results(0, 999), "accepted", False, True),
        (200, results(300, 406), "not_accepted", True, False),
        (200, results(300, 401), "not_accepted", False, True),
        (200, results(412, 412), "not_accepted", False, True),
        (200, results(429, 429), "not_accepted", False, False),
        (200, results(0), "uncertain", False, False),
        (200, results(0, 0, 0), "uncertain", False, False),
        (200, results(0, "0"), "uncertain", False, False),
        (200, results(0, None), "uncertain", False, False),
        (200, results(0, False), "uncertain", False, False),
        (200, b'[{"ErrorCode": 0}, {"ErrorCode": 0}]', "uncertain", False, False),
        (200, b"[1, 2]", "uncertain", False, False),
        (200, b"{}", "uncertain", False, False),
        (200, b"[" * 100_000, "uncertain", False, False),
        (200, b"\xff\xfe", "uncertain", False, False),
        (202, results(0, 0), "uncertain", False, False),
        (401, error(10), "not_accepted", False, True),
        (403, b"<html>", "not_accepted", False, True),
        (404, b"", "not_accepted", False, True),
        (405, b"", "not_accepted", False, True),
        (408, b"", "uncertain", False, False),
        (413, b"", "not_accepted", True, False),
        (422, error(402), "not_accepted", True, False),
        (422, error(410), "not_accepted", True, False),
        (422, error(300), "not_accepted", True, False),
        (422, error(400), "not_accepted", False, True),
        (422, error(1235), "not_accepted", False, True),
        (422, error(999), "uncertain", False, False),
        (422, b"<html>", "uncertain", False, False),
        (429, b"slow down", "not_accepted", False, False),
        (500, error(500), "uncertain", False, False),
        (503, b"", "uncertain", False, False),
    ],
)
def test_an_answer_means_what_the_vendor_says(
    status: int, body: bytes, verdict: str, permanent: bool, stops: bool
) -> None:
    answer = told("postmark", status, body)
    assert (answer.verdict, answer.permanent, answer.stops) == (verdict, permanent, stops)
    assert len(answer.why) < 400
    assert answer.why.isprintable()


def test_whom_it_did_not_take_for_the_account_or_the_moment_is_not_refused() -> None:
    credits_ = told("postmark", 200, results(0, 405, 406, 0, 405), count=5)
    assert (list(credits_.refused), sorted(credits_.not_taken), credits_.stops) == ([2], [1, 4], True)
    assert "plan and credits" in credits_.why
    for code in (100, 429):
        limit = told("postmark", 200, results(0, code, 300), count=3)
        assert (list(limit.refused), sorted(limit.not_taken), limit.stops) == ([2], [1], False)
        assert limit.retry_after_seconds == 60.0
    unknown = told("postmark", 200, results(0, 999))
    assert (list(unknown.refused), sorted(unknown.not_taken), unknown.stops) == ([], [1], True)


def test_what_stops_everything_says_what_to_do() -> None:
    assert "sender signature" in told("postmark", 200, results(400, 400)).why
    assert "SYNDICATE_MAIL__API_KEY" in told("postmark", 401, error(10)).why


@pytest.mark.parametrize("said", ["Invalid 'From' address: 'news'.", "The From address is not valid", "Error: 'from'"])
def test_what_is_wrong_with_the_sender_is_said_under_the_code_of_readers_and_refuses_none(said: str) -> None:
    body = results(300, 300).replace(b"so it is", said.encode())
    whole = json.dumps({"ErrorCode": 300, "Message": said}).encode()
    for answer in (told("postmark", 200, body), told("postmark", 422, whole)):
        assert (answer.verdict, answer.stops, answer.permanent) == ("not_accepted", True, False)
        assert "Correct [mail] from" in answer.why
    of_one = results(0, 300).replace(b"so it is", b"Invalid 'To' address: 'ann'.")
    assert told("postmark", 200, of_one).refused == {1: "300: Invalid 'To' address: 'ann'."}


def test_a_limit_says_when_to_come_again() -> None:
    assert told("postmark", 429, error(429), {"Retry-After": "7"}).retry_after_seconds == 7.0
    assert told("postmark", 429, error(429)).retry_after_seconds == 1.0
    assert told("postmark", 200, results(100, 100)).retry_after_seconds == 60.0


def test_a_secret_in_a_result_is_blacked_out() -> None:
    body = results(0, 300).replace(b"so it is", b"the token right is right")
    assert "right" not in str(told("postmark", 200, body).refused)
