"""Live mail: never before the public address answers its own unsubscribe test, and never to samples."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import sqlalchemy as sa

from syndicate.core.message import Message
from syndicate.core.publication import Publication, Sender
from syndicate.core.token import TokenSigner
from syndicate.errors import BadInput
from syndicate.http import Client
from syndicate.mail import open_mail_api
from syndicate.mail.base import Connection
from syndicate.mail.live import Live
from syndicate.services.guard_live import PURPOSE, live_faults, sample_readers, try_web
from syndicate.storage import instance, tables
from syndicate.storage.database import Database
from tests.mailing import NOW, add_readers, frozen_issue, make_issue, make_newsroom

PEM = Path(__file__).parents[1] / "untrusted.pem"
SIGNER = TokenSigner([(1, b"a secret of some length, for tests")])
API = "https://api.resend.com/emails/batch"
Answer = Callable[[str, str], tuple[int, str]]


class Web:
    """A web server over TLS, and what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[str] = []


@contextmanager
def web(answer: Answer) -> Iterator[Web]:
    found = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = answer(self.command, self.path)
            self.send_response(status)
            if status == 303:
                self.send_header("Location", "/")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, *arguments: object) -> None:
            pass

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(PEM)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        found.url = f"https://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


def ours(method: str, path: str) -> tuple[int, str]:
    if method == "POST":
        SIGNER.read("test", path.removeprefix("/u/"))
        return 200, "left"
    return 200, SIGNER.sign(PURPOSE, path.removeprefix("/.well-known/syndicate/"))


def client() -> Client:
    return Client(deadline_seconds=10, trusted=PEM)


def test_this_site_answers_its_own_test() -> None:
    with web(ours) as server:
        assert try_web(server.url, SIGNER, client()) == ""
        assert [each.partition(" ")[0] for each in server.asked] == ["GET", "POST"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda method, path: (200, "welcome"), "something else"),
        (lambda method, path: (404, ""), "something else"),
        (lambda method, path: (200, TokenSigner([(1, b"another site's secret")]).sign(PURPOSE, path[23:])), "else"),
        (lambda method, path: (200, SIGNER.sign("unsubscribe", path[23:])), "something else"),
        (lambda method, path: (200, SIGNER.sign(PURPOSE, "an older nonce")), "something else"),
        (lambda method, path: ours(method, path) if method == "GET" else (303, ""), "status 303"),
        (lambda method, path: ours(method, path) if method == "GET" else (405, ""), "status 405"),
    ],
)
def test_what_is_not_this_site_or_does_not_take_the_post_fails(answer: Answer, said: str) -> None:
    with web(answer) as server:
        assert said in try_web(server.url, SIGNER, client())


def test_a_certificate_that_nobody_trusts_and_an_address_that_is_not_public_fail() -> None:
    with web(ours) as server:
        assert "certificate" in try_web(server.url, SIGNER, Client(deadline_seconds=10))
        assert "no public address" in try_web(server.url, SIGNER)
        assert server.asked == []


def test_a_passed_test_is_remembered_for_its_address_and_a_day(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as connection:
        instance.start(connection, secret=b"k" * 32, place="", web_url="", now=NOW)
    working = [True]

    def answer(method: str, path: str) -> tuple[int, str]:
        return ours(method, path) if working[0] else (502, "")

    # The rule that the address is public is tried elsewhere: here it stands on this machine.
    monkeypatch.setattr("syndicate.core.live_mail.web_fault", lambda url: "")
    sender = Sender("Quay", "news@quay-news.pt", "d@quay-news.pt", "Quay Ltd", "2 Mole Road", "https://quay-news.pt/p")
    with web(answer) as server:
        publication = Publication("Quay News", "https://quay-news.pt", "en", "Europe/Lisbon", server.url)

        def faults(hours: float = 0, publication: Publication = publication) -> list[str]:
            return live_faults(
                database,
                publication=publication,
                sender=sender,
                api_url=API,
                signer=SIGNER,
                now=NOW + timedelta(hours=hours),
                client=client(),
            )

        assert faults() == []
        working[0] = False
        assert faults(19) == []
        assert len(server.asked) == 2
        assert faults(21) == []
        assert len(server.asked) == 3
        assert faults(25)
        assert faults(0, replace(publication, web_url=f"{server.url}/elsewhere"))
        working[0] = True
        assert faults(25) == []
        working[0] = False
        assert faults(44) == []


def test_an_issue_that_would_go_to_samples_says_to_how_many(database: Database) -> None:
    articles = make_newsroom(database)
    some = ["a@quay-news.pt", "b@notexample.com", "c@example.com.pt", "d@x.example"]
    add_readers(database, 4, address_of=lambda number: some[number - 1])
    add_readers(database, 8, first=5)
    issue_id = make_issue(database, articles)
    table = tables.subscribers
    assert sample_readers(database, issue_id, NOW)[0].startswith("9 readers are samples")
    with database.write() as connection:
        connection.execute(sa.update(table).where(table.c.id > 3).values(suppressed="manual"))
    assert sample_readers(database, issue_id, NOW) == []


def test_the_frozen_are_counted_too(database: Database) -> None:
    issue_id = frozen_issue(database, 7)
    assert sample_readers(database, issue_id, NOW)[0].startswith("7 readers")
    with database.write() as connection:
        connection.execute(sa.update(tables.subscribers).values(suppressed="manual"))
    assert sample_readers(database, issue_id, NOW) == []


def message(to: str) -> Message:
    return Message(
        from_email="news@quay-news.pt",
        from_name="Quay",
        to_email=to,
        to_name="",
        reply_to="",
        subject="Hello",
        html="<p>Hello</p>",
        text="Hello",
        headers=(),
    )


def test_a_live_api_posts_nothing_before_its_gate_is_open_and_never_to_a_sample() -> None:
    api = open_mail_api("resend", Connection(api_key="re_key"))
    assert isinstance(api, Live)
    answer = api.post(b"[]", key="k", count=1)
    assert (answer.verdict, answer.permanent, answer.stops) == ("not_accepted", False, False)
    assert api.build([message("ann@quay-news.pt")])
    with pytest.raises(BadInput, match="is a sample"):
        api.build([message("ann@quay-news.pt"), message("ben@example.org")])
    assert not isinstance(open_mail_api("resend", Connection("http://127.0.0.1:9", "re_key")), Live)
