"""Remembers the tokens of requests that are signed without their body: each is good for one body."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from syndicate.storage.database import Database
from syndicate.storage.instance import address_key
from syndicate.storage.rate_limits import rate_key, take_first, taken_before

Use = tuple[str, bytes]
"""A token and the body that it came with."""


def use_tokens(database: Database, uses: Sequence[Use], *, lasts: timedelta, now: datetime) -> list[bool]:
    """Which of these requests may be believed: not those whose token came with another body within the time that it
    lasts, for then somebody saw a request and made another of it. The same request may come again, as a mail API does
    that did not hear the answer."""
    if not uses:
        return []
    with database.write() as connection:
        secret = address_key(connection)
        tokens = [rate_key("token", token, secret) for token, _ in uses]
        requests = [
            rate_key("request", f"{token} {hashlib.sha256(body).hexdigest()}", secret) for token, body in uses
        ]
        new = take_first(connection, tokens, now + lasts, now)
        first: dict[str, str] = {}
        for token, request in zip(tokens, requests, strict=True):
            if token in new:
                first.setdefault(token, request)
        known = take_first(connection, list(first.values()), now + lasts, now)
        known |= taken_before(connection, requests, now)
    return [request in known for request in requests]
