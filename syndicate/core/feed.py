"""Feeds: a selection of articles published in several formats."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from syndicate.core.selection import EVERYTHING, Selection

SITE_FEED = ""
"""The name of the implicit feed of the whole site, which lives in `feeds/` itself."""


@dataclass(frozen=True, slots=True)
class Feed:
    """`limit` newest entries, or all within 48 hours of the newest, whichever is more."""

    name: str
    title: str
    selection: Selection = EVERYTHING
    limit: int = 50
    content: Literal["full", "summary"] = "full"
    language: str = "en"
    description: str = ""

    @property
    def folder(self) -> str:
        """Its folder inside `feeds/`, "" for the site's own, with a trailing slash otherwise."""
        return f"{self.name}/" if self.name else ""
