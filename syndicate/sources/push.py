"""Articles that are brought here, by a command or over HTTP, and kept: like a folder that others write."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from syndicate.core.article import ArticleDraft
from syndicate.core.holding import Holding
from syndicate.core.tripwire import Tripwire
from syndicate.errors import BadInput, NotFound
from syndicate.sources.article_file import read_parts
from syndicate.sources.base import Holdings, Known, Look, Sighting, SourceSettings
from syndicate.sources.declared import KEYS, declared
from syndicate.sources.house import house_of
from syndicate.sources.pushed import TEXTS, PushedArticle, from_json

READING = 1
"""Raised when the same content is read differently than before: every article is then read again, once."""


class Push:
    """The source of kind `push`. A key is the pusher's own id. `holdings` is what was brought for it. Options and
    defaults as in a folder."""

    def __init__(self, settings: SourceSettings, site_directory: Path, holdings: Holdings) -> None:
        self._settings = settings
        self._holdings = holdings
        self._house = house_of(settings)
        marked = [READING, settings.rights, settings.defaults, settings.options]
        self._mark = hashlib.sha256(json.dumps(marked, sort_keys=True, default=str).encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._settings.name

    @property
    def tripwire(self) -> Tripwire:
        """When too much looks new at once."""
        return self._settings.tripwire

    def look(self, known: Mapping[str, Known], now: datetime) -> Look:
        """What is held and not yet known as it is: after the settings changed, or a push was cut off."""
        held = self._holdings.stamps()
        reading = [
            key
            for key, sha256 in held.items()
            if key not in known or known[key].fingerprint != self._fingerprint(sha256)
        ]
        gone = [key for key in known if key not in held]
        return Look(self._sightings(reading, now), gone, total=len(reading))

    def raw(self, key: str) -> str:
        """One article as it was sent. Raises NotFound."""
        return json.dumps(self._holding(key).content, ensure_ascii=False, indent=2)

    def read(self, key: str, *, whole: bool = False) -> ArticleDraft:
        """One article again. Raises NotFound, or BadInput with the key."""
        holding = self._holding(key)
        try:
            draft = self._draft(from_json(key, holding.content), None)
        except BadInput as error:
            raise BadInput(f"{key}: {error.message}", cure=error.cure) from None
        return replace(draft, content=draft.full, full=None) if whole and draft.full is not None else draft

    def _holding(self, key: str) -> Holding:
        holding = self._holdings.get(key)
        if holding is None:
            raise NotFound(f"Source {self.name!r} holds nothing under {key!r}.", cure="Push it again.")
        return holding

    def sight(self, article: PushedArticle, now: datetime) -> Sighting:
        """The article as a look would find it when it is brought now. Raises BadInput; BadFields names the fields."""
        return self._sighting(article, now, now)

    def _sightings(self, keys: Iterable[str], now: datetime) -> Iterator[Sighting]:
        for key in keys:
            holding = self._holdings.get(key)
            if holding is None:
                continue
            try:
                yield self._sighting(from_json(key, holding.content), holding.pushed_at, now)
            except BadInput as error:
                yield Sighting(key, self._fingerprint(holding.sha256), holding.sha256, problem=str(error))

    def _sighting(self, article: PushedArticle, pushed_at: datetime, now: datetime) -> Sighting:
        draft = self._draft(article, now)
        return Sighting(article.key, self._fingerprint(article.sha256), article.sha256, pushed_at, draft=draft)

    def _draft(self, article: PushedArticle, now: datetime | None) -> ArticleDraft:
        house = self._house
        values = {**article.values, "id": article.key}
        said = declared(values, zone=house.zone, base_url=house.base_url, place="article")
        draft = read_parts(article.key, said, article.kind, article.body, house, now=now)
        return replace(draft, warnings=(*draft.warnings, *map(_unknown, article.unknown)))

    def _fingerprint(self, sha256: str) -> str:
        return f"{self._mark}-{sha256[:32]}"


def _unknown(key: str) -> str:
    known = (*KEYS, *TEXTS, "source")
    near = get_close_matches(key[:100].lower(), known, 1, 0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}."
    return f"The article has an unknown key {key[:60]!r}: {hint}"
