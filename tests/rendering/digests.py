"""Digests for tests: a small newsroom, its articles, and the mail that a reader gets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from lxml import html as lxml_html

from syndicate.core.article import Article, Content
from syndicate.core.message import Message
from syndicate.core.newsletter import Newsletter
from syndicate.core.publication import Publication, Sender
from syndicate.core.token import TokenSigner
from syndicate.rendering.email import Digest, RenderedVariant
from syndicate.rendering.personalise import Envelope, Recipient, personalise

DAY = datetime(2026, 11, 20, 7, 0, tzinfo=UTC)
PUBLICATION = Publication(
    "The Harbour Post", "https://post.example", "en", "Europe/Lisbon", "https://news.post.example"
)
SENDER = Sender(
    "The Harbour Post",
    "news@post.example",
    "desk@post.example",
    "Harbour Post Ltd",
    "1 Quay Street\nLisbon",
    "https://post.example/privacy",
)
NEWSLETTER = Newsletter("morning", "Morning Briefing", "en", "Europe/Lisbon")
SIGNER = TokenSigner([(1, b"the secret of the first key")])
READER = Recipient(1, 42, "reader@example.org", "")

Role = Literal["full", "title"]


def article(number: int, **content: Any) -> Article:
    """Released article `number`, dated the day before, with whatever `content` says instead."""
    filled: dict[str, Any] = {
        "title": f"Headline number {number}",
        "html": "<p>Text.</p>",
        "summary": f"What happened in story {number}.",
        "section": "World",
        "authors": ("Harbour desk",),
        "date": DAY - timedelta(days=1),
    }
    link = content.pop("link", f"https://post.example/{number}")
    return Article(
        id=f"urn:uuid:00000000-0000-4000-8000-{number:012d}",
        source="desk",
        key=f"{number}.md",
        content=Content(**{**filled, **content}),
        link=link,
        own_page=False,
        status="released",
        number=number,
    )


def digest(*articles: Article, titles: tuple[Article, ...] = (), **changes: Any) -> Digest:
    """An issue of the morning newsletter with these articles in full and those as title links."""
    shown: list[tuple[Article, Role]] = [(each, "full") for each in articles]
    shown += [(each, "title") for each in titles]
    filled: dict[str, Any] = {
        "publication": PUBLICATION,
        "sender": SENDER,
        "newsletter": NEWSLETTER,
        "issue_id": 4711,
        "language": "en",
        "day": DAY,
        "subject": "",
        "preheader": "",
        "intro": "",
        "articles": tuple(shown),
    }
    return Digest(**{**filled, **changes})


def envelope(**changes: Any) -> Envelope:
    """That issue's envelope."""
    filled: dict[str, Any] = {
        "publication": PUBLICATION,
        "sender": SENDER,
        "newsletter": NEWSLETTER,
        "issue_id": 4711,
        "instance": "instance",
        "date": DAY,
        "signer": SIGNER,
    }
    return Envelope(**{**filled, **changes})


def mail(variant: RenderedVariant, recipient: Recipient = READER, **changes: Any) -> Message:
    """The copy of one reader."""
    return next(personalise(variant, envelope(**changes), [recipient]))


def parsed(html: str) -> Any:
    """The document, as lxml reads it."""
    return lxml_html.document_fromstring(html)


def seen(html: str) -> str:
    """What a reader sees, blanks folded: the hidden preheader, title and style left out."""
    document = parsed(html)
    for hidden in document.xpath("//head | //div[contains(@style, 'display:none')] | //comment()"):
        hidden.drop_tree()
    return " ".join(document.text_content().split())
