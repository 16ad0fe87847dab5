"""The tokens of requests that are signed without their body: each is good for one body."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.engine import Connection

from syndicate.storage.rate_limits import rate_key, take_new, taken_before

Use = tuple[str, bytes]
"""A token and the body that it came with."""


def believe(
    connection: Connection, uses: Sequence[Use], secret: bytes, *, lasts: timedelta, now: datetime
) -> list[bool]:
    """Which of these requests may be believed: not those whose token came with another body within the time that it
    lasts, for then somebody saw a request and made another of it. The same request may come again, as a mail API does
    that did not hear the answer. The caller holds `people.lock_people`, so that of two that come together one is first.
    """
    if not uses:
        return []
    pairs = [
        (
            rate_key("token", token, secret),
            rate_key("request", f"{token} {hashlib.sha256(body).hexdigest()}", secret),
        )
        for token, body in uses
    ]
    # By taking them, not by a look: a plan that PostgreSQL made for a few keys reads all of them when they are many.
    new = take_new(connection, {token for token, _ in pairs}, now + lasts, now)
    first: dict[str, str] = {}
    for token, request in pairs:
        if token in new:
            first.setdefault(token, request)
    believed = set(first.values())
    take_new(connection, believed, now + lasts, now)
    before = {request for token, request in pairs if token not in new}
    if before:
        believed |= taken_before(connection, before, now)
    return [request in believed for _, request in pairs]
