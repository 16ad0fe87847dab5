"""What the link in a confirmation mail stands for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from syndicate.core.token import TokenSigner
from syndicate.errors import BadInput

PURPOSE = "confirm"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a confirmation's token says: the address by its keyed hash, what was asked for, when, and by which words."""

    address_hash: str
    newsletters: tuple[str, ...]
    at: datetime
    wording: str

    def token(self, signer: TokenSigner) -> str:
        """The token of the link."""
        named = ",".join(self.newsletters)
        return signer.sign(PURPOSE, self.address_hash, int(self.at.timestamp()), self.wording, named)


def read_asked(signer: TokenSigner, token: str) -> Asked:
    """Raises BadInput for a token that is not ours."""
    parts = signer.read(PURPOSE, token)
    if len(parts) != 4:
        raise BadInput("This link is not complete or was changed.", cure="Open it from the e-mail, or copy all of it.")
    address_hash, at, wording, newsletters = parts
    return Asked(address_hash, tuple(newsletters.split(",")), datetime.fromtimestamp(int(at), UTC), wording)
