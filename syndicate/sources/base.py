"""The port of the source family."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from syndicate.core.article import ArticleDraft
from syndicate.core.holding import Holding
from syndicate.core.tripwire import Tripwire


@dataclass(frozen=True, slots=True)
class SourceSettings:
    """One `[[sources]]` table. `defaults` fills what an article does not say (section, language, authors, tags)."""

    name: str
    kind: str = "folder"
    path: str = ""
    rights: str = "ours"
    defaults: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    every_seconds: int | None = None
    """How often it is looked at; None for what is usual for its kind."""
    allow_private: bool = False
    """Whether `url` may lead to this machine or a private network."""
    tripwire: Tripwire = field(default_factory=Tripwire)
    """When too much looks new at once."""
    quiet_after_seconds: int | None = None
    """How long it may bring nothing before that is worth a word; None for what its history says."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the last look left behind for one key. `fingerprint` is the source's own mark of an unchanged item (a
    folder: size, modification time and inode); `sha256` is of its bytes."""

    key: str
    fingerprint: str
    sha256: str
    text_hash: str = ""
    declared_id: str = ""
    restored: bool = False
    """An editor brought back what the reading left out."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One item that is new, changed, renamed or broken since the last look. Exactly one of `draft` and `problem` is
    set. `problem` says what is wrong and the cure, to be read after the key. `modified_at` is when its file was last
    written. `received` is what a feed said of it, in its own words, for people to look at."""

    key: str
    fingerprint: str
    sha256: str = ""
    modified_at: datetime | None = None
    draft: ArticleDraft | None = None
    problem: str = ""
    renamed_from: str = ""
    received: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a source. `sightings` reads lazily (one file at a time); take `gone` only after it is exhausted:
    a key gone may turn out to be a rename. `waiting` are items not yet settled, also complete only then: look again.
    While a new item is waiting, `gone` may stay empty, since it may be one of them under its new name."""

    sightings: Iterator[Sighting]
    gone: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    total: int = 0
    """How many items will be read: for progress."""
    problem: str = ""
    """Why the source could not be read, and the cure, when there is a `state` to keep all the same; else it is
    raised."""
    warnings: tuple[str, ...] = ()
    """What a person should know of the source as a whole."""
    state: Mapping[str, Any] | None = None
    """What the next look is to be given, as JSON has it; None keeps what there is."""


class Holdings(Protocol):
    """What was brought to a source and is kept for it; who opens the source hands it over."""

    def stamps(self) -> Mapping[str, str]:
        """The SHA-256 of each holding by its key, in the order in which they came."""

    def get(self, key: str) -> Holding | None:
        """One of them, or None."""


@runtime_checkable
class Watched(Protocol):
    """A source of which is told when far more than usual looks new at once."""

    @property
    def tripwire(self) -> Tripwire:
        """How much that is."""


class Source(Protocol):
    """One place that articles come from."""

    @property
    def name(self) -> str:
        """Its name in the settings."""

    def look(self, known: Mapping[str, Known], now: datetime) -> Look:
        """What is there now, against what was known. Raises BadInput when the source cannot be read at all."""

    def read(self, key: str, *, whole: bool = False) -> ArticleDraft:
        """One item again; `whole` keeps what a reading would leave out. Raises NotFound or BadInput."""


@runtime_checkable
class AsItIs(Protocol):
    """A source that can show an item as it was brought, before any reading."""

    def raw(self, key: str) -> str:
        """The item as text. Raises NotFound or BadInput."""


@runtime_checkable
class Remembering(Protocol):
    """A source whose looks build on what the last one left behind besides its items: the marks of a web server by which
    it tells that nothing changed, and how long to leave it alone."""

    def look_again(
        self, known: Mapping[str, Known], now: datetime, state: Mapping[str, Any], *, at_once: bool = False
    ) -> Look:
        """As `look`. `state` is the last `Look.state`, empty at first; `at_once` when a person waits for the answer: no
        time is left for the source to recover."""
