"""Users of the console, the one-time links by which they choose a password, and who is signed in."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.user import LASTS, LINK_LASTS, Role, Session, User, same_name
from syndicate.errors import NotFound
from syndicate.storage import tables
from syndicate.storage.fair_locks import SITE, wait_in_line

_users, _links, _sessions = tables.users, tables.sign_in_links, tables.user_sessions


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A user's row. Without a password yet, only a link lets the person in. Test mails go to `email`, "" until the
    user says where."""

    user: User
    password_hash: str
    created_at: datetime
    signed_in_at: datetime | None
    email: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link that is still good; without a user it makes the first one."""

    user: User | None
    expires_at: datetime


def hold_users(connection: Connection) -> None:
    """Waits for others that change users, and holds them off to the end of the transaction: so that of two admins who
    remove each other, one stays."""
    wait_in_line(connection, SITE)
    connection.execute(sa.select(tables.instance.c.id).where(tables.instance.c.id == 1).with_for_update())


def list_users(connection: Connection) -> list[KnownUser]:
    """Everybody who was not removed, by name."""
    query = sa.select(_users).where(_users.c.removed_at.is_(None)).order_by(_users.c.name)
    return [_known(row) for row in connection.execute(query)]


def find_user(connection: Connection, name: str) -> KnownUser | None:
    """The user that people mean by that name; None when there is none or they were removed."""
    return next((each for each in list_users(connection) if same_name(each.user.name, name)), None)


def get_user(connection: Connection, name: str) -> KnownUser:
    """Raises NotFound with the names that there are."""
    known = find_user(connection, name)
    if known is None:
        names = ", ".join(each.user.name for each in list_users(connection))
        raise NotFound(f"No user is called {name!r}.", cure=f"There are: {names}." if names else "There is none yet.")
    return known


def put_user(connection: Connection, name: str, role: Role, now: datetime) -> User:
    """A new user without a password; one that was removed comes back under the same name."""
    values = {
        **{"role": role, "password_hash": "", "email": ""},
        **{"created_at": now, "removed_at": None, "signed_in_at": None},
    }
    key = connection.execute(sa.select(_users.c.id).where(_users.c.name == name)).scalar_one_or_none()
    if key is None:
        result = connection.execute(sa.insert(_users).values(name=name, **values))
        assert result.inserted_primary_key is not None
        key = result.inserted_primary_key[0]
    else:
        connection.execute(sa.update(_users).where(_users.c.id == key).values(**values))
    return User(name, role, key)


def change_user(connection: Connection, user_id: int, **values: object) -> None:
    """Changes columns of a user's row."""
    connection.execute(sa.update(_users).where(_users.c.id == user_id).values(**values))


def add_link(connection: Connection, token_hash: str, user_id: int | None, now: datetime) -> datetime:
    """Keeps a one-time link; those of the same user before it are void. Returns until when it is good."""
    forget_links(connection, user_id, now)
    connection.execute(
        sa.insert(_links).values(token_hash=token_hash, user_id=user_id, created_at=now, expires_at=now + LINK_LASTS)
    )
    return now + LINK_LASTS


def forget_links(connection: Connection, user_id: int | None, now: datetime) -> None:
    """Removes what has expired, and every link of that user. Links that make the first user stand side by side: each of
    several servers prints one."""
    doomed = _links.c.expires_at <= now
    if user_id is not None:
        doomed |= _links.c.user_id == user_id
    connection.execute(sa.delete(_links).where(doomed))


def find_link(connection: Connection, token_hash: str, now: datetime, *, lock: bool = False) -> Link | None:
    """The link with that hash while it is good: unused, in time, its user not removed, and for the first user as long
    as there is none. `lock` holds it to commit."""
    query = sa.select(_links).where(
        _links.c.token_hash == token_hash, _links.c.used_at.is_(None), _links.c.expires_at > now
    )
    row = connection.execute(query.with_for_update() if lock else query).one_or_none()
    if row is None:
        return None
    if row.user_id is None:
        return None if list_users(connection) else Link(None, row.expires_at)
    known = connection.execute(
        sa.select(_users).where(_users.c.id == row.user_id, _users.c.removed_at.is_(None))
    ).one_or_none()
    return Link(_known(known).user, row.expires_at) if known is not None else None


def use_link(connection: Connection, token_hash: str, now: datetime) -> None:
    """Spends a link."""
    connection.execute(sa.update(_links).where(_links.c.token_hash == token_hash).values(used_at=now))


def add_session(connection: Connection, token_hash: str, user_id: int, now: datetime) -> None:
    """Keeps a sign-in, and forgets those that have ended by themselves."""
    connection.execute(sa.delete(_sessions).where(_sessions.c.user_id == user_id, _sessions.c.expires_at <= now))
    connection.execute(
        sa.insert(_sessions).values(
            token_hash=token_hash, user_id=user_id, created_at=now, seen_at=now, expires_at=now + LASTS
        )
    )


def find_session(connection: Connection, token_hash: str, now: datetime) -> tuple[Session, User] | None:
    """Whose sign-in that is, while it is good and its user was not removed."""
    row = connection.execute(
        sa.select(_sessions, _users.c.name, _users.c.role)
        .join(_users, _users.c.id == _sessions.c.user_id)
        .where(_sessions.c.token_hash == token_hash, _users.c.removed_at.is_(None))
    ).one_or_none()
    if row is None:
        return None
    session = Session(row.user_id, row.created_at, row.seen_at, row.expires_at)
    return (session, User(row.name, row.role, row.user_id)) if session.is_good(now) else None


def good_sessions(connection: Connection, token_hashes: Collection[str], now: datetime) -> set[str]:
    """Those of the sign-ins with these hashes that are good, and whose users were not removed. None counts as used."""
    query = (
        sa.select(_sessions)
        .join(_users, _users.c.id == _sessions.c.user_id)
        .where(_sessions.c.token_hash.in_(sorted(token_hashes)), _users.c.removed_at.is_(None))
    )
    return {
        row.token_hash
        for row in connection.execute(query)
        if Session(row.user_id, row.created_at, row.seen_at, row.expires_at).is_good(now)
    }


def touch_session(connection: Connection, token_hash: str, now: datetime) -> None:
    """Notes that the session was used."""
    connection.execute(sa.update(_sessions).where(_sessions.c.token_hash == token_hash).values(seen_at=now))


def end_session(connection: Connection, token_hash: str) -> int | None:
    """Ends one sign-in; returns whose it was."""
    owner: int | None = connection.execute(
        sa.select(_sessions.c.user_id).where(_sessions.c.token_hash == token_hash)
    ).scalar_one_or_none()
    connection.execute(sa.delete(_sessions).where(_sessions.c.token_hash == token_hash))
    return owner


def end_sessions(connection: Connection, user_id: int) -> int:
    """Ends every sign-in of a user; returns how many."""
    return connection.execute(sa.delete(_sessions).where(_sessions.c.user_id == user_id)).rowcount


def _known(row: sa.Row[tuple[object, ...]]) -> KnownUser:
    return KnownUser(User(row.name, row.role, row.id), row.password_hash, row.created_at, row.signed_in_at, row.email)
