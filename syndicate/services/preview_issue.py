"""See an issue as one reader would get it. Nothing is written and nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from syndicate.core.message import Message
from syndicate.core.newsletter import Newsletter
from syndicate.core.preflight import Finding, preflight
from syndicate.core.publication import Publication, Sender
from syndicate.core.token import TokenSigner
from syndicate.errors import Refused
from syndicate.rendering.email import RenderedVariant
from syndicate.rendering.personalise import Envelope, Recipient, personalise
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue, get_variants


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole mail, its links for the reader inert, and what the checks before sending found."""

    message: Message
    findings: tuple[Finding, ...]


def preview(
    database: Database,
    issue_id: int,
    newsletter: Newsletter,
    publication: Publication,
    sender: Sender,
    *,
    signer: TokenSigner,
    instance: str,
    now: datetime,
) -> Preview:
    """The issue as sealed. Raises Refused when it has no content yet."""
    with database.read() as connection:
        issue = get_issue(connection, issue_id)
        stored = get_variants(connection, issue_id, issue.revision).get("")
    if stored is None:
        raise Refused(
            f"Issue {issue_id} has no content yet.", cure=f"`syndicate issues draft {issue.newsletter}` composes it."
        )
    variant = RenderedVariant(stored.subject, stored.html, stored.text)
    envelope = Envelope(
        publication=publication,
        sender=sender,
        newsletter=newsletter,
        issue_id=issue_id,
        instance=instance,
        date=issue.sealed_at or now,
        signer=signer,
        revision=issue.revision,
        test=True,
    )
    reader = Recipient(0, 0, "reader@example.com", "")
    return Preview(next(iter(personalise(variant, envelope, [reader]))), preflight(variant))
