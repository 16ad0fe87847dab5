"""A folder that tests write articles into, seen through the registry as the product sees it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from syndicate.core.article import ArticleDraft
from syndicate.sources import open_source
from syndicate.sources.article_file import House, read_article
from syndicate.sources.base import Known, Look, Sighting, Source, SourceSettings

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LONG = "The ferry to the north shore will sail at midnight again, the harbour office said, for the first time in years."


@dataclass
class Newsdesk:
    """`known` is kept as the collector would keep it: what was sighted is known, what is gone is forgotten."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    known: dict[str, Known] = field(default_factory=dict)

    @property
    def source(self) -> Source:
        return open_source(SourceSettings("desk", path=self.folder.name, **self.settings), self.folder.parent)

    def put(self, key: str, content: str | bytes, *, age: float = 60) -> Path:
        """Writes a file that was last changed `age` seconds before NOW."""
        path = self.folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.age(key, age)
        return path

    def age(self, key: str, seconds: float) -> None:
        moment = (NOW - timedelta(seconds=seconds)).timestamp()
        os.utime(self.folder / key, (moment, moment))

    def look(self, now: datetime = NOW) -> tuple[list[Sighting], Look]:
        """One whole look; the next one knows it."""
        look = self.source.look(self.known, now)
        sightings = list(look.sightings)
        for each in sightings:
            self.known.pop(each.renamed_from, None)
            draft = each.draft
            self.known[each.key] = Known(
                each.key,
                each.fingerprint,
                each.sha256,
                draft.text_hash if draft else "",
                draft.declared_id if draft else "",
            )
        for key in look.gone:
            del self.known[key]
        return sightings, look

    def keys(self) -> list[str]:
        return [each.key for each in self.look()[0]]

    def problem(self, key: str) -> str:
        """The problem that a first look finds with that file."""
        return next(each.problem for each in self.source.look({}, NOW).sightings if each.key == key)


def read(content: str | bytes, key: str = "story.md", *, now: datetime | None = NOW, **house: Any) -> ArticleDraft:
    """One file as the folder reads it."""
    return read_article(key, content.encode() if isinstance(content, str) else content, House(**house), now=now)
