"""Articles in a folder: one file each, in any depth of subfolders."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from syndicate.core.article import ArticleDraft
from syndicate.core.tripwire import Tripwire
from syndicate.errors import BadInput, NotFound
from syndicate.sources.article_file import LARGEST_FILE, read_article, too_large
from syndicate.sources.base import Known, Look, Sighting, SourceSettings
from syndicate.sources.folder_scan import Stamp, counts, scan_folder
from syndicate.sources.house import house_of

READING = 1
"""Raised when the same bytes are read differently than before: every file is then read again, once."""
SETTLED_SECONDS = 1.0
"""A file counts once it is that old. So a second change within one tick of the file system's clock is never missed."""
CLOCK_SLACK_SECONDS = 60.0
"""A time further ahead than that was set by another clock; the file is then judged by when it was put here."""


class Folder:
    """The source of kind `folder`.

    Options: `timezone` (IANA; of dates without an offset; default UTC), `base_url` (what addresses are relative to in
    an article without one of its own), `language` (of an article that does not say; default en). A key is the path
    inside the folder, with `/`. A fingerprint also marks the settings, so that a change of the defaults is seen.
    """

    def __init__(self, settings: SourceSettings, site_directory: Path) -> None:
        self._settings = settings
        self._root = site_directory / settings.path
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
        """What changed first, then what is new, each by key. `gone` stays empty while a new file is waiting, which may
        be one of them under its new name. Raises BadInput when the folder cannot be read."""
        scan = scan_folder(self._root)
        changed: list[tuple[str, Stamp]] = []
        new: list[tuple[str, Stamp]] = []
        waiting: list[str] = []
        for key, stamp in scan.files.items():
            before = known.get(key)
            if before is not None and before.fingerprint == self._fingerprint(stamp):
                continue
            if not settled(stamp, now):
                waiting.append(key)
            else:
                (new if before is None else changed).append((key, stamp))
        problems = [
            Sighting(key, hashlib.sha256(problem.encode()).hexdigest(), problem=problem)
            for key, problem in sorted(scan.problems.items())
        ]
        problems = [each for each in problems if _fingerprint_of(known, each.key) != each.fingerprint]
        unread = tuple(scan.unread)
        absent = [
            key
            for key in known
            if key not in scan.files and key not in scan.problems and not (unread and key.startswith(unread))
        ]
        gone: list[str] = []
        reading = [*sorted(changed), *sorted(new)]
        total = len(problems) + len(reading)
        sightings = self._sightings(problems, reading, known, now, _Absent(absent, known), waiting, gone)
        return Look(sightings, gone, waiting, total)

    def raw(self, key: str) -> str:
        """One file as it is; octets that are no UTF-8 are marked. Raises NotFound, or BadInput with the key."""
        return self._read(key).decode("utf-8", "replace")

    def read(self, key: str, *, whole: bool = False) -> ArticleDraft:
        """One file again; `not_before` is told even when it is past. Raises NotFound, or BadInput with the key."""
        raw = self._read(key)
        try:
            draft = read_article(key, raw, self._house)
        except BadInput as error:
            raise BadInput(f"{key}: {error.message}", cure=error.cure) from None
        if whole and draft.full is not None:
            return replace(draft, content=draft.full, full=None)
        return draft

    def _read(self, key: str) -> bytes:
        name = key.rpartition("/")[2]
        real_root = os.path.realpath(self._root)
        path = os.path.join(real_root, *key.split("/"))
        if not counts(name) or "\x00" in key or os.path.realpath(path) != path or not os.path.isfile(path):
            raise NotFound(f"Source {self.name!r} has no file {key!r}.", cure="Collect, and look at what is there.")
        try:
            return _read_file(path)[0]
        except OSError as error:
            raise BadInput(f"{key}: it cannot be read ({error.strerror}).", cure="Make it readable.") from None

    def _sightings(
        self,
        problems: Iterable[Sighting],
        reading: Iterable[tuple[str, Stamp]],
        known: Mapping[str, Known],
        now: datetime,
        absent: _Absent,
        waiting: list[str],
        gone: list[str],
    ) -> Iterator[Sighting]:
        yield from problems
        for key, stamp in reading:
            before = known.get(key)
            try:
                sighting = self._sight(key, stamp, now, absent if before is None else None)
            except FileNotFoundError:
                if before is not None:
                    absent.add(key)
                continue
            if sighting is None:
                waiting.append(key)
            elif _fingerprint_of(known, key) != sighting.fingerprint:
                yield sighting
        waiting.sort()
        if all(key in known for key in waiting):
            gone += absent.left()

    def _sight(self, key: str, stamp: Stamp, now: datetime, absent: _Absent | None) -> Sighting | None:
        """What the file is now; None when it changed since the scan. Raises FileNotFoundError."""
        fingerprint, modified_at = self._fingerprint(stamp), _moment(stamp.modified)
        if stamp.size > LARGEST_FILE:
            return Sighting(key, fingerprint, modified_at=modified_at, problem=str(too_large(stamp.size)))
        try:
            raw, after = _read_file(os.path.join(self._root, key))
        except FileNotFoundError:
            raise
        except OSError as error:
            # Permissions change without a trace in the fingerprint, so this one never equals that of a file.
            problem = f"it cannot be read ({error.strerror}). Make it readable."
            return Sighting(key, f"{fingerprint}-unreadable", modified_at=modified_at, problem=problem)
        if (after.size, after.modified) != (stamp.size, stamp.modified):
            return None
        sha256 = hashlib.sha256(raw).hexdigest()
        try:
            draft = read_article(key, raw, self._house, now=now)
        except BadInput as error:
            return Sighting(key, fingerprint, sha256, modified_at, problem=str(error))
        renamed_from = absent.claim(draft) if absent is not None else ""
        return Sighting(key, fingerprint, sha256, modified_at, draft=draft, renamed_from=renamed_from)

    def _fingerprint(self, stamp: Stamp) -> str:
        return f"{self._mark}-{stamp.fingerprint}"


class _Absent:
    """The known keys that are no longer there, until a new file turns out to be one of them."""

    def __init__(self, keys: Iterable[str], known: Mapping[str, Known]) -> None:
        self._known = {key: known[key] for key in sorted(keys)}
        self._added: list[str] = []
        self._by_id: dict[str, list[str]] = defaultdict(list)
        self._by_words: dict[str, list[str]] = defaultdict(list)
        for key, item in self._known.items():
            self._by_id[item.declared_id].append(key)
            self._by_words[item.text_hash].append(key)

    def add(self, key: str) -> None:
        """One more, found too late to be anybody's old name."""
        self._added.append(key)

    def claim(self, draft: ArticleDraft) -> str:
        """The old key of the article, which is then no longer absent; "" when it is a new one. A declared id decides;
        else equal words, where ids do not contradict, the same file name first."""
        found = self._by_id.get(draft.declared_id, []) if draft.declared_id else []
        if not found and draft.text_hash:
            found = [
                key
                for key in self._by_words.get(draft.text_hash, [])
                if not (draft.declared_id and self._known[key].declared_id)
            ]
        name = draft.key.rpartition("/")[2]
        free = (key for key in found if key in self._known)
        old = min(free, key=lambda key: (key.rpartition("/")[2] != name, key), default="")
        self._known.pop(old, None)
        return old

    def left(self) -> list[str]:
        """Those that nobody claimed."""
        return sorted([*self._known, *self._added])


def _fingerprint_of(known: Mapping[str, Known], key: str) -> str:
    before = known.get(key)
    return before.fingerprint if before is not None else ""


def settled(stamp: Stamp, now: datetime) -> bool:
    """Whether the file is old enough to count."""
    moment = now.timestamp()
    for time in (stamp.modified, stamp.changed):
        age = moment - time / 1e9
        if age >= -CLOCK_SLACK_SECONDS:
            return age >= SETTLED_SECONDS
    return True  # the clock was set back since: waiting for it would hold the article for as long


def _read_file(path: str) -> tuple[bytes, Stamp]:
    # No link is followed and no pipe waited for, whatever took the name since the scan.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        raw = file.read(LARGEST_FILE + 1)
        return raw, Stamp.of(os.fstat(file.fileno()))


def _moment(nanoseconds: int) -> datetime | None:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)
    except OverflowError:
        return None
