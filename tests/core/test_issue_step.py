"""What was done to an issue, in words."""

from __future__ import annotations

import pytest

from syndicate.core.issue_step import STEPS, step_in_words


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ({"words": ["subject"]}, "changed its words"),
        ({"move": ["urn:uuid:1", -1]}, "changed its articles"),
        ({"words": ["intro"], "skip": ["urn:uuid:1"]}, "changed its words and its articles"),
        ({"sponsor": "Quay Bakery"}, "changed it"),
    ],
)
def test_an_edit_says_what_it_was_about(detail: dict[str, object], words: str) -> None:
    assert step_in_words("issue.edit", detail) == words


def test_every_step_can_be_told() -> None:
    assert all(step_in_words(action, {}) for action in STEPS)
