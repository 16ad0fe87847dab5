"""How often a newsletter comes, as its readers read it: `Monday to Friday at 07:00`, `Le samedi à 9 h`."""

from __future__ import annotations

from datetime import time

from babel.dates import get_day_names

from syndicate.core.newsletter import Cadence
from syndicate.rendering.reader_words import reader_words

_WEEK = 7


def how_often(cadence: Cadence, language: str) -> str:
    """The cadence's days and times in the words of a language tag, English where the pages have none in it. The times
    are of the newsletter's zone."""
    french = reader_words(language).language == "fr"
    days = _french_days(cadence.days) if french else _english_days(cadence.days)
    times = [_french_time(each) if french else f"{each:%H:%M}" for each in cadence.times]
    said = f"{days} {'à' if french else 'at'} {_listed(times, 'et' if french else 'and')}"
    return said[:1].upper() + said[1:]


def _english_days(days: tuple[int, ...]) -> str:
    names = get_day_names("wide", locale="en")
    if len(days) == _WEEK:
        return "every day"
    if run := _run(days):
        return f"{names[run[0]]} to {names[run[1]]}"
    return _listed([names[each] for each in days], "and")


def _french_days(days: tuple[int, ...]) -> str:
    names = get_day_names("wide", locale="fr")
    if len(days) == _WEEK:
        return "tous les jours"
    if run := _run(days):
        return f"du {names[run[0]]} au {names[run[1]]}"
    return _listed([f"le {names[each]}" for each in days], "et")


def _run(days: tuple[int, ...]) -> tuple[int, int] | None:
    """First and last of three days or more that follow one another, also over the end of the week."""
    firsts = [each for each in days if (each - 1) % _WEEK not in days]
    if len(days) < 3 or len(firsts) != 1:
        return None
    return firsts[0], (firsts[0] + len(days) - 1) % _WEEK


def _french_time(moment: time) -> str:
    # Imprimerie nationale: no zero before the hour, no-break spaces around h.
    return f"{moment.hour}\u00a0h" + (f"\u00a0{moment.minute:02}" if moment.minute else "")


def _listed(parts: list[str], last: str) -> str:
    return f" {last} ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
