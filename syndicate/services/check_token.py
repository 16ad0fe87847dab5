"""A program shows its token, no oftener than it may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from syndicate.core.api_token import looks_like_token, token_hash
from syndicate.core.rate import Rate, arrive, room
from syndicate.core.sign_up import network_of
from syndicate.storage import rate_limits
from syndicate.storage.api_tokens import ApiToken, find_token, note_use
from syndicate.storage.database import Database

NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is known when a token was last used: each note is a write."""
PER_TOKEN = Rate(600, timedelta(milliseconds=100))
PER_NETWORK = Rate(30, timedelta(seconds=10))
"""Tries without a good token: nobody guesses one, but each try costs."""


@dataclass(frozen=True, slots=True)
class Checked:
    """`token` is the one that was shown, None when it is not good. It may be used now unless there is a `wait`; `room`
    more requests may follow at once, and PER_TOKEN.burst again when `full_in` has passed."""

    token: ApiToken | None
    wait: timedelta
    room: int
    full_in: timedelta


def check_token(database: Database, token: str, *, address: str, secret: bytes, now: datetime) -> Checked:
    """Looks the token up and counts the request: against the token, or against the network of `address` when it is not
    good (`secret` keys the hash of that)."""
    with database.read() as connection:
        # Looked up by its hash: how long the comparison takes says nothing about a token.
        found = find_token(connection, token_hash(token)) if looks_like_token(token) else None
        if found is not None:
            key, rate = f"api-token:{found.id}", PER_TOKEN
        else:
            key, rate = rate_limits.rate_key("api-network", network_of(address) or address, secret), PER_NETWORK
        # Read first: who is over the limit must not cost everybody else the turn to write.
        tat = rate_limits.read(connection, [key]).get(key)
    _, wait = arrive(rate, tat, now)
    if not wait:
        with database.write() as connection:
            wait = rate_limits.take(connection, key, rate, now)
            tat = rate_limits.read(connection, [key])[key]
            if found is not None and not wait and (found.used_at is None or now - found.used_at > NOTED_EVERY):
                note_use(connection, found.id, now)
    return Checked(found, wait, *room(rate, tat, now))
