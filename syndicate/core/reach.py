"""Whom an issue would reach: how many get it, and how many it leaves out because they already have what it carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from syndicate.core.history import History


@dataclass(frozen=True, slots=True)
class Part:
    """So many people of the audience who would get the version of this key, in one time zone ("" for none said)."""

    key: str
    timezone: str
    people: int


@dataclass(frozen=True, slots=True)
class Reach:
    """`readers` get it, `shorter` of them without articles that they already got; `have_all` are left out because
    nothing is left for them. `zones` counts the readers by time zone, "" for those who said none. `counted_at` is when
    that was, None for now."""

    readers: int = 0
    shorter: int = 0
    have_all: int = 0
    zones: Mapping[str, int] = field(default_factory=dict)
    counted_at: datetime | None = None


def reach_of(parts: Iterable[Part], history: History, articles: Sequence[tuple[str, int]], lo: int) -> Reach:
    """From the audience by version. `articles` are the (id, number) that the issue shows; `lo` is where its window
    starts: somebody whose own range starts before that also gets what lies between, so something is left for them."""
    readers = shorter = have_all = 0
    zones: dict[str, int] = {}
    left: dict[str, int | None] = {}
    for part in parts:
        if part.key not in left:
            without, start = history.articles_of(part.key)
            rest = [each for each, number in articles if each not in without and (start is None or number > start)]
            left[part.key] = None if start is not None and start < lo else len(rest)
        count = left[part.key]
        if count == 0:
            have_all += part.people
            continue
        readers += part.people
        shorter += part.people if count is not None and count < len(articles) else 0
        zones[part.timezone] = zones.get(part.timezone, 0) + part.people
    return Reach(readers, shorter, have_all, zones)
