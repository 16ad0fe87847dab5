"""Rate limits that every process shares: one row for each key."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from syndicate.core.rate import Rate, arrive
from syndicate.storage.tables import rate_limits

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def rate_key(kind: str, what: str, secret: bytes) -> str:
    """The key of a limit on an address of a person or a machine: a keyed hash, from which nobody finds that address."""
    return f"{kind}:{hashlib.blake2b(what.encode(), key=secret[:64], digest_size=20).hexdigest()}"


def take(connection: Connection, key: str, rate: Rate, now: datetime) -> timedelta:
    """Counts one under the key, in the caller's write transaction: zero when it may happen now, else how long to wait,
    and nothing is counted. Two processes that take at once do so one after the other."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    # Whoever takes first holds the row to commit.
    connection.execute(
        insert(rate_limits).values(key=key, tat=now).on_conflict_do_nothing(index_elements=[rate_limits.c.key])
    )
    held = sa.select(rate_limits.c.tat).where(rate_limits.c.key == key).with_for_update()
    tat, wait = arrive(rate, connection.execute(held).scalar_one(), now)
    if not wait:
        connection.execute(sa.update(rate_limits).where(rate_limits.c.key == key).values(tat=tat))
    return wait


def take_turn(connection: Connection, api: str, account: str, every: timedelta, now: datetime) -> timedelta:
    """Counts one look-up in the record of an account, which may be asked once in each `every`: as `take`."""
    if not every:
        return timedelta(0)
    name = hashlib.sha256(f"{api}:{account}".encode()).hexdigest()[:40]
    return take(connection, f"record:{name}", Rate(1, every), now)


def hold(connection: Connection, keys: Collection[str]) -> dict[str, datetime]:
    """The TAT of each of these keys, held to commit; a key never seen has one long past."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    rows = [{"key": key, "tat": LONG_AGO} for key in sorted(keys)]
    if not rows:
        return {}
    connection.execute(
        insert(rate_limits).on_conflict_do_nothing(index_elements=[rate_limits.c.key]), rows
    )
    return read(connection, keys, lock=True)


def read(connection: Connection, keys: Collection[str], *, lock: bool = False) -> dict[str, datetime]:
    """The TAT of each of these keys that has one."""
    query = sa.select(rate_limits.c.key, rate_limits.c.tat).where(rate_limits.c.key.in_(sorted(keys)))
    query = query.order_by(rate_limits.c.key)
    return {row.key: row.tat for row in connection.execute(query.with_for_update() if lock else query)}


def put(connection: Connection, tats: Mapping[str, datetime]) -> None:
    """Writes the TAT of keys that the caller holds."""
    for key, tat in sorted(tats.items()):
        connection.execute(sa.update(rate_limits).where(rate_limits.c.key == key).values(tat=tat))


def passed_keys(connection: Connection, now: datetime) -> list[str]:
    """The keys that limit nothing any more. Looks at all of them: for a read that nobody waits for."""
    return list(connection.execute(sa.select(rate_limits.c.key).where(rate_limits.c.tat < now)).scalars())


def forget_passed(connection: Connection, keys: Collection[str], now: datetime) -> None:
    """Removes those of the keys that limit nothing any more."""
    connection.execute(sa.delete(rate_limits).where(rate_limits.c.key.in_(list(keys)), rate_limits.c.tat < now))
