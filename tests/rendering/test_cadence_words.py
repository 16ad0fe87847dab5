"""How often a newsletter comes, in the words of its readers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syndicate.core.schedule import DAYS, parse_cadence
from syndicate.rendering.cadence_words import how_often


@pytest.mark.parametrize(
    ("written", "english", "french"),
    [
        ("mon-fri 07:00", "Monday to Friday at 07:00", "Du lundi au vendredi à 7 h"),
        ("sat 09:00", "Saturday at 09:00", "Le samedi à 9 h"),
        ("mon,thu 08:30", "Monday and Thursday at 08:30", "Le lundi et le jeudi à 8 h 30"),
        ("daily 07:00,18:05", "Every day at 07:00 and 18:05", "Tous les jours à 7 h et 18 h 05"),
        ("sat-mon 00:00", "Saturday to Monday at 00:00", "Du samedi au lundi à 0 h"),
        ("sat,sun 12:00", "Saturday and Sunday at 12:00", "Le samedi et le dimanche à 12 h"),
        ("mon,wed,fri 6:00", "Monday, Wednesday and Friday at 06:00", "Le lundi, le mercredi et le vendredi à 6 h"),
        (
            "mon-wed,sat 06:00,12:00,18:00",
            "Monday, Tuesday, Wednesday and Saturday at 06:00, 12:00 and 18:00",
            "Le lundi, le mardi, le mercredi et le samedi à 6 h, 12 h et 18 h",
        ),
    ],
)
def test_a_cadence_in_words(written: str, english: str, french: str) -> None:
    cadence = parse_cadence("often", written)
    assert how_often(cadence, "en-GB") == how_often(cadence, "pt") == english
    assert how_often(cadence, "fr-CA").replace("\u00a0", " ") == french


@given(
    st.lists(st.sets(st.sampled_from(DAYS), min_size=1), min_size=2, max_size=2, unique_by=frozenset),
    st.sampled_from(["en", "fr"]),
)
def test_no_two_sets_of_days_read_the_same(days: list[set[str]], language: str) -> None:
    one, other = (how_often(parse_cadence("often", f"{','.join(each)} 07:00"), language) for each in days)
    assert one != other
