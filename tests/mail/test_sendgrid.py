"""SendGrid: one content to many personalizations, tags that nothing else can be, all or nothing, 202 without words."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from jsonschema import Draft202012Validator

from syndicate.core.copies import Addressee, Copies, Wording
from syndicate.core.message import LABEL, label
from syndicate.errors import BadInput, MailAPIError
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from tests.mail.answering import showing, told
from tests.mail.samples import message, specification
from tests.mail.test_contract import HOSTILE, letter
from tests.mail_api_server import DIALECTS, MailApiServer, Plan, read_journal


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("sendgrid", tmp_path / "journal", api_key="right") as running:
        yield running


@pytest.fixture
def api(server: MailApiServer) -> MailAPI:
    return open_mail_api("sendgrid", Connection(server.url, "right", 5.0))


def crowd(count: int, name: str = "", text: str = "") -> Copies:
    people = [Addressee(f"r{n}@example.org", name, f"leave{n}", f"choose{n}", str(n)) for n in range(count)]
    whole = letter("").letter
    if text:
        whole = replace(whole, text=Wording([text, ""], ["name"]))
    return Copies(whole, people, "<{}@x.example>".format)


def sent(api: MailAPI, copies: Copies) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(api.build(copies))
    return found


def test_a_request_is_as_the_specification_says(api: MailAPI) -> None:
    request = sent(api, crowd(1000, "Zoë, reader"))
    whole = specification("sendgrid")
    Draft202012Validator({**whole, **whole["send"]}).validate(request)
    assert not request.keys() - whole["send"]["properties"].keys()
    own = whole["send"]["properties"]["personalizations"]["items"]["properties"]
    assert all(not each.keys() - own.keys() for each in request["personalizations"])
    assert len(request["personalizations"]) == 1000


def test_the_letter_is_carried_once_whoever_it_goes_to(api: MailAPI) -> None:
    small, large = (len(api.build(crowd(count))) for count in (1, 1000))
    assert (large - small) / 999 < 600


def test_every_kind_of_the_vendors_tracking_is_off(api: MailAPI) -> None:
    request = sent(api, crowd(2))
    kinds = specification("sendgrid")["send"]["properties"]["tracking_settings"]["properties"]
    assert request["tracking_settings"] == {kind: {"enable": False} for kind in kinds}
    assert request["mail_settings"] == {"footer": {"enable": False}}
    assert "asm" not in request


def test_each_has_headers_and_a_label_of_their_own(api: MailAPI) -> None:
    request = sent(api, crowd(2))
    for n, one in enumerate(request["personalizations"]):
        assert one["to"] == [{"email": f"r{n}@example.org"}]
        assert one["headers"]["Message-ID"] == f"<{n}@x.example>"
        assert one["headers"]["List-Unsubscribe"] == f"<https://news.post.example/u/leave{n}>"
        assert one["custom_args"] == {LABEL: label(f"<{n}@x.example>")}
    assert request["headers"].keys() == {"List-Unsubscribe-Post", "List-Id"}
    assert [part["type"] for part in request["content"]] == ["text/plain", "text/html"]


@pytest.mark.parametrize("words", [HOSTILE, "-syndicate0-leaving- -syndicate1-name- -syndicate2", "-syndicate0"])
def test_tags_stand_neither_in_the_letter_nor_in_a_name(api: MailAPI, words: str) -> None:
    for copies in (crowd(3, words[:180]), crowd(3, "Zoë", words), crowd(3, words[:180], words)):
        request = sent(api, copies)
        tags = {tag for one in request["personalizations"] for tag in one["substitutions"]}
        assert len(tags) == 4
        said = [*copies.letter.text.literals, *(person.name for person in copies.people)]
        assert not [tag for tag in tags for each in said if tag in each]
        got = DIALECTS["sendgrid"]().read(json.dumps(request).encode())
        assert [one.text for one in got] == [one.text for one in copies]


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": ""},
        {"html": "", "text": ""},
        {"headers": (("X-SG-ID", "x"),)},
        {"headers": (("x-sg-eid", "x"),)},
    ],
    ids=str,
)
def test_what_it_cannot_express_is_refused(api: MailAPI, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refused:
        api.build([message(**changes)])
    assert refused.value.cure


def test_two_letters_do_not_go_in_one_request(api: MailAPI) -> None:
    with pytest.raises(BadInput, match="one letter"):
        api.build([message(1), message(2)])


def test_the_region_is_part_of_the_address_and_of_the_account() -> None:
    here, there = (open_mail_api("sendgrid", Connection("", "right", region=region)) for region in ("", "eu"))
    assert here.url == "https://api.sendgrid.com/v3/mail/send"
    assert there.url == "https://api.eu.sendgrid.com/v3/mail/send"
    assert here.account != there.account
    with pytest.raises(MailAPIError, match="region") as refused:
        open_mail_api("sendgrid", Connection("", "right", region="moon"))
    assert refused.value.cure


def test_it_has_neither_keys_nor_a_record(api: MailAPI) -> None:
    assert (api.sheet.lookup, api.sheet.idempotency_seconds) == (False, None)
    assert api.lookup(["<1@example.org>"], key="k") is None


@pytest.fixture
def asked(server: MailApiServer) -> MailAPI:
    """With Email Activity."""
    return open_mail_api("sendgrid", Connection(server.url, "right", 60.0, activity=True))


@pytest.mark.parametrize("kind", ["drop_after_accept", "gateway_timeout", "short"])
def test_what_was_taken_without_an_answer_is_found_in_the_record(
    asked: MailAPI, server: MailApiServer, kind: str
) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    assert asked.sheet.lookup
    assert asked.post(asked.build(crowd(1_000)), key="", count=1_000).verdict == "uncertain"
    ids = crowd(1_000).message_ids()
    assert asked.lookup(ids) == frozenset(ids)


def test_what_was_not_taken_is_not_in_the_record(asked: MailAPI, server: MailApiServer) -> None:
    server.plan = Plan.parse(["1:drop_after_body"])
    assert asked.post(asked.build(crowd(3)), key="", count=3).verdict == "uncertain"
    ids = crowd(3).message_ids()
    assert asked.post(asked.build([message()]), key="", count=1).verdict == "accepted"
    assert asked.lookup(ids) == frozenset()
    assert asked.lookup([]) == frozenset()
    assert asked.lookup(ids) is None, "it was asked six times in a minute"


def test_a_record_that_shows_nothing_of_ours_or_was_not_paid_for_proves_nothing(
    asked: MailAPI, server: MailApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert asked.lookup(["<1@x.example>"]) is None
    asked.post(asked.build([message()]), key="", count=1)
    monkeypatch.setattr(DIALECTS["sendgrid"], "has_activity", False)
    assert asked.lookup([message().message_id]) is None


@pytest.mark.parametrize("status", [200, 403, 404, 429])
def test_it_is_asked_six_times_a_minute_and_no_more(status: int) -> None:
    paths: list[str] = []

    def record(path: str) -> tuple[int, Any]:
        paths.append(path)
        return status, {"messages": []}

    with showing(record) as url:
        asked = open_mail_api("sendgrid", Connection(url, "right", 5.0, activity=True))
        assert {asked.lookup(["<1@x.example>"]) for _ in range(20)} == {None}
    assert len(paths) == 6


def shown(url: str, *ids: str) -> frozenset[str] | None:
    return open_mail_api("sendgrid", Connection(url, "right", 5.0, activity=True)).lookup(ids)


@pytest.mark.parametrize("told_as", ["object", "json", "other", "none"])
def test_a_mail_is_believed_to_be_ours_by_what_was_given_along(told_as: str) -> None:
    """A record that passes over what it was asked for answers with any mail."""
    own = {LABEL: label("<1@x.example>"), "more": "x"}
    args = {"object": own, "json": json.dumps(own), "other": {LABEL: "0" * 32}, "none": None}[told_as]

    def record(path: str) -> tuple[int, Any]:
        return 200, {"messages": [{"msg_id": "a.b"}]} if "query=" in path else {"msg_id": "a.b", "unique_args": args}

    with showing(record) as url:
        found = shown(url, "<1@x.example>", "<2@x.example>")
    assert found == (frozenset(["<1@x.example>", "<2@x.example>"]) if told_as in ("object", "json") else None)


@pytest.mark.parametrize(("last", "found"), [(False, True), (True, False), (True, True)])
def test_none_is_believed_of_a_record_that_finds_another_mail_of_ours(last: bool, found: bool) -> None:
    def record(path: str) -> tuple[int, Any]:
        query = parse_qs(urlsplit(path).query).get("query", [""])[0]
        if not query:
            return 200, {"msg_id": "a.b", "unique_args": {LABEL: "1" * 32}}
        there = last if "NOT NULL" in query else found and "1" * 32 in query
        return 200, {"messages": [{"msg_id": "a.b"}] if there else []}

    with showing(record) as url:
        assert shown(url, "<1@x.example>", "<2@x.example>") == (frozenset() if last and found else None)


def test_one_id_stands_for_the_whole_request(api: MailAPI, server: MailApiServer) -> None:
    answer = api.post(api.build(crowd(3)), key="", count=3)
    taken = read_journal(server.journal)
    assert (answer.verdict, answer.vendor_ids) == ("accepted", (taken[0].id,))
    assert [one.message_id for one in taken] == [f"<{n}@x.example>" for n in range(3)]


def said(words: str, field: str | None = None) -> bytes:
    return json.dumps({"errors": [{"message": words, "field": field, "help": None}]}).encode()


TAKEN = {"X_Message_Id": "abc"}
IDENTITY = "The from address does not match a verified Sender Identity. Mail cannot be sent"


@pytest.mark.parametrize(
    ("status", "body", "headers", "verdict", "permanent", "stops"),
    [
        (202, b"", TAKEN, "accepted", False, False),
        (202, b"", {}, "uncertain", False, False),
        (200, b"", TAKEN, "uncertain", False, False),
        (200, b"<html>", {}, "uncertain", False, False),
        (400, said("Does not contain a valid address.", "personalizations.1.to"), {}, "not_accepted", True, False),
        (400, said("Does not contain a valid address.", "from.email"), {}, "not_accepted", False, True),
        (400, b"<html>", {}, "uncertain", False, False),
        (400, b'{"errors": 7}', {}, "uncertain", False, False),
        (400, b'{"errors": []}', {}, "uncertain", False, False),
        (400, b"[" * 100_000, {}, "uncertain", False, False),
        (401, said("authorization required"), {}, "not_accepted", False, True),
        (401, said("Maximum credits exceeded"), {}, "not_accepted", False, True),
        (403, said("access forbidden"), {}, "not_accepted", False, True),
        (403, said(IDENTITY, "from"), {}, "not_accepted", False, True),
        (404, said("not found"), {}, "not_accepted", False, True),
        (405, said("method not allowed"), {}, "not_accepted", False, True),
        (408, b"", {}, "uncertain", False, False),
        (413, said("content too large"), {}, "not_accepted", True, False),
        (429, said("too many requests"), {}, "not_accepted", False, False),
        (500, said("internal server error"), {}, "uncertain", False, False),
        (503, b"", {}, "uncertain", False, False),
    ],
)
def test_an_answer_means_what_the_vendor_says(
    status: int, body: bytes, headers: dict[str, str], verdict: str, permanent: bool, stops: bool
) -> None:
    answer = told("sendgrid", status, body, headers)
    assert (answer.verdict, answer.permanent, answer.stops) == (verdict, permanent, stops)
    assert len(answer.why) < 450
    assert answer.why.isprintable()


@pytest.mark.parametrize(
    ("status", "words", "cure"),
    [
        (401, "authorization required", "SYNDICATE_MAIL__API_KEY"),
        (401, "Maximum credits exceeded", "no mails left"),
        (403, "access forbidden", "SYNDICATE_MAIL__API_KEY"),
        (403, IDENTITY, "Sender Authentication"),
        (404, "not found", 'region = "eu"'),
    ],
)
def test_what_stops_everything_says_what_to_do(status: int, words: str, cure: str) -> None:
    assert cure in told("sendgrid", status, said(words)).why


def test_a_limit_says_in_unix_time_when_to_come_again() -> None:
    at = time.time() + 300
    wait = told("sendgrid", 429, b"", {"X_RateLimit_Reset": f"{at:.0f}"}).retry_after_seconds
    assert wait is not None and 200 < wait <= 301
    assert told("sendgrid", 429, b"", {"X_RateLimit_Reset": "1392815263"}).retry_after_seconds == 0.0
    assert told("sendgrid", 429, b"").retry_after_seconds == 60.0
