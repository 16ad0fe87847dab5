"""Removals: articles that a feed has shown and that were retracted since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Removal:
    """One article taken out of a feed, and when: a tombstone of RFC 6721."""

    article_id: str
    at: datetime
