"""Mailpit: one message a request, and a record that can be searched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from syndicate.errors import MailAPIError
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from tests.mail.answering import showing
from tests.mail.samples import message, specification
from tests.mail_api_server import MailApiServer, Plan


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("mailpit", tmp_path / "journal") as running:
        yield running


@pytest.fixture
def api(server: MailApiServer) -> MailAPI:
    return open_mail_api("mailpit", Connection(server.url, "", 5.0))


def test_a_request_is_as_the_specification_says(api: MailAPI) -> None:
    request = json.loads(api.build([message()]))
    schema = specification("mailpit")["send"]
    Draft202012Validator(schema).validate(request)
    assert request.keys() - schema["properties"].keys() == {"Date"}, "Mailpit takes no other header for it"
    assert request["To"] == [{"Name": "Zoë, reader 1", "Email": "reader1@example.org"}]
    assert request["ReplyTo"] == [{"Name": "Harbour desk", "Email": "desk@post.example"}]
    assert (request["Subject"], request["HTML"], request["Text"]) == (
        message().subject,
        message().html,
        message().text,
    )


def test_our_headers_go_verbatim_and_in_order_but_for_the_date(api: MailAPI) -> None:
    request = json.loads(api.build([message()]))
    assert [*request["Headers"].items()] == [each for each in message().headers if each[0] != "Date"]
    assert request["Date"] == "Fri, 20 Nov 2026 07:00:00 +0000"


def test_a_message_without_names_or_reply_address_has_none(api: MailAPI) -> None:
    request = json.loads(api.build([message(to_name="", from_name="", reply_to="", headers=())]))
    assert request["From"] == {"Email": "news@post.example"}
    assert "ReplyTo" not in request
    assert "Date" not in request


def test_the_record_tells_what_was_accepted(api: MailAPI) -> None:
    for number in (1, 11, 2):
        api.post(api.build([message(number)]), key="", count=1)
    asked = [message(number).message_id for number in (1, 2, 3)]
    assert api.lookup(asked) == frozenset(asked[:2])
    assert api.lookup([]) == frozenset()


def test_a_part_of_a_message_id_is_not_the_message_id(api: MailAPI) -> None:
    api.post(api.build([message(headers=(("Message-ID", "<21.a@x.example>"),))]), key="", count=1)
    assert api.lookup(["<1.a@x.example>", "<21.A@x.example>"]) == frozenset()


def test_the_record_is_read_to_its_end(api: MailAPI, server: MailApiServer) -> None:
    wanted = message(headers=(("Message-ID", "<1@x.example>"),))
    api.post(api.build([wanted]), key="", count=1)
    for number in range(450):
        other = message(headers=(("Message-ID", f"<{number}1@x.example>"),))
        api.post(api.build([other]), key="", count=1)
    assert api.lookup([wanted.message_id]) == frozenset([wanted.message_id])


@pytest.mark.parametrize("kind", ["drop_after_accept", "drop_in_answer", "gateway_timeout", "garbage"])
def test_what_was_taken_without_an_answer_is_found_in_the_record(
    api: MailAPI, server: MailApiServer, kind: str
) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    assert api.post(api.build([message()]), key="", count=1).verdict == "uncertain"
    assert api.lookup([message().message_id]) == frozenset([message().message_id])


@pytest.mark.parametrize("kind", ["drop_before_body", "drop_after_body", "server_error", "html", "redirect"])
def test_what_was_not_taken_is_not_in_the_record(api: MailAPI, server: MailApiServer, kind: str) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    assert api.post(api.build([message()]), key="", count=1).verdict == "uncertain"
    assert api.lookup([message().message_id]) == frozenset()


def test_a_record_that_does_not_answer_proves_nothing(tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as other:
        assert open_mail_api("mailpit", Connection(other.url)).lookup(["<1@example.org>"]) is None
    assert open_mail_api("mailpit", Connection(other.url)).lookup(["<1@example.org>"]) is None


def test_user_and_password_go_as_basic(tmp_path: Path) -> None:
    with MailApiServer("mailpit", tmp_path / "journal", api_key="anything") as server:
        refused = open_mail_api("mailpit", Connection(server.url))
        taken = open_mail_api("mailpit", Connection(server.url, "desk:secret"))
        assert refused.post(refused.build([message()]), key="", count=1).stops
        assert taken.post(taken.build([message()]), key="", count=1).verdict == "accepted"


def test_without_an_address_it_cannot_be_opened() -> None:
    with pytest.raises(MailAPIError) as refused:
        open_mail_api("mailpit", Connection())
    assert "8025" in refused.value.cure


def test_a_search_without_end_proves_nothing() -> None:
    """It passes over where a page is to begin."""
    page = {"messages": [{"MessageID": f"{number}@post.example"} for number in range(200)]}
    with showing(lambda path: (200, page)) as url:
        assert open_mail_api("mailpit", Connection(url)).lookup(["<x@post.example>"]) is None
