"""Articles in a feed somewhere on the web: RSS, Atom or JSON Feed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from syndicate.core.article import ArticleDraft
from syndicate.core.tripwire import Tripwire
from syndicate.errors import BadInput, NotFound, SettingsError
from syndicate.http import Client, Failure, Fetched, Reply
from syndicate.rendering.html import one_line
from syndicate.sources.base import Known, Look, Sighting, SourceSettings
from syndicate.sources.declared import declared
from syndicate.sources.feed_document import read_feed
from syndicate.sources.feed_entries import FeedEntry, FeedHouse, OldKeys, draft_of, entries_of, newest_last, received_of
from syndicate.sources.feed_item import MOST_ITEMS, FeedDocument
from syndicate.sources.feed_state import FeedState, validators, wait_asked_for

READING = 1
"""Raised when the same item is read differently than before: every one that is still there is then read again, once."""
EVERY_SECONDS = 15 * 60
DEADLINE_SECONDS = 30.0
LARGEST = 10_000_000
"""Bytes of a document, also after decompression."""
UNREAD = "~unread"
"""Ends the fingerprint of an item that could not be used."""

ACCEPT = (
    "application/atom+xml, application/rss+xml, application/feed+json, application/xml;q=0.9, text/xml;q=0.9, "
    "application/json;q=0.8, */*;q=0.1"
)
OPTIONS = ("timezone", "base_url", "language")
DEFAULTS = ("section", "language", "authors", "tags")


class WebFeed:
    """The source of kind `feed`.

    A key is the item's id, else its link. Items that leave the feed made room for newer ones: they are never gone. It
    is asked conditionally, and left alone for a while after it failed. Options: `language` (of items and feeds that do
    not say; default en).
    """

    def __init__(self, settings: SourceSettings, site_directory: Path) -> None:
        self._settings = settings
        self._url = settings.url
        self._house = _house(settings)
        self._every = timedelta(seconds=settings.every_seconds or EVERY_SECONDS)
        marked = [READING, settings.rights, settings.defaults, self._house.language]
        self._mark = hashlib.sha256(json.dumps(marked, sort_keys=True, default=str).encode()).hexdigest()[:8]

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._settings.name

    @property
    def tripwire(self) -> Tripwire:
        """When too much looks new at once."""
        return self._settings.tripwire

    @cached_property
    def _client(self) -> Client:
        public_only = not self._settings.allow_private
        return Client(deadline_seconds=DEADLINE_SECONDS, max_answer_bytes=LARGEST, public_only=public_only)

    def look(self, known: Mapping[str, Known], now: datetime) -> Look:
        """What is new or changed, the oldest first, asked for without conditions. Raises BadInput."""
        look = self.look_again(known, now, {})
        if look.problem:
            raise BadInput(look.problem)
        return look

    def look_again(
        self, known: Mapping[str, Known], now: datetime, state: Mapping[str, Any], *, at_once: bool = False
    ) -> Look:
        """What is new or changed, the oldest first. A feed that cannot be read is told by `problem`."""
        before = FeedState.of(state, self._url)
        if before.is_left_alone(now) and not at_once:
            return Look(iter(()), problem=before.problem)
        conditions = before.conditions(self._mark)
        try:
            fetched = self._fetch(conditions)
            document = self._changed(fetched, before)
        except _Failed as failed:
            problem = one_line(f"{self._place} {failed.error}")
            after = before.after_failure(problem, now, every=self._every, asked=failed.asked(now))
            return Look(iter(()), problem=after.problem, state=after.as_json())
        if document is None:
            after = before.after_success()
            return Look(iter(()), warnings=tuple(_remarks(fetched)), state=after.as_json())
        after = FeedState(self._url)
        if not document.fault:  # else perhaps it was cut, and the same answer again holds more
            digest = hashlib.sha256(fetched.reply.body).hexdigest()
            after = FeedState(self._url, self._mark, *validators(fetched.reply), digest)
        entries = entries_of(document, feed_url=self._url)
        reading = [each for each in newest_last(entries) if not self._is_known(each, known)]
        return Look(
            self._sightings(reading, entries, document, known, now),
            gone=[key for key in known if key not in entries and _was_never_read(known[key])],
            total=len(reading),
            warnings=tuple(_remarks(fetched, document)),
            state=after.as_json(),
        )

    def read(self, key: str, *, whole: bool = False) -> ArticleDraft:
        """One item again, if the feed still has it. Raises NotFound, or BadInput with the address or the key."""
        try:
            document = _read(self._fetch({}))
        except _Failed as failed:
            raise BadInput(f"{self._place} {failed.error.message}", cure=failed.error.cure) from None
        entry = entries_of(document, feed_url=self._url).get(key)
        if entry is None:
            raise NotFound(f"Source {self.name!r} no longer has {key!r}.", cure="Its article stays as it is.")
        try:
            return draft_of(entry, document, self._house)
        except BadInput as error:
            raise BadInput(f"{key}: {error.message}", cure=error.cure) from None

    @property
    def _place(self) -> str:
        # Without the query, which may hold a key.
        parts = urlsplit(self._url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"

    def _fetch(self, conditions: Mapping[str, str]) -> Fetched:
        """The answer: 200, or 304 when there were conditions. Raises _Failed."""
        fetched = self._client.fetch(self._url, {"Accept": ACCEPT, **conditions})
        if isinstance(fetched, Failure):
            cure = "Look whether the address is right and the server is up."
            if fetched.refused:
                cure = f"If that is meant, set allow_private = true for source {self.name!r} in syndicate.toml."
            raise _Failed(BadInput(f"cannot be fetched: {fetched.why}.", cure=cure))
        if fetched.reply.status != 200 and not (fetched.reply.status == 304 and conditions):
            raise _Failed(_refusal(fetched.reply.status), fetched.reply)
        return fetched

    def _changed(self, fetched: Fetched, before: FeedState) -> FeedDocument | None:
        """The document, or None when it is the one that was read before. Raises _Failed."""
        if fetched.reply.status == 304:
            return None
        same = before.sha256 == hashlib.sha256(fetched.reply.body).hexdigest()
        return None if same and before.settings == self._mark else _read(fetched)

    def _is_known(self, entry: FeedEntry, known: Mapping[str, Known]) -> bool:
        mark = str(entry.mark(self._mark))
        return entry.key in known and known[entry.key].fingerprint in (mark, mark + UNREAD)

    def _sightings(
        self,
        reading: list[FeedEntry],
        entries: Mapping[str, FeedEntry],
        document: FeedDocument,
        known: Mapping[str, Known],
        now: datetime,
    ) -> Iterator[Sighting]:
        if not reading:
            return
        old = OldKeys(known, entries)
        for entry in reading:
            mark = entry.mark(self._mark)
            try:
                draft = draft_of(entry, document, self._house, now=now)
            except BadInput as error:
                said = received_of(entry.item)
                yield Sighting(entry.key, str(mark) + UNREAD, entry.sha256, problem=str(error), received=said)
                continue
            renamed_from = "" if entry.key in known else old.claim(mark, draft)
            date = draft.content.date
            yield Sighting(
                entry.key,
                str(mark),
                entry.sha256,
                date,
                draft=draft,
                renamed_from=renamed_from,
                received=received_of(entry.item),
            )


class _Failed(Exception):
    """The feed cannot be had; `error` is to be read after its address."""

    def __init__(self, error: BadInput, reply: Reply | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self._reply = reply

    def asked(self, now: datetime) -> timedelta:
        """How long the server asks to be left alone."""
        return wait_asked_for(self._reply, now) if self._reply else timedelta()


def _read(fetched: Fetched) -> FeedDocument:
    reply = fetched.reply
    try:
        return read_feed(reply.body, url=fetched.url, content_type=reply.headers.get("content-type", ""))
    except BadInput as error:
        raise _Failed(error) from None


def _refusal(status: int) -> BadInput:
    if status == 410:
        cure = "Take the source out of syndicate.toml, or set retired = true; its articles stay."
        return BadInput("says that this feed is gone for good (410).", cure=cure)
    if status == 404:
        return BadInput("says that there is no such page (404).", cure="Correct `url` in syndicate.toml.")
    if status in (401, 403, 407):
        return BadInput(f"refuses us ({status}).", cure="Ask its publisher for an address that may be read.")
    if status == 429:
        return BadInput("asks to be asked less often (429).", cure="Raise `every` in syndicate.toml.")
    if status >= 500:
        return BadInput(f"has trouble of its own ({status}).", cure="Wait, or tell its publisher.")
    return BadInput(f"answers {status}, which is no feed.", cure="Look at the address in a browser.")


def _was_never_read(item: Known) -> bool:
    return item.fingerprint.endswith(UNREAD) and not (item.text_hash or item.declared_id)


def _remarks(fetched: Fetched, document: FeedDocument | None = None) -> Iterator[str]:
    if fetched.moved_to:
        yield f"The feed has moved for good: put {one_line(fetched.moved_to)} into `url` in syndicate.toml."
    if document and document.count > MOST_ITEMS:
        yield f"It has {document.count:,} items; the {MOST_ITEMS} newest were read."
    if document and document.fault:
        yield f"It was read as far as possible: {document.fault}. Tell its publisher."


def _house(settings: SourceSettings) -> FeedHouse:
    place = f"sources.{settings.name}"
    for table, names, known in (("options", settings.options, OPTIONS), ("defaults", settings.defaults, DEFAULTS)):
        for name in names:
            if name not in known:
                near = get_close_matches(str(name), known, 1)
                cure = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(known)}."
                raise SettingsError(f"{place}.{table}: unknown key {name!r}.", cure=cure)
    try:
        defaults = declared(settings.defaults, zone=UTC, place="defaults")
    except BadInput as error:
        raise SettingsError(f"{place}: {error.message}", cure=error.cure) from None
    return FeedHouse(settings.rights, str(settings.options.get("language", "en")), defaults)
