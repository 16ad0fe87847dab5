"""The one row of what the database remembers of itself, and its signing keys.

The first signing key is never removed: two more keys are derived from it (HMAC-SHA256 with a label), one that hashes
addresses for suppression and one that names the instance. Both must outlive every rotation.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from syndicate.core.instance import Remembered
from syndicate.errors import StorageError
from syndicate.storage.fair_locks import SITE, wait_in_line
from syndicate.storage.tables import instance, signing_keys

KEY_BYTES = 32

_ROW = sa.select(instance).where(instance.c.id == 1)
_HELD = "syndicate_first_key"
_FIRST_KEY = sa.select(signing_keys.c.secret).order_by(signing_keys.c.id).limit(1)


def with_names(*beside: sa.ColumnElement[Any]) -> sa.Select[Any]:
    """For `read_names`: also what is asked beside them, in the same statement."""
    return sa.select(instance.c.web_url, _FIRST_KEY.scalar_subquery().label("first_key"), *beside).where(
        instance.c.id == 1
    )


def read_names(connection: Connection, query: sa.Select[Any], asked: Mapping[str, Any]) -> sa.Row[Any]:
    """The row: `web_url`, and what was asked beside it. `address_key` and `instance_id` need no look after this."""
    row = connection.execute(query, asked).one_or_none()
    if row is None or row.first_key is None:
        raise _never_started()
    connection.execution_options(**{_HELD: row.first_key})
    return row


def start(connection: Connection, *, secret: bytes, place: str, web_url: str, now: datetime) -> bool:
    """Writes the row and the first key; False when they were there already, which changes nothing."""
    if connection.execute(sa.select(instance.c.id).where(instance.c.id == 1)).first() is None:
        connection.execute(sa.insert(instance).values(id=1, created_at=now, machine=place, web_url=web_url))
    if connection.execute(sa.select(signing_keys.c.id).limit(1)).first() is not None:
        return False
    add_signing_key(connection, secret, now)
    return True


def remembered(connection: Connection, *, lock: bool = False) -> Remembered:
    """What the database remembers of where it is used. With `lock` the row is held to commit."""
    if lock:
        wait_in_line(connection, SITE)
    row = connection.execute(_ROW.with_for_update() if lock else _ROW).one_or_none()
    if row is None:
        raise _never_started()
    places = tuple(row.machine.split("\n")) if row.machine else ()
    return Remembered(places, row.web_url, row.mail_account, row.epoch, row.quarantined)


def remember(connection: Connection, what: Remembered) -> None:
    """Overwrites that, and ends a quarantine unless it says otherwise."""
    connection.execute(
        sa.update(instance)
        .where(instance.c.id == 1)
        .values(
            machine="\n".join(what.places),
            web_url=what.web_url,
            mail_account=what.mail_account,
            epoch=what.epoch,
            quarantined=what.quarantined,
            quarantine_why="" if not what.quarantined else instance.c.quarantine_why,
        )
    )


def raise_to(connection: Connection, epoch: int) -> None:
    """Raises the epoch and changes nothing else. The caller holds the row."""
    connection.execute(sa.update(instance).where(instance.c.id == 1).values(epoch=epoch))


def quarantine(connection: Connection, why: str) -> None:
    """From now on nothing is claimed. Waits for the claims that hold the row; none commits after it."""
    connection.execute(
        sa.update(instance).where(instance.c.id == 1).values(quarantined=True, quarantine_why=why)
    )


def quarantined_why(connection: Connection) -> str | None:
    """Why the database is in quarantine; None when it is not."""
    row = connection.execute(
        sa.select(instance.c.quarantined, instance.c.quarantine_why).where(instance.c.id == 1)
    ).one_or_none()
    return (row.quarantine_why or "It was copied or restored.") if row is not None and row.quarantined else None


def web_tested(connection: Connection) -> tuple[str, datetime] | None:
    """Which `[web] url` last answered its own unsubscribe test, and when."""
    query = sa.select(instance.c.web_tested_url, instance.c.web_tested_at).where(instance.c.id == 1)
    row = connection.execute(query).one_or_none()
    return (row.web_tested_url, row.web_tested_at) if row is not None and row.web_tested_at is not None else None


def remember_web_test(connection: Connection, url: str, now: datetime) -> None:
    """It answered."""
    wait_in_line(connection, SITE)
    connection.execute(sa.update(instance).where(instance.c.id == 1).values(web_tested_url=url, web_tested_at=now))


def add_signing_key(connection: Connection, secret: bytes, now: datetime) -> None:
    """Adds a key; from now on it signs, and every older one still verifies."""
    connection.execute(sa.insert(signing_keys).values(secret=secret, created_at=now))


def list_signing_keys(connection: Connection) -> list[tuple[int, bytes]]:
    """Every key as (id, secret), oldest first: all verify, the last that is not retired signs."""
    query = sa.select(signing_keys.c.id, signing_keys.c.secret).order_by(
        signing_keys.c.retired_at.is_(None), signing_keys.c.id
    )
    return [(row.id, bytes(row.secret)) for row in connection.execute(query)]


def address_key(connection: Connection) -> bytes:
    """The key of `core.address.address_hash`: the same for as long as the database lives."""
    return _derived(connection, b"address")


def instance_id(connection: Connection) -> str:
    """Sixteen hex digits that name this site for ever, for Message-IDs and List-Ids."""
    return _derived(connection, b"instance").hex()[:16]


def _derived(connection: Connection, label: bytes) -> bytes:
    first = connection.get_execution_options().get(_HELD)
    if first is None:
        first = connection.execute(_FIRST_KEY).scalar()
        if first is None:
            raise _never_started()
        # It does not change: once for each transaction, of which some ask again and again.
        connection.execution_options(**{_HELD: first})
    return hmac.digest(bytes(first), label, "sha256")


def _never_started() -> StorageError:
    return StorageError("This database was never started as a site.", cure="Run 'syndicate collect' once.")
