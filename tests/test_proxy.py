"""A way out through a proxy: what it is told, and that what it refuses has surely not been sent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from syndicate.errors import MailAPIError
from syndicate.http import Client, Failure, Reply
from syndicate.mail import ADAPTERS, open_mail_api
from syndicate.mail.base import Connection
from syndicate.services.write_site import NEW_SETTINGS, write_site
from syndicate.site import open_site
from tests.proxying import PEM, Proxy, proxy, tls_server

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
FORBIDDEN = b"HTTP/1.1 403 No way\r\nContent-Length: 0\r\n\r\n"
BODY = b"a body that nobody on the way may read"


def client(way: Proxy, credentials: str = "", *, seconds: float = 20.0) -> Client:
    return Client(deadline_seconds=seconds, trusted=PEM, proxy=way.address(credentials))


def test_a_request_goes_through_it_unread() -> None:
    with proxy() as way, tls_server(OK) as (url, seen):
        reply = client(way).post(f"{url}/send", BODY, {"X-Secret": "hush"})
        assert isinstance(reply, Reply) and reply.body == b"ok"
        assert seen[0].startswith(b"POST /send HTTP/1.1")
    assert way.seen[0].startswith(b"CONNECT 127.0.0.1:")
    assert b"hush" not in way.seen[0] + bytes(way.carried) and BODY not in bytes(way.carried)


def test_only_one_that_was_named_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with proxy() as way, tls_server(OK) as (url, _):
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, way.url)
        assert isinstance(Client(deadline_seconds=20.0, trusted=PEM).post(url, BODY, {}), Reply)
    assert way.seen == []


@pytest.mark.parametrize(
    ("refusal", "says"),
    [
        (FORBIDDEN, "403"),
        (b"HTTP/1.1 502 Bad \x1b[31mGateway\r\n\r\n", "502"),
        (b"HTTP/1.1 407 Not pass%20word, not pass word\r\nContent-Length: 0\r\n\r\n", "407"),
        (b"nonsense\r\n\r\n", ""),
    ],
)
def test_what_it_refuses_has_not_left(refusal: bytes, says: str) -> None:
    with proxy(refusal) as way, tls_server(OK) as (url, seen):
        failure = client(way, "news:pass%20word").post(url, BODY, {})
    assert isinstance(failure, Failure) and not failure.left and not failure.refused
    assert says in failure.why and failure.why.isprintable()
    assert "pass word" not in failure.why and "pass%20word" not in failure.why
    assert seen == [] and len(way.seen) == 1


def test_one_that_comes_to_no_end_or_is_not_there_has_sent_nothing() -> None:
    with proxy(drips=True) as way:
        failure = client(way, seconds=0.5).post("https://127.0.0.1:9/", BODY, {})
        assert isinstance(failure, Failure) and not failure.left and "0.5 s" in failure.why
    gone = client(way).post("https://127.0.0.1:9/", BODY, {})
    assert isinstance(gone, Failure) and not gone.left


def test_a_password_goes_to_it_and_nowhere_else() -> None:
    with proxy(password="news:pass word") as way, tls_server(OK) as (url, seen):
        assert isinstance(client(way, "news:pass%20word").post(url, BODY, {}), Reply)
        assert b"Authorization" not in seen[0]
        refused = client(way, "news:wrong").post(url, BODY, {})
        assert isinstance(refused, Failure) and not refused.left and "407" in refused.why


def test_what_breaks_behind_it_may_have_been_taken() -> None:
    with proxy() as way, tls_server(b"") as (url, seen):
        failure = client(way).post(url, BODY, {})
        assert isinstance(failure, Failure) and failure.left and len(seen) == 1


def test_a_certificate_that_nobody_knows_is_refused_before_anything_leaves() -> None:
    with proxy() as way, tls_server(OK) as (url, seen):
        failure = Client(deadline_seconds=20.0, proxy=way.url).post(url, BODY, {})
    assert isinstance(failure, Failure) and not failure.left and "certificate" in failure.why.lower()
    assert seen == []


@pytest.mark.parametrize("name", sorted(set(ADAPTERS) - {"smtp"}))
def test_each_mail_api_is_reached_through_it(name: str) -> None:
    """And what it refuses is tried again: no reader is in doubt."""
    with proxy(FORBIDDEN) as way:
        to = Connection("https://127.0.0.1:9", "key:secret", 20.0, domain="post.example", activity=True, proxy=way.url)
        api = open_mail_api(name, to)
        answer = api.post(b"{}", key="k", count=1)
        assert (answer.verdict, answer.permanent, answer.stops) == ("not_accepted", False, False)
        assert "403" in answer.why and len(way.seen) == 1
        # Its record too, where it has one.
        assert api.lookup(["<1@post.example>"], key="k") is None
        assert (len(way.seen) > 1) == api.sheet.lookup


def test_a_mail_api_answers_through_it() -> None:
    told = json.dumps({"data": [{"id": "one"}]}).encode()
    with proxy() as way, tls_server(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)) as (url, _):
        api = open_mail_api("resend", Connection(url, "key", 20.0, proxy=way.url, certificates=PEM))
        answer = api.post(b"[]", key="k", count=1)
    assert (answer.verdict, answer.vendor_ids) == ("accepted", ("one",)) and len(way.seen) == 1


def test_a_site_leads_its_mail_api_through_the_one_of_its_settings(tmp_path: Path) -> None:
    text = NEW_SETTINGS.replace('api = "sandbox"', 'api = "resend"\nurl = "https://127.0.0.1:9"')
    assert text != NEW_SETTINGS
    write_site(tmp_path, text)
    with proxy(FORBIDDEN) as way:
        environ = {"SYNDICATE_MAIL__API_KEY": "key", "SYNDICATE_MAIL__PROXY": way.address("news:hush-hush")}
        opened = open_site(tmp_path, environ)
        assert "403" in opened.mail_api().post(b"[]", key="k", count=1).why
    assert len(way.seen) == 1 and b"Proxy-Authorization: Basic " in way.seen[0]
    # What is logged is without it.
    assert "hush-hush" in opened.secrets


def test_smtp_is_not_spoken_through_it() -> None:
    with pytest.raises(MailAPIError, match="proxy"):
        open_mail_api("smtp", Connection("smtp://localhost:2525", "", proxy="http://localhost:3128"))
