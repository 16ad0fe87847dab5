"""Windows: which articles an issue takes, by number and never by date.

A window of a cadence is (lo, hi]: lo is the cadence's mark, hi the counter when it was drafted. Windows of one cadence
neither overlap nor leave holes, because the mark moves to hi only with the window that used it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from syndicate.core.article import Article
from syndicate.core.newsletter import Newsletter

Role = Literal["full", "title", "skipped"]

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def in_window(articles: Iterable[Article], newsletter: Newsletter, lo: int, hi: int) -> list[Article]:
    """The released articles of the newsletter's selection with a number in (lo, hi], the last released first; of those
    released together, dated ones by their own date, then undated ones."""
    taken = [
        article
        for article in articles
        if article.number is not None
        and lo < article.number <= hi
        and article.status == "released"
        and newsletter.selection.takes(article)
    ]
    return sorted(taken, key=_recency, reverse=True)


def _recency(article: Article) -> tuple[datetime, bool, datetime, int]:
    released = article.published_at or _LONG_AGO
    date = article.content.date
    return released, date is not None, date or _LONG_AGO, article.number or 0


def with_roles(
    articles: Sequence[Article], max_articles: int, *, arranged: bool = False
) -> list[tuple[Article, Role]]:
    """The lead first (the first without suspects, else the first; with `arranged` an editor has chosen it), then the
    given order: the first `max_articles` in full, the rest as title links, which count as used."""
    lead = None if arranged else next((article for article in articles if not article.content.suspects), None)
    ordered = [lead, *(article for article in articles if article is not lead)] if lead else list(articles)
    return [(article, "full" if place < max_articles else "title") for place, article in enumerate(ordered)]


def personal(
    base: Sequence[Article],
    *,
    without: Collection[str],
    resume_from: int | None,
    older: Sequence[Article] = (),
) -> list[Article]:
    """What one person gets of an issue whose own articles are `base`.

    `without`: ids of articles they already got in this newsletter. `resume_from`: their range starts above this number
    instead of at the window's own start (after a cadence change or a pause); `older` are then the newsletter's numbered
    articles in (resume_from, lo]. The issue's order stays; older ones follow."""
    own = [a for a in base if resume_from is None or (a.number or 0) > resume_from]
    # By id: the issue may carry an earlier revision.
    known = {a.id for a in base}
    extra = [a for a in older if resume_from is not None and (a.number or 0) > resume_from and a.id not in known]
    return [article for article in (*own, *extra) if article.id not in without]


def enough(count: int, newsletter: Newsletter) -> bool:
    """Whether a slot has enough articles for an issue."""
    return count >= newsletter.min_articles


def allocate(mark: int, highest: int, open_lo: int | None = None) -> tuple[int, int]:
    """The window (lo, hi] of a cadence's next issue: from its mark, or from the start of the one that is still before
    freezing and is widened, to the highest number given. The mark moves to hi with it."""
    return (mark if open_lo is None else open_lo), max(highest, mark)


def mark_after_cancel(mark: int, lo: int, hi: int, *, drop: bool) -> int | None:
    """Where the mark stands after an issue with window (lo, hi] was cancelled before any request went out: its articles
    are carried over to the next window, or dropped and count as used. None when they cannot be carried, because a later
    window has been allocated behind it: going back would send that one's articles twice."""
    if drop:
        return mark
    return lo if hi == mark else None
