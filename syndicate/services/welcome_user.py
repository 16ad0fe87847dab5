"""Somebody uses a one-time link: chooses a password, and as the first user a name."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.user import ROLES, User, name_fault, password_fault, secret_hash, tidy_name
from syndicate.errors import BadInput, NotFound
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.password_hashes import hash_password
from syndicate.storage.users import (
    Link,
    add_session,
    change_user,
    end_sessions,
    find_link,
    hold_users,
    put_user,
    use_link,
)


def look_at_link(database: Database, token: str, now: datetime) -> Link:
    """What a one-time link is good for; changes nothing. Raises NotFound when it is not good any more."""
    with database.read() as connection:
        link = find_link(connection, secret_hash(token), now)
    if link is None:
        raise _spent()
    return link


def welcome_user(
    database: Database, token: str, *, name: str, password: str, session_token: str, now: datetime
) -> User:
    """Keeps the password, ends every other sign-in of the user and signs them in under `session_token`. `name` counts
    for the first user only. Raises BadInput for a name or password that is none, NotFound for a spent link."""
    link = look_at_link(database, token, now)
    name = link.user.name if link.user else tidy_name(name)
    fault = name_fault(name) or password_fault(password, name)
    if fault:
        raise BadInput(fault)
    kept = hash_password(password)
    with database.write() as connection:
        hold_users(connection)
        # Read again: of two who use the same link at once, one is too late.
        held = find_link(connection, secret_hash(token), now, lock=True)
        if held is None:
            raise _spent()
        user = held.user or put_user(connection, name, ROLES[-1], now)
        use_link(connection, secret_hash(token), now)
        end_sessions(connection, user.id)
        change_user(connection, user.id, password_hash=kept, signed_in_at=now)
        add_session(connection, secret_hash(session_token), user.id, now)
        detail = {"first": True} if held.user is None else {}
        record(connection, at=now, actor=user.name, action="user.welcome", subject=user.name, detail=detail)
    return user


def _spent() -> NotFound:
    return NotFound(
        "This link is not good any more: each works once, for 24 hours.",
        cure="Ask an admin for a new one, or type `syndicate users reset NAME` (`syndicate users add` when there are "
        "no users yet).",
    )
