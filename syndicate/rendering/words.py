"""What the program itself says to readers, in their language: fixed words, dates, and the direction of writing.

English and French; another language gets the English words, and its own dates where CLDR knows it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Literal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_skeleton

Direction = Literal["ltr", "rtl"]

_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True, slots=True)
class Words:
    """The fixed words of one language; those in braces are filled by the methods."""

    language: str
    view_in_browser: str
    more_on_the_web: str
    one_more: str
    many_more: str
    because: str
    unsubscribe: str
    preferences: str
    privacy: str
    translation: str
    origin: str
    links_heading: str
    sponsor: str
    test_mark: str
    test_note: str

    def and_more(self, count: int) -> str:
        """`and 3 more on the web`."""
        return self.one_more if count == 1 else self.many_more.format(count=count)

    def reason(self, newsletter: str, publication: str) -> str:
        """Why the mail came."""
        return self.because.format(newsletter=newsletter, publication=publication)

    def translated_by(self, name: str) -> str:
        """Who translated."""
        return self.translation.format(name=name)

    def from_origin(self, host: str) -> str:
        """Where an article of others first stood."""
        return self.origin.format(host=host)

    def sponsored_by(self, name: str) -> str:
        """Who paid for a place."""
        return self.sponsor.format(name=name)


ENGLISH = Words(
    language="en",
    view_in_browser="View in your browser",
    more_on_the_web="More on the web",
    one_more="and 1 more on the web",
    many_more="and {count} more on the web",
    because="You get this because you subscribed to {newsletter} by {publication}.",
    unsubscribe="Unsubscribe",
    preferences="Preferences",
    privacy="Privacy",
    translation="Translation: {name}",
    origin="From {host}",
    links_heading="Also worth reading",
    sponsor="Sponsored by {name}",
    test_mark="[Test]",
    test_note="A test, sent to editors only. Its unsubscribe link does nothing.",
)
# French sets a no-break space before a colon and inside guillemets, and the typographic apostrophe.
FRENCH = Words(
    language="fr",
    view_in_browser="Lire dans le navigateur",
    more_on_the_web="À lire aussi en ligne",
    one_more="et 1 autre article en ligne",
    many_more="et {count} autres articles en ligne",
    because="Vous recevez ce message parce que vous avez demandé à recevoir "
    "«\u00a0{newsletter}\u00a0» de {publication}.",
    unsubscribe="Se désabonner",
    preferences="Préférences",
    privacy="Confidentialité",
    translation="Traduction\u00a0: {name}",
    origin="Source\u00a0: {host}",
    links_heading="À lire par ailleurs",
    sponsor="Sponsorisé par {name}",
    test_mark="[Essai]",
    test_note="Un essai, envoyé à la rédaction seulement. Son lien de désabonnement est sans effet.",
)
_LANGUAGES = {words.language: words for words in (ENGLISH, FRENCH)}
TEST_MARKS = tuple(words.test_mark for words in _LANGUAGES.values())


def words_for(language: str) -> Words:
    """The words of a language tag such as `fr-CA`, English for one that is not known."""
    return _LANGUAGES.get(language.partition("-")[0].lower(), ENGLISH)


def language_tag(language: str) -> str:
    """The tag as it may stand in a `lang` attribute, "" for what is none."""
    tag = language.strip().replace("_", "-")
    return tag if _TAG.fullmatch(tag) else ""


@lru_cache(maxsize=256)
def _locale(language: str) -> Locale:
    tag = language_tag(language)
    for candidate in (tag, tag.partition("-")[0]):
        try:
            return Locale.parse(candidate, sep="-")
        except (ValueError, UnknownLocaleError):
            continue
    return Locale("en")


def direction(language: str) -> Direction:
    """Which way the language is written."""
    return "rtl" if _locale(language).text_direction == "rtl" else "ltr"


def long_date(day: date, language: str, *, weekday: bool = False) -> str:
    """`Friday, November 20, 2026` or `20 novembre 2026`, as the language writes it."""
    locale = _locale(language)
    return _ordinal(day, locale, format_date(day, format="full" if weekday else "long", locale=locale))


def near_date(day: date, today: date, language: str) -> str:
    """The same without the year when it is today's."""
    if day.year != today.year:
        return long_date(day, language)
    locale = _locale(language)
    return _ordinal(day, locale, format_skeleton("MMMMd", day, locale=locale))


def _ordinal(day: date, locale: Locale, text: str) -> str:
    if locale.language == "fr" and day.day == 1:
        # CLDR writes "1 novembre"; French readers write the first of a month as an ordinal.
        text = re.sub(r"(?<!\d)1 ", "1er ", text, count=1)
    return text
