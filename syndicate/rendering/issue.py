"""From an issue and its articles to a rendered, sealed composition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from jinja2 import Environment

from syndicate.core.article import Article
from syndicate.core.identity import page_url
from syndicate.core.issue import Composed, Issue
from syndicate.core.newsletter import Newsletter
from syndicate.core.publication import Publication, Sender
from syndicate.core.seal import seal_of
from syndicate.core.window import Role
from syndicate.rendering.email import Digest, RenderedVariant, render_digest


@dataclass(frozen=True, slots=True)
class House:
    """What every mail of the site is made with."""

    publication: Publication
    sender: Sender
    environment: Environment


@dataclass(frozen=True, slots=True)
class Composition:
    """What an issue consists of, its own body and the seal over both."""

    composed: tuple[Composed, ...]
    variant: RenderedVariant
    seal: str

    @property
    def article_ids(self) -> tuple[str, ...]:
        """The articles that the body shows."""
        return tuple(each.article_id for each in self.composed if each.role != "skipped")


def digest_of(
    issue: Issue,
    newsletter: Newsletter,
    publication: Publication,
    sender: Sender,
    articles: Sequence[tuple[Article, Role]],
    *,
    day: datetime,
    test: bool = False,
) -> Digest:
    """The digest of an issue for people who get these articles; skipped ones do not appear."""
    shown = [(_linked(article, publication), role) for article, role in articles if role != "skipped"]
    return Digest(
        publication=publication,
        sender=sender,
        newsletter=newsletter,
        issue_id=issue.id,
        language=newsletter.language,
        day=day,
        subject=issue.subject,
        preheader=issue.preheader,
        intro=issue.intro,
        articles=tuple((article, "full" if role == "full" else "title") for article, role in shown),
        arranged=bool(issue.edits.order),
        links=issue.edits.links,
        sponsor=issue.edits.sponsor,
        test=test,
    )


def _linked(article: Article, publication: Publication) -> Article:
    return replace(article, link=page_url(article.id, publication.web_url)) if article.own_page else article


def compose(
    issue: Issue, newsletter: Newsletter, house: House, articles: Sequence[tuple[Article, Role]], *, day: datetime
) -> Composition:
    """Renders the issue's own variant and seals it. Raises BadInput when the template fails."""
    digest = digest_of(issue, newsletter, house.publication, house.sender, articles, day=day)
    variant = render_digest(house.environment, digest)
    composed = tuple(
        Composed(article.id, article.number or 0, position, role, article.revision)
        for position, (article, role) in enumerate(articles)
    )
    seal = seal_of(
        variant_sha256=[variant.sha256], lo=issue.lo, hi=issue.hi, composed=composed, audience=issue.audience
    )
    return Composition(composed, variant, seal)
