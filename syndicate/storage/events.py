"""What mail APIs reported, in rows."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from pydantic_core import to_json
from sqlalchemy.engine import Connection

from syndicate.core.mail_event import SOFT_KEPT, Sign, came_back
from syndicate.storage import tables
from syndicate.storage.arrays import any_of
from syndicate.storage.columns import moment_text

_events, _suppressions = tables.events, tables.suppressions


class Kept(NamedTuple):
    """A row. `raw` is the report as it came."""

    api: str
    event_id: str
    kind: str
    address_hash: str
    issue_id: int | None
    message_id: str
    code: str
    at: datetime
    received_at: datetime
    raw: Mapping[str, Any]


def add_events(connection: Connection, rows: Sequence[Kept]) -> list[bool]:
    """Keeps the reports as they came; returns for each whether it did not come before."""
    if not rows:
        return []
    if connection.dialect.name == "sqlite":
        added = _add_to_sqlite(connection, rows)
    else:
        added = connection.execute(_FROM_JSON, {"rows": _json(rows)}).all()
    if len(added) == len(rows):
        return [True] * len(rows)
    new = {(api, event_id) for api, event_id in added}
    result = []
    for row in rows:
        result.append((row.api, row.event_id) in new)
        # The second of two is the first one again.
        new.discard((row.api, row.event_id))
    return result


def _add_to_sqlite(connection: Connection, rows: Sequence[Kept]) -> Sequence[Sequence[Any]]:
    """One statement for each row, which the driver repeats by itself: a third of the time of one for all."""
    text = cache(moment_text)
    written = [(*row[:7], text(row.at), text(row.received_at), _json(row.raw)) for row in rows]
    added = connection.exec_driver_sql(_INTO_SQLITE, written).rowcount
    return rows if added == len(rows) else connection.execute(_LAST, {"added": added}).all()


_INTO_SQLITE = (
    f"INSERT INTO events ({', '.join(Kept._fields)}) VALUES ({', '.join('?' * len(Kept._fields))})"
    " ON CONFLICT (api, event_id) DO NOTHING"
)
# Ids only grow, and nobody else writes meanwhile: the last ones are those that were added.
_LAST = sa.select(_events.c.api, _events.c.event_id).order_by(_events.c.id.desc()).limit(sa.bindparam("added"))
_TYPES = {"issue_id": "bigint", "at": "timestamptz", "received_at": "timestamptz"}
# One parameter for all of them: the driver takes longer to spell thousands than the server to insert them.
_FROM_JSON = sa.text(
    f"INSERT INTO events ({', '.join(Kept._fields)}) SELECT "
    + ", ".join(
        f"told -> {place}" if name == "raw" else f"CAST(told ->> {place} AS {_TYPES.get(name, 'text')})"
        for place, name in enumerate(Kept._fields)
    )
    + " FROM jsonb_array_elements(CAST(:rows AS jsonb)) AS told"
    " ON CONFLICT (api, event_id) DO NOTHING RETURNING api, event_id"
)


def _json(value: object) -> str:
    """As JSON, which has no moments and no infinite numbers: as text."""
    try:
        return to_json(value, inf_nan_mode="strings").decode()
    except ValueError:
        # What is too deep for it.
        slowly = json.dumps(value, default=datetime.isoformat)
        return json.dumps(json.loads(slowly, parse_constant=str))


def signs_of(connection: Connection, hashes: Collection[str]) -> dict[str, list[Sign]]:
    """By address: every soft bounce, and every mail that is known to have arrived."""
    found: dict[str, list[Sign]] = {each: [] for each in hashes}
    for row in connection.execute(_told(connection.dialect.name), {"hashes": list(hashes)}):
        if row.kind in ("soft bounce", "delivered"):
            found[row.address_hash].append(Sign(row.at, row.issue_id, row.kind == "delivered"))
    return found


@cache
def _told(dialect: str) -> sa.Select[Any]:
    # Of every kind: asked for some, PostgreSQL may go through all events of these kinds, by the other index.
    columns = (_events.c.address_hash, _events.c.kind, _events.c.at, _events.c.issue_id)
    return sa.select(*columns).where(any_of(_events.c.address_hash, "hashes", dialect))


def opened_at(connection: Connection, hashes: Collection[str]) -> dict[str, datetime]:
    """When a suppression of the address was last lifted, for those that had one."""
    query = _opened(connection.dialect.name)
    return {row.address_hash: row.at for row in connection.execute(query, {"hashes": list(hashes)})}


@cache
def _opened(dialect: str) -> sa.Select[Any]:
    closed = _suppressions.c
    return (
        sa.select(closed.address_hash, sa.func.max(closed.lifted_at).label("at"))
        .where(any_of(closed.address_hash, "hashes", dialect), closed.lifted_at.is_not(None))
        .group_by(closed.address_hash)
    )


def blocked_since(connection: Connection, moment: datetime) -> dict[str, dict[str, int]]:
    """By mail API, how many mails were turned away because of the sender since that moment, by status code."""
    query = (
        sa.select(_events.c.api, _events.c.code, sa.func.count().label("mails"))
        .where(_events.c.kind == sa.literal_column("'blocked'"), _events.c.received_at > moment)
        .group_by(_events.c.api, _events.c.code)
        .order_by(sa.func.count().desc(), _events.c.code)
    )
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.api, {})[row.code] = row.mails
    return found


def forget_raw_events(connection: Connection, before: datetime, limit: int, now: datetime) -> int:
    """Forgets up to `limit` reports that came before that moment; returns how many. Suppressions stay, and that mail
    came back from a mailbox to which none is known to have arrived since: without the report, as if it came now, so
    that it is looked at again before what may arrive next is forgotten."""
    # Ids and moments grow together, so no index on the moment is needed.
    facts = [column for column in _events.c if column.name not in ("id", "raw", "received_at")]
    first = sa.select(_events.c.id, _events.c.received_at, *facts).order_by(_events.c.id).limit(limit)
    old = [row for row in connection.execute(first) if row.received_at < before]
    bounced = [row for row in old if row.kind == "soft bounce" and row.address_hash and row.at > now - SOFT_KEPT]
    signs = signs_of(connection, {row.address_hash for row in bounced}) if bounced else {}
    count = {keyed: {sign.at for sign in came_back(theirs)} for keyed, theirs in signs.items()}
    kept = [row for row in bounced if row.at in count[row.address_hash]]
    connection.execute(sa.delete(_events).where(_events.c.id.in_([row.id for row in old])))
    if kept:
        rows = [{column.name: row._mapping[column.name] for column in facts} for row in kept]
        connection.execute(sa.insert(_events), [{**row, "raw": {}, "received_at": now} for row in rows])
    return len(old)
