"""Brevo: one letter to many versions, a key that tells only that a request came before, and a record that tells how
many of it were taken."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from jsonschema import Draft202012Validator

from syndicate.core.copies import Addressee, Copies, Wording
from syndicate.core.message import label
from syndicate.errors import BadInput
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from syndicate.mail.events import open_webhook
from syndicate.mail.events.base import Arrival
from tests.mail.answering import told
from tests.mail.events.signing import SHARED, shared
from tests.mail.events.test_contract import NOW
from tests.mail.samples import message, specification
from tests.mail.test_contract import HOSTILE, letter
from tests.mail_api_server import DIALECTS, MailApiServer, Plan, read_journal


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("brevo", tmp_path / "journal", api_key="right") as running:
        yield running


@pytest.fixture
def api(server: MailApiServer) -> MailAPI:
    return open_mail_api("brevo", Connection(server.url, "right", 5.0))


def crowd(count: int, name: str = "", text: str = "", html: str = "") -> Copies:
    people = [Addressee(f"r{n}@example.org", name, f"leave{n}", f"choose{n}", str(n)) for n in range(count)]
    whole = letter("").letter
    if text:
        whole = replace(whole, subject=Wording(["News"]), text=Wording([text, ""], ["name"]))
        whole = replace(whole, html=Wording([html or "<p>Hello</p>"]))
    return Copies(whole, people, "<{}@x.example>".format)


def posted(api: MailAPI, server: MailApiServer, copies: Copies, key: str = "issue-1") -> dict[str, Any]:
    assert api.post(api.build(copies), key=key, count=len(copies)).verdict == "accepted"
    found: dict[str, Any] = json.loads(server.seen[-1].body)
    return found


@pytest.mark.parametrize("name", ["Zoë, reader", "Ann <b>"])
def test_a_request_is_as_the_specification_says(api: MailAPI, server: MailApiServer, name: str) -> None:
    request = posted(api, server, crowd(1000, name))
    whole = specification("brevo")["send"]
    Draft202012Validator(whole).validate(request)
    assert len(request["messageVersions"]) == 1000
    own = whole["$defs"]["SendTransacEmailRequestMessageVersionsItem"]["properties"]
    assert {key for version in request["messageVersions"] for key in version} - own.keys() == {"headers"}


def test_the_letter_is_carried_once_whoever_it_goes_to(api: MailAPI) -> None:
    small, large = (len(api.build(crowd(count))) for count in (1, 1000))
    assert (large - small) / 999 < 600


def test_who_has_a_name_that_a_template_might_change_gets_the_letter_whole(api: MailAPI) -> None:
    versions = [json.loads(api.build(crowd(1, name)))["messageVersions"][0] for name in ("Zoë", "O'Brien")]
    assert [sorted(version) for version in versions] == [
        ["headers", "params", "to"],
        ["headers", "htmlContent", "subject", "textContent", "to"],
    ]
    assert versions[0]["params"]["name"] == "Zoë"
    assert "O&#x27;Brien" in versions[1]["htmlContent"]


def test_each_has_all_headers_and_a_label_of_their_own_and_no_tracking(api: MailAPI, server: MailApiServer) -> None:
    request = posted(api, server, crowd(2))
    for n, version in enumerate(request["messageVersions"]):
        assert version["to"] == [{"email": f"r{n}@example.org", "contactPixelTrackingConsent": False}]
        assert version["headers"] == {
            "List-Unsubscribe": f"<https://news.post.example/u/leave{n}>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            "List-Id": "100 % Morning <morning.news.post.example>",
            "X-Mailin-custom": label(f"<{n}@x.example>"),
        }


def test_the_key_is_a_uuid_and_the_tag_a_label_of_the_requests_own(api: MailAPI, server: MailApiServer) -> None:
    first, second = (posted(api, server, crowd(2), key) for key in ("issue-1", "issue-2"))
    assert UUID(first["headers"]["idempotencyKey"]).version == 4
    assert first["headers"].keys() == {"idempotencyKey"}
    assert first["headers"] != second["headers"]
    assert (first["tags"], second["tags"]) == ([label("issue-1")], [label("issue-2")])


@pytest.mark.parametrize(
    "words",
    [HOSTILE, "{% if x %}", "{# a #}", "{{{{ a }}}}", "{", "{{", "see https://post.example/{{a}}?{%b%} there {"],
)
@pytest.mark.parametrize("name", ["Zoë", "{{ params.leave }}", "{%", "{"])
def test_no_template_is_found_in_an_article_or_a_name(api: MailAPI, words: str, name: str) -> None:
    styled = f"<style>@media x{{#a{{b:c}}}}</style><p>{words.replace('<', '&lt;')}</p>"
    copies = crowd(2, name, words, styled)
    got = DIALECTS["brevo"]().read(api.build(copies))
    for one, wanted in zip(got, copies, strict=True):
        assert one.text.replace("\u2060", "").replace("%7B", "{") == wanted.text
        assert one.html.replace("&#123;", "{").replace("{ #a", "{#a") == wanted.html
        assert "<style>@media x{ #a{b:c}}</style>" in one.html


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("The Harbour Post", "The Harbour Post"),
        ("Zoë", "Zoë"),
        ("Post, Ltd", "Post, Ltd"),
        ("Zoë, desk", "=?utf-8?b?Wm/DqywgZGVzaw==?="),
    ],
)
def test_a_name_is_encoded_where_it_would_be_left_out(api: MailAPI, name: str, sent: str) -> None:
    request = json.loads(api.build([message(from_name=name, to_name=name)]))
    assert (request["sender"]["name"], request["messageVersions"][0]["to"][0]["name"]) == (sent, sent)


def test_the_reply_address_has_no_name_that_it_would_pass_on_raw(api: MailAPI) -> None:
    said = [json.loads(api.build([message(reply_to=f"{name} <desk@post.example>")])) for name in ("Desk", "Été")]
    assert [each["replyTo"] for each in said] == [
        {"name": "Desk", "email": "desk@post.example"},
        {"email": "desk@post.example"},
    ]


@pytest.mark.parametrize("changes", [{"subject": ""}, {"html": ""}], ids=str)
def test_what_it_cannot_express_is_refused(api: MailAPI, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refused:
        api.build([message(**changes)])
    assert refused.value.cure


def test_values_beyond_what_it_takes_are_refused_before(api: MailAPI) -> None:
    copies = crowd(1000)
    long = [person._replace(choosing="x" * 1000) for person in copies.people]
    with pytest.raises(BadInput, match="1,000 KB"):
        api.build(Copies(copies.letter, long, str))


def test_two_letters_do_not_go_in_one_request(api: MailAPI) -> None:
    with pytest.raises(BadInput, match="one letter"):
        api.build([message(1), message(2)])


@pytest.mark.parametrize("kind", ["drop_after_accept", "drop_in_answer", "gateway_timeout", "garbage", "short"])
def test_a_request_that_comes_again_is_accepted_when_the_record_shows_it(
    api: MailAPI, server: MailApiServer, kind: str
) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    body = api.build(crowd(3))
    assert api.post(body, key="k", count=3).verdict == "uncertain"
    assert api.lookup(["<1>", "<2>", "<3>"], key="k") == frozenset(["<1>", "<2>", "<3>"])
    assert api.post(body, key="k", count=3).verdict == "accepted"
    assert len(read_journal(server.journal)) == 3


def test_a_key_that_came_before_proves_nothing_by_itself(api: MailAPI, server: MailApiServer) -> None:
    """The first request may have been turned down, and the answer lost."""
    body = api.build(crowd(3))
    api.post(body, key="k", count=3)
    server._state.taken.clear()
    server._state.taken_at.clear()
    answer = api.post(body, key="k", count=3)
    assert (answer.verdict, answer.permanent) == ("uncertain", False)


@pytest.mark.parametrize("kind", ["drop_mid_body", "drop_after_body", "server_error", "html", "redirect"])
def test_a_request_that_never_came_is_taken_when_it_comes_again(
    api: MailAPI, server: MailApiServer, kind: str
) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    body = api.build(crowd(3))
    assert api.post(body, key="k", count=3).verdict == "uncertain"
    assert api.post(body, key="k", count=3).verdict == "accepted"
    assert len(read_journal(server.journal)) == 3


def test_the_record_proves_absence_only_where_it_tells_tags(api: MailAPI, server: MailApiServer) -> None:
    assert api.lookup(["<1>"], key="k") is None
    api.post(api.build(crowd(3)), key="other", count=3)
    assert api.lookup(["<1>"], key="k") == frozenset()
    # Of more than it shows, it does not tell whom it left out.
    assert api.lookup(["<1>", "<2>", "<3>", "<4>"], key="other") is None
    server._state.taken[:] = [(id_, replace(one, labels={"tag": ""})) for id_, one in server._state.taken]
    assert api.lookup(["<1>"], key="k") is None


def test_a_record_that_does_not_answer_proves_nothing(tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as other:
        assert open_mail_api("brevo", Connection(other.url, "right")).lookup(["<1>"], key="k") is None
    assert open_mail_api("brevo", Connection(other.url, "right")).lookup(["<1>"], key="k") is None


def test_its_events_tell_the_label_and_the_id_of_each_mail(api: MailAPI, server: MailApiServer) -> None:
    answer = api.post(api.build(crowd(2)), key="issue-1", count=2)
    request = json.loads(server.seen[-1].body)
    for n, version in enumerate(request["messageVersions"]):
        event = {
            "event": "request",
            "email": version["to"][0]["email"],
            "message-id": answer.vendor_ids[n],
            "ts_epoch": 1795166940500,
            "tags": request["tags"],
        }
        mailed, requested = ({**event, **more} for more in ({"X-Mailin-custom": version["headers"][CUSTOM]}, {}))
        body, headers = shared(json.dumps([mailed, requested]).encode(), NOW)
        first, second = open_webhook("brevo", SHARED).take(Arrival(body, headers), NOW).events
        assert (first.kind, first.vendor_id, first.label) == ("taken", answer.vendor_ids[n], label(f"<{n}@x.example>"))
        assert second.label == label("issue-1")


CUSTOM = "X-Mailin-custom"


def said(code: str, words: str = "so it is") -> bytes:
    return json.dumps({"code": code, "message": words}).encode()


TAKEN = b'{"messageIds": ["<1@smtp-relay.mailin.fr>", "<2@smtp-relay.mailin.fr>"]}'
SENDER = "Sending has been rejected because the sender you used news@post.example is not valid."


@pytest.mark.parametrize(
    ("status", "body", "verdict", "permanent", "stops"),
    [
        (201, TAKEN, "accepted", False, False),
        (201, b'{"messageIds": ["<1@x>"]}', "uncertain", False, False),
        (201, b'{"messageIds": ["<1@x>", ""]}', "uncertain", False, False),
        (201, b'{"messageIds": 7}', "uncertain", False, False),
        (201, b'{"messageId": "<1@x>"}', "uncertain", False, False),
        (201, b"", "uncertain", False, False),
        (201, b"[" * 100_000, "uncertain", False, False),
        (200, TAKEN, "uncertain", False, False),
        (202, TAKEN, "uncertain", False, False),
        (200, b"<html>", "uncertain", False, False),
        (400, said("invalid_parameter", "email is not valid in to"), "not_accepted", True, False),
        (400, said("invalid_parameter", "sender@example.org is not valid in to"), "not_accepted", True, False),
        (400, said("missing_parameter"), "not_accepted", True, False),
        (400, said("invalid_parameter", SENDER), "not_accepted", False, True),
        (400, said("not_enough_credits"), "not_accepted", False, True),
        (400, said("account_under_validation"), "not_accepted", False, True),
        (400, said("duplicate_parameter"), "uncertain", False, False),
        (400, said("something_new"), "uncertain", False, False),
        (400, b"<html>", "uncertain", False, False),
        (400, b"[" * 100_000, "uncertain", False, False),
        (401, said("unauthorized"), "not_accepted", False, True),
        (402, said("not_enough_credits"), "not_accepted", False, True),
        (403, said("permission_denied"), "not_accepted", False, True),
        (404, b"", "not_accepted", False, True),
        (405, said("method_not_allowed"), "not_accepted", False, True),
        (406, said("not_acceptable"), "not_accepted", True, False),
        (408, b"", "uncertain", False, False),
        (413, b"", "not_accepted", True, False),
        (422, said("unprocessable_entity"), "not_accepted", True, False),
        (429, said("too_many_requests"), "not_accepted", False, False),
        (500, said("internal"), "uncertain", False, False),
        (503, b"", "uncertain", False, False),
    ],
)
def test_an_answer_means_what_the_vendor_says(
    status: int, body: bytes, verdict: str, permanent: bool, stops: bool
) -> None:
    answer = told("brevo", status, body)
    assert (answer.verdict, answer.permanent, answer.stops) == (verdict, permanent, stops)
    assert len(answer.why) < 450
    assert answer.why.isprintable()


def test_one_mail_is_answered_with_one_id() -> None:
    assert told("brevo", 201, b'{"messageId": "<1@x>"}', count=1).vendor_ids == ("<1@x>",)


@pytest.mark.parametrize(
    ("status", "body", "cure"),
    [
        (401, said("unauthorized", "Key not found"), "SYNDICATE_MAIL__API_KEY"),
        (401, said("unauthorized", "You are using an unrecognised IP address 192.0.2.1"), "IP address"),
        (402, said("not_enough_credits"), "no mails left"),
        (403, said("permission_denied"), "does not let this account send"),
        (400, said("invalid_parameter", SENDER), "Verify [mail] from"),
        (404, said("not_found"), "[mail] url"),
    ],
)
def test_what_stops_everything_says_what_to_do(status: int, body: bytes, cure: str) -> None:
    assert cure in told("brevo", status, body).why


def test_a_limit_says_when_to_come_again() -> None:
    assert told("brevo", 429, b"", {"X_Sib_RateLimit_Reset": "7"}).retry_after_seconds == 7.0
    assert told("brevo", 429, b"").retry_after_seconds == 60.0
