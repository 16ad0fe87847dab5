"""A started database with newsletters, as services of people need it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from syndicate.core.feed import SITE_FEED, Feed
from syndicate.core.newsletter import Newsletter
from syndicate.core.schedule import parse_cadence
from syndicate.services.start_site import Declared, sync_site
from syndicate.storage.database import Database

MORNING = Newsletter(
    "morning",
    "Morning Briefing",
    "en",
    "Europe/Lisbon",
    cadences={"daily": parse_cadence("daily", "mon-fri 07:00"), "weekly": parse_cadence("weekly", "sat 09:00")},
)
EVENING = Newsletter("evening", "Evening Note", "en", "Europe/Lisbon")


@dataclass(frozen=True)
class DeclaredSource:
    name: str
    kind: str = "folder"


def start(database: Database, now: datetime, newsletters: Sequence[Newsletter] = (MORNING, EVENING)) -> Database:
    declared = Declared([DeclaredSource("desk")], [Feed(SITE_FEED, "The Harbour Post")], newsletters, {}, {})
    sync_site(database, declared, secret=b"k" * 32, place="here", web_url="https://news.post.example", now=now)
    return database
