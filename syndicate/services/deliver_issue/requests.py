"""The requests of one issue: whose mails are in them, and their bytes, the same for ever for the same people."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

from syndicate.core.allowance import domain_counts
from syndicate.core.batch import Step, Unresolved, may_replay, request_key, too_bad
from syndicate.core.issue import Issue
from syndicate.core.recipients import Recipients
from syndicate.errors import BadInput
from syndicate.mail.base import MailAPI
from syndicate.rendering.email import RenderedVariant
from syndicate.rendering.letters import Letters
from syndicate.rendering.personalise import Envelope
from syndicate.services.deliver_issue.delivery import Delivery
from syndicate.storage.claims import Planned, Prepared
from syndicate.storage.issues import get_variants
from syndicate.storage.ledger import Batch


class Requests:
    """Builds the requests of an issue for one mail API."""

    def __init__(self, delivery: Delivery, issue: Issue) -> None:
        self.database, self.api = delivery.database, delivery.mail_api
        self.lease_seconds = delivery.lease_seconds
        self.most: int | None = None
        """How many people one request may be for at this time, when that is fewer than the mail API takes."""
        self.at_domains: Mapping[str, int] = {}
        """How many of them at each receiving domain that is limited."""
        self.issue_id, self.instance = issue.id, delivery.instance
        envelope = Envelope(
            publication=delivery.publication,
            sender=delivery.sender,
            newsletter=delivery.newsletter,
            issue_id=issue.id,
            instance=delivery.instance,
            # Nothing in a mail changes between two requests.
            date=issue.frozen_at or issue.drafted_at,
            signer=delivery.signer,
        )
        self.letters = Letters(envelope, self.versions)

    def prepare(self, batch: Batch, people: Planned, revision: int) -> tuple[Prepared, bytes]:
        """The next generation of a batch in that revision of the issue, without those who must not be mailed now."""
        members = people.now
        excluded = {ordinal: why for ordinal, why in people.excluded.items() if ordinal not in people.has_it}
        step, body = None, b""
        try:
            if members and all(self.letters.has_nothing(revision, key) for key in set(members.variant_keys)):
                step = Step("withdrawn", "nothing is left of it for them")
            elif members and self.too_much_for_one(members):
                step = Step("split", f"{self.api.sheet.api} takes or is sent fewer in a request", counts=False)
            elif members:
                body = self.build(revision, members)
        except BadInput as error:
            step = too_bad(str(error), len(members))
        digest = hashlib.sha256(body).hexdigest()
        prepared = Prepared(
            batch,
            tuple(members.ordinals),
            excluded,
            people.not_now,
            api=self.api.sheet.api,
            account=self.api.account,
            request_key=request_key(
                issue_id=self.issue_id,
                first=batch.first,
                last=batch.last,
                generation=batch.generation + 1,
                api=self.api.sheet.api,
                account=self.api.account,
                instance=self.instance,
                sha256=digest,
            ),
            sha256=digest,
            step=step,
            revision=revision,
        )
        return prepared, body

    def repeat(
        self, batch: Batch, people: Planned, unresolved: Unresolved, now: datetime
    ) -> tuple[Prepared, bytes] | None:
        """The same request again, if it may be replayed and can be built just as it was."""
        if (batch.api, batch.account) != (self.api.sheet.api, self.api.account):
            return None
        if not may_replay(
            unresolved,
            idempotency_seconds=self.api.sheet.idempotency_seconds,
            now=now,
            lease_seconds=self.lease_seconds,
        ):
            return None
        members = people.last_time
        if not people.excluded.keys() <= people.left_out:
            return None
        try:
            body = self.build(batch.revision, members)
        except BadInput:
            return None
        digest = hashlib.sha256(body).hexdigest()
        if digest != batch.sha256:
            return None
        prepared = Prepared(
            batch,
            tuple(members.ordinals),
            {each: people.excluded.get(each, "suppressed") for each in sorted(people.left_out - people.has_it)},
            people.not_now,
            api=batch.api,
            account=batch.account,
            request_key=batch.request_key,
            sha256=digest,
            replay=True,
            revision=batch.revision,
        )
        return prepared, body

    def is_as_posted(self, api: MailAPI, batch: Batch, people: Planned) -> bool:
        """Whether a batch's last request comes out byte for byte as it was posted through that mail API: then its mails
        have the names that they had. Not so once `[web] url` is another."""
        try:
            body = api.build(self.letters.write(batch.revision, people.last_time))
        except BadInput:
            return False
        return hashlib.sha256(body).hexdigest() == batch.sha256

    def sender_fault(self, revision: int, variant_key: str) -> str:
        """Why the mail API cannot express a mail of this sender at all, asked with a reader who is nobody: else every
        reader would be refused for it, one by one. "" when it can."""
        nobody = Recipients.of([(1, 0, "reader@reader.invalid", "", variant_key)])
        try:
            self.build(revision, nobody)
        except BadInput as error:
            return str(error)
        return ""

    def mails(self, people: Planned) -> dict[str, int]:
        """The ordinals of the readers of a batch's last request, in order, by the Message-IDs of their mails."""
        members = people.last_time
        return dict(zip(self.letters.message_ids(members), members.ordinals, strict=True))

    def too_much_for_one(self, people: Recipients) -> bool:
        """Whether these were planned for a mail API that takes more, or other, people in one request, or are more than
        the account or a receiving domain may be sent in one."""
        if len(people) <= 1:
            return False
        sheet = self.api.sheet
        most = min(sheet.recipients_per_request, self.most or sheet.recipients_per_request)
        mixed = sheet.substitution and len(set(people.variant_keys)) > 1
        counts = domain_counts(people.emails, self.at_domains) if self.at_domains else {}
        crowded = any(count > self.at_domains[domain] for domain, count in counts.items())
        return len(people) > most or mixed or crowded

    def build(self, revision: int, people: Recipients) -> bytes:
        """The body of one request for these people. Raises BadInput."""
        return self.api.build(self.letters.write(revision, people))

    def versions(self, revision: int) -> dict[str, RenderedVariant]:
        """The rendered bodies of a revision."""
        with self.database.read() as connection:
            stored = get_variants(connection, self.issue_id, revision)
        return {key: RenderedVariant(each.subject, each.html, each.text) for key, each in stored.items()}

