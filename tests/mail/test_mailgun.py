"""Mailgun: one letter to many in a form, one id for all, all or nothing, and events that come late."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from syndicate.core.copies import Addressee, Copies, Wording
from syndicate.core.message import LABEL
from syndicate.errors import BadInput, MailAPIError
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from tests.mail.answering import told
from tests.mail.samples import message, specification
from tests.mail.test_contract import HOSTILE, letter
from tests.mail_api_server import MailApiServer, Plan, read_journal
from tests.mail_api_server.dialects.mailgun import DOMAIN, PLACE, MailgunDialect, form_of

OURS = {"recipient.leave", "recipient.choose", "recipient.name", "recipient.named"}


def connection(url: str, **changes: Any) -> Connection:
    return replace(Connection(url, "right", 5.0, domain=DOMAIN), **changes)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("mailgun", tmp_path / "journal", api_key="right") as running:
        yield running


@pytest.fixture
def api(server: MailApiServer) -> MailAPI:
    return open_mail_api("mailgun", connection(server.url))


def crowd(count: int, name: str = "") -> Copies:
    people = [Addressee(f"r{n}@example.org", name, f"leave{n}", f"choose{n}", str(n)) for n in range(count)]
    return Copies(letter("").letter, people, "<{}@x.example>".format)


def fits(kind: str, value: object) -> None:
    whole = specification("mailgun")
    Draft202012Validator({**whole, **whole[kind]}).validate(value)


def test_a_request_is_as_the_specification_says(api: MailAPI) -> None:
    form = form_of(api.build(crowd(1000, "Zoë, reader")))
    properties = specification("mailgun")["form"]["properties"]
    lists = {name for name, schema in properties.items() if schema["type"] == "array"}
    fits("form", {name: values if name in lists else values[0] for name, values in form.items()})
    assert not [name for name in form if name not in properties and name[:2] not in ("h:", "v:")]
    assert all(len(values) == 1 for values in form.values())
    assert len(json.loads(form["recipient-variables"][0])) == 1000


def test_the_letter_is_carried_once_whoever_it_goes_to(api: MailAPI) -> None:
    small, large = (len(api.build(crowd(count))) for count in (1, 1000))
    assert (large - small) / 999 < 100


def test_the_vendors_tracking_is_off_and_no_mailbox_is_told_of_another(api: MailAPI) -> None:
    form = form_of(api.build(crowd(3)))
    assert {form[name][0] for name in ("o:tracking", "o:tracking-clicks", "o:tracking-opens")} == {"no"}
    assert form["to"] == ["r0@example.org, r1@example.org, r2@example.org"]
    assert json.loads(form["recipient-variables"][0]).keys() == {f"r{n}@example.org" for n in range(3)}
    assert not {"cc", "bcc"} & form.keys()


def test_no_place_but_ours_stands_anywhere(api: MailAPI) -> None:
    form = form_of(api.build(letter(HOSTILE[:180])))
    variables = json.loads(form.pop("recipient-variables")[0])
    found = {place for values in form.values() for place in PLACE.findall(values[0])}
    assert found == OURS
    assert not [each for own in variables.values() for value in own.values() for each in PLACE.findall(value)]
    assert not [name for name, values in form.items() if "%%recipient" in values[0]]
    assert form["to"][0].isascii() and form["from"][0].isascii() and form["h:Reply-To"][0].isascii()


@given(words=st.text(st.sampled_from("%%ab C3recipient.name_ \n/:htps")))
def test_a_text_is_kept_apart_from_places_and_says_the_same(words: str) -> None:
    api = open_mail_api("mailgun", connection("http://127.0.0.1:9"))
    form = form_of(api.build([message(text=words or "-", html=words or "-")]))
    for name in ("text", "html"):
        known = [place for place in PLACE.findall(form[name][0]) if not re.match("[0-9A-Fa-f]{2}", place)]
        assert known == []
    shown = form["text"][0].replace("\u2060", "")
    assert (shown if "http" not in words else shown.replace("%25", "%")) == (
        (words or "-") if "http" not in words else (words or "-").replace("%25", "%")
    )
    assert form["html"][0].replace("&#37;", "%") == (words or "-")


def test_an_address_in_a_text_stays_an_address(api: MailAPI) -> None:
    text = "https://x.example/?q=%recipient.leave% https://x.example/caf%C3%A9%2Fbar_%ab_%zz"
    assert form_of(api.build([message(text=text)]))["text"] == [
        "https://x.example/?q=%25recipient.leave% https://x.example/caf%C3%A9%2Fbar_%ab_%25zz"
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"headers": (("List-Id", "%recipient.leave% <morning.news.post.example>"),)},
        {"headers": (("X-A", "%unsubscribe_url%"),)},
        {"headers": tuple((f"X-{n}", "a" * 900) for n in range(18))},
        {"to_email": "%recipient.leave%@example.org"},
        {"from_email": "%recipient%@post.example"},
        {"reply_to": "%recipient%@post.example"},
    ],
    ids=lambda changes: str(changes)[:60],
)
def test_what_it_cannot_express_is_refused(api: MailAPI, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refused:
        api.build([message(**changes)])
    assert refused.value.cure


def test_two_letters_do_not_go_in_one_request(api: MailAPI) -> None:
    with pytest.raises(BadInput, match="one letter"):
        api.build([message(1), message(2)])


def test_a_form_never_holds_its_own_boundary(api: MailAPI) -> None:
    hostile = "--syndicate-0\r\nContent-Disposition: form-data; name=\"bcc\"\r\n\r\nspy@example.org\r\n--syndicate-1--"
    form = form_of(api.build([message(text=hostile, html=hostile)]))
    assert "bcc" not in form
    assert form["text"] == form["html"] == [hostile]


def test_the_domain_and_the_region_are_part_of_the_address_and_of_the_account() -> None:
    urls = {region: open_mail_api("mailgun", connection("", region=region)).url for region in ("", "us", "eu")}
    assert urls["us"] == urls[""] == f"https://api.mailgun.net/v3/{DOMAIN}/messages"
    assert urls["eu"] == f"https://api.eu.mailgun.net/v3/{DOMAIN}/messages"
    one, other = (open_mail_api("mailgun", connection("", domain=domain)) for domain in (DOMAIN, "mg.post.example"))
    assert one.account != other.account


@pytest.mark.parametrize("changes", [{"domain": ""}, {"domain": "post.example/x"}, {"domain": "a"}, {"region": "moon"}])
def test_a_domain_or_region_that_is_none_is_refused_at_once(changes: dict[str, str]) -> None:
    with pytest.raises(MailAPIError) as refused:
        open_mail_api("mailgun", connection("http://127.0.0.1:9", **changes))
    assert next(iter(changes)) in str(refused.value)
    assert refused.value.cure


def test_one_id_stands_for_the_whole_request(api: MailAPI, server: MailApiServer) -> None:
    answer = api.post(api.build(crowd(3)), key="one", count=3)
    taken = read_journal(server.journal)
    assert {one.id for one in taken} == set(answer.vendor_ids)
    assert [one.to for one in taken] == [f"r{n}@example.org" for n in range(3)]
    again = api.post(api.build(crowd(3)), key="two", count=3)
    assert again.vendor_ids != answer.vendor_ids
    assert re.fullmatch(rf"[0-9a-f]{{32}}@{DOMAIN}", answer.vendor_ids[0])


def test_one_bad_address_refuses_all(tmp_path: Path) -> None:
    with MailApiServer("mailgun", tmp_path / "journal", refuse=["r1@example.org"]) as server:
        api = open_mail_api("mailgun", connection(server.url))
        answer = api.post(api.build(crowd(3)), key="k", count=3)
        assert (answer.verdict, answer.permanent, answer.refused) == ("not_accepted", True, {})
        assert read_journal(server.journal) == []


def test_the_record_comes_late_and_is_of_one_request(
    api: MailAPI, server: MailApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.plan = Plan.parse(["1:drop_after_accept", "2:drop_after_body"])
    assert api.post(api.build(crowd(3)), key="one", count=3).verdict == "uncertain"
    ids = crowd(3).message_ids()
    monkeypatch.setattr(MailgunDialect, "record_seconds", 1_800.0)
    assert api.lookup(ids, key="one") is None
    monkeypatch.setattr(MailgunDialect, "record_seconds", 0.0)
    assert api.lookup(ids, key="one") == frozenset(ids)
    # The same people again, in a request of its own.
    assert api.post(api.build(crowd(3)), key="two", count=3).verdict == "uncertain"
    assert api.lookup(ids, key="two") == frozenset()
    for event in events(server):
        fits("found", {"items": [event]})


def events(server: MailApiServer) -> list[dict[str, Any]]:
    found = requests.get(f"{server.url}/v3/{DOMAIN}/events?ascending=no", timeout=10).json()["items"]
    assert found
    return list(found)


@pytest.mark.parametrize(
    "renamed", [{"message": {"headers": {"message-id": f"20261128.1@{DOMAIN}"}}}, {"message": None}], ids=str
)
def test_a_record_that_names_requests_otherwise_proves_nothing(renamed: dict[str, Any]) -> None:
    """Nothing under our id, while an accepted request of ours stands there under another."""
    event = {"event": "accepted", "user-variables": {LABEL: "0" * 32}, **renamed}
    assert looked_up([], [event]) is None
    assert looked_up([], []) is None
    assert looked_up([], [{**event, "user-variables": {}}]) is None
    shown = {**event, "message": {"headers": {"message-id": f"{'0' * 32}@{DOMAIN}"}}}
    assert looked_up([], [shown]) == looked_up([], [{**event, "user-variables": {}}, shown]) == frozenset()
    assert looked_up([], [shown, event]) is None


def test_a_record_that_passes_over_what_it_is_asked_for_proves_nothing() -> None:
    assert looked_up([{"message": {"headers": {"message-id": "another@post.example"}}}], []) is None


def looked_up(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> frozenset[str] | None:
    """What a look-up makes of a record that answers so to its two questions."""
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"items": first if "message-id=" in self.path else second}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        found = open_mail_api("mailgun", connection(f"http://127.0.0.1:{server.server_address[1]}")).lookup(
            ["<1@x.example>"], key="k"
        )
        server.shutdown()
    return found


def test_a_record_that_does_not_answer_proves_nothing(tmp_path: Path) -> None:
    with MailApiServer("resend", tmp_path / "journal") as other:
        assert open_mail_api("mailgun", connection(other.url)).lookup(["<1@x.example>"], key="k") is None
    assert open_mail_api("mailgun", connection(other.url)).lookup(["<1@x.example>"], key="k") is None


def said(words: str, **more: str) -> bytes:
    return json.dumps({"message": words, **more}).encode()


QUEUED = "Queued. Thank you."


@pytest.mark.parametrize(
    ("status", "body", "verdict", "permanent", "stops"),
    [
        (200, said(QUEUED, id="<a@post.example>"), "accepted", False, False),
        (200, said(QUEUED), "uncertain", False, False),
        (200, said(QUEUED, id="<>"), "uncertain", False, False),
        (200, said("Something else", id="<a@post.example>"), "uncertain", False, False),
        (200, b"Mailgun Magnificent API", "not_accepted", False, True),
        (200, b"<html>Mailgun Magnificent API</html>", "uncertain", False, False),
        (200, b'{"id": 7, "message": "Queued. Thank you."}', "uncertain", False, False),
        (200, b"[" * 100_000, "uncertain", False, False),
        (200, b"", "uncertain", False, False),
        (202, said(QUEUED, id="<a@post.example>"), "uncertain", False, False),
        (400, said("to parameter is not a valid address. please check documentation"), "not_accepted", True, False),
        (400, said("from parameter is not a valid address."), "not_accepted", False, True),
        (400, said("Domain post.example is not allowed to send: disabled"), "not_accepted", False, True),
        (400, said("Free accounts are for test purposes only. Please upgrade"), "not_accepted", False, True),
        (400, b"<html>", "uncertain", False, False),
        (401, b"Forbidden", "not_accepted", False, True),
        (402, said("Request failed"), "uncertain", False, False),
        (403, said("Domain post.example is not allowed to send: activate"), "not_accepted", False, True),
        (404, said("Domain not found: post.example"), "not_accepted", False, True),
        (405, b"", "not_accepted", False, True),
        (408, b"", "uncertain", False, False),
        (413, b"", "not_accepted", True, False),
        (429, b"", "not_accepted", False, False),
        (500, said("Internal Server Error"), "uncertain", False, False),
        (503, b"", "uncertain", False, False),
    ],
)
def test_an_answer_means_what_the_vendor_says(
    status: int, body: bytes, verdict: str, permanent: bool, stops: bool
) -> None:
    answer = told("mailgun", status, body)
    assert (answer.verdict, answer.permanent, answer.stops) == (verdict, permanent, stops)
    assert len(answer.why) < 450
    assert answer.why.isprintable()


@pytest.mark.parametrize(
    ("status", "body", "cure"),
    [
        (401, b"Forbidden", "SYNDICATE_MAIL__API_KEY"),
        (404, said("Domain not found: post.example"), 'region = "eu"'),
        (200, b"Mailgun Magnificent API", "[mail] domain"),
        (403, said("Domain post.example is not allowed to send"), "account and the domain"),
        (400, said("from parameter is not a valid address."), "[mail] from"),
    ],
)
def test_what_stops_everything_says_what_to_do(status: int, body: bytes, cure: str) -> None:
    assert cure in told("mailgun", status, body).why


def test_an_address_of_another_domain_stops_with_the_cure(server: MailApiServer) -> None:
    answer = post_to(server, domain="mg.post.example")
    assert (answer.verdict, answer.stops) == ("not_accepted", True)
    assert "Domain not found" in answer.why


def post_to(server: MailApiServer, **changes: Any) -> Any:
    api = open_mail_api("mailgun", connection(server.url, **changes))
    return api.post(api.build([message()]), key="k", count=1)


def test_a_limit_says_in_words_when_to_come_again() -> None:
    words = "Domain post.example is not allowed to send: limit exceeded, try again after 7 seconds"
    assert told("mailgun", 429, said(words)).retry_after_seconds == 7.0
    assert told("mailgun", 429, said(words), {"Retry-After": "9"}).retry_after_seconds == 9.0
    assert told("mailgun", 429, b"").retry_after_seconds == 60.0


def test_a_letter_without_places_needs_no_values(api: MailAPI) -> None:
    plain = replace(letter("").letter, headers=(), subject=Wording(["s"]), html=Wording(["h"]), text=Wording(["t"]))
    form = form_of(api.build(Copies(plain, crowd(2).people, str)))
    assert json.loads(form["recipient-variables"][0]) == {"r0@example.org": {}, "r1@example.org": {}}
