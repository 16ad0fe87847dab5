"""A program gets a token by which it shows who it is."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.api_token import Scope, make_token, name_fault, token_hash
from syndicate.errors import UsageError
from syndicate.storage import audit
from syndicate.storage.api_tokens import add_token
from syndicate.storage.database import Database


def create_token(
    database: Database, name: str, *, source: str, actor: str, random: bytes, now: datetime, scope: Scope = "push"
) -> str:
    """The new token, which is told once and kept nowhere. `random` is 32 octets; `source` the only source that it may
    write to, "" for every one of kind push. Raises UsageError for a name that is none, Refused when it is taken."""
    fault = name_fault(name)
    if fault:
        raise UsageError(fault)
    token = make_token(random)
    with database.write() as connection:
        add_token(
            connection,
            name=name,
            token_hash=token_hash(token),
            scope=scope,
            source=source,
            created_by=actor,
            now=now,
        )
        detail = {"scope": scope, "source": source}
        audit.record(connection, at=now, action="token.create", subject=name, actor=actor, detail=detail)
    return token
