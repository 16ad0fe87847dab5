"""An admin's verbs: let somebody in, change what they may do, give them a new link, remove them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy.engine import Connection

from syndicate.core.address import normalise
from syndicate.core.user import ROLES, Role, User, name_fault, secret_hash, tidy_name
from syndicate.errors import BadInput, Refused
from syndicate.storage.audit import record
from syndicate.storage.database import Database
from syndicate.storage.users import (
    add_link,
    change_user,
    end_sessions,
    find_user,
    forget_links,
    get_user,
    hold_users,
    list_users,
    put_user,
)


def add_user(database: Database, name: str, role: Role, *, actor: str, token: str, now: datetime) -> User:
    """A new user, who chooses a password by a one-time link made of `token`. Raises BadInput for a name that is none,
    Refused for one that is taken."""
    name = tidy_name(name)
    if fault := name_fault(name):
        raise BadInput(fault)
    with _changing(database) as connection:
        if taken := find_user(connection, name):
            raise Refused(
                f"There is a user {taken.user.name!r} already.",
                cure=f"Choose another name, or `syndicate users reset {taken.user.name!r}` for a new link.",
            )
        user = put_user(connection, name, role, now)
        add_link(connection, secret_hash(token), user.id, now)
        record(connection, at=now, actor=actor, action="user.add", subject=name, detail={"role": role})
    return user


def change_role(database: Database, name: str, role: Role, *, actor: str, now: datetime) -> bool:
    """Gives a user another role, who has to sign in again for it: nothing that was begun with other rights goes on.
    False when they had it. Raises Refused for the last admin."""
    with _changing(database) as connection:
        user = get_user(connection, name).user
        if user.role == role:
            return False
        _keep_an_admin(connection, user)
        change_user(connection, user.id, role=role)
        end_sessions(connection, user.id)
        detail = {"from": user.role, "to": role}
        record(connection, at=now, actor=actor, action="user.role", subject=user.name, detail=detail)
    return True


def remove_user(database: Database, name: str, *, actor: str, now: datetime) -> User:
    """Shuts a user out at once; what they did stays under their name. Raises Refused for the last admin."""
    with _changing(database) as connection:
        user = get_user(connection, name).user
        _keep_an_admin(connection, user)
        change_user(connection, user.id, removed_at=now, password_hash="")
        end_sessions(connection, user.id)
        forget_links(connection, user.id, now)
        record(connection, at=now, actor=actor, action="user.remove", subject=user.name)
    return user


def reset_user(database: Database, name: str, *, actor: str, token: str, now: datetime) -> User:
    """A new one-time link for a user whose password is lost. The old password holds until the link is used."""
    with _changing(database) as connection:
        user = get_user(connection, name).user
        add_link(connection, secret_hash(token), user.id, now)
        record(connection, at=now, actor=actor, action="user.reset", subject=user.name)
    return user


def keep_address(database: Database, user: User, email: str, *, now: datetime) -> str:
    """Where that user's test mails go from now on; returns it as it is written to. Raises BadInput for what is none."""
    try:
        address = normalise(email).email
    except ValueError as error:
        raise BadInput(f"{error}.", cure="Write it as name@place.example.") from None
    with _changing(database) as connection:
        known = get_user(connection, user.name)
        if known.email != address:
            change_user(connection, known.user.id, email=address)
            record(connection, at=now, actor=user.name, action="user.address", subject=user.name)
    return address


@contextmanager
def _changing(database: Database) -> Iterator[Connection]:
    with database.write() as connection:
        hold_users(connection)
        yield connection


def _keep_an_admin(connection: Connection, user: User) -> None:
    admin = ROLES[-1]
    others = [each for each in list_users(connection) if each.user.role == admin and each.user.id != user.id]
    if user.role == admin and not others:
        raise Refused(
            f"{user.name} is the last admin.", cure="Make somebody else an admin first: `syndicate users role`."
        )
