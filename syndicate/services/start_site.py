"""Brings a database in step with its site: what the settings declare and, in a new one, its row and signing key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syndicate.core.feed import Feed
from syndicate.core.newsletter import Newsletter
from syndicate.storage import audit, definitions, instance
from syndicate.storage.database import Database
from syndicate.storage.definitions import DeclaredSource
from syndicate.storage.sources import record_empty_first_look


@dataclass(frozen=True, slots=True)
class Declared:
    """What the settings declare, as `storage.definitions.sync` takes it."""

    sources: Sequence[DeclaredSource]
    feeds: Sequence[Feed]
    newsletters: Sequence[Newsletter]
    retired: Mapping[str, frozenset[str]]
    renamed: Mapping[str, Mapping[str, str]]


def sync_site(
    database: Database, declared: Declared, *, secret: bytes, place: str, web_url: str, now: datetime
) -> None:
    """Writes what is new, renamed or retired in the settings. A database without a signing key gets `secret` as its
    first (random, 32 octets); one with a key ignores it.

    Raises SettingsError when something that has rows is no longer in the settings, and neither retired nor renamed."""
    with database.write() as connection:
        definitions.lock_definitions(connection)
        if instance.start(connection, secret=secret, place=place, web_url=web_url, now=now):
            audit.record(connection, at=now, action="site.start")
        definitions.sync(
            connection,
            sources=declared.sources,
            feeds=declared.feeds,
            newsletters=declared.newsletters,
            retired=declared.retired,
            renamed=declared.renamed,
            now=now,
        )


def begin_empty(database: Database, sources: Sequence[str], now: datetime) -> None:
    """Remembers that these sources held nothing when the site began: whatever follows is new, and none of it backlog.
    A source that was looked at before stays as it is."""
    with database.write() as connection:
        for name in sources:
            record_empty_first_look(connection, name, now)
