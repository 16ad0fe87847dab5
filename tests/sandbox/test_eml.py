"""What the sandbox writes is what a mail client reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as modern
from email.utils import parseaddr
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syndicate.sandbox.eml import Unusable, read_request, write_eml

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)

words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=120)
bodies = st.lists(
    st.one_of(
        st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
        st.sampled_from([*"\r\n .=\t", "\r\n", "\r\n.\r\n", "\r\nFrom ", "--", "=_", "x" * 300]),
    ),
    max_size=12,
).map("".join)


def request(**changes: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {
        "From": {"Name": "The Harbour Post", "Email": "news@post.example"},
        "To": [{"Name": "Ann", "Email": "ann@example.org"}],
        "ReplyTo": [{"Email": "desk@post.example"}],
        "Subject": "Ferries",
        "Headers": {"Message-ID": "<1@post.example>", "List-Id": "<morning.post.example>"},
        "Date": "Fri, 20 Nov 2026 07:00:00 +0000",
        "Text": "Ferries sail.\n",
        "HTML": "<p>Ferries sail.</p>\n",
    }
    return {**whole, **changes}


def eml(**changes: Any) -> bytes:
    return write_eml(read_request(request(**changes)), arrived=NOW, id_="00ff")


def parsed(raw: bytes) -> EmailMessage:
    return BytesParser(EmailMessage, policy=modern).parsebytes(raw)


def lines_of(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)


def body_of(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    content: str = found.get_content()
    return content


@given(subject=words, name=words, text=bodies.filter(bool), html=bodies.filter(bool))
@example(subject="=?utf-8?q?x?=", name='Ann "the" \\ Lee, Esq.', text=".\n", html="\r")
@example(subject=" blanks ", name=" Ann ", text="a \t\r\n.\r\n..", html="\n")
@example(subject="long " * 24, name="long " * 20, text="é" * 999, html="=" * 999)
@example(subject="李雷" * 40, name="Zoë" * 40, text="\x00\x0b\x0c\x1c\x85\u2028", html="\ufeff")
def test_a_mail_client_reads_back_what_was_sent(subject: str, name: str, text: str, html: str) -> None:
    raw = eml(Subject=subject, To=[{"Name": name, "Email": "ann@example.org"}], Text=text, HTML=html)
    message = parsed(raw)
    assert message["Subject"] == subject
    # Python's newer parser keeps the blanks between encoded words of a name, against RFC 2047 §6.2; its older does not.
    called, address = parseaddr(str(BytesParser().parsebytes(raw)["To"]))
    assert (str(make_header(decode_header(called))), address) == (name, "ann@example.org")
    assert lines_of(body_of(message, "plain")) == lines_of(text)
    assert lines_of(body_of(message, "html")) == lines_of(html)
    assert message.get_content_type() == "multipart/alternative"
    assert not message.defects
    assert_fit_for_the_wire(raw)


def assert_fit_for_the_wire(raw: bytes) -> None:
    """RFC 5322 §2.1.1 and RFC 2045 §6.7: seven bits, CRLF only, no line over the limits."""
    assert raw.isascii()
    assert b"\r" not in raw.replace(b"\r\n", b"") and b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\x00" not in raw
    assert max(len(line) for line in raw.split(b"\r\n")) <= 78


@given(values=st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=700), max_size=5))
def test_headers_stand_verbatim_and_in_order(values: list[str]) -> None:
    given_headers = {f"X-Header-{number}": value for number, value in enumerate(values)}
    head = eml(Headers=given_headers).partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")
    assert [line for line in head if line.startswith("X-Header")] == [f"{n}: {v}" for n, v in given_headers.items()]


def test_the_head_of_a_mail_is_what_was_sent_and_what_a_body_needs() -> None:
    head, _, _ = eml().partition(b"\r\n\r\n")
    boundary = parsed(eml()).get_boundary()
    assert head.decode("ascii").split("\r\n") == [
        "From: The Harbour Post <news@post.example>",
        "To: Ann <ann@example.org>",
        "Reply-To: desk@post.example",
        "Subject: Ferries",
        "Date: Fri, 20 Nov 2026 07:00:00 +0000",
        "Message-ID: <1@post.example>",
        "List-Id: <morning.post.example>",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/alternative; boundary="{boundary}"',
    ]


def test_the_same_request_gives_the_same_mail() -> None:
    assert eml() == eml()


def test_a_header_too_long_for_a_line_is_folded_at_its_blanks() -> None:
    value = " ".join(["<https://news.post.example/u/token>,"] * 60)
    raw = eml(Headers={"List-Unsubscribe": value})
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert parsed(raw)["List-Unsubscribe"] == value


@pytest.mark.parametrize(
    ("text", "html", "kind"), [("a", "", "text/plain"), ("", "<p>", "text/html"), ("", "", "text/plain")]
)
def test_one_body_is_one_part(text: str, html: str, kind: str) -> None:
    message = parsed(eml(Text=text, HTML=html))
    assert message.get_content_type() == kind
    assert message.get_content() == text + html


def test_what_a_mail_must_have_and_the_request_lacks_is_added() -> None:
    message = parsed(eml(Date=None, Headers={}))
    assert message["Date"].datetime == NOW
    assert message["Message-ID"] == "<00ff@sandbox.invalid>"


@pytest.mark.parametrize(
    "changes",
    [
        {"Subject": "Hello\r\nBcc: spy@example.org"},
        {"Subject": "Hello\nthere"},
        {"Subject": 7},
        {"Text": ["a"]},
        {"HTML": "\ud800"},
        {"From": None},
        {"From": {"Name": "News"}},
        {"From": {"Email": "news@post.example\r\nBcc: spy@example.org"}},
        {"From": {"Name": "News\r\nBcc: spy@example.org", "Email": "news@post.example"}},
        {"To": {"Email": "ann@example.org"}},
        {"To": [{"Email": "ann@example.org, bob@example.org"}]},
        {"To": [{"Email": "zoë@example.org"}]},
        {"To": ["ann@example.org"]},
        {"ReplyTo": [{"Name": "a\nb", "Email": "desk@post.example"}]},
        {"Headers": ["X-A"]},
        {"Headers": {"X-A": "b\r\nBcc: spy@example.org"}},
        {"Headers": {"X-A": "b\nc"}},
        {"Headers": {"X-A": "é"}},
        {"Headers": {"X-A": 1}},
        {"Headers": {"X-A: b\r\nX-B": "c"}},
        {"Headers": {"": "c"}},
        {"Headers": {"X-A": "x" * 1000}},
        {"Headers": {"Date": "Fri, 20 Nov 2026 07:00:00 +0000"}},
        {"Headers": {"SUBJECT": "another"}},
        {"Headers": {"Content-Type": "text/plain"}},
        {"Date": "now\r\nBcc: spy@example.org"},
        {"Tags": ["a\nb"]},
        {"Attachments": [{"Filename": "a", "Content": ""}]},
    ],
    ids=lambda changes: ascii(changes)[:60],
)
def test_what_cannot_become_a_mail_is_refused_in_one_line(changes: dict[str, Any]) -> None:
    with pytest.raises(Unusable) as refused:
        eml(**changes)
    assert refused.value.args[0].splitlines() == [refused.value.args[0]]


@pytest.mark.parametrize("whole", [None, [], "x", 7])
def test_what_is_no_object_is_refused(whole: object) -> None:
    with pytest.raises(Unusable):
        read_request(whole)
