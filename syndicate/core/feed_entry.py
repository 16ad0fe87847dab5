"""Entries: articles in feeds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """What of an article decides how a feed shows it. `url` is None when it has its own page here."""

    article_id: str
    revision: int
    published_at: datetime
    updated_at: datetime | None
    language: str
    url: str | None


Fragments = dict[tuple[str, str], dict[str, bytes]]
"""Entries as rendered: (article id, version) → format → bytes."""
