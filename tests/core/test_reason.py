"""Reasons as people read them, whatever a mail API answers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.reason import kind_of, words_in

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=30,
)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"statusCode": 401, "name": "missing_api_key", "message": "Missing API Key"}, "Missing API Key"),
        ({"ErrorCode": 10, "Message": "The server token is not valid."}, "The server token is not valid."),
        ({"errors": [{"message": "bad address", "field": "to"}]}, "bad address"),
        ({"errors": [{"code": "1902", "description": "no such domain", "message": "Generation rejected"}]},
         "Generation rejected"),
        ({"Messages": [{"Status": "error", "Errors": [{"ErrorMessage": "no e-mail address"}]}]}, "no e-mail address"),
        ({"error": {"message": "over quota"}}, "over quota"),
        ("Forbidden", "Forbidden"),
        ({"id": "1", "ok": False}, ""),
        ([], ""),
        (None, ""),
    ],
)  # fmt: skip
def test_the_words_are_found_where_vendors_put_them(answer: Any, words: str) -> None:
    assert words_in(answer) == words


@given(JSON)
def test_whatever_the_answer_is_there_are_words_or_none(answer: Any) -> None:
    assert isinstance(words_in(answer), str)


@given(st.emails(), st.emails())
def test_what_differs_only_by_the_person_is_one_reason(one: str, other: str) -> None:
    assert kind_of(f"550 5.1.1 <{one}>: no such user") == kind_of(f"550 5.1.1 <{other}>: no such user")


def test_what_differs_otherwise_stays_apart() -> None:
    assert kind_of("550 5.1.1 no such user") != kind_of("552 5.2.2 mailbox full")
    said = "429: too many requests, request 0123456789abcdef0123"
    assert kind_of(said) == "429: too many requests, request …"
    assert kind_of("not in the mail API's record yet") == "not in the mail API's record yet"
