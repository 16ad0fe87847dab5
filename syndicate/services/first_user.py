"""The first start lets somebody in: a one-time link that makes the first user."""

from __future__ import annotations

from datetime import datetime

from syndicate.core.user import secret_hash
from syndicate.storage.database import Database
from syndicate.storage.users import add_link, list_users

WELCOME = "console/welcome"


def first_user_link(database: Database, web_url: str, now: datetime, token: str) -> str | None:
    """The address at which the first user, an admin, chooses a name and a password; None when there are users. Good for
    24 hours; `token` is 32 random octets as URL-safe text, and only its hash is kept."""
    with database.read() as connection:
        if list_users(connection):
            return None
    with database.write() as connection:
        add_link(connection, secret_hash(token), None, now)
    return f"{web_url.rstrip('/')}/{WELCOME}/{token}"
