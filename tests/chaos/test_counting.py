"""What `python3 -m tests.chaos` would not overlook."""

from __future__ import annotations

import json

from tests.chaos.apis import can_know
from tests.chaos.counting import Count, count, faults_in, per_million
from tests.chaos.round import Round
from tests.mail_api_server import Acceptance

READERS = ["ana@example.com", "ben@example.com", "cy@example.com"]


def taken(*addresses: str) -> list[Acceptance]:
    return [Acceptance(number, "", "", to, f"m{number}") for number, to in enumerate(addresses, 1)]


def test_who_got_nothing_is_lost_unless_it_is_shown_as_uncertain() -> None:
    assert count(READERS, taken(*READERS), []) == Count(0, 0, 0)
    assert count(READERS, taken(*READERS[:2]), []) == Count(1, 0, 0)
    assert count(READERS, taken(*READERS[:2]), [READERS[2]]) == Count(0, 0, 1)
    assert count(READERS, taken(*READERS[:2]), [READERS[0]]) == Count(1, 0, 1)


def test_who_got_it_twice_is_doubled_also_while_it_is_uncertain() -> None:
    assert count(READERS, taken(*READERS, READERS[0]), [READERS[0]]) == Count(0, 1, 1)


def test_a_round_is_good_when_it_is_as_good_as_its_mail_api_allows() -> None:
    assert can_know("resend") and can_know("mailgun") and not can_know("sendgrid") and can_know("sendgrid+activity")
    assert Round("resend", "sqlite", 3, Count(0, 0, 0)).is_good
    assert not Round("resend", "sqlite", 3, Count(0, 0, 1)).is_good
    assert Round("sendgrid", "sqlite", 3, Count(0, 0, 1)).is_good
    for bad in (Count(1, 0, 0), Count(0, 1, 0)):
        assert not Round("sendgrid", "sqlite", 3, bad).is_good
    assert not Round("resend", "sqlite", 3, Count(0, 0, 0), unbalanced=1).is_good


def test_what_nobody_foresaw_is_found_in_the_logs() -> None:
    ordinary = json.dumps({"level": "warning", "event": "failed", "text": "clock: The database is away."})
    unforeseen = json.dumps({"level": "error", "event": "failed", "text": "clock: KeyError: 3", "where": "a place"})
    assert faults_in([ordinary, "The database cannot be used: connection refused."]) == []
    assert faults_in([ordinary, unforeseen, "Traceback (most recent call last):"]) == [
        "clock: KeyError: 3\na place",
        "Traceback (most recent call last):",
    ]


def test_figures_are_for_a_million() -> None:
    assert per_million(3, 3_000) == 1_000
    assert per_million(0, 0) == 0
