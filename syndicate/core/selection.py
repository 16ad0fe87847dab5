"""`where`: which articles a feed, a newsletter or a topic takes.

A plain table of field = value (or a list: any of them), all of which must hold; `any = […]`, `all = […]` and
`not = {…}` combine tables. Fields: section, tag, author, language, source, text (words anywhere in title, summary
or body, case folded), since and until (ISO dates, against the article's own date, else its release).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from syndicate.core.article import Article

FIELDS = ("section", "tag", "author", "language", "source", "text", "since", "until")
COMBINERS = ("any", "all", "not")


@dataclass(frozen=True, slots=True)
class Selection:
    """A parsed `where`; an empty one takes every article."""

    where: Mapping[str, Any]

    def takes(self, article: Article) -> bool:
        """Whether the article is selected."""
        return _holds(self.where, article)


EVERYTHING = Selection({})


def mistakes(where: object, place: str) -> list[str]:
    """One sentence for every mistake in a `where` table, each starting with its place; empty when it is fine."""
    if not isinstance(where, Mapping):
        return [f'{place}: expected a table such as {{ section = "world" }}, found {where!r}.']
    found: list[str] = []
    for name, wanted in where.items():
        here = f"{place}.{name}"
        if name in ("any", "all"):
            if not isinstance(wanted, list):
                found.append(f"{here}: expected a list of tables.")
                continue
            for position, each in enumerate(wanted):
                found += mistakes(each, f"{here}[{position}]")
        elif name == "not":
            found += mistakes(wanted, here)
        elif name not in FIELDS:
            from difflib import get_close_matches

            near = get_close_matches(str(name), [*FIELDS, *COMBINERS], 1)
            found.append(
                f"{here}: unknown field{f', did you mean {near[0]!r}?' if near else '; known: ' + ', '.join(FIELDS)}"
            )
        elif not all(isinstance(each, (str, date)) for each in _values(wanted)) or not _values(wanted):
            found.append(f"{here}: expected a text or a list of texts, found {wanted!r}.")
        elif name in ("since", "until"):
            for each in _values(wanted):
                if isinstance(each, str) and _day(each) is None:
                    found.append(f"{here}: {each!r} is not a date such as 2026-01-31.")
    return found


def _values(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


def _day(value: Any) -> date | None:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _holds(where: Mapping[str, Any], article: Article) -> bool:
    for name, wanted in where.items():
        if name == "any":
            held = any(_holds(each, article) for each in wanted)
        elif name == "all":
            held = all(_holds(each, article) for each in wanted)
        elif name == "not":
            held = not _holds(wanted, article)
        else:
            held = any(_TESTS[name](article, each) for each in _values(wanted))
        if not held:
            return False
    return True


def _same(left: str, right: str) -> bool:
    return left.casefold() == right.casefold()


def _article_day(article: Article) -> date | None:
    moment = article.content.date or article.published_at
    return moment.date() if moment else None


def _on_or_after(article: Article, wanted: Any) -> bool:
    mine, limit = _article_day(article), _day(wanted)
    return mine is not None and limit is not None and mine >= limit


def _on_or_before(article: Article, wanted: Any) -> bool:
    mine, limit = _article_day(article), _day(wanted)
    return mine is not None and limit is not None and mine <= limit


def _has_words(article: Article, wanted: str) -> bool:
    body = article.content
    return wanted.casefold() in f"{body.title}\n{body.summary}\n{body.html}".casefold()


def _language(article: Article, wanted: str) -> bool:
    # "fr" takes "fr-CA" too: RFC 4647 basic filtering.
    mine = article.content.language.casefold()
    return mine == wanted.casefold() or mine.startswith(wanted.casefold() + "-")


_TESTS: dict[str, Callable[[Article, Any], bool]] = {
    "section": lambda article, wanted: _same(article.content.section, wanted),
    "tag": lambda article, wanted: any(_same(each, wanted) for each in article.content.tags),
    "author": lambda article, wanted: any(_same(each, wanted) for each in article.content.authors),
    "language": _language,
    "source": lambda article, wanted: article.source == wanted,
    "text": _has_words,
    "since": _on_or_after,
    "until": _on_or_before,
}
