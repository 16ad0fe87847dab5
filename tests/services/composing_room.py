"""A composing room in a database: definitions, released articles and readers, written straight into the tables."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, time
from pathlib import Path

import sqlalchemy as sa

from syndicate.core.newsletter import Cadence, Newsletter
from syndicate.core.publication import Publication, Sender
from syndicate.rendering.environment import make_environment
from syndicate.rendering.issue import House
from syndicate.storage import tables
from syndicate.storage.database import Database

PUBLICATION = Publication(
    title="The Harbour Post",
    url="https://post.example",
    language="en",
    timezone="Europe/Lisbon",
    web_url="https://news.post.example",
)
SENDER = Sender(
    from_name="The Harbour Post",
    from_email="news@post.example",
    reply_to="desk@post.example",
    legal_name="Harbour Post Ltd",
    postal_address="1 Quay Street, Lisbon",
    privacy_url="https://post.example/privacy",
    test_to=("desk@post.example",),
)
DAILY = Cadence("daily", (0, 1, 2, 3, 4), (time(7),), "mon-fri 07:00")
WEEKLY = Cadence("weekly", (5,), (time(9),), "sat 09:00")
MORNING = Newsletter(
    "morning", "Morning Briefing", "en", "Europe/Lisbon", cadences={"daily": DAILY, "weekly": WEEKLY}, max_articles=3
)


def house(*template_folders: Path) -> House:
    """What the newsroom's mails are made with."""
    return House(PUBLICATION, SENDER, make_environment(*template_folders))


def open_newsroom(database: Database, now: datetime, newsletter: Newsletter = MORNING) -> None:
    """The source, the newsletter and its cadences."""
    with database.write() as connection:
        connection.execute(sa.insert(tables.sources).values(name="desk", kind="folder", first_look_at=now))
        connection.execute(sa.insert(tables.newsletters).values(name=newsletter.name, first_seen_at=now))
        for cadence in newsletter.cadences:
            connection.execute(
                sa.insert(tables.cadences).values(newsletter=newsletter.name, name=cadence, mark=0, first_seen_at=now)
            )
        known = connection.execute(
            sa.select(tables.counters.c.value).where(tables.counters.c.name == "article")
        ).first()
        if known is None:
            connection.execute(sa.insert(tables.counters).values(name="article", value=0))


def article_id(number: int) -> str:
    """The id of the newsroom's article of that number."""
    return f"urn:uuid:00000000-0000-4000-8000-{number:012d}"


def release(database: Database, numbers: Iterable[int], now: datetime) -> None:
    """Articles with these numbers, released and numbered."""
    with database.write() as connection:
        for number in numbers:
            connection.execute(
                sa.insert(tables.articles).values(
                    id=article_id(number),
                    source="desk",
                    key=f"{number}.md",
                    number=number,
                    status="released",
                    arrived_at=now,
                    published_at=now,
                    updated_at=now,
                    title=f"Story number {number}",
                    summary=f"What happened in story {number}.",
                    html=f"<p>The whole of story {number}.</p>",
                    section="world",
                    language="en",
                )
            )
            connection.execute(
                sa.insert(tables.article_numbers).values(number=number, article_id=article_id(number), given_at=now)
            )
        top = max(numbers, default=0)
        connection.execute(sa.update(tables.counters).where(tables.counters.c.name == "article").values(value=top))


def enrol(
    database: Database, count: int, now: datetime, *, newsletter: str = "morning", cadence: str = "daily"
) -> None:
    """So many active readers, reader1@example.com and on."""
    with database.write() as connection:
        first = (connection.execute(sa.select(sa.func.max(tables.subscribers.c.id))).scalar() or 0) + 1
        people = [
            {
                "id": n,
                "email": f"reader{n}@example.com",
                "address": f"reader{n}@example.com",
                "address_hash": f"{n:064x}",
                "name": f"Reader {n}",
                "created_at": now,
            }
            for n in range(first, first + count)
        ]
        connection.execute(sa.insert(tables.subscribers), people)
        connection.execute(
            sa.insert(tables.subscriptions),
            [
                {
                    "subscriber_id": person["id"],
                    "newsletter": newsletter,
                    "cadence": cadence,
                    "status": "active",
                    "since": now,
                    "changed_at": now,
                }
                for person in people
            ],
        )
