"""What deliveries of one newsletter need."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from syndicate.core.allowance import Limits
from syndicate.core.lease import Lease
from syndicate.core.newsletter import Newsletter
from syndicate.core.publication import Publication, Sender
from syndicate.core.token import TokenSigner
from syndicate.mail.base import MailAPI
from syndicate.storage.database import Database
from syndicate.storage.standby import Standby


@dataclass(frozen=True, slots=True)
class Delivery:
    """What deliveries of one newsletter need. `directory` is the site's folder, where workers hold their locks.
    `patience_seconds` is how long a delivery waits for a batch whose time comes later before it ends."""

    database: Database
    mail_api: MailAPI
    publication: Publication
    sender: Sender
    newsletter: Newsletter
    signer: TokenSigner
    instance: str
    directory: Path
    limits: Limits = field(default_factory=Limits)
    """How much the mail API's account may be sent."""
    others: tuple[MailAPI, ...] = ()
    """Mail APIs through which earlier requests may have gone: asked for their record, never posted to."""
    standby: Standby | None = None
    lease: Lease = field(default_factory=Lease)
    patience_seconds: float = 60.0
    rng: random.Random = field(default_factory=random.Random)

    @property
    def lease_seconds(self) -> float:
        """How long a claim holds."""
        return self.lease.seconds

    def api_of(self, api: str, account: str) -> MailAPI | None:
        """The mail API that a request went through, if it is one of those set up."""
        known = (self.mail_api, *self.others)
        return next((each for each in known if (each.sheet.api, each.account) == (api, account)), None)
