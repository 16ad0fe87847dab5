"""One line, read in its own direction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.line import line_fault


@pytest.mark.parametrize(
    "text", ["", "Ann Lee", "Żółć 名前", 'The "Post", <daily>', "\u200fשלום", "👩‍👩‍👧", "a\u00a0b\u00ad"]
)
def test_what_people_are_called_is_fine(text: str) -> None:
    assert line_fault(text) is None


@pytest.mark.parametrize("character", ["\r", "\n", "\0", "\x1b", "\x7f", "\x85", "\x9b", "\u2028", "\u2029"])
def test_line_ends_and_controls_are_not(character: str) -> None:
    assert line_fault(f"Ann{character}Lee") == "a line break or a control character"


@pytest.mark.parametrize("character", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_what_turns_the_text_after_it_is_not(character: str) -> None:
    assert line_fault(f"Ann{character}gnp.exe") == "a character that turns the direction of text"


@given(st.text())
def test_a_text_without_fault_is_one_line_in_every_reading(text: str) -> None:
    if line_fault(text) is None:
        assert len(text.splitlines()) <= 1
