"""A source whose items a test puts, changes, moves and takes away, with the promises of a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from syndicate.core.article import ArticleDraft, Content
from syndicate.errors import BadInput, NotFound
from syndicate.sources.base import Known, Look, Sighting

WRITTEN = datetime(2026, 11, 19, 18, 0, tzinfo=UTC)


@dataclass
class MemorySource:
    """`items` maps a key to a draft, or to a sentence that says why it is broken."""

    name: str = "desk"
    items: dict[str, ArticleDraft | str] = field(default_factory=dict)
    unsettled: list[str] = field(default_factory=list)
    unreadable: str = ""
    looks: int = 0
    interrupt_after: int | None = None

    def put(self, key: str, words: str = "", **options: Any) -> ArticleDraft:
        """Writes an item: its content from Content's fields, the rest from ArticleDraft's."""
        content_options = {name: options.pop(name) for name in list(options) if name in Content.__dataclass_fields__}
        words = words or f"Words of {key}."
        content = Content(**{"title": f"Title of {key}", "html": f"<p>{words}</p>", **content_options})
        given = {"text_hash": hashlib.sha256(f"{content.title} {words}".encode()).hexdigest(), **options}
        draft = ArticleDraft(key=key, content=content, **given)
        self.items[key] = draft
        return draft

    def rename(self, old: str, new: str) -> None:
        draft = self.items.pop(old)
        assert isinstance(draft, ArticleDraft)
        self.items[new] = replace(draft, key=new)

    def look(self, known: Mapping[str, Known], now: datetime) -> Look:
        self.looks += 1
        if self.unreadable:
            raise BadInput(self.unreadable)
        gone = [key for key in known if key not in self.items]
        look = Look(iter(()), gone, list(self.unsettled), len(self.items))
        return replace(look, sightings=self._sightings(known, gone))

    def read(self, key: str, *, whole: bool = False) -> ArticleDraft:
        draft = self.items.get(key)
        if draft is None:
            raise NotFound(f"{key} is gone.")
        if isinstance(draft, str):
            raise BadInput(draft)
        return replace(draft, content=draft.full) if whole and draft.full else draft

    def _sightings(self, known: Mapping[str, Known], gone: list[str]) -> Iterator[Sighting]:
        for place, (key, item) in enumerate(sorted(self.items.items())):
            if place == self.interrupt_after:
                raise KeyboardInterrupt
            digest = hashlib.sha256(
                repr(replace(item, key="") if not isinstance(item, str) else item).encode()
            ).hexdigest()
            fingerprint = digest[:20]
            if key in self.unsettled or (key in known and known[key].fingerprint == fingerprint):
                continue
            if isinstance(item, str):
                yield Sighting(key, fingerprint, digest, WRITTEN, problem=item)
                continue
            old = next((each for each in gone if key not in known and known[each].text_hash == item.text_hash), "")
            if old:
                gone.remove(old)
            yield Sighting(key, fingerprint, digest, WRITTEN, draft=item, renamed_from=old)
