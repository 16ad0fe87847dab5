"""Somebody who is signed in chooses another password."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.rate import Rate
from syndicate.core.user import User, folded, password_fault, secret_hash
from syndicate.errors import BadInput
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.password_hashes import check_password, hash_password
from syndicate.storage.rate_limits import rate_key, take
from syndicate.storage.users import add_session, change_user, end_sessions, forget_links, get_user, hold_users


def change_password(
    database: Database,
    user: User,
    *,
    present: str,
    new: str,
    rate: Rate,
    secret: bytes,
    session_token: str,
    now: datetime,
) -> None:
    """Keeps the new password, ends every sign-in of the user and signs them in again under `session_token`. Attempts
    count against the name like sign-ins (`rate`, keyed by `secret`). Raises BadInput when the present password is not
    right or the new one is none."""
    with database.write() as connection:
        wait = take(connection, rate_key("sign-in-user", folded(user.name), secret), rate, now)
    if wait:
        seconds = max(1, round(wait.total_seconds()))
        raise BadInput("Too many attempts.", cure=f"Wait {seconds} seconds, then try again.")
    with database.read() as connection:
        known = get_user(connection, user.name)
    if not check_password(present, known.password_hash)[0]:
        raise BadInput("The present password is not right.")
    if fault := password_fault(new, user.name):
        raise BadInput(fault)
    kept = hash_password(new)
    with database.write() as connection:
        hold_users(connection)
        # Read again: of two changes at once, the second was asked with a password that holds no more.
        if get_user(connection, user.name).password_hash != known.password_hash:
            raise BadInput("The present password is not right.")
        change_user(connection, user.id, password_hash=kept)
        end_sessions(connection, user.id)
        forget_links(connection, user.id, now)
        add_session(connection, secret_hash(session_token), user.id, now)
        record(connection, at=now, actor=user.name, action="user.password", subject=user.name)
