"""SparkPost: one content to many recipients, braces as values, keys for a day, and answers that count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from syndicate.core.copies import Addressee, Copies, Wording
from syndicate.core.message import LABEL, label
from syndicate.errors import BadInput, MailAPIError
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from syndicate.mail.events import open_webhook
from syndicate.mail.events.base import Arrival
from tests.mail.answering import showing, told
from tests.mail.events.signing import SHARED, shared
from tests.mail.events.test_contract import NOW
from tests.mail.samples import message, specification
from tests.mail.test_contract import letter
from tests.mail_api_server import DIALECTS, MailApiServer, Plan, read_journal
from tests.process.waiting import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[MailApiServer]:
    with MailApiServer("sparkpost", tmp_path / "journal", api_key="right") as running:
        yield running


@pytest.fixture
def api(server: MailApiServer) -> MailAPI:
    return open_mail_api("sparkpost", Connection(server.url, "right", 60.0))


def crowd(count: int, name: str = "") -> Copies:
    people = [Addressee(f"r{n}@example.org", name, f"leave{n}", f"choose{n}", str(n)) for n in range(count)]
    return Copies(letter("").letter, people, "<{}@x.example>".format)


def test_a_request_is_as_the_vendors_pages_say(api: MailAPI) -> None:
    request = json.loads(api.build(crowd(100, "Zoë, reader")))
    Draft202012Validator(specification("sparkpost")["send"]).validate(request)
    assert len(request["recipients"]) == 100


def test_the_letter_is_carried_once_whoever_it_goes_to(api: MailAPI) -> None:
    small, large = (len(api.build(crowd(count))) for count in (1, 1000))
    assert (large - small) / 999 < 300


def test_it_tracks_nothing_and_leaves_our_way_out_in_place(api: MailAPI) -> None:
    request = json.loads(api.build(crowd(2)))
    assert request["options"] == {"transactional": True, "open_tracking": False, "click_tracking": False}
    assert request["content"]["headers"]["List-Unsubscribe"] == "<https://news.post.example/u/{{{leave}}}>"
    assert request["content"]["headers"].keys() == {"List-Unsubscribe", "List-Unsubscribe-Post", "List-Id"}
    assert [one["metadata"] for one in request["recipients"]] == [
        {LABEL: label("<0@x.example>")},
        {LABEL: label("<1@x.example>")},
    ]


WORDS = st.text(alphabet="{}[]% ad-msy\n", max_size=30)


@given(before=WORDS, after=WORDS, name=WORDS.map(lambda words: words.replace("\n", "")))
def test_no_template_is_found_in_an_article_or_a_name(before: str, after: str, name: str) -> None:
    api = open_mail_api("sparkpost", Connection("http://127.0.0.1:9", "right"))
    whole = letter("").letter
    whole = replace(
        whole,
        from_name=before.replace("\n", ""),
        subject=Wording([f"News {before}{after}".replace("\n", "")]),
        text=Wording([before, after], ["name"]),
        html=Wording([before, after], ["leaving"]),
    )
    copies = Copies(whole, [Addressee("r@example.org", name, "leave", "choose", "1")], str)
    (one,) = DIALECTS["sparkpost"]().read(api.build(copies))
    assert one.text.replace("\u2060", "") == f"{before}{name}{after}"
    assert one.html.replace("\u2060", "") == f"{before}leave{after}"


def test_what_a_text_says_of_a_link_is_not_believed(api: MailAPI) -> None:
    words = 'https://post.example[[data-msys-unsubscribe="1"]] {{if x}}'
    (one,) = DIALECTS["sparkpost"]().read(api.build([message(text=words, html=f"<p>{escape(words)}</p>")]))
    assert one.text.replace("\u2060", "") == words


@pytest.mark.parametrize("changes", [{"subject": ""}, {"html": "", "text": ""}, {"text": "x" * 21_000_000}], ids=len)
def test_what_it_cannot_express_is_refused(api: MailAPI, changes: dict[str, Any]) -> None:
    with pytest.raises(BadInput) as refused:
        api.build([message(**changes)])
    assert refused.value.cure


def test_two_letters_do_not_go_in_one_request(api: MailAPI) -> None:
    with pytest.raises(BadInput, match="one letter"):
        api.build([message(1), message(2)])


@pytest.mark.parametrize("kind", ["drop_after_accept", "drop_in_answer", "gateway_timeout", "garbage", "short"])
def test_what_was_taken_without_an_answer_is_found_in_the_record(
    api: MailAPI, server: MailApiServer, kind: str
) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    assert api.post(api.build(crowd(2_000)), key="one", count=2_000).verdict == "uncertain"
    assert json.loads(server.seen[0].body)["campaign_id"] == label("one")
    ids = crowd(2_000).message_ids()
    until(lambda: api.lookup(ids, key="one") == frozenset(ids))
    assert api.lookup(["<other@x.example>"], key="one") is None


@pytest.mark.parametrize("kind", ["drop_mid_body", "drop_after_body", "server_error", "html"])
def test_what_was_not_taken_is_not_in_the_record(api: MailAPI, server: MailApiServer, kind: str) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    assert api.post(api.build(crowd(3)), key="one", count=3).verdict == "uncertain"
    ids = crowd(3).message_ids()
    assert api.lookup(ids, key="one") is None, "nothing has shown that the record works"
    # The same people again, in a request of its own.
    assert api.post(api.build(crowd(3)), key="two", count=3).verdict == "accepted"
    until(lambda: api.lookup(ids, key="two") == frozenset(ids))
    assert api.lookup(ids, key="one") == frozenset()


OURS: dict[str, Any] = {"campaign_id": "1" * 32, "rcpt_meta": {LABEL: "2" * 32}}


@pytest.mark.parametrize(
    ("asked_for", "last", "found"),
    [
        ([], [], []),
        ([], [{**OURS, "rcpt_meta": {}}], [OURS]),
        ([], [{**OURS, "campaign_id": "spring"}], [OURS]),
        ([], [OURS], []),
        ([], [OURS], [{**OURS, "campaign_id": "3" * 32}]),
        ([], [OURS], None),
        ([], None, [OURS]),
        ([OURS], [OURS], [OURS]),
        (None, [OURS], [OURS]),
    ],
)
def test_a_record_that_does_not_show_what_it_has_proves_nothing(asked_for: Any, last: Any, found: Any) -> None:
    """What it answers to the campaign asked for, to a search for the last events, and to one for their campaign."""

    def record(path: str) -> tuple[int, Any]:
        campaign = parse_qs(urlsplit(path).query).get("campaigns", [""])[0]
        events = {"": last, "1" * 32: found}.get(campaign, asked_for)
        return (403, {}) if events is None else (200, {"results": events, "total_count": len(events)})

    with showing(record) as url:
        assert open_mail_api("sparkpost", Connection(url, "right", 5.0)).lookup(["<1@x.example>"], key="k") is None


def test_a_part_of_the_record_is_not_all_of_it() -> None:
    event = {"campaign_id": label("k"), "rcpt_meta": {LABEL: label("<1@x.example>")}}
    for count, found in ((1, frozenset(["<1@x.example>"])), (2, None)):
        with showing(lambda _, count=count: (200, {"results": [event], "total_count": count})) as url:  # type: ignore[misc]
            api = open_mail_api("sparkpost", Connection(url, "right", 5.0))
            assert api.lookup(["<1@x.example>", "<2@x.example>"], key="k") == found


def test_the_region_is_part_of_the_address_and_of_the_account() -> None:
    here, there = (open_mail_api("sparkpost", Connection("", "right", region=region)) for region in ("", "eu"))
    assert here.url == "https://api.sparkpost.com/api/v1/transmissions"
    assert there.url == "https://api.eu.sparkpost.com/api/v1/transmissions"
    assert here.account != there.account
    with pytest.raises(MailAPIError, match="region") as refused:
        open_mail_api("sparkpost", Connection("", "right", region="moon"))
    assert refused.value.cure


@pytest.mark.parametrize("kind", ["drop_after_accept", "drop_in_answer", "gateway_timeout", "garbage", "short"])
def test_the_same_request_again_is_taken_once_and_answered(api: MailAPI, server: MailApiServer, kind: str) -> None:
    server.plan = Plan.parse([f"1:{kind}"])
    body = api.build(crowd(3))
    assert api.post(body, key="k", count=3).verdict == "uncertain"
    again = api.post(body, key="k", count=3)
    taken = read_journal(server.journal)
    assert len(taken) == 3
    if kind != "short":
        # The answer that was kept is the short one.
        assert (again.verdict, again.vendor_ids) == ("accepted", (taken[0].id,))


def test_a_bad_address_is_refused_alone(tmp_path: Path) -> None:
    with MailApiServer("sparkpost", tmp_path / "journal", refuse=["r1@example.org"]) as server:
        api = open_mail_api("sparkpost", Connection(server.url, "right"))
        answer = api.post(api.build(crowd(3)), key="k", count=3)
        alone = api.post(api.build(crowd(3)[1:2]), key="k1", count=1)
        taken = read_journal(server.journal)
    assert (answer.verdict, answer.stops, list(answer.refused)) == ("accepted", False, [1])
    assert "1300" in answer.refused[1]
    assert answer.vendor_ids == (taken[0].id,)
    assert (alone.verdict, alone.permanent) == ("not_accepted", True)


def test_its_events_tell_the_label_of_each_mail_and_the_id_of_the_request(api: MailAPI, server: MailApiServer) -> None:
    answer = api.post(api.build(crowd(2)), key="issue-1", count=2)
    for n, recipient in enumerate(json.loads(server.seen[-1].body)["recipients"]):
        event = {
            "type": "injection",
            "event_id": f"e{n}",
            "transmission_id": answer.vendor_ids[0],
            "raw_rcpt_to": recipient["address"]["email"],
            "rcpt_meta": recipient["metadata"],
            "timestamp": "1795166940",
        }
        body, headers = shared(json.dumps([{"msys": {"message_event": event}}]).encode(), NOW)
        (read,) = open_webhook("sparkpost", SHARED).take(Arrival(body, headers), NOW).events
        assert (read.kind, read.vendor_id, read.label) == ("taken", answer.vendor_ids[0], label(f"<{n}@x.example>"))


def error(code: str, words: str = "so it is") -> bytes:
    return json.dumps({"errors": [{"message": words, "description": words, "code": code}]}).encode()


def results(accepted: object, rejected: object, *said: str, id_: object = "116687874849") -> bytes:
    errors = [{"message": "invalid", "description": each, "code": "1300"} for each in said]
    told = {"total_accepted_recipients": accepted, "total_rejected_recipients": rejected, "id": id_}
    return json.dumps({"results": {**told, "rcpt_to_errors": errors}}).encode()


@pytest.mark.parametrize(
    ("status", "body", "verdict", "permanent", "stops"),
    [
        (200, results(2, 0), "accepted", False, False),
        (200, results(2, 0, id_=""), "uncertain", False, False),
        (200, results(1, 0), "uncertain", False, False),
        (200, results(3, 0), "uncertain", False, False),
        (200, results("2", 0), "uncertain", False, False),
        (200, results(True, 1), "uncertain", False, False),
        (200, results(0, 2), "not_accepted", True, False),
        (200, results(1, 1), "uncertain", False, False),
        (200, results(1, 1, "address.email is required for each recipient"), "uncertain", False, False),
        (200, results(1, 1, "address 'r7@example.org'"), "uncertain", False, False),
        (200, results(1, 1, "Error validating domain: 'example.org'"), "uncertain", False, False),
        (200, results(1, 1, "address 'r1@example.org' is invalid"), "accepted", False, False),
        (200, b'{"results": 7}', "uncertain", False, False),
        (200, b"<html>", "uncertain", False, False),
        (200, b"[" * 100_000, "uncertain", False, False),
        (202, results(2, 0), "uncertain", False, False),
        (400, error("5002"), "not_accepted", True, False),
        (400, error("1902"), "not_accepted", True, False),
        (400, error("7001"), "not_accepted", False, True),
        (422, error("1300", "content.from.email is of an invalid format"), "not_accepted", False, True),
        (422, error("1300", "recipients[0].address is of an invalid format"), "not_accepted", True, False),
        (400, error("1502"), "uncertain", False, False),
        (400, error("1300"), "uncertain", False, False),
        (400, b'{"errors": []}', "uncertain", False, False),
        (400, b'{"errors": 7}', "uncertain", False, False),
        (400, b"<html>", "uncertain", False, False),
        (401, b'{"errors": [{"message": "Unauthorized."}]}', "not_accepted", False, True),
        (403, error("1100"), "not_accepted", False, True),
        (404, error("1600"), "not_accepted", False, True),
        (405, error("1102"), "not_accepted", False, True),
        (408, b"", "uncertain", False, False),
        (409, error("1601"), "uncertain", False, False),
        (409, error("1600"), "uncertain", False, False),
        (413, b"", "not_accepted", True, False),
        (420, error("2101"), "not_accepted", False, False),
        (420, error("2103"), "not_accepted", False, True),
        (422, error("3000"), "not_accepted", True, False),
        (422, error("new"), "uncertain", False, False),
        (429, b"", "not_accepted", False, False),
        (500, error("1500"), "uncertain", False, False),
        (503, b"", "uncertain", False, False),
    ],
)
def test_an_answer_means_what_the_vendor_says(
    api: MailAPI, status: int, body: bytes, verdict: str, permanent: bool, stops: bool
) -> None:
    answer = told("sparkpost", status, body, sent=api.build(crowd(2)))
    assert (answer.verdict, answer.permanent, answer.stops) == (verdict, permanent, stops)
    assert len(answer.why) < 450
    assert answer.why.isprintable()


def test_one_that_was_taken_for_some_says_so(api: MailAPI) -> None:
    """So that no other request waits for the day that its own answer is kept."""
    answer = told("sparkpost", 200, results(1, 1), sent=api.build(crowd(2)))
    assert (answer.verdict, answer.vendor_ids, answer.retry_after_seconds) == ("uncertain", ("116687874849",), 86_400.0)


@pytest.mark.parametrize(
    ("status", "body", "cure"),
    [
        (401, b"", "SYNDICATE_MAIL__API_KEY"),
        (403, error("1100"), "SYNDICATE_MAIL__API_KEY"),
        (400, error("7001"), "Verify the domain of [mail] from"),
        (404, error("1600"), 'region = "eu"'),
        (420, error("2103"), "sandbox"),
        (409, error("1600"), "ALARM"),
    ],
)
def test_what_stops_everything_says_what_to_do(status: int, body: bytes, cure: str) -> None:
    assert cure in told("sparkpost", status, body).why


@pytest.mark.parametrize(
    ("status", "code", "seconds"),
    [(420, "2101", 600.0), (420, "2102", 3600.0), (420, "2105", 86_400.0), (429, "", 5.0)],
)
def test_a_limit_is_waited_for(status: int, code: str, seconds: float) -> None:
    assert told("sparkpost", status, error(code)).retry_after_seconds == seconds
    assert told("sparkpost", status, error(code), {"Retry-After": "7"}).retry_after_seconds == 7.0
