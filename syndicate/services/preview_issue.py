"""See an issue as one reader would get it. Nothing is written and nothing is sent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from syndicate.core.issue import BEFORE_FREEZING
from syndicate.core.message import Message
from syndicate.core.newsletter import Newsletter
from syndicate.core.preflight import Finding, look_at_headers, look_over
from syndicate.core.publication import Publication, Sender
from syndicate.core.token import TokenSigner
from syndicate.errors import Refused
from syndicate.rendering.email import RenderedVariant
from syndicate.rendering.personalise import Envelope, Recipient, personalise
from syndicate.storage.database import Database
from syndicate.storage.issues import get_issue, get_variants


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole mail, its links for the reader inert, and what the checks before sending found: in its headers, and in
    every version of it as long as it may still be kept from going out."""

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
        variants = get_variants(connection, issue_id, issue.revision)
    stored = variants.get("")
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
    stands = issue.state in BEFORE_FREEZING or issue.state == "paused"
    findings = (
        *look_at_headers(publication, sender, newsletter, date=envelope.date),
        *look_over(variants.values() if stands else [stored]),
    )
    return Preview(next(iter(personalise(variant, envelope, [reader]))), findings)
