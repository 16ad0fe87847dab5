"""What a refusal says of an address: notes of the big providers, and what they write under the wrong code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.bounce import bounce_kind, code_of
from syndicate.core.mail_event import EventKind


@pytest.mark.parametrize(
    ("words", "permanent", "kind"),
    [
        ("550-5.1.1 The email account that you tried to reach does not exist.", True, "hard bounce"),
        ("550 5.1.1 no such user", False, "hard bounce"),
        ("556 5.1.10 domain takes no mail", True, "hard bounce"),
        ("550 5.2.1 The email account is disabled", True, "hard bounce"),
        ("552 5.2.2 over quota", True, "soft bounce"),
        ("550 5.1.1 mailbox is full", True, "soft bounce"),
        ("554 5.7.1 user over quota", True, "soft bounce"),
        ("550 5.7.26 unauthenticated, from 192.0.2.5.1", True, "blocked"),
        ("smtp; 550 5.7.515 access denied", False, "blocked"),
        ("550 5.4.1 recipient address rejected", True, "soft bounce"),
        ("554 5.3.4 message too large", True, "soft bounce"),
        ("451 4.7.1 greylisted", True, "soft bounce"),
        ("421 try again", True, "soft bounce"),
        ("550 no such user", True, "hard bounce"),
        ("550 Mail from 192.0.2.1 refused, see https://www.spamhaus.org/query/ip/192.0.2.1", True, "blocked"),
        ("554 Access rejected due to the sending MTA's poor reputation", True, "blocked"),
        ("550 5.0.0 message looks like spam", False, "blocked"),
        ("550 <nospam@post.example>: refused", True, "hard bounce"),
        ("550 user unknown (spam filter on mx1)", True, "hard bounce"),
        ("550 5.1.1 on our blocklist", True, "hard bounce"),
        ("451 on our blocklist for an hour", True, "soft bounce"),
        ("550 no such user", False, "soft bounce"),
        ("552 too much", True, "soft bounce"),
        ("", True, "hard bounce"),
        ("", False, "soft bounce"),
    ],
)
def test_a_refusal_says_of_the_address(words: str, permanent: bool, kind: EventKind) -> None:
    assert bounce_kind(words, permanent=permanent) == kind


def test_a_code_given_apart_goes_before_those_in_the_words() -> None:
    assert bounce_kind("see 5.1.1", permanent=True, code="5.7.1") == "blocked"


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("550 5.1.1 x", "5.1.1"),
        ("x (5.1.1).", "5.1.1"),
        ("550-5.7.26", "5.7.26"),
        ("550 x", "550"),
        ("from 5.9.10.11 and 10.5.1.1", ""),
        ("15.1.1", ""),
        ("5501", ""),
        ("", ""),
    ],
)
def test_the_code_is_found_among_the_words(words: str, code: str) -> None:
    assert code_of(words) == code


@given(st.text(), st.booleans())
def test_whatever_is_said_it_is_some_bounce(words: str, permanent: bool) -> None:
    assert bounce_kind(words, permanent=permanent) in ("hard bounce", "soft bounce", "blocked")
    assert len(code_of(words)) <= 9
