"""What people read of an answer is what it says in words, not its JSON."""

from __future__ import annotations

import json

import pytest

from syndicate.http import Reply
from syndicate.mail.answers import excerpt


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (json.dumps({"statusCode": 401, "name": "missing_api_key", "message": "Missing API Key"}), "Missing API Key"),
        (json.dumps({"errors": [{"message": "bad\r\naddress"}]}), "bad address"),
        ("<h1>Bad gateway</h1>", "<h1>Bad gateway</h1>"),
        ('{"id": 7}', '{"id": 7}'),
        ("[" * 100_000, "[" * 200),
        ("x" * 1000, "x" * 200),
    ],
)
def test_the_words_and_not_the_json(body: str, words: str) -> None:
    assert excerpt(Reply(401, {}, body.encode())) == f"401: {words}"


def test_an_empty_answer_is_its_status() -> None:
    assert excerpt(Reply(502, {}, b"")) == "502"
