"""Headers: right by their RFCs, and closed to whatever tries to add one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.header import decode_header, make_header
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.headers import (
    LONGEST_LINE,
    check_headers,
    check_one_line,
    common_headers,
    feedback_id,
    list_id,
    mail_host,
    message_id,
    message_ids,
)
from syndicate.errors import BadInput

DATE = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)


def common(title: str = "Morning Briefing", instance: str = "instance") -> dict[str, str]:
    headers = common_headers(
        date=DATE,
        title=title,
        newsletter="morning",
        host="news.post.example",
        issue_id=7,
        revision=1,
        instance=instance,
    )
    assert len(dict(headers)) == len(headers)
    return dict(headers)


def test_the_headers_of_an_issue() -> None:
    headers = common()
    assert headers["List-Id"] == "Morning Briefing <morning.news.post.example>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"  # RFC 8058 section 3.1
    assert headers["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(headers["Date"]) == DATE


@given(title=st.text(max_size=300), instance=st.text(st.characters(codec="utf-8"), max_size=50))
def test_no_title_breaks_a_header(title: str, instance: str) -> None:
    cleaned = "".join(each for each in title if each.isprintable() and not "\ud800" <= each <= "\udfff")
    for name, value in common(cleaned, instance).items():
        assert value.isascii() and value.isprintable() and len(f"{name}: {value}") <= LONGEST_LINE
        assert value == value.strip()


@given(title=st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=100))
def test_a_list_keeps_its_title_in_any_script(title: str) -> None:
    value = list_id(title, "morning", "news.post.example")
    phrase, label = value.rsplit(" ", 1)
    assert label == "<morning.news.post.example>"
    if title.isascii():
        read = re.sub(r"\\(.)", r"\1", phrase[1:-1]) if phrase.startswith('"') else phrase
    else:
        assert all(len(word) <= 75 for word in phrase.split())  # RFC 2047 section 2
        read = str(make_header(decode_header(phrase)))
    assert read == title


@pytest.mark.parametrize("title", ['He said "no"', "A, B & C: D", "a\\b", "<x@y>"])
def test_a_title_with_special_characters_is_quoted(title: str) -> None:
    assert list_id(title, "morning", "h.example").startswith('"')


def test_a_list_without_a_title_is_its_label() -> None:
    assert list_id(" ", "morning", "[IPv6:::1]") == "<morning.IPv6-1>"


@given(value=st.text())
def test_a_header_is_printable_ascii_or_refused(value: str) -> None:
    try:
        check_headers([("X-Any", value)])
    except BadInput:
        assert not (value.isascii() and value.isprintable())
    else:
        assert not re.search(r"[^\x20-\x7e]", value)


@pytest.mark.parametrize("name", ["", "Bad Name", "Bad:Name", "Bad\r\nName", "Bäd"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(BadInput):
        check_headers([(name, "value")])


def test_a_line_over_998_octets_is_refused() -> None:
    check_headers([("X", "y" * (LONGEST_LINE - 3))])
    with pytest.raises(BadInput, match="longer than 998"):
        check_headers([("X", "y" * (LONGEST_LINE - 2))])


@pytest.mark.parametrize("value", ["a\r\nBcc: b@example.org", "a\nb", "a\rb", "a\x00", "a\u2028b", "a\x85b"])
def test_a_value_that_would_start_a_line_is_refused(value: str) -> None:
    with pytest.raises(BadInput, match=r"\[mail\] from"):
        check_one_line("[mail] from", value)


def test_names_of_people_in_any_script_are_one_line() -> None:
    check_one_line("[mail] from", "La rédaction — 港口")


def test_a_message_id_is_the_same_for_the_same_and_says_nothing() -> None:
    assert message_id("h.example", "i", 7, 42) == message_id("h.example", "i", 7, 42)
    assert re.fullmatch(r"<[0-9a-f]{32}@h\.example>", message_id("h.example", "i", 7, 42))
    assert message_ids("h.example", "i", 7)("42") == message_id("h.example", "i", 7, 42)
    # No two cuts of the same digits meet.
    assert (
        len({message_id("h.example", *parts) for parts in [("i", 7, 42), ("i", 74, 2), ("i7", 42), ("i", 7, 43)]}) == 4
    )


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://News.Post.example/x", "news.post.example"),
        ("http://127.0.0.1:8025", "127.0.0.1"),
        ("http://[::1]:8025", "[IPv6:::1]"),
        ("https://häfen.example", "xn--hfen-loa.example"),
    ],
)
def test_the_host_of_ids(url: str, host: str) -> None:
    assert mail_host(url) == host


def test_feedback_id_is_as_gmail_asks() -> None:
    fields = feedback_id(7, 2, "morning", "instance").split(":")
    assert len(fields) == len(set(fields)) == 4
    assert 5 <= len(fields[-1]) <= 15
    assert fields[-1] == feedback_id(8, 1, "evening", "instance").split(":")[-1]
