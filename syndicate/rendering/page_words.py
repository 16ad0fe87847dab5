"""The fixed words of public pages, in the language of the page; English where a language has none here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageWords:
    """Those in braces are filled by the templates with `format`."""

    language: str
    feeds: str
    feeds_intro: str
    everything: str
    new_in: str
    whole_articles: str
    summaries: str
    all_at_once: str
    opml: str
    all_feeds: str
    by: str
    updated: str
    translation: str
    topics: str
    read_elsewhere: str
    published_by: str
    correction: str
    corrected_on: str
    retracted: str
    retracted_on: str


_ENGLISH = PageWords(
    language="en",
    feeds="Feeds",
    feeds_intro=(
        "A feed brings every new article to the feed reader of your choice: no account, no tracking, nothing missed. "
        "Copy one address of a feed into your reader; all three say the same."
    ),
    everything="Every article, as soon as it is published.",
    new_in="Every new article in “{title}”.",
    whole_articles="Whole articles",
    summaries="Summaries",
    all_at_once="All feeds at once",
    opml="A feed reader takes the whole list by importing this file:",
    all_feeds="All feeds",
    by="By {names}",
    updated="Updated {date}",
    translation="Translation: {name}",
    topics="Topics",
    read_elsewhere="This article is now at {host}",
    published_by="Published by {title}",
    correction="Correction: {note}",
    corrected_on="Correction, {date}",
    retracted="Retracted",
    retracted_on="The article that stood here was retracted on {date}.",
)
# French sets a no-break space before a colon and inside guillemets.
_FRENCH = PageWords(
    language="fr",
    feeds="Flux",
    feeds_intro=(
        "Un flux apporte chaque nouvel article dans le lecteur de votre choix\u00a0: sans compte, sans pistage, "
        "sans rien manquer. Copiez l’une des adresses d’un flux dans votre lecteur\u00a0; toutes trois disent la même "
        "chose."
    ),
    everything="Chaque article, dès sa parution.",
    new_in="Chaque nouvel article de «\u00a0{title}\u00a0».",
    whole_articles="Articles entiers",
    summaries="Résumés",
    all_at_once="Tous les flux à la fois",
    opml="Un lecteur de flux prend toute la liste en important ce fichier\u00a0:",
    all_feeds="Tous les flux",
    by="Par {names}",
    updated="Mis à jour le {date}",
    translation="Traduction\u00a0: {name}",
    topics="Sujets",
    read_elsewhere="Cet article se trouve maintenant sur {host}",
    published_by="Publié par {title}",
    correction="Correction\u00a0: {note}",
    corrected_on="Correction du {date}",
    retracted="Article retiré",
    retracted_on="L’article qui se trouvait ici a été retiré le {date}.",
)
_LANGUAGES = {words.language: words for words in (_ENGLISH, _FRENCH)}


def page_words(language: str) -> PageWords:
    """The words of a language tag such as `fr-CA`."""
    return _LANGUAGES.get(language.partition("-")[0].lower(), _ENGLISH)
