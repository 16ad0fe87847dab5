"""What stands in all copies of a letter is written once: octet by octet as if each had been written by itself."""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syndicate.core.copies import LONG, Field, Spliced, Wording
from syndicate.core.message import CapabilitySheet
from syndicate.errors import BadInput
from syndicate.mail.encoding import body, json_bytes

SHEET = CapabilitySheet("test", "this test", 1_000, 100_000_000)
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def long_wording(literals: list[str]) -> Wording:
    """With these literals, the last of which is made long, and a place between each two."""
    fields: list[Field] = ["leaving", "choosing", "name"]
    return Wording([*literals, literals[0] + "x" * (LONG + 1)], fields[: len(literals)])


@given(
    literals=st.lists(WORDS, min_size=1, max_size=3),
    people=st.lists(st.tuples(WORDS, WORDS, WORDS), min_size=1, max_size=4),
    beside=WORDS,
)
@example(
    literals=['<p class="a">\\ \u2028 😀', "é\x7f"],
    people=[("T0k", "x", 'Ann "A" \\u0000')],
    beside="\\u0000body",
)
def test_it_is_what_json_would_write(literals: list[str], people: list[tuple[str, str, str]], beside: str) -> None:
    wording = long_wording(literals)
    texts = [wording.fill(*values) for values in people]
    assert all(isinstance(each, Spliced) for each in texts)
    spliced = [{"subject": beside, "html": body(each, "It"), "then": ["end"]} for each in texts]
    plain = [{"subject": beside, "html": str(each), "then": ["end"]} for each in texts]
    written = json_bytes(spliced, SHEET)
    assert written == json.dumps(plain, separators=(",", ":")).encode()
    assert [each["html"] for each in json.loads(written)] == texts


@pytest.mark.parametrize("values", [("token", "token", "half of \ud83d"), ("token", "token", "Ann")])
def test_half_of_a_surrogate_pair_is_refused_in_a_literal_and_in_a_name(values: tuple[str, str, str]) -> None:
    literals = ["a ", " b ", " c "] if values[2] != "Ann" else ["a \ud83d", " b ", " c "]
    with pytest.raises(BadInput, match="The text is not valid Unicode"):
        body(long_wording(literals).fill(*values), "The text")


def test_a_request_that_is_too_large_is_refused() -> None:
    text = long_wording(["a"]).fill("token", "", "")
    with pytest.raises(BadInput, match="is more than small takes"):
        json_bytes([{"html": body(text, "It")}], CapabilitySheet("small", "this test", 1, 300))
