"""The tokens of requests that are signed without their body: each is good for one body."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.storage.tables import request_tokens

Use = tuple[str, bytes]
"""A token and the body that it came with."""

_MOMENT = request_tokens.c.good_until.type
# One parameter for all of them. SQLite takes the word after a query for the condition of a join unless the query has
# one of its own.
_HOLD = {
    name: sa.text(
        "INSERT INTO request_tokens (token, body, good_until)"
        f" SELECT told.key, told.value, :until FROM {told} WHERE true ON CONFLICT (token) DO UPDATE SET"
        " body = CASE WHEN request_tokens.good_until < :now THEN excluded.body ELSE request_tokens.body END,"
        " good_until = CASE WHEN request_tokens.good_until < :now THEN excluded.good_until"
        " ELSE request_tokens.good_until END RETURNING token, body"
    ).bindparams(sa.bindparam("until", type_=_MOMENT), sa.bindparam("now", type_=_MOMENT))
    for name, told in {
        "sqlite": "json_each(:uses) AS told",
        "postgresql": "jsonb_each_text(CAST(:uses AS jsonb)) AS told (key, value)",
    }.items()
}


def believe(
    connection: Connection, uses: Sequence[Use], secret: bytes, *, lasts: timedelta, now: datetime
) -> list[bool]:
    """Which of these requests may be believed: not those whose token came with another body within the time that it
    lasts, for then somebody saw a request and made another of it. The same request may come again, as a mail API does
    that did not hear the answer. The caller holds `people.lock_people`, so that of two that come together one is first.
    """
    if not uses:
        return []
    told = [(token, hashlib.blake2b(body, key=secret[:64], digest_size=20).hexdigest()) for token, body in uses]
    # Of several bodies that come at once the first.
    asked = {"uses": json.dumps(dict(reversed(told)), sort_keys=True), "until": now + lasts, "now": now}
    good: dict[str, str] = dict(connection.execute(_HOLD[connection.dialect.name], asked).all())
    return [good[token] == body for token, body in told]


def forget_tokens(connection: Connection, now: datetime, limit: int) -> int:
    """Forgets up to `limit` tokens that are good no more; returns how many."""
    column = request_tokens.c
    passed = sa.select(column.token).where(column.good_until < now).order_by(column.token).limit(limit)
    deleted = sa.delete(request_tokens).where(column.token.in_(passed)).returning(column.token)
    return len(connection.execute(deleted).all())
