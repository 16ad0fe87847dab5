"""Which article opens an issue.

An article with suspects (a letter glued to a quote, unbalanced quotes, a title in lower case) is printed as it is, but
never leads and never names the issue as long as another can.
"""

from __future__ import annotations

from collections.abc import Sequence

from syndicate.core.article import Article


def choose_lead(articles: Sequence[Article]) -> Article | None:
    """The first article without suspects, None when there is none."""
    return next((article for article in articles if not article.content.suspects), None)


def lead_first(articles: Sequence[Article]) -> tuple[Article, ...]:
    """The same articles with the lead in front, else in the given order; unchanged when every one has suspects."""
    lead = choose_lead(articles)
    if lead is None:
        return tuple(articles)
    return (lead, *(article for article in articles if article is not lead))
