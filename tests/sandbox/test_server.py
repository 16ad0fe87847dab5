"""The sandbox speaks Mailpit's API, and passes what the adapter asks of a real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from email.parser import BytesParser
from email.policy import default as modern
from pathlib import Path
from typing import Any

import pytest
import requests
from jsonschema import Draft202012Validator

from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection, MailAPI
from syndicate.sandbox.start import running_sandbox
from tests.mail.samples import message, specification
from tests.sandbox.test_eml import request


@pytest.fixture
def outbox(tmp_path: Path) -> Path:
    return tmp_path / "outbox"


@pytest.fixture
def url(outbox: Path) -> Iterator[str]:
    with running_sandbox(outbox) as sandbox:
        yield sandbox.url


@pytest.fixture
def api(url: str) -> MailAPI:
    return open_mail_api("mailpit", Connection(url, "", 10.0))


@pytest.fixture
def web() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def conforms(value: object, name: str) -> None:
    found = specification("mailpit")
    schema = found[name] if name in found else {"$ref": f"#/definitions/{name}", "definitions": found["definitions"]}
    Draft202012Validator(schema).validate(value)


def test_a_mail_arrives_as_it_was_built(api: MailAPI, outbox: Path) -> None:
    answer = api.post(api.build([message()]), key="", count=1)
    assert answer.verdict == "accepted"
    (path,) = outbox.glob("*.eml")
    assert answer.vendor_ids == (path.stem,)
    read = BytesParser(policy=modern).parsebytes(path.read_bytes())
    sent = message()
    assert read["Subject"] == sent.subject
    assert str(read["From"]) == "The Harbour Post <news@post.example>"
    assert str(read["Reply-To"]) == "Harbour desk <desk@post.example>"
    assert read["To"].addresses[0].display_name == sent.to_name
    assert {name: str(read[name]) for name, _ in sent.headers} == dict(sent.headers)
    raw = path.read_bytes()
    assert [raw.index(f"{name}: {value}\r\n".encode()) for name, value in sent.headers if name != "Date"] == sorted(
        raw.index(f"{name}: {value}\r\n".encode()) for name, value in sent.headers if name != "Date"
    )
    assert f"Date: {dict(sent.headers)['Date']}\r\n".encode() in raw


def test_the_adapters_lookup_works_on_it(api: MailAPI) -> None:
    for number in range(3):
        api.post(api.build([message(number)]), key="", count=1)
    asked = [message(number).message_id for number in (0, 2, 9)]
    assert api.lookup(asked) == frozenset(asked[:2])


def test_answers_are_of_the_specifications_shape(url: str, web: requests.Session) -> None:
    sent = web.post(f"{url}/api/v1/send", json=request(Tags=["morning"]))
    assert sent.status_code == 200
    conforms(sent.json(), "sent")
    id_ = sent.json()["ID"]
    listing = web.get(f"{url}/api/v1/messages").json()
    conforms(listing, "MessagesSummary")
    assert listing["total"] == listing["messages_count"] == 1
    assert (
        listing["messages"][0].keys() <= specification("mailpit")["definitions"]["MessageSummary"]["properties"].keys()
    )
    conforms(web.get(f"{url}/api/v1/search", params={"query": "to:ann"}).json(), "MessagesSummary")
    whole = web.get(f"{url}/api/v1/message/{id_}").json()
    conforms(whole, "Message")
    assert whole.keys() <= specification("mailpit")["definitions"]["Message"]["properties"].keys()
    assert (whole["ID"], whole["MessageID"], whole["Subject"]) == (id_, "1@post.example", "Ferries")
    assert (whole["Text"].split(), whole["HTML"].strip()) == (["Ferries", "sail."], "<p>Ferries sail.</p>")
    assert (whole["Date"], whole["Tags"]) == ("2026-11-20T07:00:00+00:00", ["morning"])
    assert web.get(f"{url}/api/v1/message/latest").json()["ID"] == id_


def test_the_source_of_a_mail_is_the_file(url: str, web: requests.Session, outbox: Path) -> None:
    id_ = web.post(f"{url}/api/v1/send", json=request()).json()["ID"]
    raw = web.get(f"{url}/api/v1/message/{id_}/raw")
    assert raw.headers["Content-Type"].startswith("text/plain")
    assert raw.content == (outbox / f"{id_}.eml").read_bytes()


@pytest.mark.parametrize("path", ["message/none", "message/none/raw", "message/..%2Fport/raw", "elsewhere"])
def test_what_is_not_there_is_not_found(url: str, web: requests.Session, path: str) -> None:
    assert web.get(f"{url}/api/v1/{path}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        json.dumps(request(Subject="a\r\nBcc: b@example.org")).encode(),
        json.dumps(request(Headers={"X-A": "a\nBcc: b@example.org"})).encode(),
        json.dumps(request(Headers={"Date": "today"})).encode(),
        json.dumps(request(From=None)).encode(),
    ],
    ids=["empty", "half", "array", "bytes", "deep", "subject", "header", "date", "from"],
)
def test_what_cannot_be_a_mail_is_refused_and_nothing_is_kept(
    url: str, web: requests.Session, outbox: Path, body: bytes
) -> None:
    answer = web.post(f"{url}/api/v1/send", data=body)
    assert answer.status_code == 400
    conforms(answer.json(), "refused")
    assert answer.json()["Error"]
    assert list(outbox.glob("*.eml")) == []


def test_a_mail_that_is_too_large_is_refused(url: str, web: requests.Session, outbox: Path) -> None:
    answer = web.post(f"{url}/api/v1/send", data=b" " * 25_000_001)
    assert answer.status_code == 413
    assert list(outbox.glob("*.eml")) == []


@pytest.mark.parametrize("query", ["messages?start=-1", "messages?limit=x", "search", "search?query=is:read"])
def test_a_question_that_makes_no_sense_is_answered_so(url: str, web: requests.Session, query: str) -> None:
    assert web.get(f"{url}/api/v1/{query}").status_code == 400


def test_pages(url: str, web: requests.Session) -> None:
    ids = [web.post(f"{url}/api/v1/send", json=request()).json()["ID"] for _ in range(5)]

    def page(where: str, **given: Any) -> list[str]:
        listing = web.get(f"{url}/api/v1/{where}", params=given).json()
        assert (listing["messages_count"], listing["start"]) == (5, given.get("start", 0))
        return [each["ID"] for each in listing["messages"]]

    assert page("messages", limit=2) == page("search", query="ferries", limit=2) == ids[:2:-1]
    assert page("messages", start=3) == page("search", query="ferries", start=3) == ids[1::-1]


def test_many_at_once_are_all_kept(url: str, api: MailAPI, outbox: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        posts = [api.build([message(number)]) for number in range(80)]
        answers = list(threads.map(lambda body: api.post(body, key="", count=1), posts))
    assert {answer.verdict for answer in answers} == {"accepted"}
    assert {answer.vendor_ids[0] for answer in answers} == {path.stem for path in outbox.glob("*.eml")}
    asked = [message(number).message_id for number in range(80)]
    assert api.lookup(asked) == frozenset(asked)


def test_a_page_under_another_name_cannot_read_the_mails(url: str, web: requests.Session) -> None:
    assert web.get(f"{url}/api/v1/messages", headers={"Host": "evil.example"}).status_code == 400
