"""Addresses: one person is one address, two people are never one, and nothing breaks a header."""

from __future__ import annotations

import hmac
import string

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.address import address_hash, named, normalise


@pytest.mark.parametrize(
    ("text", "email", "address"),
    [
        (" Ann.B+c@Post.EXAMPLE ", "Ann.B+c@post.example", "ann.b+c@post.example"),
        ("ann@bücher.example.org", "ann@xn--bcher-kva.example.org", "ann@xn--bcher-kva.example.org"),
        ("Ölaf@post.example", "Ölaf@post.example", "ölaf@post.example"),
    ],
)
def test_both_forms(text: str, email: str, address: str) -> None:
    assert normalise(text) == (email, address)


def test_two_mailboxes_are_never_made_one() -> None:
    pairs = [("straße@post.example", "strasse@post.example"), ("a.b@post.example", "ab@post.example")]
    for left, right in pairs:
        assert normalise(left).address != normalise(right).address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "ann@",
        "@post.example",
        "ann@post",
        "a@b@post.example",
        "ann@post.example\r\nBcc: x@post.example",
        "ann\x00@post.example",
        "ann @post.example",
        '"a b"@post.example',
        "ann@[127.0.0.1]",
        "ann@localhost",
        "a..b@post.example",
        ".a@post.example",
        "ann@-post.example",
        "ann@post..example",
        f"{'a' * 65}@post.example",
        f"a@{'b' * 260}.example",
        "Ann <ann@post.example>",
        "ann@post.example,bea@post.example",
    ],
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        normalise(text)


local = st.text(string.ascii_letters + string.digits + "._+-'!", min_size=1, max_size=70)
label = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=12)
domain = st.lists(label, min_size=1, max_size=4).map(".".join)
endings = st.sampled_from(["", ".org", ".example", ".invalid", ".test", ".local", ".ORG", ".c", ".123", ".xn--p1ai"])


@given(local, domain, endings)
def test_the_short_way_gives_the_same_answer_as_the_library(name: str, host: str, ending: str) -> None:
    text = f"{name}@{host}{ending}"
    try:
        found = validate_email(text, check_deliverability=False, strict=True)
        expected: str | None = f"{found.local_part}@{found.ascii_domain.lower()}"
    except EmailNotValidError:
        expected = None
    try:
        got: str | None = normalise(text).email
    except ValueError:
        got = None
    assert got == expected


@given(st.text(max_size=60))
def test_whatever_is_taken_is_safe_in_a_header_and_stays_itself(text: str) -> None:
    try:
        found = normalise(text)
    except ValueError:
        return
    assert not any(each < "!" or each in '<>,;:"()\x7f' for each in found.email)
    assert normalise(found.email) == found
    assert normalise(found.address).address == found.address


def test_names_beside_addresses() -> None:
    assert named("The Harbour Post <news@post.example>") == ("The Harbour Post", "news@post.example")
    assert named("news@post.example") == ("", "news@post.example")
    assert named('"Post, The Harbour" <news@post.example>') == ("Post, The Harbour", "news@post.example")
    assert named("Post, The Harbour <news@post.example>") == ("Post, The Harbour", "news@post.example")
    for text in ("The Harbour Post", "Post <news@post.example", "Post <>", "Post <a@post.example> <b@post.example>"):
        with pytest.raises(ValueError, match=r"\w"):
            named(text)


def test_the_hash_needs_the_key() -> None:
    assert address_hash("ann@post.example", b"one") != address_hash("ann@post.example", b"two")
    assert address_hash("ann@post.example", b"one") == address_hash("ann@post.example", b"one")
    assert len(address_hash("ann@post.example", b"one")) == 64


def test_the_hash_is_rfc_2104s_and_stays_so() -> None:
    for key in (b"one", b"one", b"k" * 100):
        expected = hmac.new(key, b"ann@post.example", "sha256").hexdigest()
        assert address_hash("ann@post.example", key) == expected
