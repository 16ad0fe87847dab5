"""Rows of API tokens. The tokens themselves are nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.api_token import Scope
from syndicate.errors import NotFound, Refused
from syndicate.storage import tables

_tokens = tables.api_tokens


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One token. `source` is the only source that it may write to, "" for every one of kind push."""

    id: int
    name: str
    scope: str
    source: str
    created_by: str
    created_at: datetime
    used_at: datetime | None
    revoked_at: datetime | None


_columns = tuple(_tokens.c[name] for name in ApiToken.__slots__)


def add_token(
    connection: Connection, *, name: str, token_hash: str, scope: Scope, source: str, created_by: str, now: datetime
) -> None:
    """Raises Refused when a token of that name is still good."""
    query = sa.select(_tokens.c.id).where(_tokens.c.name == name, _tokens.c.revoked_at.is_(None))
    if connection.execute(query).first() is not None:
        raise Refused(
            f"There is a token {name!r} already.", cure=f"Choose another name, or `syndicate token revoke {name}`."
        )
    connection.execute(
        sa.insert(_tokens).values(
            name=name, token_hash=token_hash, scope=scope, source=source, created_by=created_by, created_at=now
        )
    )


def list_tokens(connection: Connection) -> list[ApiToken]:
    """Every token that ever was, the newest first."""
    rows = connection.execute(sa.select(*_columns).order_by(_tokens.c.id.desc()))
    return [ApiToken(**row._mapping) for row in rows]


def find_token(connection: Connection, token_hash: str) -> ApiToken | None:
    """The token with that hash, if it was not revoked."""
    query = sa.select(*_columns).where(_tokens.c.token_hash == token_hash, _tokens.c.revoked_at.is_(None))
    row = connection.execute(query).one_or_none()
    return None if row is None else ApiToken(**row._mapping)


def note_use(connection: Connection, token_id: int, now: datetime) -> None:
    """Remembers when it was last used."""
    connection.execute(sa.update(_tokens).where(_tokens.c.id == token_id).values(used_at=now))


def revoke_token(connection: Connection, name: str, now: datetime) -> None:
    """From now on it opens nothing. Raises NotFound when none of that name is good."""
    here = (_tokens.c.name == name, _tokens.c.revoked_at.is_(None))
    if connection.execute(sa.update(_tokens).where(*here).values(revoked_at=now)).rowcount == 0:
        raise NotFound(f"No token is called {name!r}.", cure="`syndicate token list` shows them.")
