"""SMTP: TLS before anything is said, one mail a transaction over kept connections, and what each reply means."""

from __future__ import annotations

import binascii
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as POLICY
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.live_mail import settings_faults
from syndicate.core.message import Answer
from syndicate.core.publication import Publication, Sender
from syndicate.errors import BadInput, MailAPIError
from syndicate.mail import mime, open_mail_api
from syndicate.mail.base import Connection, MailAPI
from syndicate.mail.live import Live
from syndicate.mail.smtp_connection import Connection as Open
from tests.mail.samples import message
from tests.mail_api_server import MailApiServer, Plan, read_journal

HOST = "mail.test.invalid"
GOOD: dict[str, bytes] = {
    "": b"220 mx.example ESMTP\r\n",
    "EHLO": b"250-mx.example\r\n250-SIZE 1000000\r\n250 AUTH PLAIN LOGIN\r\n",
    "AUTH": b"235 2.7.0 Welcome\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 Go on\r\n",
    ".": b"250 2.0.0 Ok: queued as 4ABC123\r\n",
    "RSET": b"250 2.0.0 Ok\r\n",
    "STARTTLS": b"220 2.0.0 Ready\r\n",
}
CLOSE, HANG = b"", b"hang"


@dataclass
class Scripted:
    """An SMTP server that says what it is told to: by the first word of a command, "" to whoever connects, "." to a
    mail. CLOSE hangs up, HANG says nothing more; of several replies each is given once, the last for ever."""

    replies: dict[str, bytes | list[bytes]]
    tls: ssl.SSLContext | None = None
    at_once: bool = False
    said: list[str] = field(default_factory=list)
    mails: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    stopping: threading.Event = field(default_factory=threading.Event)

    def serve(self, listener: socket.socket) -> None:
        while not self.stopping.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        with ExitStack() as stack:
            stack.enter_context(connection)
            try:
                if self.at_once and self.tls is not None:
                    connection = stack.enter_context(self.tls.wrap_socket(connection, server_side=True))
                self._converse(connection, stack)
            except OSError:
                pass  # the client went away, as it may

    def _reply(self, word: str) -> bytes:
        known = self.replies.get(word, b"500 5.5.2 What?\r\n")
        if isinstance(known, bytes):
            return known
        return known.pop(0) if len(known) > 1 else known[0]

    def _converse(self, connection: socket.socket, stack: ExitStack) -> None:
        lines = stack.enter_context(connection.makefile("rb"))
        word = ""
        while True:
            reply = self._reply(word)
            if reply == HANG:
                self.stopping.wait(20)
                return
            if reply == CLOSE:
                return
            connection.sendall(reply)
            if word == "STARTTLS" and reply.startswith(b"220") and self.tls is not None:
                connection = stack.enter_context(self.tls.wrap_socket(connection, server_side=True))
                lines = stack.enter_context(connection.makefile("rb"))
            if word == "DATA" and reply.startswith(b"354"):
                mail = bytearray()
                while (line := lines.readline()) != b".\r\n":
                    if not line:
                        return
                    mail += line
                self.mails.append(bytes(mail))
                word = "."
                continue
            line = lines.readline()
            if not line:
                return
            self.said.append(line.decode().rstrip("\r\n"))
            word = line.split()[0].decode().upper()


@contextmanager
def scripted(changes: Mapping[str, bytes | list[bytes]] = {}, **more: Any) -> Iterator[Scripted]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Scripted({**GOOD, **changes}, **more)
        server.port = listener.getsockname()[1]
        thread = threading.Thread(target=server.serve, args=(listener,))
        thread.start()
        try:
            yield server
        finally:
            server.stopping.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)


def api_at(url: str, key: str = "", seconds: float = 5.0) -> MailAPI:
    return open_mail_api("smtp", Connection(url, key, seconds))


def post(api: MailAPI, number: int = 1, **changes: Any) -> Answer:
    return api.post(api.build([message(number, **changes)]), key="", count=1)


@pytest.mark.parametrize(
    ("step", "reply", "verdict", "permanent", "stops"),
    [
        ("", b"554 5.7.1 not you\r\n", "not_accepted", False, False),
        ("", b"421 4.3.2 too busy\r\n", "not_accepted", False, False),
        ("", CLOSE, "not_accepted", False, False),
        ("", b"HTTP/1.1 400 Bad Request\r\n", "not_accepted", False, False),
        ("EHLO", b"502 5.5.1 unknown\r\n", "not_accepted", False, False),
        ("EHLO", CLOSE, "not_accepted", False, False),
        ("MAIL", b"421 4.7.0 come back\r\n", "not_accepted", False, False),
        ("MAIL", b"451 4.3.0 not now\r\n", "not_accepted", False, False),
        ("MAIL", b"550 5.7.1 not as that sender\r\n", "not_accepted", False, True),
        ("MAIL", b"553 5.7.1 Sender address rejected: not owned by user\r\n", "not_accepted", False, True),
        ("MAIL", b"552 5.3.4 too large\r\n", "not_accepted", True, False),
        ("MAIL", b"530 5.7.0 Authentication required\r\n", "not_accepted", False, True),
        ("MAIL", CLOSE, "not_accepted", False, False),
        ("MAIL", b"garbage\r\n", "not_accepted", False, False),
        ("RCPT", b"450 4.2.0 greylisted\r\n", "not_accepted", False, False),
        ("RCPT", b"452 4.2.2 mailbox full\r\n", "not_accepted", False, False),
        ("RCPT", b"550-5.1.1 The account that you\r\n550 5.1.1 tried to reach\r\n", "not_accepted", True, False),
        ("RCPT", b"552 5.2.2 over quota\r\n", "not_accepted", True, False),
        ("RCPT", b"251 2.1.5 will forward\r\n", "accepted", False, False),
        ("RCPT", CLOSE, "not_accepted", False, False),
        ("RCPT", b"\x00\xff\r\n", "not_accepted", False, False),
        ("DATA", b"451 4.3.0 not now\r\n", "not_accepted", False, False),
        ("DATA", b"554 5.5.1 no valid recipients\r\n", "not_accepted", True, False),
        ("DATA", b"250 2.0.0 Ok\r\n", "not_accepted", False, False),
        ("DATA", CLOSE, "not_accepted", False, False),
        (".", b"250 2.0.0 Ok: queued as 4ABC123\r\n", "accepted", False, False),
        (".", b"250-2.0.0 Ok\r\n250 queued as 4ABC123\r\n", "accepted", False, False),
        (".", b"250\r\n", "accepted", False, False),
        (".", b"421 4.3.2 going down\r\n", "not_accepted", False, False),
        (".", b"452 4.3.1 no room\r\n", "not_accepted", False, False),
        (".", b"552 5.2.2 over quota\r\n", "not_accepted", True, False),
        ("MAIL", b"550 5.4.5 Daily sending quota exceeded\r\n", "not_accepted", False, False),
        ("RCPT", b"550 5.4.5 Daily user sending limit exceeded\r\n", "not_accepted", False, False),
        ("RCPT", b"550 post.example has exceeded the max emails per hour (500)\r\n", "not_accepted", False, False),
        ("RCPT", b"552 5.2.2 The mailbox has exceeded its daily limit\r\n", "not_accepted", True, False),
        ("RCPT", b"550 5.7.1 not wanted here\r\n", "not_accepted", True, False),
        ("RCPT", b"550 5.7.17 the mailbox has another owner\r\n", "not_accepted", True, False),
        ("RCPT", b"554 5.7.1 <ann@example.org>: Relay access denied\r\n", "not_accepted", False, True),
        ("RCPT", b"550 5.1.8 Access denied, bad outbound sender\r\n", "not_accepted", False, True),
        ("RCPT", b"550 5.1.1 sender rejected? no, no such user\r\n", "not_accepted", True, False),
        ("RCPT", b"550 5.7.26 unauthenticated\r\n", "not_accepted", False, True),
        ("DATA", b"550 5.7.1 not now, not ever\r\n", "not_accepted", False, True),
        (".", b"554 5.7.1 spam\r\n", "not_accepted", False, True),
        (".", b"550 5.7.26 Unauthenticated email is not accepted: DMARC\r\n", "not_accepted", False, True),
        (".", b"554 Message rejected: Email address is not verified.\r\n", "not_accepted", False, True),
        (".", b"554 Sending paused for this account.\r\n", "not_accepted", False, True),
        (".", b"554 5.6.0 no mail\r\n", "not_accepted", True, False),
        (".", b"251 2.0.0 hm\r\n", "uncertain", False, False),
        (".", b"354 hm\r\n", "uncertain", False, False),
        (".", b"OK\r\n", "uncertain", False, False),
        (".", b"2500 Ok\r\n", "uncertain", False, False),
        (".", b"150 Ok\r\n", "uncertain", False, False),
        (".", b"250-2.0.0 Ok\r\n", "uncertain", False, False),
        (".", b"250 2.0.0 Ok" + b"x" * 5000 + b"\r\n", "uncertain", False, False),
        (".", b"250-x\r\n" * 200 + b"250 x\r\n", "uncertain", False, False),
        (".", CLOSE, "uncertain", False, False),
    ],
)  # fmt: skip
def test_a_reply_means_what_the_rfc_says(
    step: str, reply: bytes, verdict: str, permanent: bool, stops: bool
) -> None:
    closing = {".": reply} if reply.startswith(b"250-2.0.0 Ok\r\n") and reply.count(b"\n") == 1 else {}
    with scripted({step: reply, **closing}) as server:
        answer = post(api_at(f"smtp://127.0.0.1:{server.port}", seconds=1.0 if closing else 5.0))
    assert (answer.verdict, answer.permanent, answer.stops) == (verdict, permanent, stops), answer
    assert answer.why.isprintable()
    assert len(answer.why) < 450
    if stops:
        assert "[mail] from" in answer.why or "API_KEY" in answer.why


def test_a_sending_limit_is_waited_for() -> None:
    with scripted({".": b"550 5.4.5 Daily user sending limit exceeded\r\n"}) as server:
        answer = post(api_at(f"smtp://127.0.0.1:{server.port}"))
    assert (answer.verdict, answer.retry_after_seconds) == ("not_accepted", 3600.0)
    assert "asked again after an hour" in answer.why


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        (b"250 2.0.0 Ok: queued as 4ABC123", ("4ABC123",)),
        (b"250 OK id=1tABCD-0001Ab-2c", ("1tABCD-0001Ab-2c",)),
        (b"250 Ok 010201919f3c8b1e-0f0e0d0c-1b2a-4c3d-9e8f-0123456789ab-000000",
         ("010201919f3c8b1e-0f0e0d0c-1b2a-4c3d-9e8f-0123456789ab-000000",)),
        (b"250 2.0.0 OK  1795166940 d2e1a72fcca58-1 - gsmtp", ()),
    ],
)  # fmt: skip
def test_how_the_server_names_a_mail_is_kept_where_it_tells(words: bytes, ids: tuple[str, ...]) -> None:
    with scripted({".": words + b"\r\n"}) as server:
        assert post(api_at(f"smtp://127.0.0.1:{server.port}")).vendor_ids == ids


@pytest.mark.parametrize("step", ["", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "."])
def test_a_server_that_hangs_is_left_at_the_deadline(step: str) -> None:
    with scripted({step: HANG}) as server:
        began = time.monotonic()
        answer = post(api_at(f"smtp://127.0.0.1:{server.port}", "user:password", 0.4))
        assert time.monotonic() - began < 3
    assert answer.verdict == ("uncertain" if step == "." else "not_accepted")
    assert "0.4 s" in answer.why


def test_a_mail_arrives_as_it_was_written(tmp_path: Path) -> None:
    lines = ".\n..\n.x\nFrom here\n" + "long " * 300 + "\nend of it"
    sent = message(7, text=lines, html=f"<p>{lines}</p>\r\n")
    with scripted() as server:
        api = api_at(f"smtp://127.0.0.1:{server.port}")
        assert api.post(api.build([sent]), key="", count=1).verdict == "accepted"
        (raw,) = server.mails
        assert server.said[1] == f"MAIL FROM:<news@post.example> SIZE={len(raw)}"
        assert server.said[2] == "RCPT TO:<reader7@example.org>"
    # RFC 5321 section 4.5.2: the first dot of a line was doubled.
    plain = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in raw.split(b"\r\n"))
    mail = message_from_bytes(plain, policy=POLICY)
    assert isinstance(mail, EmailMessage)
    assert mail.get_content_type() == "multipart/alternative"
    plain_part, html_part = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain_part is not None
    assert html_part is not None
    assert plain_part.get_content().replace("\r\n", "\n").rstrip("\n") == lines
    assert html_part.get_content().replace("\r\n", "\n") == f"<p>{lines}</p>\n"
    assert mail["Subject"] == sent.subject
    assert mail["To"].addresses[0].display_name == "Zoë, reader 7"
    assert [mail[name] for name, _ in sent.headers] == [value for _, value in sent.headers]


@given(st.lists(st.sampled_from([*"a .=\té🚢\x0c\u2028\n", "\r\n", "x" * 74, "x" * 75, "x" * 1000])).map("".join))
def test_its_lines_are_written_as_if_all_were_written_at_once(words: str) -> None:
    octets = words.replace("\r\n", "\n").encode()
    written = mime.whole([], words, "").partition(b"\r\n\r\n")[2]
    assert written == binascii.b2a_qp(octets, istext=True).replace(b"\n", b"\r\n")


def test_many_mails_go_over_one_connection_also_after_a_refusal() -> None:
    with scripted({"RCPT": [GOOD["RCPT"]] * 2 + [b"550 5.1.1 no such user\r\n", GOOD["RCPT"]]}) as server:
        api = api_at(f"smtp://127.0.0.1:{server.port}")
        verdicts = [post(api, number).verdict for number in range(5)]
        assert verdicts == ["accepted", "accepted", "not_accepted", "accepted", "accepted"]
        assert server.connections == 1
        assert len(server.mails) == 4
        assert server.said.count("RSET") == 1


@pytest.mark.parametrize("reply", [b"421 4.4.2 timeout, closing\r\n", CLOSE])
def test_a_kept_connection_that_was_closed_meanwhile_is_replaced_and_nothing_is_sent_twice(reply: bytes) -> None:
    with scripted({"MAIL": [GOOD["MAIL"], reply, GOOD["MAIL"]]}) as server:
        api = api_at(f"smtp://127.0.0.1:{server.port}")
        assert [post(api, number).verdict for number in (1, 2, 3)] == ["accepted"] * 3
        assert server.connections == 2
        assert len(server.mails) == 3


def test_a_new_connection_that_fares_no_better_is_not_replaced_again() -> None:
    with scripted({"MAIL": [GOOD["MAIL"], CLOSE]}) as server:
        api = api_at(f"smtp://127.0.0.1:{server.port}")
        assert [post(api, number).verdict for number in (1, 2)] == ["accepted", "not_accepted"]
        assert server.connections == 2


def test_a_connection_that_rested_too_long_is_left_politely(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted() as server:
        api = api_at(f"smtp://127.0.0.1:{server.port}")
        assert post(api, 1).verdict == "accepted"
        monkeypatch.setattr(Open, "rested", lambda self: 1e6)
        assert post(api, 2).verdict == "accepted"
        assert server.connections == 2
        deadline = time.monotonic() + 5
        while "QUIT" not in server.said and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "QUIT" in server.said


def test_after_an_uncertain_end_the_connection_is_not_used_again() -> None:
    with scripted({".": [b"354 hm\r\n", GOOD["."]]}) as server:
        api = api_at(f"smtp://127.0.0.1:{server.port}")
        assert [post(api, number).verdict for number in (1, 2)] == ["uncertain", "accepted"]
        assert server.connections == 2


def test_a_mail_larger_than_the_server_takes_is_not_offered() -> None:
    with scripted({"EHLO": b"250-mx.example\r\n250 SIZE 100\r\n"}) as server:
        answer = post(api_at(f"smtp://127.0.0.1:{server.port}"))
        assert (answer.verdict, answer.permanent) == ("not_accepted", True)
        assert not any(line.startswith("MAIL") for line in server.said)


@pytest.mark.parametrize(
    ("changes", "stops", "words"),
    [
        ({"AUTH": b"535 5.7.8 wrong\r\n"}, True, "user:password"),
        ({"AUTH": b"534 5.7.9 too weak\r\n"}, True, "user:password"),
        ({"AUTH": b"454 4.7.0 not now\r\n"}, False, "not now"),
        ({"EHLO": b"250 mx.example\r\n"}, True, "no log-in"),
        ({"EHLO": b"250-mx.example\r\n250 AUTH GSSAPI\r\n"}, True, "GSSAPI"),
        ({"AUTH": CLOSE}, False, "closed"),
    ],
)
def test_a_log_in_that_fails_stops_the_issue_with_the_cure(
    changes: Mapping[str, bytes], stops: bool, words: str
) -> None:
    with scripted(changes) as server:
        answer = post(api_at(f"smtp://127.0.0.1:{server.port}", "user:the-password-itself"))
        assert (answer.verdict, answer.stops, answer.permanent) == ("not_accepted", stops, False)
        assert words in answer.why
        assert "the-password-itself" not in answer.why
        assert server.mails == []


# --- TLS --------------------------------------------------------------------------------------------------------------


def certificate(folder: Path, host: str) -> Path:
    """A key and a certificate signed by itself, for that host."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"{host}.pem"
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


Serve = Callable[..., Scripted]


@pytest.fixture
def secured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Servers with a certificate that the machine trusts (unless `trusted` is False), for HOST, which leads here."""
    resolve = socket.getaddrinfo

    def here(host: Any, port: Any, *more: Any, **named: Any) -> Any:
        return resolve("127.0.0.1" if host == HOST else host, port, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    with ExitStack() as stack:

        def one(
            changes: Mapping[str, bytes] = {}, *, named: str = HOST, trusted: bool = True, at_once: bool = False
        ) -> Scripted:
            file = certificate(tmp_path, named)
            if trusted:
                monkeypatch.setenv("SSL_CERT_FILE", str(file))
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(file)
            offers = {"EHLO": b"250-mx.example\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n"}
            return stack.enter_context(scripted({**offers, **changes}, tls=tls, at_once=at_once))

        yield one


def live(url: str) -> MailAPI:
    """The gate of live mail is open: this is about what comes after it."""
    api = api_at(url, "user:password")
    assert isinstance(api, Live)
    api.is_open = True
    return api


def to_a_person(api: MailAPI) -> Answer:
    return post(api, to_email="reader@post.test", from_email="news@post.test")


def test_starttls_comes_before_password_and_mail(secured: Serve) -> None:
    server = secured()
    assert to_a_person(live(f"smtp://{HOST}:{server.port}")).verdict == "accepted"
    words = [line.split()[0].upper() for line in server.said]
    assert words[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]
    assert len(server.mails) == 1


def test_tls_from_the_start(secured: Serve) -> None:
    server = secured(at_once=True)
    assert to_a_person(live(f"smtps://{HOST}:{server.port}")).verdict == "accepted"
    assert "STARTTLS" not in server.said


@pytest.mark.parametrize("changes", [{"EHLO": b"250-mx.example\r\n250 AUTH PLAIN\r\n"}])
def test_without_starttls_nothing_is_sent_and_the_issue_stops(secured: Serve, changes: Mapping[str, bytes]) -> None:
    """Also when somebody in between took the offer away."""
    server = secured(changes)
    answer = to_a_person(live(f"smtp://{HOST}:{server.port}"))
    assert (answer.verdict, answer.stops) == ("not_accepted", True)
    assert "STARTTLS" in answer.why
    assert [line.split()[0] for line in server.said] == ["EHLO"] or "AUTH" not in str(server.said)
    assert server.mails == []


def test_a_refused_starttls_sends_nothing(secured: Serve) -> None:
    server = secured({"STARTTLS": b"454 4.7.0 TLS not available\r\n"})
    answer = to_a_person(live(f"smtp://{HOST}:{server.port}"))
    assert answer.verdict == "not_accepted"
    assert "AUTH" not in str(server.said)


def test_what_was_said_before_tls_counts_for_nothing(secured: Serve) -> None:
    """Replies pushed in behind the one to STARTTLS are not taken for those under TLS (CVE-2011-0411 and its like)."""
    server = secured({"STARTTLS": b"220 2.0.0 Ready\r\n250-mx.example\r\n250 AUTH PLAIN\r\n235 2.7.0 in\r\n"})
    to_a_person(live(f"smtp://{HOST}:{server.port}"))
    assert [line.split()[0].upper() for line in server.said][:3] == ["EHLO", "STARTTLS", "EHLO"]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize(("named", "trusted"), [("other.test.invalid", True), (HOST, False)])
def test_a_certificate_that_is_not_the_servers_ends_it_before_a_word(
    secured: Serve, named: str, trusted: bool, at_once: bool
) -> None:
    server = secured(named=named, trusted=trusted, at_once=at_once)
    scheme = "smtps" if at_once else "smtp"
    answer = to_a_person(live(f"{scheme}://{HOST}:{server.port}"))
    assert (answer.verdict, answer.permanent) == ("not_accepted", False)
    assert "TLS failed" in answer.why
    assert "AUTH" not in str(server.said)
    assert server.mails == []


# --- addresses and keys -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["", "http://127.0.0.1", "smtp://", "smtp://a b", "smtp://u:p@127.0.0.1", "smtp://h:0"])
def test_an_address_that_is_none_is_refused_with_the_form(url: str) -> None:
    with pytest.raises(MailAPIError, match="smtps://host:port"):
        api_at(url)


@pytest.mark.parametrize("key", ["user", "user:", ":password", "user:pass\nword"])
def test_a_key_that_is_no_user_and_password_is_refused_at_once(key: str) -> None:
    with pytest.raises(MailAPIError, match="password") as refused:
        api_at("smtp://127.0.0.1:25", key)
    assert key not in str(refused.value) or key in ("user", "user:", ":password")


def test_ports_are_those_of_submission_unless_said() -> None:
    assert api_at("smtps://127.0.0.1").url == "smtps://127.0.0.1:465/"
    assert api_at("smtp://[::1]/").url == "smtp://[::1]:587/"
    accounts = {
        api_at(url, key).account
        for url, key in (
            ("smtps://127.0.0.1", ""), ("smtp://127.0.0.1", ""), ("smtps://127.0.0.2", ""), ("smtps://127.0.0.1", "a:b")
        )
    }  # fmt: skip
    assert len(accounts) == 4
    assert api_at("smtps://127.0.0.1", "a:b").account == api_at("smtps://127.0.0.1", "a:c").account


def test_a_mail_without_a_message_id_is_refused() -> None:
    with pytest.raises(BadInput, match="Message-ID"):
        api_at("smtp://127.0.0.1").build([message(headers=())])


def test_live_mail_by_smtp_is_covered_like_https() -> None:
    publication = Publication("The Post", "https://post.test", "en", "UTC", "https://news.post.test")
    sender = Sender("The Post", "news@post.test", "", "Post", "1 Street", "https://post.test/privacy", ())
    assert settings_faults(publication, sender, "smtp://mail.post.test:587/") == []
    assert settings_faults(publication, sender, "smtps://mail.post.test:465/") == []
    assert settings_faults(publication, sender, "http://mail.post.test") != []


def test_the_tests_own_server_keeps_what_it_took(tmp_path: Path) -> None:
    plan = Plan.parse(["2:drop_after_accept", "3:server_error"])
    with MailApiServer("smtp", tmp_path / "journal", plan=plan, api_key="a:b") as server:
        api = api_at(server.url, "a:b")
        verdicts = [post(api, number).verdict for number in range(1, 5)]
    assert verdicts == ["accepted", "uncertain", "not_accepted", "accepted"]
    assert [one.to for one in read_journal(server.journal)] == [f"reader{n}@example.org" for n in (1, 2, 4)]
