"""Publishes what is due: embargoes and dates that are over, and what a killed process took in but did not publish."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from syndicate.core.feed import Feed
from syndicate.storage.database import Database
from syndicate.storage.standings import publish_due


def release_due(database: Database, feeds: Sequence[Feed], now: datetime) -> list[str]:
    """The ids of the articles that became publishable, in the order of their numbers."""
    published: list[str] = []
    while True:
        with database.write() as connection:
            step = publish_due(connection, feeds, now)
        if not step:
            return published
        published += step
