"""A token opens nothing any more."""

from __future__ import annotations

from datetime import datetime

from syndicate.storage import api_tokens, audit
from syndicate.storage.database import Database


def revoke_token(database: Database, name: str, *, actor: str, now: datetime) -> None:
    """Raises NotFound when no token of that name is good."""
    with database.write() as connection:
        api_tokens.revoke_token(connection, name, now)
        audit.record(connection, at=now, action="token.revoke", subject=name, actor=actor)
