"""An approved issue with readers in a database, and a delivery for it: what every test of the ledger begins with."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import sqlalchemy as sa

from syndicate.core.books import Books
from syndicate.core.issue import Audience, Composed
from syndicate.core.message import CapabilitySheet
from syndicate.core.newsletter import Cadence, Newsletter
from syndicate.core.placeholders import NAME, PREFERENCES, UNSUBSCRIBE
from syndicate.core.publication import Publication, Sender
from syndicate.core.token import TokenSigner
from syndicate.mail.base import MailAPI
from syndicate.rendering.email import RenderedVariant
from syndicate.rendering.environment import make_environment
from syndicate.services.deliver_issue import Delivery
from syndicate.services.freeze_issue import Progress, freeze
from syndicate.storage import tables
from syndicate.storage.database import Database
from syndicate.storage.issues import insert_issue, put_variant, set_composition
from syndicate.storage.ledger import Batch, books, select_batches
from syndicate.storage.ledger_counting import wrong_counts

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
INSTANCE = "0123456789abcdef"
SIGNER = TokenSigner([(1, b"a secret of some length, for tests")])
PUBLICATION = Publication("The Harbour Post", "https://post.example", "en", "Europe/Lisbon", "https://news.post.example")
SENDER = Sender(
    "The Harbour Post",
    "news@post.example",
    "desk@post.example",
    "Harbour Post Ltd",
    "1 Quay Street, Lisbon",
    "https://post.example/privacy",
)
DAILY = Cadence("daily", (0, 1, 2, 3, 4), (time(7),), "mon-fri 07:00")
WEEKLY = Cadence("weekly", (5,), (time(9),), "sat 09:00")
MORNING = Newsletter(
    "morning", "Morning Briefing", "en", "Europe/Lisbon", cadences={"daily": DAILY, "weekly": WEEKLY}
)
SHEET = CapabilitySheet("resend", "tests", 10, 1_000_000, idempotency_seconds=86_400)
BODY = RenderedVariant(
    "The harbour opens",
    f"<h1>The harbour opens</h1><p>{NAME}: <a href='{UNSUBSCRIBE}'>leave</a> <a href='{PREFERENCES}'>choose</a></p>",
    f"The harbour opens\n\n{UNSUBSCRIBE}\n{PREFERENCES}\n",
)


def address(number: int) -> str:
    """The address of a reader, from 1 on."""
    return f"reader{number}@example.org"


def make_newsroom(database: Database, *, articles: int = 1, mark: int = 0) -> list[str]:
    """The newsletter, its cadences and so many released articles with numbers from 1; returns their ids."""
    ids = [f"urn:uuid:00000000-0000-4000-8000-{number:012}" for number in range(1, articles + 1)]
    with database.write() as connection:
        connection.execute(sa.insert(tables.sources).values(name="desk", kind="folder"))
        connection.execute(sa.insert(tables.newsletters).values(name="morning", first_seen_at=NOW))
        for cadence in ("daily", "weekly"):
            connection.execute(
                sa.insert(tables.cadences).values(newsletter="morning", name=cadence, mark=mark, first_seen_at=NOW)
            )
        connection.execute(sa.insert(tables.counters).values(name="article", value=articles))
        for number, article_id in enumerate(ids, 1):
            connection.execute(
                sa.insert(tables.articles).values(
                    id=article_id,
                    source="desk",
                    key=f"{number}.md",
                    number=number,
                    status="released",
                    arrived_at=NOW,
                    published_at=NOW,
                    updated_at=NOW,
                    title=f"Article number {number}",
                    summary="What happened at the quay.",
                    html="<p>What happened at the quay.</p>",
                    language="en",
                    url=f"https://post.example/{number}",
                )
            )
    return ids


def add_readers(
    database: Database,
    count: int,
    *,
    cadence: str = "daily",
    first: int = 1,
    address_of: Callable[[int], str] = address,
) -> None:
    """Active subscribers `reader1@example.org` … of the newsletter."""
    numbers = range(first, first + count)
    with database.write() as connection:
        for start in range(0, count, 5_000):
            part = numbers[start : start + 5_000]
            connection.execute(
                sa.insert(tables.subscribers),
                [
                    {
                        "id": number,
                        "email": address_of(number),
                        "address": address_of(number),
                        "address_hash": f"{number:064}",
                        "name": f"Reader {number}",
                        "created_at": NOW,
                    }
                    for number in part
                ],
            )
            connection.execute(
                sa.insert(tables.subscriptions),
                [
                    {
                        "subscriber_id": number,
                        "newsletter": "morning",
                        "cadence": cadence,
                        "status": "active",
                        "since": NOW,
                        "changed_at": NOW - timedelta(days=30),
                    }
                    for number in part
                ],
            )


def make_issue(
    database: Database,
    articles: Sequence[str],
    *,
    kind: str = "cadence",
    cadence: str = "daily",
    window: tuple[int, int] | None = None,
    to: Sequence[str] | None = None,
    again: bool = False,
    expected: int | None = None,
    body: RenderedVariant = BODY,
) -> int:
    """An approved issue that carries the articles, sealed with a small body of its own."""
    numbers = [int(article_id[-12:]) for article_id in articles]
    lo, hi = window or (min(numbers) - 1, max(numbers))
    with database.write() as connection:
        issue_id = insert_issue(
            connection,
            newsletter="morning",
            cadence=cadence if kind == "cadence" else "",
            kind=kind,
            state="approved",
            lo=lo if kind == "cadence" else 0,
            hi=hi if kind == "cadence" else 0,
            audience=Audience(cadence if kind == "cadence" else None, tuple(to) if to is not None else None),
            again=again,
            drafted_at=NOW,
            sealed_at=NOW,
            seal="a seal",
            approved_seal="a seal",
            approved_expected=expected,
            expected=expected,
        )
        set_composition(
            connection,
            issue_id,
            [
                Composed(article_id, number, place, "full", 1)
                for place, (article_id, number) in enumerate(zip(articles, numbers, strict=True))
            ],
        )
        put_variant(
            connection,
            issue_id,
            1,
            "",
            language="en",
            subject=body.subject,
            html=body.html,
            text=body.text,
            sha256=body.sha256,
            article_ids=list(articles),
        )
    return issue_id


def freeze_it(
    database: Database,
    issue_id: int,
    *,
    sheet: CapabilitySheet = SHEET,
    now: datetime = NOW,
    progress: Progress | None = None,
    stop: threading.Event | None = None,
) -> str:
    """Freezes with the house's own templates."""
    return freeze(
        database,
        issue_id,
        newsletter=MORNING,
        publication=PUBLICATION,
        sender=SENDER,
        environment=make_environment(),
        sheet=sheet,
        now=now,
        progress=progress,
        stop=stop,
    )


def frozen_issue(database: Database, readers: int, *, sheet: CapabilitySheet = SHEET) -> int:
    """An issue to so many readers, frozen and ready to be sent."""
    articles = make_newsroom(database)
    add_readers(database, readers)
    issue_id = make_issue(database, articles)
    assert freeze_it(database, issue_id, sheet=sheet) == "sending"
    return issue_id


def delivery_of(database: Database, mail_api: MailAPI, directory: Path, **changes: object) -> Delivery:
    """A delivery of the newsletter through that mail API."""
    delivery = Delivery(
        database=database,
        mail_api=mail_api,
        publication=PUBLICATION,
        sender=SENDER,
        newsletter=MORNING,
        signer=SIGNER,
        instance=INSTANCE,
        directory=directory,
        rng=random.Random(1),
    )
    return replace(delivery, **changes)  # type: ignore[arg-type]


def clock() -> datetime:
    """The real one: leases are counted in the database's real time."""
    return datetime.now(UTC)


def books_now(database: Database, issue_id: int) -> Books:
    """As they are added up when batches change, which is as a look at all batches gives them."""
    with database.read() as connection:
        assert wrong_counts(connection) == {}
        return books(connection, issue_id)


def batches_of(database: Database, issue_id: int) -> list[Batch]:
    with database.read() as connection:
        return select_batches(connection, issue_id)
