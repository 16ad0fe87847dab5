"""Somebody signs in, is recognised with every request, and signs out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from syndicate.core.rate import Rate
from syndicate.core.sign_up import network_of
from syndicate.core.user import LONGEST_NAME, LONGEST_PASSWORD, TOUCH_EVERY, User, folded, secret_hash, tidy_name
from syndicate.errors import BadInput, Refused
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.password_hashes import check_password
from syndicate.storage.rate_limits import rate_key, take
from syndicate.storage.users import add_session, change_user, end_session, find_session, find_user, touch_session

PER_USER = Rate(10, timedelta(seconds=30))
PER_NETWORK = Rate(30, timedelta(seconds=10))


class TooOften(Refused):
    """Asked again too soon; `wait` is how long to hold on."""

    def __init__(self, wait: timedelta) -> None:
        seconds = max(1, round(wait.total_seconds()))
        super().__init__("Too many attempts to sign in.", cure=f"Wait {seconds} seconds, then try again.")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Attempt:
    """What somebody typed, and where from."""

    name: str
    password: str
    address: str


def sign_in(database: Database, attempt: Attempt, *, secret: bytes, session_token: str, now: datetime) -> User:
    """Signs in under `session_token`, of which only the hash is kept. Every attempt counts against its name and against
    its network (`secret` keys the hashes of both). Raises TooOften, or BadInput that does not tell which was wrong."""
    name = tidy_name(attempt.name)[:LONGEST_NAME]
    with database.write() as connection:
        wait = take(
            connection,
            rate_key("sign-in-network", network_of(attempt.address) or attempt.address, secret),
            PER_NETWORK,
            now,
        ) or take(connection, rate_key("sign-in-user", folded(name), secret), PER_USER, now)
    if wait:
        raise TooOften(wait)
    with database.read() as connection:
        known = find_user(connection, name)
    good, again = check_password(attempt.password[: LONGEST_PASSWORD + 1], known.password_hash if known else "")
    if known is None or not good:
        raise BadInput("The name or the password is not right.", cure="An admin can give you a new link.")
    with database.write() as connection:
        # Read again: the password may have been changed, or the user removed, while it was checked.
        still = find_user(connection, name)
        if still is None or still.password_hash != known.password_hash:
            raise BadInput("The name or the password is not right.", cure="An admin can give you a new link.")
        user = still.user
        add_session(connection, secret_hash(session_token), user.id, now)
        change_user(connection, user.id, signed_in_at=now, **({"password_hash": again} if again else {}))
        record(connection, at=now, actor=user.name, action="user.sign-in", subject=user.name)
    return user


def recognise(database: Database, session_token: str, now: datetime) -> User | None:
    """Who is signed in under that token; None when it is unknown, idle for 12 hours or 30 days old."""
    kept = secret_hash(session_token)
    with database.read() as connection:
        found = find_session(connection, kept, now)
    if found is None:
        return None
    session, user = found
    if now - session.seen_at >= TOUCH_EVERY:
        with database.write() as connection:
            touch_session(connection, kept, now)
    return user


def sign_out(database: Database, session_token: str) -> None:
    """Ends that sign-in; others of the same user stay."""
    with database.write() as connection:
        end_session(connection, secret_hash(session_token))
